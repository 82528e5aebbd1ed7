//! `crosstail watch`: evaluates the rules without a screen. It follows the sources, sends notifications to channels, keeps
//! its state across restarts, and serves `/health` and `/metrics`.

mod backtest;
pub mod channel;
mod counters;
mod notification;
mod outbox;
mod page;
mod process;
mod state;
mod unsaved;

pub use backtest::{Backtest, Backtested, backtest};
pub use channel::{Channel, ChannelKind, Service};
pub use notification::Notification;
pub use process::{Settings, run};
pub use state::{OperatorInput, WatchState, read as read_state};
