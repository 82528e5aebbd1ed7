//! The panels, one file each. Each draws itself from the state.

pub(super) mod alerts;
pub(super) mod contrast;
pub(super) mod detail;
pub(super) mod facets;
pub(super) mod filter_bar;
pub(super) mod first_run;
pub(super) mod header;
pub(super) mod health;
pub(super) mod histogram;
pub(super) mod keys;
pub(super) mod list;
pub(super) mod sources;
pub(super) mod status;
pub(super) mod system;
