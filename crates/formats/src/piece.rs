//! The parts of a text that holds several records.

use std::borrow::Cow;

/// One record of a text that holds several.
pub(crate) struct Piece<'t> {
    pub(crate) text: Cow<'t, str>,
    /// The dialect, where the envelope decides it.
    pub(crate) dialect: Option<usize>,
}
