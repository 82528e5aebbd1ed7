//! Turns in a source: how many things its store does for us at once, and whose turn is next.

use crate::job::{Job, Priority};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::oneshot;

/// Gives out turns. A turn is held for as long as the store works, not only for as long as somebody waits for it.
pub struct Scheduler(Mutex<State>);

struct State {
    free: usize,
    waiting: Vec<Waiting>,
}

struct Waiting {
    priority: Priority,
    number: u64,
    turn: oneshot::Sender<()>,
}

/// The right to use the store; given back when it is dropped.
pub struct Turn(Arc<Scheduler>);

impl Scheduler {
    /// With this many turns at once; one of them is only for following.
    pub fn new(turns: usize) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { free: turns, waiting: Vec::new() })))
    }

    /// Waits for a turn: the highest priority first, then the newest job.
    pub async fn turn(self: &Arc<Self>, job: &Job) -> Turn {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if state.may_go(job.priority()) {
                state.free -= 1;
                return Turn(Arc::clone(self));
            }
            let (turn, waiting) = oneshot::channel();
            state.waiting.push(Waiting { priority: job.priority(), number: job.number(), turn });
            waiting
        };
        job.set_waiting(true);
        let given = GivenTurn { scheduler: self, waiting };
        let turn = given.wait().await;
        job.set_waiting(false);
        turn
    }
}

impl State {
    /// The last turn is for following alone.
    fn may_go(&self, priority: Priority) -> bool {
        self.free > usize::from(priority != Priority::Follow)
    }

    /// Gives free turns to those who wait.
    fn give(&mut self) {
        self.waiting.sort_by_key(|waiting| (waiting.priority, waiting.number));
        while let Some(next) = self.waiting.pop() {
            if !self.may_go(next.priority) {
                self.waiting.push(next);
                return;
            }
            // Whoever has stopped waiting takes no turn.
            if next.turn.send(()).is_ok() {
                self.free -= 1;
            }
        }
    }
}

/// Waits for a turn. If it is dropped after the turn was given and before it was taken, the turn is given back.
struct GivenTurn<'a> {
    scheduler: &'a Arc<Scheduler>,
    waiting: oneshot::Receiver<()>,
}

impl GivenTurn<'_> {
    async fn wait(mut self) -> Turn {
        // The sender is dropped only after it has sent.
        let _ = (&mut self.waiting).await;
        Turn(Arc::clone(self.scheduler))
    }
}

impl Drop for GivenTurn<'_> {
    fn drop(&mut self) {
        if self.waiting.try_recv().is_ok() {
            drop(Turn(Arc::clone(self.scheduler)));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.0.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.free += 1;
        state.give();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn job(priority: Priority) -> Job {
        Job::new("test", priority)
    }

    #[tokio::test]
    async fn the_newest_wish_goes_first_and_following_has_a_turn_for_itself() {
        let scheduler = Scheduler::new(2);
        let (old, filling, new) = (job(Priority::Asked), job(Priority::Background), job(Priority::Asked));
        let first = scheduler.turn(&job(Priority::Background)).await;
        let (mut by_old, mut by_filling, mut by_new) =
            (Box::pin(scheduler.turn(&old)), Box::pin(scheduler.turn(&filling)), Box::pin(scheduler.turn(&new)));
        let following = scheduler.turn(&job(Priority::Follow)).now_or_never();
        assert!(following.is_some(), "its turn is free");
        assert!([&mut by_old, &mut by_filling, &mut by_new].into_iter().all(|turn| turn.now_or_never().is_none()));
        drop(following);
        assert!((&mut by_new).now_or_never().is_none(), "the turn of following is nobody else's");
        drop(first);
        assert!((&mut by_old).now_or_never().is_none());
        assert!((&mut by_filling).now_or_never().is_none());
        let second = by_new.now_or_never().expect("the newest");
        drop(second);
        let third = by_old.now_or_never().expect("somebody waits for it");
        drop(third);
        assert!(by_filling.now_or_never().is_some());
    }

    #[tokio::test]
    async fn who_stops_waiting_takes_no_turn() {
        let scheduler = Scheduler::new(2);
        let first = scheduler.turn(&job(Priority::Asked)).await;
        let (given, waits) = (job(Priority::Asked), job(Priority::Background));
        let mut stops = Box::pin(scheduler.turn(&given));
        let mut other = Box::pin(scheduler.turn(&waits));
        assert!((&mut stops).now_or_never().is_none() && (&mut other).now_or_never().is_none());
        drop(first);
        // The turn has been given, and is not taken.
        drop(stops);
        assert!(other.now_or_never().is_some(), "it goes on to the next");
    }
}
