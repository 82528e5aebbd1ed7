//! Pictures of every state that a figure can be in: held, being counted, estimated, counted but for the failures, counted,
//! failed.

use crate::support::EPOCH;
use crosstail::effect::{CountPart, Counts, Effect, Reply, Ticket};
use crosstail::screens::{Event, Explorer, draw};
use crosstail::tui::{Appearance, ColourDepth, Keymap, Theme};
use crosstail_core::model::{Activity, Figures, Id, Kind, Names, SourceId, Status, Timestamp};
use crosstail_engine::window::Range;
use crosstail_source::pump::{PumpEvent, SourceState};
use crosstail_source::{Groups, Probe};
use std::fmt::Write as _;

const SOURCE: SourceId = SourceId(0);
const MINUTE: i64 = 60_000_000;
/// The range: four hours, of which memory holds nothing but what has just been written.
const HOURS: i64 = 4;

fn now() -> Timestamp {
    EPOCH.plus_us(HOURS * 60 * MINUTE)
}

/// An explorer over a store, and the question that it asks for the figures.
fn opened() -> (Explorer, Ticket, i64) {
    let names = Names::default();
    names.add_source("db");
    let mut explorer = Explorer::new(names, &[SOURCE], chrono_tz::Tz::UTC, now());
    explorer.shared.sources[0].reads_ranges = true;
    explorer.shared.sources[0].has_order = true;
    explorer.shared.sources[0].follows = true;
    explorer.shared.range = Range::Last(HOURS * 60 * MINUTE);
    let mut effects = explorer.update(Event::Resize(100, 16));
    let probe = Probe { server: "PostgreSQL 15".to_owned(), ..Probe::default() };
    effects.extend(explorer.update(Event::Pump(PumpEvent::Probed(SOURCE, probe))));
    effects.extend(explorer.update(Event::Pump(PumpEvent::State(SOURCE, SourceState::Live))));
    let recent = (0..5).map(|n| {
        let mut activity = Activity::new(Id::Uuid(n), now().plus_us(-1_000_000 * (5 - n as i64)));
        (activity.kind, activity.status, activity.system) = (Kind::ApiCall, Some(Status::Success), Some("SAP".into()));
        activity
    });
    let live = PumpEvent::Batch { source: SOURCE, items: recent.collect(), live: true };
    effects.extend(explorer.update(Event::Pump(live)));
    effects.extend(explorer.update(Event::Tick(now())));
    explorer.count(true);
    let asked = effects.iter().rev().find_map(|effect| match effect {
        Effect::Count(ticket, query) if !query.intervals.is_empty() => Some((*ticket, query.bucket_us)),
        _ => None,
    });
    let (ticket, bucket_us) = asked.expect("the store is asked to count");
    (explorer, ticket, bucket_us)
}

/// What the store has counted: a bucket in every quarter of an hour, the third with failures.
fn groups(bucket_us: i64) -> Groups {
    let mut groups = Groups::new();
    for quarter in 0..HOURS * 4 {
        let at = EPOCH.plus_us(quarter * 15 * MINUTE).0.div_euclid(bucket_us) * bucket_us;
        let figures: &mut Figures = groups.entry((Vec::new(), Some(Timestamp(at)))).or_default();
        figures.count += 100 + 10 * quarter.unsigned_abs();
        figures.failed += if quarter == 2 { 80 } else { 0 };
    }
    groups
}

fn picture(explorer: &Explorer) -> String {
    let theme = Theme::load("none", ColourDepth::None).expect("a theme");
    let look = Appearance { theme, keymap: Keymap::load(crosstail::screens::vocabulary()).expect("keys") };
    let buffer = draw(explorer, &look).buffer;
    let line = |y| (0..buffer.area.width).filter_map(|x| Some(buffer.cell((x, y))?.symbol())).collect::<String>();
    (0..8).map(|y| line(y).trim_end().to_owned() + "\n").collect()
}

/// What the store answers, by the width of the buckets that it was asked for.
type Answer = fn(i64) -> Option<Result<Counts, String>>;

#[test]
fn every_state_of_a_figure() {
    let mut pictures = String::new();
    let states: [(&str, Answer); 7] = [
        ("counting", |_| None),
        ("estimated", |_| Some(Ok(Counts::Estimate { count: 2_970, is_final: false }))),
        ("estimated, and that is enough", |_| Some(Ok(Counts::Estimate { count: 2_970, is_final: true }))),
        ("the number is counted", |_| Some(Ok(Counts::Total(2_800)))),
        ("it is counted when they were", |bucket_us| {
            let mut times = groups(bucket_us);
            for figures in times.values_mut() {
                figures.failed = 0;
            }
            Some(Ok(Counts::Times(times)))
        }),
        ("counted", |bucket_us| Some(Ok(Counts::Outcomes(groups(bucket_us))))),
        ("failed", |_| Some(Err("db: aggregate: the connection was lost".to_owned()))),
    ];
    for (name, counts) in states {
        let (mut explorer, ticket, bucket_us) = opened();
        if let Some(counts) = counts(bucket_us) {
            let part = CountPart { source: SOURCE, filtered: false, counts };
            let _ = explorer.update(Event::Reply(ticket, Reply::Counted(Box::new(part))));
        }
        writeln!(pictures, "== {name}\n{}", picture(&explorer)).expect("written");
    }
    insta::assert_snapshot!(pictures);
}

#[test]
fn what_was_counted_stays_until_it_is_counted_anew() {
    let (mut explorer, ticket, bucket_us) = opened();
    let counted = CountPart { source: SOURCE, filtered: false, counts: Ok(Counts::Outcomes(groups(bucket_us))) };
    let _ = explorer.update(Event::Reply(ticket, Reply::Counted(Box::new(counted))));
    let before = explorer.shared.figure(true);
    assert_eq!(before.count, 2_800);
    // The range moves on; the store is asked again.
    let mut again = None;
    for second in 0..40 {
        for effect in explorer.update(Event::Tick(now().plus_us(second * 1_000_000))) {
            if let Effect::Count(ticket, query) = effect {
                again = Some((ticket, query.bucket_us));
            }
        }
    }
    let (ticket, bucket_us) = again.expect("it is counted again");
    assert_eq!(explorer.shared.figure(true), before, "what is known stays");
    // An answer that is no better does not replace it; a better one does.
    let total = CountPart { source: SOURCE, filtered: false, counts: Ok(Counts::Total(9)) };
    let _ = explorer.update(Event::Reply(ticket, Reply::Counted(Box::new(total))));
    assert_eq!(explorer.shared.figure(true), before);
    let mut more = groups(bucket_us);
    more.values_mut().next().expect("a bucket").count += 1000;
    let counted = CountPart { source: SOURCE, filtered: false, counts: Ok(Counts::Outcomes(more)) };
    let _ = explorer.update(Event::Reply(ticket, Reply::Counted(Box::new(counted))));
    assert_eq!(explorer.shared.figure(true).count, 3_800);
}
