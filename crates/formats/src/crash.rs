//! Lines in which the runtime of a language says that a program or a thread ends.

use crosstail_core::model::{Level, is_node_place, is_ruby_crash};

/// What the runtime of a language prints, and no logger, when a program or a thread ends: Go, the JVM, .NET, Python, Rust,
/// Deno, Julia.
const CRASHES: &[(&str, Level)] = &[
    ("panic: ", Level::Fatal),
    ("fatal error: ", Level::Fatal),
    ("Unhandled exception. ", Level::Fatal),
    ("Unhandled Exception: ", Level::Fatal),
    ("Exception in thread ", Level::Error),
    ("error: Uncaught ", Level::Error),
    ("ERROR: LoadError: ", Level::Error),
    ("Traceback (most recent call last)", Level::Error),
];

/// The level of a line in which a runtime says that the program or a thread ends.
pub(crate) fn crash(text: &str) -> Option<Level> {
    if text.ends_with(')') && is_ruby_crash(text) {
        return Some(Level::Error);
    }
    let first = text.as_bytes().first().filter(|b| b"pfUETte/n".contains(b) || b.is_ascii_uppercase())?;
    // Most lines with a capital are sentences: a drive has a colon.
    let place = matches!(first, b'/' | b'n' | b'f') || text.as_bytes().get(1) == Some(&b':');
    if place && is_node_place(text) {
        return Some(Level::Fatal);
    }
    if *first == b't' {
        return (text.starts_with("thread '") && text.contains("' panicked at ")).then_some(Level::Error);
    }
    CRASHES.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, level)| *level)
}
