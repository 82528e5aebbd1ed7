//! Sends recorded requests again, one after the other, and notes each in a file before and after.

use super::outcomes::{Lookup, Reach};
use super::{Runtime, Sources, Work, payloads_of};
use crate::config::{append_private, private_folder, send_value, state_folder};
use crate::effect::{Effect, Reply, SendPlan, Sendable, Sent, Ticket};
use anyhow::Context as _;
use crosstail_core::filter::Context;
use crosstail_core::model::{Activity, Clock, Names, redact_text};
use crosstail_engine::insight::{HeaderSource, Held, REQUEST_ID, RESEND_OF, Resend, SendSecrets};
use crosstail_engine::store::{LastAttempt, Store};
use crosstail_source::{Priority, SourceError};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes of an answer that are read.
const ANSWER: usize = 4096;

/// The operations of some activities, each by its last attempt in any source; and why a source may know of later ones that are not
/// known here.
async fn last_attempts(
    sources: &Sources,
    work: &Work,
    names: &Names,
    context: Context,
    found: Vec<Activity>,
) -> (Vec<LastAttempt>, Option<String>) {
    let ids: Vec<_> = found.iter().map(|activity| activity.id.clone()).collect();
    let others = Lookup { sources, work, context, reach: Reach::All }.others(&found).await;
    let mut store = Store::new(names.clone());
    store.ingest(found);
    store.ingest(others.attempts);
    let rows: Vec<_> = ids.iter().filter_map(|id| store.find(id)).collect();
    let problem = others.problems.first().map(ToString::to_string);
    let lacking = || others.is_partial.then(|| "a source cannot be read".to_owned());
    (store.last_attempts(&rows), problem.or_else(lacking))
}

/// The operations of some activities, each once, without their requests yet; and why some are left out unless somebody insists.
pub async fn operations(
    sources: &Sources,
    work: &Work,
    names: &Names,
    context: Context,
    found: Vec<Activity>,
) -> Vec<(LastAttempt, Option<Held>)> {
    let (all, problem) = last_attempts(sources, work, names, context, found).await;
    let sent = audit_file().map(|path| sent_before(&path)).unwrap_or_default();
    let judged = |last: LastAttempt| {
        let id = last.activity.id.to_string();
        let of_attempts = Held::of(last.outcome, last.activity.status);
        let unknown = || problem.clone().map(Held::Unknown);
        let held = of_attempts.or_else(|| sent.get(&id).cloned()).or_else(unknown);
        (last, held)
    };
    all.into_iter().map(judged).collect()
}

/// The requests of operations, or why one cannot be sent again; with another body, if one is given. What would be sent twice is
/// among them once.
pub async fn resendable(
    sources: &Sources,
    work: &Work,
    operations: Vec<(LastAttempt, Option<Held>)>,
    secrets: &[SendSecrets],
    changed: Option<&str>,
) -> Vec<Sendable> {
    let activities = operations.iter().map(|(last, _)| last.activity.clone()).collect();
    let loaded = payloads_of(sources, work, activities).await;
    let request = |((last, held), (_, payload, problems)): ((LastAttempt, _), (_, _, Vec<SourceError>))| {
        let request = match problems.first() {
            Some(problem) => Err(problem.to_string()),
            None => Resend::of(&last.activity, &payload, secrets, changed),
        };
        Sendable { last, held, request }
    };
    let mut all: Vec<Sendable> = operations.into_iter().zip(loaded).map(request).collect();
    // Attempts that nothing numbers are of one operation if they say the same.
    let mut seen = HashSet::new();
    all.reverse();
    all.retain(|one| {
        let Ok(request) = &one.request else { return true };
        seen.insert((one.last.first.clone(), request.method.clone(), request.url.clone(), request.body.clone()))
    });
    all.reverse();
    all
}

/// What was sent again before, by the id of what it repeats: what the file says in which it was noted.
fn sent_before(path: &Path) -> HashMap<String, Held> {
    let mut all = HashMap::new();
    let Ok(file) = File::open(path) else { return all };
    for line in BufReader::new(file).lines().map_while(Result::ok) {
        let Ok(line) = serde_json::from_str::<Value>(&line) else { continue };
        let Some(of) = line["of"].as_str().map(str::to_owned) else { continue };
        if all.get(&of) == Some(&Held::SentAgain) {
            continue;
        }
        match (line["state"].as_str(), line["status"].as_u64()) {
            (Some("sending"), _) => drop(all.insert(of, Held::MayHaveArrived)),
            (Some("sent"), Some(status)) if status < 400 => drop(all.insert(of, Held::SentAgain)),
            _ => drop(all.remove(&of)),
        }
    }
    all
}

impl Runtime {
    /// Names the variables with the secrets of requests that are sent again.
    pub fn set_send_secrets(&mut self, secrets: Vec<SendSecrets>) {
        self.send_secrets = secrets.into();
    }

