//! The appearance of the screen: its styles, and the keys that it names.

use super::keymap::Keymap;
use super::theme::Theme;

/// What drawing needs besides the state.
#[derive(Debug, Clone)]
pub struct Appearance {
    pub theme: Theme,
    pub keymap: Keymap,
}
