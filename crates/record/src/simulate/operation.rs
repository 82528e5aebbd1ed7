//! One operation: a call with its retries, a trace of several, a line of a service's log.

use super::catalogue::{ACTORS, Call, EVENTS, LOGS, SYSTEMS, System};
use super::incident::{Fault, Incidents};
use super::{Outcome, Simulated, Start};
use crate::RetryPolicy;
use crosstail_core::model::{Direction, Kind, Level, Status, Timestamp};
use crosstail_core::number::truncated_i64;
use fastrand::Rng;
use serde_json::{Value, json};

/// Activities that an operation makes on average; the rate is in activities.
pub(super) const MEAN_ACTIVITIES: f64 = 1.75;

const TIMEOUT_MS: i64 = 30_000;

/// Simulates an operation that begins at an offset from the anchor, in milliseconds.
pub(super) fn simulate(rng: &mut Rng, incidents: &Incidents, at: i64, out: &mut Vec<Simulated>) {
    let correlation = uuid(rng);
    match rng.u32(0..100) {
        0..58 => {
            let system = pick_system(rng);
            let call = &SYSTEMS[system].calls[rng.usize(0..SYSTEMS[system].calls.len())];
            call_with_retries(rng, incidents, system, call, at, &correlation, None, out);
        }
        58..66 => trace(rng, incidents, at, &correlation, out),
        66..74 => {
            webhook(rng, at, &correlation, out);
        }
        74..94 => log_line(rng, at, &correlation, out),
        _ => business_event(rng, at, &correlation, out),
    }
}

fn uuid(rng: &mut Rng) -> String {
    uuid::Builder::from_random_bytes(rng.u128(..).to_le_bytes()).into_uuid().to_string()
}

fn pick_system(rng: &mut Rng) -> usize {
    let total: u32 = SYSTEMS.iter().map(|s| s.weight).sum();
    let mut at = rng.u32(0..total);
    SYSTEMS
        .iter()
        .position(|s| {
            let found = at < s.weight;
            at = at.saturating_sub(s.weight);
            found
        })
        .unwrap_or(0)
}

fn offset(ms: i64) -> Timestamp {
    Timestamp(ms * 1000)
}

/// A log-normal answer time: what latencies look like.
fn latency(rng: &mut Rng, system: &System, trouble: Option<Fault>) -> i64 {
    // Box–Muller: a normal value from two uniform ones.
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (std::f64::consts::TAU * rng.f64()).cos();
    let scale = if trouble == Some(Fault::Slow) { 9.0 } else { 1.0 };
    truncated_i64(system.median_ms * scale * (normal * system.sigma).exp()).clamp(4, TIMEOUT_MS)
}

struct Failure {
    http: Option<u16>,
    kind: &'static str,
    text: &'static str,
}

fn failure(rng: &mut Rng, system: &System, trouble: Option<Fault>) -> Option<Failure> {
    let timeout = Failure { http: None, kind: "ETIMEDOUT", text: "no answer within 30 s" };
    match trouble {
        Some(Fault::Outage) if rng.f64() < 0.88 => {
            return Some(if rng.f64() < 0.2 {
                timeout
            } else {
                Failure { http: Some(503), kind: "ServiceUnavailable", text: "Service Unavailable" }
            });
        }
        Some(Fault::Limited) if rng.f64() < 0.7 => {
            return Some(Failure { http: Some(429), kind: "RateLimited", text: "Too Many Requests" });
        }
        _ => {}
    }
    if rng.f64() >= system.error_rate {
        return None;
    }
    let total: u32 = system.errors.iter().map(|e| e.1).sum();
    let mut at = rng.u32(0..total);
    let (code, _, kind, text) = system.errors.iter().find(|e| {
        let found = at < e.1;
        at = at.saturating_sub(e.1);
        found
    })?;
    Some(Failure { http: (*code != 0).then_some(*code), kind, text })
}

