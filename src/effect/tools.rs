//! What a command of the user's has printed.

/// What a command has printed since the last part.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandOutput {
    /// Lines, and whether each is of standard error.
    pub lines: Vec<(String, bool)>,
    /// How it ended, for people.
    pub end: Option<String>,
}
