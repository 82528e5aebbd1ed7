//! What asks a command to end.

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What comes so soon after another is the same request: `timeout` sends its signal to the process and to its group.
const TWICE: Duration = Duration::from_millis(500);

/// Listens for SIGINT (Ctrl-C), SIGTERM and SIGHUP from when it is made; once every listener is dropped, they end the process as
/// they would without any.
pub(super) struct Ending(Option<watch::Receiver<()>>);

impl Ending {
    pub(super) fn listen() -> Self {
        static ASKED: OnceLock<Option<watch::Sender<()>>> = OnceLock::new();
        Self(ASKED.get_or_init(asked).as_ref().map(watch::Sender::subscribe))
    }

    /// Waits until the command is asked to end.
    pub(super) async fn asked(&mut self) {
        match &mut self.0 {
            Some(receiver) => drop(receiver.changed().await),
            None => std::future::pending().await,
        }
    }
}

/// Where signals arrive; `None` where the system refuses to deliver them, so that they keep their own effect.
fn asked() -> Option<watch::Sender<()>> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP]).ok()?;
    let sender = watch::Sender::new(());
    let asked = sender.clone();
    std::thread::spawn(move || {
        let mut heard: Option<Instant> = None;
        for signal in signals.forever() {
            if asked.send(()).is_ok() {
                heard = Some(Instant::now());
            } else if heard.is_none_or(|at| at.elapsed() > TWICE) {
                // A handler that is taken away leaves its signal ignored.
                let _ = signal_hook::low_level::emulate_default_handler(signal);
            }
        }
    });
    Some(sender)
}