    /// Prepares and sends requests; returns any other effect.
    pub(super) fn run_send(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::PrepareSend(ticket, activities) => {
                let (sources, secrets) = (Arc::clone(&self.sources), Arc::clone(&self.send_secrets));
                let work = self.work("load what is sent again", Priority::Asked, &self.cancel);
                let (names, context) = (self.names.clone(), self.context());
                self.spawn(self.cancel.clone(), ticket, async move {
                    let all = operations(&sources, &work, &names, context, activities).await;
                    Reply::Sendable(resendable(&sources, &work, all, &secrets, None).await)
                });
            }
            Effect::Send(ticket, plan) => self.send_plan(ticket, *plan),
            Effect::StopSending => drop(self.restart_scope(|this| &mut this.sending)),
            other => return Some(other),
        }
        None
    }

    fn send_plan(&mut self, ticket: Ticket, plan: SendPlan) {
        let scope = self.restart_scope(|this| &mut this.sending);
        let replies = self.replies.clone();
        self.spawn(scope, ticket, async move {
            // With room for all: sending does not wait for the screen.
            let (sender, mut outcomes) = tokio::sync::mpsc::channel(plan.requests.len().max(1));
            let passing = async {
                while let Some(sent) = outcomes.recv().await {
                    let _ = replies.send((ticket, Reply::Sent(sent))).await;
                }
            };
            let sending = async move {
                let sender = sender;
                send(&plan, |_, sent| drop(sender.try_send(sent))).await
            };
            let (end, ()) = tokio::join!(sending, passing);
            Reply::SendingEnded(end.map_err(|error| format!("{error:#}")))
        });
    }
}

/// The file in which what was sent is noted.
pub fn audit_file() -> Option<PathBuf> {
    state_folder().map(|folder| folder.join("resends.ndjson"))
}

/// Sends requests at their rate; `each` gets what became of each, and the number of the request, from 0.
///
/// # Errors
/// The audit file cannot be written: then nothing is sent any more.
pub async fn send(plan: &SendPlan, mut each: impl FnMut(usize, Sent) + Send) -> anyhow::Result<()> {
    let path = audit_file().context("cannot determine the folder for state")?;
    if let Some(folder) = path.parent() {
        private_folder(folder)?;
    }
    let mut file = append_private(&path).with_context(|| format!("{}: nothing was sent", path.display()))?;
    // A redirect is not followed: what was sent would go to somebody else.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).timeout(PATIENCE).build()?;
    let pause = Duration::from_secs_f64(1.0 / plan.rate.max(0.001));
    for (number, request) in plan.requests.iter().enumerate() {
        let begun = Instant::now();
        let request_id = uuid::Uuid::new_v4().to_string();
        note(&mut file, &line(plan, request, &request_id, json!({ "state": "sending" })))
            .with_context(|| format!("{}: no more is sent", path.display()))?;
        let answer = one(&client, request, &request_id).await;
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (status, said) = match answer {
            Ok((status, said)) => (Some(status), said),
            Err(error) => (None, error),
        };
        let sent = Sent { of: request.of.clone(), request_id, status, took_ms, said };
        let outcome = json!({ "state": "sent", "status": sent.status, "took_ms": took_ms, "said": sent.said });
        let noted = note(&mut file, &line(plan, request, &sent.request_id, outcome));
        let is_failure = !sent.is_success();
        each(number, sent);
        noted.with_context(|| format!("{}: no more is sent", path.display()))?;
        if is_failure && plan.stops {
            break;
        }
        if number + 1 < plan.requests.len() {
            tokio::time::sleep(pause.saturating_sub(begun.elapsed())).await;
        }
    }
    Ok(())
}

/// What is noted of a request: the body by its hash alone, and no secret.
fn line(plan: &SendPlan, request: &Resend, request_id: &str, more: Value) -> Value {
    let hash = request
        .body
        .as_ref()
        .map(|body| Sha256::digest(body.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    let mut line = json!({
        "at": Clock::system().now().rfc3339(), "by": plan.who, "of": request.of, "request_id": request_id,
        "method": request.method, "url": redact_text(&request.url), "body_sha256": hash, "edited": request.is_edited,
    });
    if let (Some(all), Value::Object(more)) = (line.as_object_mut(), more) {
        all.extend(more);
    }
    line
}

fn note(file: &mut File, line: &Value) -> std::io::Result<()> {
    // In one piece: several may send at once.
    file.write_all(format!("{line}\n").as_bytes())?;
    file.sync_data()
}

/// Sends one request; its status, and the beginning of an answer that is a failure.
async fn one(client: &reqwest::Client, request: &Resend, request_id: &str) -> Result<(u16, String), String> {
    let method = reqwest::Method::from_bytes(request.method.as_bytes()).map_err(|error| error.to_string())?;
    let mut sending = client.request(method, &request.url);
    for (name, value) in &request.headers {
        let value = match value {
            HeaderSource::Recorded(value) => value.clone(),
            HeaderSource::Variable(variable) => {
                send_value(request.host(), variable).map_err(|error| format!("{error:#}"))?
            }
        };
        sending = sending.header(name, value);
    }
    sending = sending.header(REQUEST_ID, request_id).header(RESEND_OF, &request.of);
    if let Some(body) = &request.body {
        sending = sending.body(body.clone());
    }
    let said = |error: reqwest::Error| {
        let error = error.without_url();
        let cause = std::iter::successors(std::error::Error::source(&error), |error| error.source()).last();
        cause.map_or_else(|| error.to_string(), ToString::to_string)
    };
    let mut answer = sending.send().await.map_err(said)?;
    let status = answer.status().as_u16();
    let mut bytes = Vec::new();
    while bytes.len() < ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        bytes.extend_from_slice(&chunk);
    }
    bytes.truncate(ANSWER);
    let text = if status < 400 { String::new() } else { redact_text(&String::from_utf8_lossy(&bytes)).into_owned() };
    Ok((status, text))
}
