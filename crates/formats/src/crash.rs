//! Lines in which the runtime of a language says that a program or a thread ends.

use crosstail_core::model::Level;

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
    let first = text.as_bytes().first().filter(|b| b"pfUETte/".contains(b))?;
    if *first == b'/' {
        return is_node_crash(text).then_some(Level::Fatal);
    }
    if *first == b't' {
        return (text.starts_with("thread '") && text.contains("' panicked at ")).then_some(Level::Error);
    }
    CRASHES.iter().find(|(begin, _)| text.starts_with(begin)).map(|(_, level)| *level)
}

/// Whether a line is the place in a source with which Node begins what it says of an exception that nobody caught:
/// `/srv/pay.js:12`.
pub(crate) fn is_node_crash(text: &str) -> bool {
    text.starts_with('/')
        && text.rsplit_once(':').is_some_and(|(path, line)| {
            let (_, extension) = path.rsplit_once('.').unwrap_or_default();
            (1..=7).contains(&line.len())
                && line.bytes().all(|b| b.is_ascii_digit())
                && matches!(extension, "js" | "mjs" | "cjs" | "ts" | "mts" | "cts" | "jsx" | "tsx")
                && !path.contains(' ')
        })
}
