//! A cluster of Elasticsearch: its nodes, credentials and trusted certificates, and requests in plain JSON over HTTP.
//!
//! The official client hands out an answer as a whole, unpacked, however large it is. Here an answer has a limit.

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

pub use reqwest::{Method, Url};

/// A larger answer is not read on, in bytes.
const ANSWER_BYTES: usize = 128 << 20;

/// Who asks.
#[derive(Clone)]
pub enum Credentials {
    /// A user and a password.
    Basic(String, String),
    /// The id of an API key, and its secret.
    ApiKey(String, String),
    /// An API key as the cluster gives it out.
    EncodedApiKey(String),
    /// A token.
    Bearer(String),
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

/// What is sent along.
#[derive(Debug)]
pub enum Body {
    /// Nothing.
    None,
    /// One JSON value.
    Json(String),
    /// A JSON value a line.
    Lines(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Unanswered {
    /// The request or its answer did not arrive.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    /// The address cannot be written as it is meant.
    #[error("{0}")]
    Path(String),
    /// More was sent than an answer may have.
    #[error("the answer is larger than {} MB", ANSWER_BYTES >> 20)]
    TooLarge,
}

/// A cluster. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Cluster {
    client: reqwest::Client,
    nodes: Arc<[Url]>,
    next: Arc<AtomicUsize>,
    credentials: Option<Credentials>,
}

impl Cluster {
    /// The cluster of some nodes (`https://host:9200/`, with what is before every path). `authority` is certificates in
    /// PEM that are trusted besides the system's.
    ///
    /// # Errors
    ///
    /// If the certificates cannot be read.
    pub fn new(
        nodes: Vec<Url>,
        credentials: Option<Credentials>,
        authority: Option<&[u8]>,
    ) -> Result<Self, reqwest::Error> {
        let mut builder = reqwest::Client::builder().user_agent("crosstail");
        for root in authority.map(reqwest::Certificate::from_pem_bundle).transpose()?.into_iter().flatten() {
            builder = builder.add_root_certificate(root);
        }
        Ok(Self { client: builder.build()?, nodes: nodes.into(), next: Arc::default(), credentials })
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    /// Sends a request to the next node; returns the status and the text of the answer.
    ///
    /// # Errors
    ///
    /// If nothing is answered within the limit, or too much.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        body: Body,
        limit: Duration,
    ) -> Result<(u16, String), Unanswered> {
        let node = self.next.fetch_add(1, Ordering::Relaxed) % self.nodes.len().max(1);
        let node = self.nodes.get(node).ok_or_else(|| Unanswered::Path("no node is named".to_owned()))?;
        let url =
            node.join(path.trim_start_matches('/')).map_err(|error| Unanswered::Path(format!("{path}: {error}")))?;
        let mut request = self.client.request(method, url).timeout(limit).header(ACCEPT, "application/json");
        request = match &self.credentials {
            None => request,
            Some(Credentials::Basic(user, password)) => request.basic_auth(user, Some(password)),
            Some(Credentials::Bearer(token)) => request.bearer_auth(token),
            Some(Credentials::EncodedApiKey(key)) => request.header(AUTHORIZATION, format!("ApiKey {key}")),
            Some(Credentials::ApiKey(id, secret)) => {
                use base64::Engine as _;
                let key = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
                request.header(AUTHORIZATION, format!("ApiKey {key}"))
            }
        };
        request = match body {
            Body::None => request,
            Body::Json(text) => request.header(CONTENT_TYPE, "application/json").body(text),
            Body::Lines(text) => request.header(CONTENT_TYPE, "application/x-ndjson").body(text),
        };
        let without_url = |error: reqwest::Error| Unanswered::Http(error.without_url());
        let mut response = request.send().await.map_err(without_url)?;
        let (status, mut bytes) = (response.status().as_u16(), Vec::new());
        // As it is unpacked: a packed answer says nothing of its size.
        while let Some(chunk) = response.chunk().await.map_err(without_url)? {
            if bytes.len() + chunk.len() > ANSWER_BYTES {
                return Err(Unanswered::TooLarge);
            }
            bytes.extend_from_slice(&chunk);
        }
        let text = String::from_utf8(bytes);
        Ok((status, text.unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())))
    }
}
