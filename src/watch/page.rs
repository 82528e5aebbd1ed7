//! The watch's own `/health` and `/metrics`.

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use crosstail_core::model::{Clock, Timestamp};
use serde_json::{Map, Value, json};
use std::sync::{Arc, PoisonError, RwLock};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// If the rules were not evaluated for this long, the process is unhealthy.
const STALLED_US: i64 = 60_000_000;

/// The content of both pages.
#[derive(Debug, Default)]
pub(super) struct PageContent {
    /// In HaloPSA's form (docs/reference/halopsa.md): a status for each check.
    pub(super) checks: Map<String, Value>,
    /// Whether no source at all can be read.
    pub(super) blind: bool,
    /// Whether any check is unhealthy.
    pub(super) degraded: bool,
    /// Time of the last evaluation of the rules.
    pub(super) evaluated_at: Option<Timestamp>,
    /// The text of `/metrics`.
    pub(super) metrics: String,
}

/// Serves the latest content.
#[derive(Clone)]
pub(super) struct StatusServer {
    told: Arc<RwLock<PageContent>>,
    clock: Clock,
    began: Timestamp,
}

impl StatusServer {
    pub(super) fn new(clock: Clock) -> Self {
        let began = clock.now();
        Self { told: Arc::default(), clock, began }
    }

    /// Replaces the content.
    pub(super) fn update(&self, told: PageContent) {
        *self.told.write().unwrap_or_else(PoisonError::into_inner) = told;
    }

    /// Serves until cancelled.
    pub(super) async fn serve(self, listener: TcpListener, cancel: CancellationToken) {
        let router = Router::new().route("/health", get(health)).route("/metrics", get(metrics)).with_state(self);
        let stop = async move { cancel.cancelled().await };
        let _ = axum::serve(listener, router).with_graceful_shutdown(stop).await;
    }

    /// `/health` in HaloPSA's form. The status is 503 only if the process itself does not work or sees no source. A
    /// failing source or channel makes it degraded, which a restart would not fix.
    fn health(&self) -> (StatusCode, Value) {
        let now = self.clock.now();
        let told = self.told.read().unwrap_or_else(PoisonError::into_inner);
        let last = told.evaluated_at.unwrap_or(self.began);
        let stuck = now.since_us(last) > STALLED_US;
        let status = match (stuck || told.blind, told.degraded) {
            (true, _) => "unhealthy",
            (false, true) => "degraded",
            (false, false) => "healthy",
        };
        let mut checks = told.checks.clone();
        let evaluated = told.evaluated_at.map(|at| at.rfc3339());
        let rules = if stuck { "unhealthy" } else { "healthy" };
        checks.insert("rules".to_owned(), json!({ "status": rules, "evaluated_at": evaluated }));
        let body = json!({
            "status": status,
            "timestamp": now.rfc3339(),
            "version": env!("CARGO_PKG_VERSION"),
            "uptime": now.since_us(self.began) as f64 / 1e6,
            "checks": checks,
        });
        (if status == "unhealthy" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK }, body)
    }
}

async fn health(State(page): State<StatusServer>) -> impl IntoResponse {
    let (code, body) = page.health();
    (code, [(header::CONTENT_TYPE, "application/json")], body.to_string())
}

async fn metrics(State(page): State<StatusServer>) -> impl IntoResponse {
    let text = page.told.read().unwrap_or_else(PoisonError::into_inner).metrics.clone();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}
