//! The logs of pods, by `kubectl`: every container of every pod that a selector names, now and later, with the end of what
//! ran before a restart.

mod pods;

use crate::child::{Invocation, Pipe, complaint, silence};
use crate::containers::time;
use crate::feed::{Backoff, Feed, HISTORY_LINES, Origin, ask, cannot_read, cannot_start};
use crate::join::ByTime;
use crate::stream::{Form, Stream};
use async_trait::async_trait;
use chrono::SecondsFormat;
use crosstail_files::Failure;
use crosstail_source::{ErrorKind, Missing};
use pods::{Container, Phase, Pod, Pods, events};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

/// Containers that are read at once, and that are followed at once.
const AT_ONCE: usize = 4;
const FOLLOWED: usize = 200;
/// What kubectl prints, with exit code 0, in place of a log that the node has lost (kubelet, `kuberuntime`).
const LOST: &str = "unable to retrieve container logs";
/// How long a container that does not run is left alone where nothing is heard of it.
const ASK_AGAIN: Duration = Duration::from_secs(30);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kubernetes {
    context: Option<String>,
    /// `*` is all of them.
    namespace: String,
    selector: Option<String>,
}

impl Kubernetes {
    /// `[CONTEXT/]NAMESPACE[/SELECTOR]`: a selector has `=`, or lists its values in brackets; a context may have slashes.
    pub(crate) fn of(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('/').collect();
        let mut places = parts.iter().position(|part| part.contains(['=', '(', '!'])).unwrap_or(parts.len());
        // The key of a label may have a domain before it, which no namespace has.
        if places < parts.len() && places > 0 && parts[places - 1].contains('.') {
            places -= 1;
        }
        let selector = (places < parts.len()).then(|| parts[places..].join("/"));
        let (namespace, context) = parts[..places].split_last()?;
        let context = (!context.is_empty()).then(|| context.join("/"));
        (!namespace.is_empty()).then(|| Self { context, namespace: (*namespace).to_owned(), selector })
    }

    /// What pods are wanted, for people.
    fn named(&self) -> String {
        let selector = self.selector.iter().map(|selector| format!("/{selector}")).collect::<String>();
        format!("{}{selector}", self.namespace)
    }

    fn kubectl(&self, arguments: impl IntoIterator<Item = String>) -> Invocation {
        let context = self.context.iter().map(|context| format!("--context={context}"));
        Invocation::new("kubectl", context.chain(arguments))
    }

    fn pods(&self, more: &[&str]) -> Invocation {
        let place = match self.namespace.as_str() {
            "*" => "--all-namespaces".to_owned(),
            name => format!("--namespace={name}"),
        };
        let fixed = ["get".to_owned(), "pods".to_owned(), "--output=json".to_owned(), place];
        let selector = self.selector.iter().map(|selector| format!("--selector={selector}"));
        self.kubectl(fixed.into_iter().chain(selector).chain(more.iter().map(|word| (*word).to_owned())))
    }

    /// The program that prints the log of a container, from where the stream is.
    fn logs(&self, container: &Container, stream: &Stream, more: &[&str]) -> Invocation {
        let fixed = [
            "logs".to_owned(),
            "--timestamps".to_owned(),
            format!("--namespace={}", container.namespace),
            format!("--container={}", container.name),
        ];
        // The API takes whole seconds.
        let since = stream.since().and_then(|ns| time(ns, SecondsFormat::Secs));
        let from = since.map(|since| format!("--since-time={since}"));
        let more = more.iter().map(|word| (*word).to_owned());
        self.kubectl(fixed.into_iter().chain(from).chain(more).chain([container.pod.clone()]))
    }

    fn stream(container: &Container, feed: &Feed) -> Result<Arc<Stream>, Failure> {
        let Container { namespace, pod, name, .. } = container;
        // Two namespaces may have pods of one name.
        let head = format!("[namespace/{namespace}/pod/{pod}/{name}] ");
        let form = || Form::Stamped { join: ByTime::default(), heads: [head.clone(), head] };
        feed.stream(&container.key(), &container.shown(), form)
    }

