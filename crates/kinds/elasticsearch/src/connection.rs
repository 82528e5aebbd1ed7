//! The connection to a cluster: nodes, authentication, trusted certificates, and requests.

use super::Error;
use crosstail_record::write::cluster::{Body, Cluster, Credentials, Method, Url};
use crosstail_source::{Job, Scheduler, percent_decoded};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The cluster stops a search that takes longer; the request itself may take a little more.
pub(super) const TIME_LIMIT: &str = "60s";
const REQUEST_LIMIT: Duration = Duration::from_secs(70);
/// What a cluster answers without looking anything up.
const PROMPT_LIMIT: Duration = Duration::from_secs(10);
/// Retries while the cluster is busy (429, 503), each after twice the wait.
const BUSY_TRIES: u32 = 4;
const BUSY_WAIT: Duration = Duration::from_millis(250);

/// An address: `es+http(s)://[user:password@]host[:port][,host…]/[root/]pattern[?ca=FILE]`. With the user `api_key` the
/// password is an encoded API key, with the user `bearer` it is a token.
pub(super) struct Address {
    nodes: Vec<Url>,
    credentials: Option<Credentials>,
    authority: Option<String>,
    /// The index pattern, as written.
    pub(super) pattern: String,
}

impl Address {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let form = "write es+https://host:9200/index-pattern";
        let (scheme, rest) = text.strip_prefix("es+").and_then(|rest| rest.split_once("://")).ok_or(form)?;
        let (rest, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let (root, pattern) = path.trim_end_matches('/').rsplit_once('/').unwrap_or(("", path.trim_end_matches('/')));
        if hosts.is_empty() || pattern.is_empty() {
            return Err(format!("the address names no {}; {form}", if hosts.is_empty() { "host" } else { "index" }));
        }
        let nodes = hosts
            .split(',')
            .map(|host| {
                let port = if host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()) {
                    ""
                } else {
                    ":9200"
                };
                let url = format!("{scheme}://{host}{port}/{root}{}", if root.is_empty() { "" } else { "/" });
                Url::parse(&url).map_err(|error| format!("{host}: {error}; {form}"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let credentials = user.map(|user| match user.split_once(':') {
            Some(("api_key", key)) => {
                let key = in_a_header(key)?;
                Ok(match key.split_once(':') {
                    Some((id, secret)) => Credentials::ApiKey(id.to_owned(), secret.to_owned()),
                    None => Credentials::EncodedApiKey(key),
                })
            }
            Some(("bearer", token)) => in_a_header(token).map(Credentials::Bearer),
            Some((name, password)) => Ok(Credentials::Basic(percent_decoded(name), percent_decoded(password))),
            None => Ok(Credentials::Basic(percent_decoded(user), String::new())),
        });
        let credentials = credentials.transpose()?;
        let mut authority = None;
        for (key, value) in
            parameters.split('&').filter(|pair| !pair.is_empty()).map(|p| p.split_once('=').unwrap_or((p, "")))
        {
            match key {
                "ca" => authority = Some(percent_decoded(value)),
                other => {
                    return Err(format!(
                        "unknown parameter '{other}' in the address; the only one is ca=FILE, certificates in PEM"
                    ));
                }
            }
        }
        Ok(Self { nodes, credentials, authority, pattern: percent_decoded(pattern) })
    }
}

/// A key or token that becomes a part of a header as it is.
fn in_a_header(key: &str) -> Result<String, String> {
    let key = percent_decoded(key);
    if key.contains(|c: char| c.is_control()) {
        return Err("the API key or token has a line break, or another character that no header can have".to_owned());
    }
    Ok(key)
}

/// Requests at once; one of them only for following.
const REQUESTS: usize = 5;

/// The connection to a cluster, as one job uses it.
#[derive(Clone)]
pub(super) struct Connection {
    cluster: Cluster,
    scheduler: Arc<Scheduler>,
    job: Job,
    /// How long a request may take.
    limit: Duration,
}

/// The cluster of an address, with its credentials and trusted certificates.
pub(super) fn cluster(address: &Address) -> Result<Cluster, String> {
    let Some(path) = &address.authority else {
        return Cluster::new(address.nodes.clone(), address.credentials.clone(), None)
            .map_err(|error| error.to_string());
    };
    let pem = std::fs::read(path).map_err(|error| format!("ca={path}: {error}"))?;
    Cluster::new(address.nodes.clone(), address.credentials.clone(), Some(&pem))
        .map_err(|error| format!("ca={path}: {error}"))
}

/// The response to a search.
#[derive(Deserialize)]
pub(super) struct SearchResponse<'a> {
    #[serde(default)]
    pub(super) timed_out: bool,
    #[serde(default, rename = "pit_id")]
    pub(super) point_in_time: Option<String>,
    #[serde(default, rename = "_shards")]
    pub(super) shards: Shards,
    #[serde(borrow, default)]
    pub(super) hits: Hits<'a>,
    #[serde(default)]
    pub(super) aggregations: Value,
}

#[derive(Deserialize, Default)]
pub(super) struct Shards {
    pub(super) total: u64,
}

#[derive(Deserialize, Default)]
pub(super) struct Hits<'a> {
    #[serde(default)]
    pub(super) total: Option<Total>,
    #[serde(borrow, default)]
    pub(super) hits: Vec<Hit<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Total {
    pub(super) value: u64,
}

/// One document of a response.
#[derive(Deserialize)]
pub(super) struct Hit<'a> {
    #[serde(borrow, rename = "_index")]
    pub(super) index: Cow<'a, str>,
    #[serde(borrow, rename = "_id")]
    pub(super) id: Cow<'a, str>,
    #[serde(default, rename = "_seq_no")]
    pub(super) sequence: i64,
    #[serde(default, rename = "_primary_term")]
    pub(super) term: i64,
    #[serde(borrow, default, rename = "_source")]
    pub(super) source: Option<&'a RawValue>,
    /// Values that are not read from the document but from the index.
    #[serde(default)]
    pub(super) fields: BTreeMap<String, Vec<Value>>,
    #[serde(default)]
    pub(super) sort: Vec<Value>,
}

impl Connection {
    pub(super) fn new(address: &Address) -> Result<Self, String> {
        let (cluster, scheduler) = (cluster(address)?, Scheduler::new(REQUESTS));
        Ok(Self { cluster, scheduler, job: Job::default(), limit: REQUEST_LIMIT })
    }

