//! What keeps the programs of a source running while it is read: first they print what was there before, then they are
//! followed. A program that fails ends the feed; the next one goes on where the streams are.

use crate::child::Invocation;
use crate::join::Overlap;
use crate::stream::{Form, Stream};
use async_trait::async_trait;
use crosstail_core::model::Diagnosis;
use crosstail_files::Failure;
use crosstail_source::ErrorKind;
use std::collections::HashMap;
use std::io;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Lines of history that are asked of a stream.
pub(crate) const HISTORY_LINES: usize = 100_000;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// What runs the programs of a source.
#[async_trait]
pub(crate) trait Origin: Send + Sync {
    /// Whether every record says its time and its writer.
    fn told_by_content(&self) -> bool;

    /// The program without which nothing can be read.
    fn program(&self) -> &str;

    /// Whether a command that prints once waits for the end of the program.
    fn is_once(&self) -> bool {
        false
    }

    /// What it cannot do, for people.
    fn limits(&self) -> &'static str;

    /// Runs the programs. Says what it reaches, when everything that was there before has been read, and then follows.
    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure>;
}

/// The streams of a source, which outlive a feed.
type Streams = Arc<Mutex<HashMap<String, Arc<Stream>>>>;

/// The programs of a source, as what feeds its files.
pub(crate) struct Programs {
    origin: Arc<dyn Origin>,
    streams: Streams,
}

impl Programs {
    pub(crate) fn new(origin: Arc<dyn Origin>) -> Self {
        Self { origin, streams: Streams::default() }
    }
}

#[async_trait]
impl crosstail_files::Origin for Programs {
    fn told_by_content(&self) -> bool {
        self.origin.told_by_content()
    }

    fn check(&self) -> Result<(), Failure> {
        let program = self.origin.program();
        if Invocation::new(program, [""; 0]).is_found() {
            return Ok(());
        }
        let missing = Failure::new(ErrorKind::Unsupported, format!("there is no program {program}"));
        Err(missing.hinted("install it, or put its folder into PATH"))
    }

    fn is_once(&self) -> bool {
        self.origin.is_once()
    }

    fn answers(&self, what: &str) -> Diagnosis {
        Diagnosis::ok("program", format!("{} answers: {what}", self.origin.program()))
    }

    fn limits(&self) -> String {
        self.origin.limits().to_owned()
    }

    async fn run(&self, feed: &Arc<crosstail_files::Feed>) -> Result<(), Failure> {
        let feed = Feed { files: Arc::clone(feed), streams: Arc::clone(&self.streams) };
        self.origin.run(&Arc::new(feed)).await
    }
}

/// What takes the lines of programs.
pub(crate) struct Feed {
    files: Arc<crosstail_files::Feed>,
    streams: Streams,
}

impl Deref for Feed {
    type Target = crosstail_files::Feed;

    fn deref(&self) -> &Self::Target {
        &self.files
    }
}

/// A program could not be started.
pub(crate) fn cannot_start(invocation: &Invocation, error: &io::Error) -> Failure {
    Failure::new(ErrorKind::Connect, format!("cannot start {}: {error}", invocation.program.to_string_lossy()))
}

/// What a program prints could not be read.
pub(crate) fn cannot_read(error: &io::Error) -> Failure {
    Failure::new(ErrorKind::Connect, format!("cannot read what it prints: {error}"))
}

