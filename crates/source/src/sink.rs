//! Where a source delivers its updates.

use crate::event::{Closed, SourceEvent};
use crate::feed::Feed;
use crosstail_core::withheld::Withheld;
use tokio::sync::mpsc;

/// The receiver of updates. It is bounded, so that a source waits for a slow receiver.
#[derive(Debug, Clone)]
pub struct Sink {
    to: To,
    /// What is hidden in what passes.
    withheld: Option<Withheld>,
}

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
        (Self { to: To::Receiver(sender), withheld: None }, receiver)
    }

    pub(crate) const fn to_pump(feed: Feed) -> Self {
        Self { to: To::Pump(feed), withheld: None }
    }

    /// The same receiver, which gets updates without what is withheld.
    pub(crate) fn without(&self, withheld: &Withheld) -> Self {
        Self { to: self.to.clone(), withheld: Some(withheld.clone()) }
    }

    fn safe(&self, mut event: SourceEvent) -> SourceEvent {
        if let Some(withheld) = &self.withheld {
            match &mut event {
                SourceEvent::Batch(activities, _) => activities.iter_mut().for_each(|activity| withheld.hide(activity)),
                SourceEvent::Notice(text) => *text = withheld.text(text).into_owned(),
                SourceEvent::CaughtUp | SourceEvent::Ended => {}
            }
        }
        event
    }

    /// Delivers an update, when there is room for it.
    ///
    /// # Errors
    ///
    /// [`Closed`] if nobody receives it: the source can end.
    pub async fn send(&self, event: SourceEvent) -> Result<(), Closed> {
        let event = self.safe(event);
        match &self.to {
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
        let event = self.safe(event);
        match &self.to {
            To::Receiver(sender) => sender.blocking_send(event).map_err(|_| Closed),
            To::Pump(feed) => feed.blocking_send(event),
        }
    }

    /// Whether nobody receives updates any more.
    pub fn is_closed(&self) -> bool {
        match &self.to {
            To::Receiver(sender) => sender.is_closed(),
            To::Pump(feed) => feed.is_closed(),
        }
    }

    /// Waits until nobody receives updates any more.
    pub async fn closed(&self) {
        match &self.to {
            To::Receiver(sender) => sender.closed().await,
            To::Pump(feed) => feed.closed().await,
        }
    }
}
