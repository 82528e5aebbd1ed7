//! Containers of Docker and Podman: each is a stream. New ones are found while they are followed, and one that is started
//! again goes on where it was.

use crate::child::Invocation;
use crate::feed::{Backoff, Feed, HISTORY_LINES, Origin, ask};
use crate::join::ByTime;
use crate::stream::{Form, Stream};
use async_trait::async_trait;
use crosstail_files::Failure;
use crosstail_source::Missing;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How often the list of containers is asked for.
const DISCOVER: Duration = Duration::from_secs(2);
/// Containers that are read at once.
const AT_ONCE: usize = 4;
/// Containers that are followed at once.
const FOLLOWED: usize = 200;
/// Where the tools keep the folder of a compose project.
const PROJECT_LABEL: &str = "com.docker.compose.project.working_dir";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Engine {
    Docker,
    Podman,
}

#[derive(Debug, Clone)]
pub(crate) enum Choice {
    /// Those with these names; all where there is none.
    Names(Vec<String>),
    /// Those of the compose project in a folder, by each name of the folder: compose keeps the one by which it was reached.
    Project(Vec<String>),
}

pub(crate) struct Containers {
    pub(crate) engine: Engine,
    pub(crate) choice: Choice,
}

/// A container as the list has it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Container {
    id: String,
    name: String,
    /// Whether it may print more.
    runs: bool,
}

impl Containers {
    async fn list(&self, feed: &Feed) -> Result<Vec<Container>, Failure> {
        let filters = match &self.choice {
            Choice::Project(names) => names.iter().map(|name| Some(format!("label={PROJECT_LABEL}={name}"))).collect(),
            Choice::Names(_) => vec![None],
        };
        let mut found: Vec<Container> = Vec::new();
        for filter in filters {
            let mut arguments =
                vec!["ps", "--all", "--no-trunc", "--format", "{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Status}}"];
            if let Some(filter) = &filter {
                arguments.extend(["--filter", filter]);
            }
            let answer = ask(feed, &Invocation::new(self.program(), arguments)).await?;
            found.extend(String::from_utf8_lossy(&answer).lines().filter_map(container));
        }
        Ok(found.into_iter().filter(|container| self.wants(container)).collect())
    }

    fn wants(&self, container: &Container) -> bool {
        match &self.choice {
            Choice::Project(_) => true,
            Choice::Names(names) => names.is_empty() || names.iter().any(|name| is_named(container, name)),
        }
    }

    /// The names that no container has, and how many there are.
    fn missing(&self, found: &[Container]) -> (Vec<Missing>, usize) {
        let names = match &self.choice {
            Choice::Project(names) if found.is_empty() => {
                let folder = names.first().cloned().unwrap_or_default();
                return (vec![Missing::Project { folder }], 1);
            }
            Choice::Project(_) => &[],
            Choice::Names(names) => names.as_slice(),
        };
        let absent = names.iter().filter(|name| !found.iter().any(|container| is_named(container, name)));
        (absent.map(|named| Missing::Container { named: named.clone() }).collect(), names.len())
    }

    fn stream(container: &Container, feed: &Feed) -> Result<Arc<Stream>, Failure> {
        let Container { id, name, .. } = container;
        let heads = ["stdout", "stderr"].map(|output| format!("[container/{name}/{output}] "));
        feed.stream(id, name, || Form::Stamped { join: ByTime::default(), heads })
    }
}

fn is_named(container: &Container, name: &str) -> bool {
    container.name == name || (name.len() >= 4 && container.id.starts_with(name))
}

/// A line of the list.
fn container(line: &str) -> Option<Container> {
    let mut parts = line.split('\t');
    let (id, names, state) = (parts.next()?.trim(), parts.next()?, parts.next()?);
    let status = parts.next().unwrap_or_default();
    // One with a slash is how another container calls it (`docker run --link`).
    let name = names.split(',').map(str::trim).find(|name| !name.contains('/'))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let is_good = |text: &str| !text.is_empty() && !text.starts_with('-') && text.chars().all(plain);
    // One that ended a moment ago may have printed something since it was looked at.
    let runs = matches!(state, "running" | "restarting" | "paused") || status.contains("second");
    (is_good(id) && is_good(name)).then(|| Container { id: id.to_owned(), name: name.to_owned(), runs })
}

/// The program that prints what a container has, from where the stream is.
fn logs(engine: Engine, id: &str, stream: &Stream, follow: bool) -> Invocation {
    let mut arguments = vec!["logs".to_owned(), "--timestamps".to_owned()];
    match stream.since().and_then(|ns| time(ns, chrono::SecondsFormat::Nanos)) {
        Some(since) => arguments.extend(["--since".to_owned(), since]),
        None if !follow => arguments.extend(["--tail".to_owned(), HISTORY_LINES.to_string()]),
        None => {}
    }
    if follow {
        arguments.push("--follow".to_owned());
    }
    arguments.push(id.to_owned());
    Invocation::new(program(engine), arguments)
}

