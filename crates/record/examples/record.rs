#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program of its own")]
//! A service that records its calls, into the Supabase activity log's table or ProKure's collection; `crosstail schema
//! apply` creates both:
//!
//! ```sh
//! cargo run -p crosstail-record --features postgres,mongodb --example record -- postgres://me@db/supabase
//! cargo run -p crosstail-record --features postgres,mongodb --example record -- mongodb://db/prokure_logs
//! ```
//!
//! A webhook comes in and causes a call out. The call fails and is planned to be tried again, and the second attempt
//! succeeds: three activities of one trace, which `crosstail URL` shows with their payloads, the retry chain and the trace.

use crosstail_record::write::Table;
use crosstail_record::{
    Clock, Correlation, Direction, Jitter, Kind, Outcome, Recorder, RecorderOptions, RetryPolicy, Start, Status,
};
use serde_json::json;
use std::sync::Arc;

#[tokio::main]
async fn main() {
    let Some(url) = std::env::args().nth(1) else {
        eprintln!("usage: record postgres://… | mongodb://…");
        std::process::exit(2);
    };
    let recorder = if url.starts_with("mongodb") {
        Recorder::mongodb(&url)
    } else {
        Recorder::postgres(&url, Table::IntegrationActivityLog)
    };
    let policy = RetryPolicy { base_ms: 200, cap_ms: 5_000, jitter: Jitter::Equal, ..RetryPolicy::default() };
    let recorder = recorder.with(RecorderOptions {
        policy: Some(policy),
        // Logging never breaks the service: an error is printed here, and the program goes on.
        on_error: Some(Arc::new(|error| eprintln!("not recorded: {error}"))),
        ..RecorderOptions::default()
    });

    // What came in: its correlation id, or a new one.
    let headers =
        [("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"), ("x-signature", "sha256=12")];
    let correlation = Correlation::from_headers(headers);
    let webhook = Start {
        kind: Some(Kind::Webhook),
        direction: Some(Direction::In),
        method: Some("POST".to_owned()),
        url: Some("https://hooks.shop.example/webhooks/orders".to_owned()),
        request_headers: Some(json!({ "X-Signature": "sha256=12", "Content-Type": "application/json" })),
        request_body: Some(json!({ "event": "order.paid", "order": 88123, "card": "4111 1111 1111 1111" })),
        ..correlation.start("Shop")
    };
    let webhook = recorder.start(webhook).await;

    // What it causes: a call, and its second attempt.
    let mut next = Start {
        method: Some("POST".to_owned()),
        url: Some("https://sap.example/po/create".to_owned()),
        operation: Some("CREATE".to_owned()),
        entity: Some("PO PO-4711".to_owned()),
        parent_request_id: Some(webhook.request_id().to_owned()),
        attempt: Some(1),
        request_headers: Some(json!({ "Authorization": "Bearer not-to-be-logged" })),
        request_body: Some(json!({ "number": "PO-4711", "lines": [{ "sku": "MAT-1", "qty": 3 }] })),
        ..correlation.start("SAP")
    };
    for status in [503, 201] {
        let call = recorder.start(next).await;
        // The call itself would send these along.
        let _sent_along = call.headers();
        let good = status < 400;
        let outcome = Outcome {
            status: Some(if good { Status::Success } else { Status::Failed }),
            http_status: Some(status),
            response_body: Some(json!({ "ok": good })),
            error: (!good).then(|| "service unavailable".to_owned()),
            error_type: (!good).then(|| "ServiceUnavailable".to_owned()),
            ..Outcome::default()
        };
        if let Some(at) = recorder.complete(&call, outcome).await {
            let wait = at.since_us(Clock::system().now()).max(0);
            tokio::time::sleep(std::time::Duration::from_micros(wait.cast_unsigned())).await;
        }
        next = call.next_attempt();
    }
    recorder
        .complete(&webhook, Outcome { status: Some(Status::Success), http_status: Some(200), ..Outcome::default() })
        .await;

    // The same once it is over, in one write.
    let mail = Start {
        kind: Some(Kind::Notification),
        operation: Some("notification_email".to_owned()),
        ..correlation.start("Mail")
    };
    recorder.complete_full(mail, Outcome { status: Some(Status::Success), ..Outcome::default() }).await;

    let all = recorder.flush().await;
    println!(
        "{} of correlation id {}",
        if all { "recorded 4 activities" } else { "not everything was recorded" },
        correlation.correlation_id
    );
}
