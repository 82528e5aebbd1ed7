//! The kind `command`: what programs print. A command of the user's, the journal, containers, pods, files on other hosts.
//!
//! A `feed::Feed` runs the programs and writes their lines into the spool of a `crosstail_files::FedSource`, which reads that.

mod address;
mod child;
mod containers;
mod feed;
mod join;
mod journal;
mod kind;
mod kubernetes;
mod plain;
mod ssh;
mod stream;

pub use child::{Embedding, GUARD, embed};
pub use kind::KIND;
