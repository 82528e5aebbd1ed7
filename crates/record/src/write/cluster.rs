//! A cluster of Elasticsearch: its nodes, credentials and trusted certificates, and requests in plain JSON over HTTP.
//!
//! Nodes, credentials and methods are those of the official client. Its transport is not used: it hands out an answer as a
//! whole, unpacked, however large it is. Here an answer has a limit.

use elasticsearch::http::transport::{ConnectionPool as _, MultiNodeConnectionPool, RoundRobin};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use std::time::Duration;

pub use elasticsearch::auth::Credentials;
pub use elasticsearch::http::{Method, Url};

/// A larger answer is not read on, in bytes.
const ANSWER_BYTES: usize = 128 << 20;

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
#[derive(Clone)]
pub struct Cluster {
    client: reqwest::Client,
    /// The nodes by turns.
    pool: MultiNodeConnectionPool<RoundRobin>,
    nodes: usize,
    credentials: Option<Credentials>,
}

impl std::fmt::Debug for Cluster {
    /// Without the credentials.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("nodes", &self.nodes).finish_non_exhaustive()
    }
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
        let (count, pool) = (nodes.len(), MultiNodeConnectionPool::round_robin(nodes, None));
        Ok(Self { client: builder.build()?, pool, nodes: count, credentials })
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        self.nodes
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
        if self.nodes == 0 {
            return Err(Unanswered::Path("no node is named".to_owned()));
        }
        let node = self.pool.next().url();
        let url =
            node.join(path.trim_start_matches('/')).map_err(|error| Unanswered::Path(format!("{path}: {error}")))?;
        let method = match method {
            Method::Get => reqwest::Method::GET,
            Method::Put => reqwest::Method::PUT,
            Method::Post => reqwest::Method::POST,
            Method::Delete => reqwest::Method::DELETE,
            Method::Head => reqwest::Method::HEAD,
        };
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
            // crosstail makes no others.
            Some(Credentials::AuthorizationHeader(_) | Credentials::Certificate(_)) => {
                return Err(Unanswered::Path("such credentials are not known".to_owned()));
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