/// A call and its retries; gives when it was over, whether it went well, and the last request's id.
#[allow(clippy::too_many_arguments, reason = "what a call consists of")]
fn call_with_retries(
    rng: &mut Rng,
    incidents: &Incidents,
    system_index: usize,
    call: &Call,
    at: i64,
    correlation: &str,
    parent: Option<&str>,
    out: &mut Vec<Simulated>,
) -> (i64, bool) {
    let system = &SYSTEMS[system_index];
    let number = rng.u32(1000..99_999);
    let entity = format!("{} {}-{number}", call.entity, call.entity);
    let path = call.path.replace("{}", &number.to_string());
    let actor = ACTORS[rng.usize(0..ACTORS.len())];
    let body = (call.method != "GET").then(|| request_body(rng, call, number));
    let tenant = rng.u32(1..40);
    let mut parent = parent.map(str::to_owned);
    let mut begin = at;
    for attempt in 1..=system.policy.max_attempts {
        let id = uuid(rng);
        let trouble = incidents.at(system_index, begin);
        let failed = failure(rng, system, trouble);
        let timed_out = failed.as_ref().is_some_and(|f| f.http.is_none() && f.kind == "ETIMEDOUT");
        let took = if timed_out { TIMEOUT_MS } else { latency(rng, system, trouble) };
        let end = begin + took;
        let status = match &failed {
            None => Status::Success,
            Some(_) if timed_out => Status::Timeout,
            Some(_) => Status::Failed,
        };
        let http = failed.as_ref().map_or(Some(if call.method == "POST" { 201 } else { 200 }), |f| f.http);
        let retry_after = (http == Some(429)).then_some(60_000);
        let next = if RetryPolicy::is_retryable(status, http) && status != Status::Success {
            system.policy.next_retry(attempt, offset(end), retry_after)
        } else {
            None
        };
        let kind = match call.operation {
            "device_create" | "device_update" | "device_delete" => Kind::Device,
            "notification_slack" => Kind::Notification,
            _ => Kind::ApiCall,
        };
        let start = Start {
            id: id.clone(),
            kind: Some(kind),
            direction: Some(Direction::Out),
            system: system.name.to_owned(),
            endpoint: Some(call.path.replace("{}", "{id}")),
            method: Some(call.method.to_owned()),
            url: Some(format!("{}{path}", system.base)),
            operation: Some(call.operation.to_owned()),
            entity: Some(entity.clone()),
            actor: Some(actor.to_owned()),
            organization: Some(format!("org-{tenant}")),
            correlation_id: Some(correlation.to_owned()),
            parent_request_id: parent.take(),
            attempt: Some(attempt),
            max_attempts: Some(system.policy.max_attempts),
            request_headers: Some(json!({
                "Authorization": format!("Bearer tok{:08x}{:08x}", rng.u32(..), rng.u32(..)), "Content-Type": "application/json",
                "X-Correlation-Id": correlation, "User-Agent": "prokure-integrations/2.3",
            })),
            request_body: body.clone(),
            metadata: Some(json!({ "tenant": format!("org-{tenant}"), "environment": "production" })),
            started_at: offset(begin),
            ..Start::default()
        };
        let outcome = outcome(
            rng,
            status,
            http,
            failed.as_ref(),
            end,
            next,
            number,
            &format!("{entity} {}", call.operation.to_lowercase().replace('_', " ")),
        );
        out.push(Simulated { start, outcome });
        let Some(next) = next else { return (end, status == Status::Success) };
        parent = Some(id);
        begin = next.0 / 1000 + rng.i64(5..400);
    }
    (begin, false)
}

#[allow(clippy::too_many_arguments, reason = "what an outcome consists of")]
fn outcome(
    rng: &mut Rng,
    status: Status,
    http: Option<u16>,
    failed: Option<&Failure>,
    end: i64,
    next: Option<Timestamp>,
    number: u32,
    said: &str,
) -> Outcome {
    let headers = http.map(|code| {
        let mut headers =
            json!({ "content-type": "application/json", "x-request-id": format!("{:016x}", rng.u64(..)) });
        if code == 429 {
            headers["retry-after"] = json!("60");
            headers["x-ratelimit-remaining"] = json!("0");
        }
        headers
    });
    let body = match failed {
        None => Some(json!({ "id": number, "status": "ok", "number": format!("45000{number}"), "processed": true })),
        Some(f) if f.http.is_some() => Some(json!({ "error": { "code": f.kind, "message": f.text } })),
        Some(_) => None,
    };
    Outcome {
        status: Some(status),
        http_status: http,
        response_headers: headers,
        response_body: body,
        error: failed.map(|f| f.text.to_owned()),
        error_type: failed.map(|f| f.kind.to_owned()),
        error_stack: failed.map(|f| {
            format!(
                "{}: {}\n    at HttpClient.request (/app/src/http/client.ts:{}:17)\n    at async IntegrationRunner.execute (/app/src/integrations/runner.ts:{}:22)\n    at async Job.run (/app/node_modules/bullmq/dist/classes/worker.js:512:28)",
                f.kind, f.text, rng.u32(40..200), rng.u32(20..300)
            )
        }),
        message: Some(failed.map_or_else(|| said.to_owned(), |f| f.text.to_owned())),
        completed_at: Some(offset(end)),
        next_retry_at: next,
    }
}

