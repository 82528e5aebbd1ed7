//! A schema registry: what it takes to read values that name a schema instead of having one (Avro, Protobuf).
//!
//! A schema never changes, so it is asked for once. What a registry cannot say is an answer, too: it is kept for a while,
//! so that a registry that is down costs the reading of values, not the reading of messages.
//!
//! Source: Confluent documentation, "Schema Registry API Reference".

mod avro;
#[cfg_attr(not(feature = "protobuf"), path = "no_protobuf.rs")]
mod protobuf;
mod wire;

pub(super) use wire::encoded;

use crosstail_core::model::redact_text;
use crosstail_source::{Job, percent_decoded};
use serde::Deserialize;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request takes this long at most.
const TIME_LIMIT: Duration = Duration::from_secs(5);
/// After a failure, nothing is asked for this long.
const RETRY: Duration = Duration::from_secs(5);
/// A number that no schema has is asked for again after this long.
const UNKNOWN: Duration = Duration::from_mins(1);
/// Schemas in schemas, and schemas that one needs, at most.
const REFERENCES: usize = 200;
/// Answers that are kept, at most: a number may be any.
const KEPT: usize = 10_000;
/// Larger answers are not read, in bytes.
const LARGEST: usize = 16 << 20;

/// Why a value is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unread {
    /// What is wrong with the value.
    Value(&'static str),
}

/// A schema that was read.
#[derive(Debug)]
enum Schema {
    Avro(avro::Schema),
    Protobuf(protobuf::Schema),
    /// JSON says itself what it is.
    Json,
}

/// What is known of a schema.
#[derive(Clone)]
enum Known {
    Schema(Arc<Schema>),
    /// Why there is none, until when nobody asks again.
    Not(String, Instant),
}

/// Why a question has no answer.
enum Failure {
    /// The registry has no such thing.
    Unknown(String),
    /// The registry cannot be asked now.
    Down(String),
    /// The job has to stop.
    Stopped(String),
}

/// A schema as a registry gives it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    schema: String,
    /// Avro where it says nothing.
    #[serde(default)]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Reference>,
}

/// A schema that another one names.
#[derive(Debug, Clone, Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: i64,
}

/// A registry and what it said.
pub(super) struct Registry {
    client: reqwest::Client,
    base: reqwest::Url,
    user: Option<(String, String)>,
    known: Mutex<HashMap<u32, Known>>,
    /// Why it cannot be asked, until when.
    down: Mutex<Option<(String, Instant)>>,
}

/// How values that name a schema are read for a job.
#[derive(Clone)]
pub(super) struct Decoder {
    pub(super) registry: Option<Arc<Registry>>,
    pub(super) job: Job,
}

