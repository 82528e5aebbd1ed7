//! What tells two sets of activities apart, as lines: the contrast shows it, and the screen of two sets.

mod view;

pub(super) use view::{Titles, render};