fn request_body(rng: &mut Rng, call: &Call, number: u32) -> Value {
    match call.entity {
        "PO" | "GRN" | "INVOICE" => {
            let lines: Vec<Value> = (1..=rng.u32(1..7))
                .map(|line| json!({ "line": line, "sku": format!("MAT-{}", rng.u32(100..999)), "qty": rng.u32(1..400), "price": f64::from(rng.u32(100..90_000)) / 100.0 }))
                .collect();
            json!({ "number": format!("{}-{number}", call.entity), "vendor": { "external_code": format!("V-{}", rng.u32(10..99)) }, "currency": "INR", "lines": lines })
        }
        "LEAD" | "CONTACT" | "COMPANY" => {
            json!({ "email": format!("user{number}@example.com"), "company": format!("Company {}", number % 500), "source": "web" })
        }
        "DEVICE" => {
            json!({ "name": format!("sensor-{number}"), "hardwareId": format!("{:08x}", rng.u32(..)), "tags": ["plant-7"] })
        }
        "MESSAGE" => json!({ "channel": "#integrations", "text": format!("Order {number} synchronised") }),
        _ => json!({ "id": number }),
    }
}

fn webhook(rng: &mut Rng, at: i64, correlation: &str, out: &mut Vec<Simulated>) -> (String, i64) {
    let senders: Vec<&System> = SYSTEMS.iter().filter(|s| !s.events.is_empty()).collect();
    let system = senders[rng.usize(0..senders.len())];
    let event = system.events[rng.usize(0..system.events.len())];
    let id = uuid(rng);
    let bad = rng.f64() < 0.01;
    let end = at + rng.i64(6..90);
    let number = rng.u32(1000..99_999);
    let path = format!("/webhooks/{}", system.name.to_lowercase());
    out.push(Simulated {
        start: Start {
            id: id.clone(),
            kind: Some(Kind::Webhook),
            direction: Some(Direction::In),
            system: system.name.to_owned(),
            endpoint: Some(path.clone()),
            method: Some("POST".to_owned()),
            url: Some(format!("https://hooks.prokure.example{path}")),
            operation: Some(event.to_owned()),
            entity: Some(format!("EVENT {number}")),
            actor: Some("WEBHOOK".to_owned()),
            correlation_id: Some(correlation.to_owned()),
            request_headers: Some(json!({ "X-Signature": format!("sha256={:016x}", rng.u64(..)), "User-Agent": format!("{}-hooks/1.0", system.name) })),
            request_body: Some(json!({ "event": event, "id": number, "data": { "state": "changed" } })),
            started_at: offset(at),
            ..Start::default()
        },
        outcome: Outcome {
            status: Some(if bad { Status::Failed } else { Status::Success }),
            http_status: Some(if bad { 401 } else { 200 }),
            error: bad.then(|| "signature does not match".to_owned()),
            error_type: bad.then(|| "InvalidSignature".to_owned()),
            message: Some(if bad { "signature does not match".to_owned() } else { format!("event {event}") }),
            completed_at: Some(offset(end)),
            ..Outcome::default()
        },
    });
    (id, end)
}

