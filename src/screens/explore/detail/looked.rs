//! Where the activities that belong to the opened one have been looked for.

/// How far looking in the stores has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Looked {
    Nowhere,
    /// Not every store could say all that it has.
    Partly,
    Everywhere,
}

impl Looked {
    /// Whether every store has answered, or has failed.
    pub fn is_done(self) -> bool {
        self != Self::Nowhere
    }

    /// What is to be said of it behind what was found.
    pub const fn words(self) -> &'static str {
        match self {
            Self::Nowhere => ", still searching the stores",
            Self::Partly => ", but not everything could be searched",
            Self::Everywhere => "",
        }
    }
}