    /// The same connection for a job.
    pub(super) fn for_job(&self, job: &Job) -> Self {
        Self { job: job.clone(), ..self.clone() }
    }

    /// The same connection for what is answered at once, or by nobody.
    pub(super) fn prompt(&self) -> Self {
        Self { limit: PROMPT_LIMIT, ..self.clone() }
    }

    /// Sends a request. Tries another node where one is unreachable, and retries while the cluster is busy. Dropping the
    /// future closes the connection, and the cluster ends the search of a connection that was closed (Elasticsearch
    /// reference, "Search API": cancellation).
    pub(super) async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<String, Error> {
        let _turn = self.scheduler.turn(&self.job).await;
        self.job.runs(path);
        let mut busy = 0;
        let mut unreachable = 0;
        loop {
            let body = body.map_or(Body::None, |body| Body::Json(body.to_string()));
            let (status, text) = match self.cluster.send(method, path, body, self.limit).await {
                Ok(answer) => answer,
                Err(error) => {
                    unreachable += 1;
                    let error = Error::from_unanswered(&error);
                    // Each node twice: an idle connection may have been closed in the meantime.
                    if unreachable < 2 * self.cluster.nodes() && matches!(error, Error::Unreachable(_)) {
                        continue;
                    }
                    return Err(error);
                }
            };
            unreachable = 0;
            if (200..300).contains(&status) {
                self.job.count(0, text.len());
                return Ok(text);
            }
            let error = Error::from_response(status, &text);
            // What is too large stays too large: the caller asks for less.
            if error.is_too_large() {
                return Err(error);
            }
            if error.is_busy() && busy < BUSY_TRIES {
                let wait = BUSY_WAIT * 2u32.pow(busy);
                tokio::time::sleep(wait.mul_f64(0.75 + 0.5 * fastrand::f64())).await;
                busy += 1;
                continue;
            }
            return Err(error);
        }
    }

    /// Like [`Self::ask`], parsed as JSON.
    pub(super) async fn json(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let text = self.ask(method, path, body).await?;
        serde_json::from_str(&text).map_err(|error| Error::Unreadable(error.to_string()))
    }
}

/// Parses the response to a search; an error where some shards did not respond, because the result is incomplete.
pub(super) fn found(text: &str) -> Result<SearchResponse<'_>, Error> {
    let found: SearchResponse = serde_json::from_str(text).map_err(|error| Error::Unreadable(error.to_string()))?;
    if found.timed_out {
        return Err(Error::Timeout(format!("the search was cancelled after {TIME_LIMIT}")));
    }
    Ok(found)
}

/// An index pattern, encoded for a path.
pub(super) fn in_path(pattern: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'*')
        .remove(b',')
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b':');
    percent_encoding::utf8_percent_encode(pattern, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_nodes_root_indices_and_credentials() {
        let address = Address::parse("es+https://elastic:p%40ss@a,b:9201/cluster/one/halopsa-integration-*,other")
            .expect("reads");
        let nodes: Vec<&str> = address.nodes.iter().map(Url::as_str).collect();
        assert_eq!(nodes, ["https://a:9200/cluster/one/", "https://b:9201/cluster/one/"]);
        assert_eq!(address.pattern, "halopsa-integration-*,other");
        assert!(
            matches!(&address.credentials, Some(Credentials::Basic(user, password)) if user == "elastic" && password == "p@ss")
        );
        let of = |text: &str| Address::parse(text).expect("reads").credentials;
        assert!(matches!(of("es+http://api_key:abc%3D@h/x"), Some(Credentials::EncodedApiKey(key)) if key == "abc="));
        assert!(
            matches!(of("es+http://api_key:id%3Asecret@h/x"), Some(Credentials::ApiKey(id, secret)) if id == "id" && secret == "secret")
        );
        assert!(matches!(of("es+http://bearer:tok@h/x"), Some(Credentials::Bearer(token)) if token == "tok"));
        assert!(of("es+http://h/x").is_none());
        for wrong in ["es+http://h", "es+http:///x", "es://h/x", "es+http://h/x?insecure=true"] {
            assert!(Address::parse(wrong).is_err(), "{wrong}");
        }
        // As `cat` gives it from a file of two lines.
        for wrong in
            ["es+http://api_key:s3cret%0A@h/x", "es+http://bearer:s3cret%0Atwo@h/x", "es+http://bearer:s3cret%00@h/x"]
        {
            let error = Address::parse(wrong).err().expect("no header");
            assert!(error.contains("line break") && !error.contains("s3cret"), "{wrong}: {error}");
        }
    }
}