/// Webhook in → sync → calls out → log lines, all of one correlation id.
fn trace(rng: &mut Rng, incidents: &Incidents, at: i64, correlation: &str, out: &mut Vec<Simulated>) {
    let (hook, hooked) = webhook(rng, at, correlation, out);
    let sync_id = uuid(rng);
    let sync_index = out.len();
    let begin = hooked + rng.i64(5..60);
    let mut clock = begin + rng.i64(3..30);
    let mut good = true;
    let count = rng.usize(2..5);
    for _ in 0..count {
        let system = pick_system(rng);
        let call = &SYSTEMS[system].calls[rng.usize(0..SYSTEMS[system].calls.len())];
        let (end, well) = call_with_retries(rng, incidents, system, call, clock, correlation, Some(&sync_id), out);
        good &= well;
        clock = end + rng.i64(2..40);
        if !well {
            break;
        }
    }
    let processed = rng.u32(5..900);
    let start = Start {
        id: sync_id.clone(),
        kind: Some(Kind::Sync),
        direction: Some(Direction::Internal),
        system: "orders-sync".to_owned(),
        operation: Some("sync_bidirectional".to_owned()),
        entity: Some(format!("BATCH {processed}")),
        actor: Some("SYSTEM".to_owned()),
        correlation_id: Some(correlation.to_owned()),
        parent_request_id: Some(hook),
        message: Some("synchronising orders".to_owned()),
        metadata: Some(json!({ "stats": { "processed": processed, "failed": u32::from(!good) } })),
        started_at: offset(begin),
        ..Start::default()
    };
    let outcome = Outcome {
        status: Some(if good { Status::Success } else { Status::Failed }),
        message: Some(if good {
            format!("{processed} records synchronised")
        } else {
            "sync failed: a call was given up".to_owned()
        }),
        error: (!good).then(|| "a call was given up".to_owned()),
        error_type: (!good).then(|| "SyncError".to_owned()),
        completed_at: Some(offset(clock)),
        ..Outcome::default()
    };
    out.insert(sync_index, Simulated { start, outcome });
    let (level, text) = if good { (Level::Info, "sync finished") } else { (Level::Error, "sync failed") };
    out.push(line(rng, clock + 2, "api", level, text, correlation, Some(&sync_id)));
}

fn log_line(rng: &mut Rng, at: i64, correlation: &str, out: &mut Vec<Simulated>) {
    // Mostly quiet: warnings and errors are drawn again once.
    let mut index = rng.usize(0..LOGS.len());
    if LOGS[index].1 > 0 && rng.f64() < 0.8 {
        index = rng.usize(0..LOGS.len());
    }
    if LOGS[index].1 > 1 && rng.f64() < 0.9 {
        index = rng.usize(0..LOGS.len());
    }
    let (service, level, text) = LOGS[index];
    let level = [Level::Info, Level::Warn, Level::Error][level as usize];
    out.push(line(rng, at, service, level, text, correlation, None));
}

fn line(
    rng: &mut Rng,
    at: i64,
    service: &str,
    level: Level,
    text: &str,
    correlation: &str,
    parent: Option<&str>,
) -> Simulated {
    let start = Start {
        id: uuid(rng),
        kind: Some(Kind::Log),
        direction: Some(Direction::Internal),
        level: Some(level),
        system: service.to_owned(),
        message: Some(text.to_owned()),
        correlation_id: Some(correlation.to_owned()),
        parent_request_id: parent.map(str::to_owned),
        metadata: Some(
            json!({ "cpu_usage": f64::from(rng.u32(50..900)) / 10.0, "memory_usage": rng.u32(128..1024), "response_time": rng.u32(1..900) }),
        ),
        started_at: offset(at),
        ..Start::default()
    };
    Simulated { start, outcome: Outcome::default() }
}

fn business_event(rng: &mut Rng, at: i64, correlation: &str, out: &mut Vec<Simulated>) {
    let (name, text) = EVENTS[rng.usize(0..EVENTS.len())];
    let number = rng.u32(1000..99_999);
    let start = Start {
        id: uuid(rng),
        kind: Some(Kind::Event),
        direction: Some(Direction::Internal),
        level: Some(Level::Info),
        system: "crm".to_owned(),
        operation: Some(name.to_owned()),
        entity: Some(format!("LEAD {number}")),
        message: Some(text.to_owned()),
        correlation_id: Some(correlation.to_owned()),
        metadata: Some(
            json!({ "event": name, "leadId": number, "source": "apollo", "company": format!("Company {}", number % 500) }),
        ),
        started_at: offset(at),
        ..Start::default()
    };
    out.push(Simulated { start, outcome: Outcome::default() });
}
