//! Eight hours of 200 activities a second from four sources by a simulated clock, in the memory that the explorer is given, while
//! somebody filters, searches, opens and looks. `cargo bench --bench soak`; `scripts/soak` is an hour of the real thing.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "a bench"
)]

use crosstail::action::Action;
use crosstail::effect::{Effect, PreparedPayload, Reply};
use crosstail::screens::{Event, Explorer, draw};
use crosstail::tui::{Appearance, ColourDepth, Keymap, Theme};
use crosstail_core::model::{Activity, Body, Id, Kind, Level, Names, Payload, SourceId, Status, Timestamp};
use crosstail_source::pump::{PumpEvent, SourceState};
use serde_json::json;
use std::sync::Arc;
use std::time::Instant;

const EPOCH: Timestamp = Timestamp(1_795_000_000_000_000);
/// A second, of all sources.
const RATE: u64 = 200;
const SOURCES: u16 = 4;
const BUDGET: usize = 256 << 20;

/// A second of traffic of a source; every activity has a text of its own. The last source has lines of a log.
fn second(rng: &mut fastrand::Rng, number: u64, source: u16) -> Vec<Activity> {
    let count = RATE / u64::from(SOURCES);
    (0..count)
        .map(|n| {
            let at = number * 1_000_000 + n * (1_000_000 / count);
            let mut a = Activity::new(Id::Uuid(rng.u128(..)), EPOCH.plus_us(at as i64));
            let failed = rng.u8(0..100) < 3;
            a.system = Some(format!("system-{source}{}", rng.u8(0..12)).into());
            a.message = Some(format!("order {} was sent", number * RATE + n).into());
            a.correlation_id = Some(format!("trace-{}", number * RATE / 5 + n / 5).into());
            if source + 1 == SOURCES {
                a.kind = Kind::Log;
                a.level = Some(if failed { Level::Error } else { Level::Info });
                return a;
            }
            a.kind = Kind::ApiCall;
            a.status = Some(if failed { Status::Failed } else { Status::Success });
            a.endpoint = Some("/api/v1/purchase-orders".into());
            a.http_status = Some(if failed { 503 } else { 200 });
            a.duration_us = Some(rng.u64(1000..3_000_000));
            a
        })
        .collect()
}

/// An opened activity has a body of some size.
fn payload() -> Payload {
    let mut payload = Payload::default();
    let lines: Vec<_> = (0..200).map(|n| json!({ "sku": format!("A-{n}"), "quantity": n })).collect();
    payload.request.body = Some(Body::from_value(json!({ "order": { "lines": lines } })));
    payload
}

/// What somebody does, and what it shows.
fn work(explorer: &mut Explorer, look: &Appearance, number: u64) {
    for filter in ["status:failed system:system-07", "order 17", "latency>1s -system:system-11", ""] {
        let _ = explorer.update(Event::Filter(filter.to_owned()));
        let _ = draw(explorer, look);
    }
    for action in [Action::TOP, Action::DOWN, Action::OPEN, Action::NEXT_TAB, Action::BACK, Action::FOLLOW] {
        for effect in explorer.update(Event::Action(action)) {
            let reply = match effect {
                Effect::LoadPayload(ticket, ..) => {
                    (ticket, Reply::Payload(Ok(Arc::new(PreparedPayload::new(payload())))))
                }
                Effect::LoadRelated(ticket, _) => {
                    (ticket, Reply::Related { activities: Vec::new(), is_partial: false })
                }
                _ => continue,
            };
            let _ = explorer.update(Event::Reply(reply.0, reply.1));
        }
        let _ = draw(explorer, look);
    }
    let size = if number.is_multiple_of(1200) { (160, 48) } else { (80, 24) };
    let _ = explorer.update(Event::Resize(size.0, size.1));
}

/// Memory of this process: now, and at most (proc(5): VmRSS and VmHWM), in MB.
fn memory() -> (u64, u64) {
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let of = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    (of("VmRSS"), of("VmHWM"))
}

fn main() {
    // `cargo test` runs it too, to see that it runs.
    let seconds: u64 = if std::env::args().any(|arg| arg == "--bench") { 8 * 3600 } else { 5 };
    let (sources, names) = ((0..SOURCES).map(SourceId).collect::<Vec<_>>(), Names::default());
    for source in &sources {
        names.add_source(&format!("source {}", source.0));
    }
    let look = Appearance {
        theme: Theme::load("dark", ColourDepth::True).expect("a theme"),
        keymap: Keymap::load(crosstail::screens::vocabulary()).expect("keys"),
    };
    let mut explorer = Explorer::new(names, &sources, chrono_tz::Tz::UTC, EPOCH);
    explorer.shared.settings.memory = BUDGET;
    let _ = explorer.update(Event::Resize(160, 48));
    for source in &sources {
        let _ = explorer.update(Event::Pump(PumpEvent::State(*source, SourceState::Live)));
    }
    let mut rng = fastrand::Rng::with_seed(7);
    let begin = Instant::now();
    for number in 0..seconds {
        for source in &sources {
            let items = second(&mut rng, number, source.0);
            let _ = explorer.update(Event::Pump(PumpEvent::Batch { source: *source, items, live: true }));
        }
        let _ = explorer.update(Event::Tick(EPOCH.plus_ms((number * 1000) as i64)));
        if number % 60 == 0 {
            work(&mut explorer, &look, number);
        }
        if number % 3600 == 3599 {
            let ((now, most), store) = (memory(), &explorer.shared.store);
            let (held, bytes) = (store.len(), store.bytes() >> 20);
            println!("after {} h: {held} held in {bytes} MB; process {now} MB, at most {most} MB", number / 3600 + 1);
        }
    }
    let most = explorer.shared.store.bytes() >> 20;
    println!(
        "{} activities in {:.0} s; budget {} MB, held {most} MB",
        seconds * RATE,
        begin.elapsed().as_secs_f64(),
        BUDGET >> 20
    );
}
