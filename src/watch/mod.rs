//! `crosstail watch`: the rules without a screen. Follows the sources, evaluates, tells the channels, keeps its state over
//! restarts, and says how it is on a page of its own.

pub mod channel;
mod counters;
mod outbox;
mod page;
mod process;
mod state;

pub use channel::{Channel, ChannelKind};
pub use outbox::Notification;
pub use process::{Settings, run};
pub use state::{OperatorInput, WatchState, read as read_state};