    /// How far a container is now; `None` where that cannot be told.
    async fn phase(&self, container: &Container, feed: &Feed) -> Option<Phase> {
        let place = format!("--namespace={}", container.namespace);
        let asked = ["get", "pod", "--output=json", "--ignore-not-found", &place, &container.pod].map(str::to_owned);
        let answer = ask(feed, &self.kubectl(asked)).await.ok()?;
        let gone = Phase { is_gone: true, ..container.phase };
        if answer.trim_ascii().is_empty() {
            return Some(gone);
        }
        let pod: Pod = serde_json::from_slice(&answer).ok()?;
        match pod.containers().into_iter().find(|other| other.key() == container.key()) {
            Some(found) => Some(found.phase),
            None => Some(gone),
        }
    }

    /// Reads what a container has, and the end of the one before it.
    async fn read(&self, container: &Container, stream: &Stream, feed: &Feed) -> Result<(), Failure> {
        let tail = format!("--tail={HISTORY_LINES}");
        if container.phase.restarts > 0 {
            // Where a node has not kept it, there is none.
            feed.run(stream, &self.logs(container, stream, &["--previous", &tail]), None).await?;
        }
        stream.set_mark(container.phase.restarts);
        let ran = feed.run(stream, &self.logs(container, stream, &[&tail]), None).await?;
        if ran.code != 0 || ran.said.contains(LOST) {
            feed.unread(format!("{}: {}", container.shown(), ran.said));
        }
        feed.tell_history(&container.shown(), ran.lines);
        Ok(())
    }
}

#[async_trait]
impl Origin for Kubernetes {
    fn told_by_content(&self) -> bool {
        true
    }

    fn program(&self) -> &'static str {
        "kubectl"
    }

    fn limits(&self) -> &'static str {
        "it begins with the last 100,000 lines of each container, has what the nodes kept (of a container that was started \
         again the last one before it), and is read whole for each search"
    }

    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure> {
        let answer = ask(feed, &self.pods(&[])).await?;
        let pods: Pods = serde_json::from_slice(&answer)
            .map_err(|error| Failure::new(ErrorKind::Decode, format!("kubectl did not print pods: {error}")))?;
        let found: Vec<Container> = pods.items.iter().flat_map(Pod::containers).collect();
        feed.reached(format!("{} pods, {} containers", pods.items.len(), found.len()), Vec::new());
        let none = found.is_empty().then(|| Missing::Pod { named: self.named() });
        feed.lacks(none.into_iter().collect(), 1);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        let mut reading = JoinSet::new();
        for container in found.iter().filter(|container| container.phase.has_begun) {
            let stream = Self::stream(container, feed)?;
            if stream.mark().is_some() {
                continue;
            }
            let (feed, turns) = (Arc::clone(feed), Arc::clone(&turns));
            let (own, container) = (self.clone(), container.clone());
            reading.spawn(async move {
                let _turn = turns.acquire().await;
                if let Err(failure) = own.read(&container, &stream, &feed).await {
                    feed.unread(format!("{}: {}", container.shown(), failure.cause));
                }
            });
        }
        while reading.join_next().await.is_some() {}
        feed.loaded();
        feed.followed().await;
        Following { own: self, feed, tasks: JoinSet::new(), known: HashMap::new(), told: false }.run(found).await
    }
}

/// The containers that are followed.
struct Following<'a> {
    own: &'a Kubernetes,
    feed: &'a Arc<Feed>,
    tasks: JoinSet<()>,
    known: HashMap<String, watch::Sender<Phase>>,
    told: bool,
}

impl Following<'_> {
    /// Watches the pods until that ends.
    async fn run(&mut self, found: Vec<Container>) -> Result<(), Failure> {
        for container in found {
            self.take(container)?;
        }
        let watching = self.own.pods(&["--watch", "--output-watch-events"]);
        let path = self.feed.spool().path();
        let mut child = watching.start(path).map_err(|error| cannot_start(&watching, &error))?;
        let (mut buffer, mut said) = (Vec::new(), Vec::new());
        while let Some((pipe, bytes)) = child.next().await.map_err(|error| cannot_read(&error))? {
            while self.tasks.try_join_next().is_some() {}
            match pipe {
                Pipe::Out => buffer.extend(bytes),
                Pipe::Err => said = bytes,
            }
            for event in events(&mut buffer) {
                for mut container in event.object.containers() {
                    container.phase.is_gone = event.kind == "DELETED";
                    self.take(container)?;
                }
            }
        }
        let code = child.code().await.map_err(|error| cannot_read(&error))?;
        // The API server ends a watch from time to time; everything goes on where it was.
        Err(Failure::new(ErrorKind::Connect, format!("kubectl get --watch: {}", complaint(&said, code))))
    }

    /// Takes what was heard of a container.
    fn take(&mut self, container: Container) -> Result<(), Failure> {
        let key = container.key();
        if let Some(known) = self.known.get(&key).filter(|known| !known.is_closed()) {
            known.send_replace(container.phase);
            return Ok(());
        }
        if container.phase.is_gone {
            return Ok(());
        }
        self.known.retain(|_, phase| !phase.is_closed());
        if self.known.len() >= FOLLOWED {
            if !self.told {
                self.feed.notice(format!("follows {FOLLOWED} containers at once; a selector takes fewer"));
            }
            self.told = true;
            return Ok(());
        }
        let stream = Kubernetes::stream(&container, self.feed)?;
        let (sender, heard) = watch::channel(container.phase);
        self.known.insert(key, sender);
        let one = One { own: self.own.clone(), container, heard, stream, feed: Arc::clone(self.feed) };
        self.tasks.spawn(one.follow());
        Ok(())
    }
}

