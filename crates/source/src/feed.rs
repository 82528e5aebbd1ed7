//! The way of a session's updates into the application's queue.

use crate::event::{Closed, SourceEvent};
use crate::position::Position;
use crate::pump_event::{PumpEvent, SourceState};
use crosstail_core::model::SourceId;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// How far a source has come: what survives a session.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress {
    /// Where following resumes.
    pub(crate) resume: Option<Position>,
    /// Whether the history is complete.
    pub(crate) filled: bool,
    /// Whether everything up to now has been followed.
    pub(crate) caught_up: bool,
    /// Whether the source has ended.
    pub(crate) ended: bool,
}

/// The way of a session's updates into the application's queue.
#[derive(Debug, Clone)]
pub(crate) struct Feed {
    pub(crate) source: SourceId,
    /// Whether it is fed by following, not by history.
    pub(crate) live: bool,
    pub(crate) events: mpsc::Sender<PumpEvent>,
    pub(crate) progress: Arc<Mutex<Progress>>,
    /// Ends with the session: what is late belongs to no session.
    pub(crate) scope: CancellationToken,
}

impl Feed {
    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the application is told, and the position after it.
    fn told(&self, event: SourceEvent) -> (Option<PumpEvent>, Option<Position>) {
        match event {
            SourceEvent::Batch(items, position) => {
                (Some(PumpEvent::Batch { source: self.source, items, live: self.live }), position)
            }
            SourceEvent::Notice(text) => (Some(PumpEvent::Notice(self.source, text)), None),
            SourceEvent::CaughtUp if self.live => {
                let mut progress = self.progress();
                progress.caught_up = true;
                (progress.filled.then_some(PumpEvent::State(self.source, SourceState::Live)), None)
            }
            SourceEvent::Ended if self.live => {
                self.progress().ended = true;
                (None, None)
            }
            SourceEvent::CaughtUp | SourceEvent::Ended => (None, None),
        }
    }

    /// The application has what comes before a position.
    fn delivered(&self, position: Option<Position>) {
        if position.is_some() && self.live {
            self.progress().resume = position;
        }
    }

    pub(crate) async fn send(&self, event: SourceEvent) -> Result<(), Closed> {
        let (told, position) = self.told(event);
        if let Some(told) = told {
            tokio::select! {
                () = self.scope.cancelled() => return Err(Closed),
                sent = self.events.send(told) => sent.map_err(|_| Closed)?,
            }
        }
        self.delivered(position);
        Ok(())
    }

    pub(crate) fn blocking_send(&self, event: SourceEvent) -> Result<(), Closed> {
        if self.scope.is_cancelled() {
            return Err(Closed);
        }
        let (told, position) = self.told(event);
        if let Some(told) = told {
            self.events.blocking_send(told).map_err(|_| Closed)?;
        }
        self.delivered(position);
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.scope.is_cancelled() || self.events.is_closed()
    }

    pub(crate) async fn closed(&self) {
        tokio::select! {
            () = self.scope.cancelled() => {}
            () = self.events.closed() => {}
        }
    }
}
