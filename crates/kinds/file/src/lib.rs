//! The kind `file`: log files that are named by paths, globs and folders.

mod kind;

pub use kind::KIND;
