//! Where a source delivers its updates.

use crate::event::{Closed, SourceEvent};
use crate::feed::Feed;
use tokio::sync::mpsc;

/// The receiver of updates. It is bounded, so that a source waits for a slow receiver.
#[derive(Debug, Clone)]
pub struct Sink(To);

#[derive(Debug, Clone)]
enum To {
    Receiver(mpsc::Sender<SourceEvent>),
    /// The application's own queue: an update passes no other on its way.
    Pump(Feed),
}

impl Sink {
    /// A sink and what receives from it; at most `capacity` updates wait.
    pub fn channel(capacity: usize) -> (Self, mpsc::Receiver<SourceEvent>) {
        let (sender, receiver) = mpsc::channel(capacity);
        (Self(To::Receiver(sender)), receiver)
    }

    pub(crate) const fn to_pump(feed: Feed) -> Self {
        Self(To::Pump(feed))
    }

    /// Delivers an update, when there is room for it.
    ///
    /// # Errors
    ///
    /// [`Closed`] if nobody receives it: the source can end.
    pub async fn send(&self, event: SourceEvent) -> Result<(), Closed> {
        match &self.0 {
            To::Receiver(sender) => sender.send(event).await.map_err(|_| Closed),
            To::Pump(feed) => feed.send(event).await,
        }
    }

    /// [`Self::send`] for a thread that is not of the runtime.
    ///
    /// # Errors
    ///
    /// [`Closed`] if nobody receives it.
    pub fn blocking_send(&self, event: SourceEvent) -> Result<(), Closed> {
        match &self.0 {
            To::Receiver(sender) => sender.blocking_send(event).map_err(|_| Closed),
            To::Pump(feed) => feed.blocking_send(event),
        }
    }

    /// Whether nobody receives updates any more.
    pub fn is_closed(&self) -> bool {
        match &self.0 {
            To::Receiver(sender) => sender.is_closed(),
            To::Pump(feed) => feed.is_closed(),
        }
    }

    /// Waits until nobody receives updates any more.
    pub async fn closed(&self) {
        match &self.0 {
            To::Receiver(sender) => sender.closed().await,
            To::Pump(feed) => feed.closed().await,
        }
    }
}
