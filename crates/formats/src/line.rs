//! What is said of a line while records are looked for.

use std::borrow::Cow;

/// What is open before a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Open {
    Nothing,
    Json,
    Started,
    /// A record of one line: nothing continues it.
    Single,
    Whole,
    Plain,
}

/// A line without its wrapper.
#[derive(Debug)]
pub(crate) struct Unwrapped<'t> {
    pub(crate) text: Cow<'t, str>,
    pub(crate) cut: bool,
    /// Hash of what wrote the line: the host, process, container and stream that the wrapper names.
    pub(crate) writer: u64,
    /// Whether the wrapper says so much itself that it is a record without a text too.
    pub(crate) speaks: bool,
}

impl Unwrapped<'_> {
    pub(crate) fn owned<'o>(self) -> Unwrapped<'o> {
        Unwrapped { text: Cow::Owned(self.text.into_owned()), ..self }
    }
}
