//! The window on the stores: which time a view is about, of which times memory holds everything, and what a source can
//! be asked for alone when several sources share requests.

mod intervals;
mod range;
mod witness;

pub use intervals::{Interval, Intervals};
pub use range::{Bounds, Range};
pub use witness::witness;