impl Feed {
    /// The stream with a key; made where there is none yet.
    pub(crate) fn stream(&self, key: &str, shown: &str, form: impl FnOnce() -> Form) -> Result<Arc<Stream>, Failure> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = streams.get(key) {
            return Ok(Arc::clone(known));
        }
        let writer = self.writer(key, shown)?;
        let stream = Arc::new(Stream::new(writer, form()));
        streams.insert(key.to_owned(), Arc::clone(&stream));
        Ok(stream)
    }

    /// Runs a program of a stream to its end, or until it has been silent for so long.
    pub(crate) async fn run(
        &self,
        stream: &Stream,
        invocation: &Invocation,
        silence: Option<Duration>,
    ) -> Result<Ran, Failure> {
        let mut child = invocation.start(self.spool().path()).map_err(|error| cannot_start(invocation, &error))?;
        stream.begin();
        let mut count = 0;
        let was_silent = loop {
            let next = match silence {
                Some(limit) => match tokio::time::timeout(limit, child.next()).await {
                    Ok(next) => next,
                    Err(_) => break true,
                },
                None => child.next().await,
            };
            let Some((pipe, bytes)) = next.map_err(|error| cannot_read(&error))? else { break false };
            let taken = stream.take(pipe, &bytes, self.formats()).map_err(|error| Failure::spool(&error))?;
            count += taken.1;
            for overlap in taken.0 {
                self.tell_overlap(overlap);
            }
            self.tell_given_up();
        };
        let code = if was_silent { 0 } else { child.code().await.map_err(|error| cannot_read(&error))? };
        let (said, found) = stream.end(code);
        for overlap in found {
            self.tell_overlap(overlap);
        }
        Ok(Ran { code, said, lines: count, was_silent })
    }

    /// Says what was joined of two runs, and what could not be.
    fn tell_overlap(&self, overlap: Overlap) {
        self.notice(match overlap {
            Overlap::Lines(count) => format!("it was started again and repeated {count} lines, which are shown once"),
            Overlap::None => {
                "it was started again and does not go on where it was: lines may be missing or come twice".to_owned()
            }
            Overlap::Untold => {
                "it was started again and printed lines without a time that were there before: they are shown, and \
                                may come twice"
                    .to_owned()
            }
        });
    }

    /// Says that there is more history than was read.
    pub(crate) fn tell_history(&self, name: &str, lines: usize) {
        if lines >= HISTORY_LINES {
            self.warn(format!("{name}: begins with the last {HISTORY_LINES} lines; what is older is not searched"));
        }
    }
}

/// What came of a run.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) said: String,
    /// How many lines it printed that were not there before.
    pub(crate) lines: usize,
    /// Whether it was ended because it had been silent for as long as was given.
    pub(crate) was_silent: bool,
}

/// Waits between tries that grow, with jitter.
pub(crate) struct Backoff(Duration);

impl Backoff {
    pub(crate) const fn new() -> Self {
        Self(FIRST_WAIT)
    }

    pub(crate) async fn wait(&mut self) {
        tokio::time::sleep(self.0.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
        self.0 = (self.0 * 2).min(LONGEST_WAIT);
    }

    /// It worked: the next wait is short again.
    pub(crate) fn reset(&mut self) {
        self.0 = FIRST_WAIT;
    }
}

/// What an answer that failed means: refused, or not reached.
pub(crate) fn refusal(said: String) -> Failure {
    let lower = said.to_ascii_lowercase();
    let refused = ["permission denied", "forbidden", "unauthorized", "must be logged in", "access denied", "host key"];
    if refused.iter().any(|word| lower.contains(word)) {
        let hint = "it has to work in a shell without asking for anything; crosstail gives no password";
        return Failure::new(ErrorKind::Auth, said).hinted(hint);
    }
    let absent =
        ["cannot connect to the docker daemon", "connection refused", "was refused", "no such host", "i/o timeout"];
    let failure = Failure::new(ErrorKind::Connect, said);
    if absent.iter().any(|word| lower.contains(word)) {
        return failure
            .hinted("what the program asks does not answer: start it, or check where the program looks for it");
    }
    failure
}

/// Runs a program for its answer.
pub(crate) async fn ask(feed: &Feed, invocation: &Invocation) -> Result<Vec<u8>, Failure> {
    let spool: &Path = feed.spool().path();
    match invocation.output(spool).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(said)) => Err(refusal(said)),
        Err(error) => Err(cannot_start(invocation, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_answer_has_a_remedy_and_what_refuses_another() {
        let of = |said: &str| {
            let failure = refusal(said.to_owned());
            (failure.kind, failure.hint.unwrap_or_default())
        };
        for said in [
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "The connection to the server localhost:8080 was refused - did you specify the right host or port?",
            "Unable to connect to the server: dial tcp: lookup k8s.example: no such host",
        ] {
            let (kind, hint) = of(said);
            assert!(kind == ErrorKind::Connect && hint.contains("does not answer"), "{said}: {hint}");
        }
        let (kind, hint) = of("permission denied while trying to connect to the Docker daemon socket");
        assert!(kind == ErrorKind::Auth && hint.contains("without asking"), "{hint}");
        assert_eq!(of("no such container"), (ErrorKind::Connect, String::new()));
    }
}
