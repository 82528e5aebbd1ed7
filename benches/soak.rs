//! Eight hours of 1,000 activities a second by a simulated clock, in the memory that the explorer is given.
//! `cargo bench --bench soak`.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_wrap,
    clippy::cast_possible_truncation,
    reason = "a bench"
)]

use crosstail::action::Action;
use crosstail::screens::{Event, Explorer};
use crosstail_core::model::{Activity, Id, Kind, Names, SourceId, Status, Timestamp};
use crosstail_source::pump::{PumpEvent, SourceState};
use std::time::Instant;

const EPOCH: Timestamp = Timestamp(1_795_000_000_000_000);
const RATE: u64 = 1000;
const BUDGET: usize = 256 << 20;

/// A second of traffic; every activity has a text of its own.
fn second(rng: &mut fastrand::Rng, number: u64) -> Vec<Activity> {
    (0..RATE)
        .map(|n| {
            let mut a = Activity::new(Id::Uuid(rng.u128(..)), EPOCH.plus_us((number * 1_000_000 + n * 1000) as i64));
            let failed = rng.u8(0..100) < 3;
            a.kind = Kind::ApiCall;
            a.status = Some(if failed { Status::Failed } else { Status::Success });
            a.system = Some(format!("system-{:02}", rng.u8(0..50)).into());
            a.endpoint = Some("/api/v1/purchase-orders".into());
            a.http_status = Some(if failed { 503 } else { 200 });
            a.duration_us = Some(rng.u64(1000..3_000_000));
            a.message = Some(format!("order {} was sent", number * RATE + n).into());
            a
        })
        .collect()
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
    let (source, names) = (SourceId(0), Names::default());
    let mut explorer = Explorer::new(names, &[source], chrono_tz::Tz::UTC, EPOCH);
    explorer.shared.settings.memory = BUDGET;
    let _ = explorer.update(Event::Resize(160, 48));
    let _ = explorer.update(Event::Pump(PumpEvent::State(source, SourceState::Live)));
    let mut rng = fastrand::Rng::with_seed(7);
    let begin = Instant::now();
    for number in 0..seconds {
        let items = second(&mut rng, number);
        let _ = explorer.update(Event::Pump(PumpEvent::Batch { source, items, live: true }));
        let _ = explorer.update(Event::Tick(EPOCH.plus_ms((number * 1000) as i64)));
        if number % 600 == 0 {
            // Somebody looks: another filter, and back.
            let _ = explorer.update(Event::Filter("status:failed system:system-07".to_owned()));
            let _ = explorer.update(Event::Filter(String::new()));
            let _ = explorer.update(Event::Action(Action::FOLLOW));
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