/// A time in nanoseconds since the epoch as these programs take it.
pub(crate) fn time(ns: i64, form: chrono::SecondsFormat) -> Option<String> {
    let at = chrono::DateTime::from_timestamp(
        ns.div_euclid(1_000_000_000),
        u32::try_from(ns.rem_euclid(1_000_000_000)).ok()?,
    );
    Some(at?.to_rfc3339_opts(form, true))
}

fn program(engine: Engine) -> &'static str {
    match engine {
        Engine::Docker => "docker",
        Engine::Podman => "podman",
    }
}

#[async_trait]
impl Origin for Containers {
    fn told_by_content(&self) -> bool {
        true
    }

    fn program(&self) -> &str {
        program(self.engine)
    }

    fn limits(&self) -> &'static str {
        "it begins with the last 100,000 lines of each container, has what the logging driver kept, and is read whole for \
         each search"
    }

    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure> {
        let found = self.list(feed).await?;
        let containers = if found.len() == 1 { "container" } else { "containers" };
        feed.reached(format!("{} {containers}", found.len()), Vec::new());
        let (missing, named) = self.missing(&found);
        feed.lacks(missing, named);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut reading = JoinSet::new();
        for container in &found {
            let stream = Self::stream(container, feed)?;
            if stream.has_lines() {
                continue;
            }
            let (feed, turns) = (Arc::clone(feed), Arc::clone(&turns));
            let (engine, id, name) = (self.engine, container.id.clone(), container.name.clone());
            reading.spawn(async move {
                let _turn = turns.acquire().await;
                match feed.run(&stream, &logs(engine, &id, &stream, false), None).await {
                    Ok(ran) if ran.code != 0 => feed.unread(format!("{name}: {}", ran.said)),
                    Ok(ran) => feed.tell_history(&name, ran.lines),
                    Err(failure) => feed.unread(format!("{name}: {}", failure.cause)),
                }
            });
        }
        while reading.join_next().await.is_some() {}
        feed.loaded();
        feed.followed().await;
        self.follow(feed, found).await
    }
}

impl Containers {
    /// Follows those that run, until the list cannot be read.
    async fn follow(&self, feed: &Arc<Feed>, mut found: Vec<Container>) -> Result<(), Failure> {
        let mut following: JoinSet<()> = JoinSet::new();
        let mut busy: HashMap<String, tokio::task::AbortHandle> = HashMap::new();
        let mut told = false;
        // What ran while the history was read may have printed more since.
        loop {
            busy.retain(|id, task| {
                // One that was removed is not asked for again.
                let is_there = found.iter().any(|container| container.id == *id);
                if !is_there {
                    task.abort();
                }
                is_there && !task.is_finished()
            });
            for container in found.iter().filter(|container| container.runs) {
                if busy.contains_key(&container.id) {
                    continue;
                }
                if busy.len() >= FOLLOWED {
                    if !told {
                        feed.notice(format!("follows {FOLLOWED} containers at once; name those that matter"));
                    }
                    told = true;
                    break;
                }
                let stream = Self::stream(container, feed)?;
                let task = following.spawn(follow_one(self.engine, container.clone(), stream, Arc::clone(feed)));
                busy.insert(container.id.clone(), task);
            }
            tokio::time::sleep(DISCOVER).await;
            while following.try_join_next().is_some() {}
            found = self.list(feed).await?;
        }
    }
}

/// Follows a container until it ends.
async fn follow_one(engine: Engine, container: Container, stream: Arc<Stream>, feed: Arc<Feed>) {
    let mut backoff = Backoff::new();
    let mut said = String::new();
    loop {
        match feed.run(&stream, &logs(engine, &container.id, &stream, true), None).await {
            Ok(ran) if ran.code == 0 => return,
            Ok(ran) => {
                if ran.lines > 0 {
                    backoff.reset();
                } else if ran.said != said {
                    feed.notice(format!("{}: {}; it is tried again", container.name, ran.said));
                    said = ran.said;
                }
            }
            Err(failure) => feed.notice(format!("{}: {}", container.name, failure.cause)),
        }
        backoff.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_list_is_a_container_and_a_hostile_one_is_none() {
        let found = container("0a1b2c3d4e5f\tshop-web-1,alias\trunning\tUp 2 hours").expect("a container");
        assert_eq!((found.id.as_str(), found.name.as_str(), found.runs), ("0a1b2c3d4e5f", "shop-web-1", true));
        assert!(is_named(&found, "0a1b") && is_named(&found, "shop-web-1") && !is_named(&found, "shop"));
        // Docker sorts the names; another container calls it `app/db`.
        assert_eq!(container("0a\tapp/db,redis\trunning\t").expect("a container").name, "redis");
        assert!(!container("0a\tx\texited\tExited (0) 3 hours ago").expect("one").runs);
        assert!(container("0a\tx\texited\tExited (1) 3 seconds ago").expect("one").runs);
        for bad in ["--help\tx\trunning\t", "0a\t../x\trunning\t", "0a\tx]\u{1b}[2J\trunning\t", "0a"] {
            assert_eq!(container(bad), None, "{bad}");
        }
        assert_eq!(
            time(1_714_979_280_123_456_789, chrono::SecondsFormat::Nanos).as_deref(),
            Some("2024-05-06T07:08:00.123456789Z")
        );
    }
}