/// A container that is followed.
struct One {
    own: Kubernetes,
    container: Container,
    heard: watch::Receiver<Phase>,
    stream: Arc<Stream>,
    feed: Arc<Feed>,
}

impl One {
    /// Follows it through its restarts, until its pod is gone.
    async fn follow(mut self) {
        let mut backoff = Backoff::new();
        let mut said = String::new();
        // Which start of it has been read to its end.
        let mut done = None;
        while !self.container.phase.is_gone {
            let restarts = self.container.phase.restarts;
            if !self.container.phase.has_begun || done == Some(restarts) {
                let _ = tokio::time::timeout(ASK_AGAIN, self.heard.changed()).await;
                let heard = *self.heard.borrow_and_update();
                self.container.phase = self.own.phase(&self.container, &self.feed).await.unwrap_or(heard);
                continue;
            }
            if restarts > self.stream.mark().unwrap_or(0) {
                // The end of what ran before, which the log of the new one has not.
                let _ = self.run("--previous").await;
            }
            self.stream.set_mark(restarts);
            let ran = match self.run("--follow").await {
                Ok(ran) if ran.was_silent => continue,
                Ok(ran) => ran,
                Err(failure) => {
                    self.feed.notice(format!("{}: {}", self.container.shown(), failure.cause));
                    backoff.wait().await;
                    continue;
                }
            };
            // Whether it was started again decides whose log comes next.
            let now = self.own.phase(&self.container, &self.feed).await;
            self.container.phase = now.unwrap_or(self.container.phase);
            if ran.lines > 0 {
                backoff.reset();
            }
            match now {
                Some(now) if now.is_gone => return,
                Some(now) if ran.code == 0 && !now.runs && now.restarts == restarts => {
                    done = Some(restarts);
                    continue;
                }
                Some(now) if now.restarts > restarts => continue,
                _ => {}
            }
            if ran.code != 0 && ran.said != said {
                self.feed.notice(format!("{}: {}; it is tried again", self.container.shown(), ran.said));
                said = ran.said;
            }
            backoff.wait().await;
        }
    }

    async fn run(&self, how: &str) -> Result<crate::feed::Ran, Failure> {
        let logs = self.own.logs(&self.container, &self.stream, &[how]);
        self.feed.run(&self.stream, &logs, Some(silence())).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_context_namespace_and_selector() {
        let of = |text: &str| {
            let found = Kubernetes::of(text).expect("understood");
            (found.context.unwrap_or_default(), found.namespace, found.selector.unwrap_or_default())
        };
        let is = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(of("shop"), is("", "shop", ""));
        assert_eq!(of("prod/shop"), is("prod", "shop", ""));
        assert_eq!(of("shop/app=web"), is("", "shop", "app=web"));
        assert_eq!(of("prod/shop/app=web,tier!=db"), is("prod", "shop", "app=web,tier!=db"));
        assert_eq!(of("shop/app.kubernetes.io/name=web"), is("", "shop", "app.kubernetes.io/name=web"));
        let eks = is("arn:aws:eks:x:1:cluster/prod", "shop", "app in (web)");
        assert_eq!(of("arn:aws:eks:x:1:cluster/prod/shop/app in (web)"), eks);
        assert_eq!(of("*"), is("", "*", ""));
        assert_eq!(Kubernetes::of(""), None);
    }
}
