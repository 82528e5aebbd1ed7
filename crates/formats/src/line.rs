//! What is said of a line while records are looked for.

use std::borrow::Cow;

/// What is open before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    Nothing,
    Json,
    Started,
    Whole,
    Plain,
}

/// A line without its wrapper.
#[derive(Debug)]
pub(crate) struct Unwrapped<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(crate) cut: bool,
}
