//! The health screen with 50 systems and 1,000 activities a second: what it costs of a core. `cargo bench --bench health`.

#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::too_many_lines,
    reason = "a bench"
)]

use crosstail::action::Action;
use crosstail::screens::{Event, Explorer, draw};
use crosstail::tui::{Appearance, ColourDepth, Keymap, Theme};
use crosstail_core::model::{Activity, Direction, Id, Kind, Names, SourceId, Status, Timestamp};
use crosstail_engine::insight::alerting::Alerting;
use crosstail_source::pump::{PumpEvent, SourceState};
use std::time::{Duration, Instant};

const EPOCH: Timestamp = Timestamp(1_795_000_000_000_000);
const SYSTEMS: usize = 50;
const RATE: usize = 1000;

/// So many activities from a moment on, spread over a second each `RATE`; one of ten is still open.
fn activities(rng: &mut fastrand::Rng, from: Timestamp, count: usize) -> Vec<Activity> {
    (0..count)
        .map(|n| {
            let at = from.plus_us((n * 1_000_000 / RATE) as i64);
            let mut a = Activity::new(Id::Uuid(rng.u128(..)), at);
            let failed = rng.f64() < 0.03;
            let open = rng.f64() < 0.1;
            a.kind = Kind::ApiCall;
            a.direction = Direction::Out;
            a.status = Some(if open {
                Status::InProgress
            } else if failed {
                Status::Failed
            } else {
                Status::Success
            });
            a.system = Some(format!("system-{:02}", rng.usize(0..SYSTEMS)).into());
            a.endpoint = Some("/api/v1/purchase-orders".into());
            a.http_status = (!open).then_some(if failed { 503 } else { 200 });
            a.duration_us = (!open).then(|| rng.u64(1000..3_000_000));
            a
        })
        .collect()
}

/// Finishes what was open a few seconds ago.
fn finished(open: &[Activity]) -> Vec<Activity> {
    let finish = |a: &Activity| {
        let mut a = a.clone();
        (a.status, a.http_status, a.duration_us) = (Some(Status::Success), Some(200), Some(2_500_000));
        a
    };
    open.iter().filter(|a| a.status == Some(Status::InProgress)).map(finish).collect()
}

/// CPU time of this process so far, on every core (proc(5): utime and stime, in hundredths of a second).
fn cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: u64 = fields[11..13].iter().filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Runs `seconds` of traffic over a store that holds `minutes` of it. Gives CPU time in all, and what of it went into
/// health: ticks and drawing while the list, or health, is shown.
fn run(screen: Option<Action>, rules: bool, minutes: usize, seconds: usize) -> (Duration, Duration) {
    let mut rng = fastrand::Rng::with_seed(7);
    let source = SourceId(0);
    let names = Names::default();
    let mut now = EPOCH.plus_ms(minutes as i64 * 60_000);
    let mut explorer = Explorer::new(names, &[source], chrono_tz::Tz::UTC, now);
    let _ = explorer.update(Event::Resize(160, 48));
    for minute in 0..minutes {
        let items = activities(&mut rng, EPOCH.plus_ms(minute as i64 * 60_000), RATE * 60);
        let _ = explorer.update(Event::Pump(PumpEvent::Batch { source, items, live: false }));
    }
    let _ = explorer.update(Event::Pump(PumpEvent::State(source, SourceState::Live)));
    if rules {
        explorer.shared.alerts.alerting = Alerting::new(crosstail::config::rules(None).0);
    }
    let look = Appearance {
        theme: Theme::load("dark", ColourDepth::True).expect("theme"),
        keymap: Keymap::load(crosstail::screens::vocabulary()).expect("keys"),
    };
    if let Some(action) = screen {
        let _ = explorer.update(Event::Action(action));
        assert_eq!(explorer.stack.name(), "health");
    }
    let mut spent = Duration::ZERO;
    let begin_cpu = cpu();
    let mut before: Vec<Vec<Activity>> = Vec::new();
    for second in 0..seconds {
        let items = activities(&mut rng, now, RATE);
        before.push(items.clone());
        let late = if second >= 3 { finished(&before[second - 3]) } else { Vec::new() };
        let _ = explorer.update(Event::Pump(PumpEvent::Batch { source, items, live: true }));
        let _ = explorer.update(Event::Pump(PumpEvent::Batch { source, items: late, live: true }));
        let begin = Instant::now();
        // Two frames a second, as the explorer draws where every frame is a new page; ticks as often as it has.
        for quarter in 0..4 {
            let _ = explorer.update(Event::Tick(now.plus_ms(quarter * 250)));
            if quarter % 2 == 0 {
                std::hint::black_box(draw(&explorer, &look));
            }
        }
        spent += begin.elapsed();
        now = now.plus_ms(1000);
    }
    (cpu().saturating_sub(begin_cpu), spent)
}

fn main() {
    // `cargo test` runs it too, to see that it runs.
    let (minutes, seconds) = if std::env::args().any(|arg| arg == "--bench") { (30, 120) } else { (1, 2) };
    let share = |spent: Duration| 100.0 * spent.as_secs_f64() / seconds as f64;
    println!("{SYSTEMS} systems, {RATE} activities a second, {minutes} minutes of them held, 160x48; % of a core");
    for (name, screen, rules) in [
        ("the list, no rules", None, false),
        ("health, no rules", Some(Action::HEALTH), false),
        ("health, and the rules that are shipped", Some(Action::HEALTH), true),
    ] {
        let (all, spent) = run(screen, rules, minutes, seconds);
        println!(
            "{name:40} {:5.2} in ticks and drawing, {:5.2} with taking in and making the traffic",
            share(spent),
            share(all)
        );
    }
}