impl Decoder {
    /// A value by the schema of this number, as JSON.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    pub(super) fn text(&self, id: u32, value: &[u8]) -> Result<String, String> {
        match &self.registry {
            Some(registry) => registry.text(id, value, &self.job),
            None => Err(format!(
                "encoded by schema {id} of a schema registry that the address does not name: add registry=http://host:8081"
            )),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Registry {
    /// A registry at `http(s)://[user:password@]host[:port][/path]`. `authority`: a file of certificates that are trusted
    /// besides the system's. Does not connect yet.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub(super) fn new(address: &str, authority: Option<&str>) -> Result<Self, String> {
        let form = "write registry=http://host:8081";
        let mut base = reqwest::Url::parse(address).map_err(|error| format!("registry: {error}; {form}"))?;
        if !matches!(base.scheme(), "http" | "https") {
            return Err(format!("registry: {}:// is not read; {form}", base.scheme()));
        }
        let user = (!base.username().is_empty())
            .then(|| (percent_decoded(base.username()), percent_decoded(base.password().unwrap_or_default())));
        let _ = base.set_username("");
        let _ = base.set_password(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = reqwest::Client::builder().timeout(TIME_LIMIT).user_agent("crosstail");
        if let Some(path) = authority {
            let pem = std::fs::read(path).map_err(|error| format!("ca={path}: {error}"))?;
            let roots = reqwest::Certificate::from_pem_bundle(&pem).map_err(|error| format!("ca={path}: {error}"))?;
            builder = roots.into_iter().fold(builder, reqwest::ClientBuilder::add_root_certificate);
        }
        let client = builder.build().map_err(|error| format!("registry: {error}"))?;
        Ok(Self { client, base, user, known: Mutex::default(), down: Mutex::default() })
    }

    /// Where it is, for people.
    fn place(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// A value by the schema of this number, as JSON.
    ///
    /// # Errors
    /// Why it cannot be read, for people.
    pub(super) fn text(&self, id: u32, value: &[u8], job: &Job) -> Result<String, String> {
        let schema = self.schema(id, job)?;
        let read = match &*schema {
            Schema::Avro(schema) => schema.decode(value),
            Schema::Protobuf(schema) => schema.decode(value),
            Schema::Json => return Ok(String::from_utf8_lossy(value).into_owned()),
        };
        read.map(|value| value.to_string())
            .map_err(|Unread::Value(why)| format!("does not fit schema {id} of the schema registry: {why}"))
    }

    /// Why it cannot be asked, where it cannot.
    pub(super) fn problem(&self, job: &Job) -> Option<String> {
        match self.get(self.base.clone(), job) {
            Err(Failure::Down(why)) => {
                Some(format!("{why}; messages that need it are shown, not read; crosstail asks again"))
            }
            Ok(_) | Err(Failure::Unknown(_) | Failure::Stopped(_)) => None,
        }
    }

    fn schema(&self, id: u32, job: &Job) -> Result<Arc<Schema>, String> {
        match lock(&self.known).get(&id) {
            Some(Known::Schema(schema)) => return Ok(Arc::clone(schema)),
            Some(Known::Not(why, until)) if Instant::now() < *until => return Err(why.clone()),
            _ => {}
        }
        let encoded = format!("encoded by schema {id} of a schema registry");
        if let Some((why, until)) = &*lock(&self.down)
            && Instant::now() < *until
        {
            return Err(format!("{encoded}; {why}"));
        }
        let found = self.load(id, job);
        let known = match &found {
            Ok(schema) => Known::Schema(Arc::clone(schema)),
            Err(Failure::Unknown(why)) => Known::Not(format!("{encoded}; {why}"), Instant::now() + UNKNOWN),
            Err(Failure::Down(why)) => {
                *lock(&self.down) = Some((why.clone(), Instant::now() + RETRY));
                return Err(format!("{encoded}; {why}"));
            }
            Err(Failure::Stopped(why)) => return Err(format!("{encoded}; {why}")),
        };
        let mut all = lock(&self.known);
        if all.len() >= KEPT {
            all.clear();
        }
        all.insert(id, known.clone());
        match known {
            Known::Schema(schema) => Ok(schema),
            Known::Not(why, _) => Err(why),
        }
    }

    /// Asks for a schema and for those that it names.
    fn load(&self, id: u32, job: &Job) -> Result<Arc<Schema>, Failure> {
        let answer: Answer = self.ask(&["schemas", "ids", &id.to_string()], job)?;
        let mut references = Vec::new();
        self.references(&answer.references, &mut references, job)?;
        let parsed = match answer.schema_type.as_deref().unwrap_or("AVRO") {
            "AVRO" => {
                let texts = references.iter().map(|(_, text)| text.as_str());
                avro::Schema::parse(&answer.schema, texts).map(Schema::Avro)
            }
            "PROTOBUF" => protobuf::Schema::parse(&answer.schema, references).map(Schema::Protobuf),
            "JSON" => Ok(Schema::Json),
            other => Err(format!("its type {other} is not known")),
        };
        let wrong = |why: String| Failure::Unknown(format!("which cannot be read: {why}"));
        parsed.map(Arc::new).map_err(wrong)
    }

    /// The texts of what a schema names, each behind what it needs itself.
    fn references(&self, of: &[Reference], found: &mut Vec<(String, String)>, job: &Job) -> Result<(), Failure> {
        let mut open: Vec<(Reference, bool)> = of.iter().rev().map(|one| (one.clone(), false)).collect();
        let mut texts: HashMap<String, String> = HashMap::new();
        while let Some((reference, is_read)) = open.pop() {
            if is_read {
                if let Some(text) = texts.get(&reference.name) {
                    found.push((reference.name, text.clone()));
                }
                continue;
            }
            if texts.contains_key(&reference.name) {
                continue;
            }
            if texts.len() >= REFERENCES {
                return Err(Failure::Unknown(format!("which needs more than {REFERENCES} others")));
            }
            let version = reference.version.to_string();
            let answer: Answer = self.ask(&["subjects", &reference.subject, "versions", &version], job)?;
            texts.insert(reference.name.clone(), answer.schema);
            open.push((reference, true));
            open.extend(answer.references.into_iter().rev().map(|one| (one, false)));
        }
        Ok(())
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, path: &[&str], job: &Job) -> Result<T, Failure> {
        let mut url = self.base.clone();
        if let Ok(mut steps) = url.path_segments_mut() {
            steps.pop_if_empty().extend(path);
        }
        let bytes = self.get(url, job)?;
        let unlike = |_| Failure::Down(format!("{} does not answer as a schema registry does", self.place()));
        serde_json::from_slice(&bytes).map_err(unlike)
    }

    /// The body of an answer.
    fn get(&self, url: reqwest::Url, job: &Job) -> Result<Vec<u8>, Failure> {
        let down = |why: String| Failure::Down(format!("the schema registry {} {why}", self.place()));
        // What reads messages blocks its thread.
        let answer = tokio::runtime::Handle::current().block_on(async {
            tokio::select! {
                stopped = job.stopped() => Err(Failure::Stopped(stopped.to_string())),
                answer = self.fetch(url) => answer.map_err(|error| {
                    let cause = reason(&error.without_url());
                    down(format!("cannot be reached: {}", redact_text(&cause)))
                }),
            }
        });
        let (status, body) = answer?;
        match status {
            200..300 => Ok(body),
            401 | 403 => {
                Err(down(format!("refuses the credentials (HTTP {status}): registry=https://user:password@host")))
            }
            404 => {
                let said = serde_json::from_slice::<Value>(&body).ok();
                let said = said.as_ref().and_then(|body| body["message"].as_str()).unwrap_or("HTTP 404");
                Err(Failure::Unknown(format!("{} does not have it: {}", self.place(), redact_text(said))))
            }
            _ => Err(down(format!("answers with HTTP {status}"))),
        }
    }

    async fn fetch(&self, url: reqwest::Url) -> Result<(u16, Vec<u8>), reqwest::Error> {
        let accepted = "application/vnd.schemaregistry.v1+json, application/json";
        let mut request = self.client.get(url).header("accept", accepted);
        if let Some((user, password)) = &self.user {
            request = request.basic_auth(user, Some(password));
        }
        let mut response = request.send().await?;
        let (status, mut body) = (response.status().as_u16(), Vec::new());
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                break;
            }
        }
        Ok((status, body))
    }
}

/// The innermost cause of an error: what is around it says only that a request failed.
fn reason(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    if error.is_timeout() { format!("no answer within {} s", TIME_LIMIT.as_secs()) } else { cause.to_string() }
}
