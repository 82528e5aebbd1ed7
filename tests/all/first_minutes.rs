//! What somebody sees who opens crosstail for the first time, and who waits for a large store: pictures without a terminal.

use crate::screens::{Stage, press_at};
use crate::support::EPOCH;
use crosstail::action::Action;
use crosstail::effect::{CountPart, Counts, Effect, Instead, ReadPart, ReadPurpose, Reply};
use crosstail::screens::{Event, Explorer, Focus};
use crosstail::tui::Gesture;
use crosstail_core::filter::Field;
use crosstail_core::model::{Activity, Clock, Id, Kind, Locator, Names, Place, SourceId, Status};
use crosstail_engine::window::Range;
use crosstail_source::pump::{PumpEvent, READ_HISTORY, SourceState};
use crosstail_source::{Job, Jobs, Priority};

const SOURCE: SourceId = SourceId(0);

/// The sizes at which it has to be legible.
const SIZES: [(u16, u16); 3] = [(160, 48), (80, 24), (60, 20)];

fn text(stage: &Stage) -> String {
    stage.picture().split("── style").next().expect("a text").to_owned()
}

/// A job that reads history, since so long before the stage's clock. Jobs know the real time, so the clock goes by it.
fn reads_history(stage: &mut Stage, ago_ms: i64) -> Job {
    stage.explorer.shared.jobs = Jobs::default();
    let job = stage.explorer.shared.jobs.begin(SOURCE, Job::new(READ_HISTORY, Priority::Background));
    stage.event(Event::Tick(Clock::system().now().plus_ms(ago_ms)));
    job
}

#[test]
fn a_file_that_is_read_says_how_far_it_is() {
    for size in SIZES {
        let mut stage = Stage::new(size.0, size.1, "dark");
        stage.event(Event::Pump(PumpEvent::State(SOURCE, SourceState::Loading)));
        let job = reads_history(&mut stage, 0);
        assert!(!text(&stage).contains("reading the history"), "before a second has passed:\n{}", text(&stage));
        job.will_read(200);
        job.count(12_000, 76);
        let now = stage.explorer.shared.now.plus_ms(1500);
        stage.event(Event::Tick(now));
        let shown = text(&stage);
        assert!(shown.contains("◌ reading the history · 38 % · 12,000 so far"), "{shown}");
        assert!(size.0 < 80 || shown.contains("L shows and ends it"), "{shown}");
        // What memory alone counts is of what was read.
        stage.act(&[Action::AFFECTED]);
        assert!(size.0 < 160 || text(&stage).contains("of what was read so far"), "{}", text(&stage));
        assert!(text(&stage).contains("reading the history"), "over another screen, too:\n{}", text(&stage));
        drop(job);
        stage.event(Event::Pump(PumpEvent::State(SOURCE, SourceState::Live)));
        stage.event(Event::Tick(now));
        let shown = text(&stage);
        assert!(!shown.contains("reading the history") && !shown.contains("so far"), "{shown}");
    }
}

/// A stage over a store that is read range by range, the ticket of the first page, and what else was asked of the store.
fn filling(size: (u16, u16)) -> (Stage, u64, Vec<Effect>) {
    let names = Names::default();
    let id = names.add_source("orders");
    let mut explorer = Explorer::new(names, &[id], chrono_tz::Tz::UTC, EPOCH.plus_ms(1_260_000));
    explorer.shared.sources[0].reads_ranges = true;
    explorer.shared.sources[0].has_order = true;
    explorer.shared.range = Range::Last(24 * 3_600_000_000);
    let mut stage = Stage::new(size.0, size.1, "dark");
    stage.explorer = explorer;
    stage.event(Event::Resize(size.0, size.1));
    let items = (0..3).map(|n| given_up(n, "PO 1", "SAP", "/a")).collect();
    stage.event(Event::Pump(PumpEvent::Batch { source: SOURCE, items, live: false }));
    stage.event(Event::Pump(PumpEvent::State(SOURCE, SourceState::Live)));
    let effects = stage.event(Event::Pump(PumpEvent::Following(SOURCE)));
    let ticket = effects.iter().find_map(|effect| match effect {
        Effect::Read(ticket, query) if matches!(query.purpose, ReadPurpose::Fill(_)) => Some(*ticket),
        _ => None,
    });
    (stage, ticket.expect("the range is filled"), effects)
}

#[test]
fn a_store_that_is_read_says_how_far_it_is() {
    for size in SIZES {
        let (mut stage, _, mut effects) = filling(size);
        assert!(!text(&stage).contains("reading the history"));
        let later = stage.explorer.shared.now.plus_ms(1500);
        effects.extend(stage.event(Event::Tick(later)));
        assert!(text(&stage).contains("◌ reading the history · "), "{}", text(&stage));
        assert!(text(&stage).contains("so far"), "{}", text(&stage));
        let counted = effects.into_iter().find_map(|effect| match effect {
            Effect::Count(ticket, query) if !query.filtered => Some((ticket, query)),
            _ => None,
        });
        let (ticket, query) = counted.unwrap_or_else(|| panic!("the store is asked how many there are"));
        let part = |counts| {
            Reply::Counted(Box::new(CountPart { source: SOURCE, filtered: query.filtered, counts: Ok(counts) }))
        };
        stage.event(Event::Reply(ticket, part(Counts::Estimate { count: 40_000, is_final: false })));
        assert!(text(&stage).contains("of about 40,"), "{}", text(&stage));
        stage.event(Event::Reply(ticket, part(Counts::Total(40_000))));
        assert!(!text(&stage).contains("about 40,"), "{}", text(&stage));
        assert!(size.0 < 80 || text(&stage).contains("loading"), "the header, too:\n{}", text(&stage));
    }
}

#[test]
fn reading_that_somebody_ends_does_not_begin_again_by_itself() {
    let (mut stage, ticket, _) = filling((160, 48));
    let end = Some(Err("demo: read history: cancelled".to_owned()));
    let part = ReadPart { source: SOURCE, end, is_cancelled: true, ..ReadPart::default() };
    stage.event(Event::Reply(ticket, Reply::Read(ReadPurpose::Fill(SOURCE), Box::new(part))));
    assert!(text(&stage).contains("what was read stays"), "{}", text(&stage));
    let fills = |effects: &[Effect]| {
        effects
            .iter()
            .any(|effect| matches!(effect, Effect::Read(_, query) if matches!(query.purpose, ReadPurpose::Fill(_))))
    };
    for seconds in [10, 60] {
        let later = stage.explorer.shared.now.plus_ms(seconds * 1000);
        let effects = stage.event(Event::Tick(later));
        assert!(!fills(&effects), "{effects:?}");
    }
    // Another range is filled.
    let effects = stage.event(Event::Range(Range::Last(3_600_000_000)));
    assert!(fills(&effects), "{effects:?}");
}

#[test]
fn a_file_of_which_reading_was_ended_is_not_said_to_be_whole() {
    let mut stage = Stage::new(160, 48, "dark");
    stage.event(Event::Pump(PumpEvent::State(SOURCE, SourceState::Loading)));
    stage.event(Event::Pump(PumpEvent::Interrupted(SOURCE)));
    stage.event(Event::Pump(PumpEvent::State(SOURCE, SourceState::Live)));
    assert!(text(&stage).contains("read in part"), "{}", text(&stage));
    assert!(!stage.explorer.shared.sources[0].is_whole(u64::MAX));
}

#[test]
fn what_counting_goes_on_is_said() {
    let (mut stage, ..) = filling((160, 48));
    stage.event(Event::Tick(stage.explorer.shared.now.plus_ms(100)));
    stage.explorer.count(true);
    let shown = text(&stage);
    assert!(shown.contains("+… is being counted"), "{shown}");
    assert!(shown.contains("· being counted"), "the facets:\n{shown}");
}

#[test]
fn sixty_columns_are_legible() {
    let mut stage = Stage::new(60, 20, "dark");
    stage.press(&["?"]);
    let shown = text(&stage);
    assert!(!shown.contains('…'), "the page of keys:\n{shown}");
    for said in ["line up, down", "tries; trace", "help; quit"] {
        assert!(shown.contains(said), "{said}:\n{shown}");
    }
    let mut stage = Stage::new(60, 20, "dark");
    stage.press(&["e", "enter"]);
    let shown = text(&stage);
    for tab in ["1 overview", "2 req", "5 ret", "6 tra"] {
        assert!(shown.contains(tab), "{tab}:\n{shown}");
    }
    stage.press(&["r"]);
    let shown = text(&stage);
    assert!(shown.contains("✗ 503") || shown.contains("◔ timeout"), "the title says how it ended:\n{shown}");
    insta::assert_snapshot!("tries_at_60", shown);
}

#[test]
fn a_press_long_after_another_opens_nothing() {
    let mut stage = Stage::new(160, 40, "dark");
    let place = |stage: &Stage| stage.place_of("POST /po/create", 2);
    let press = |stage: &mut Stage| {
        let (x, y) = place(stage);
        stage.mouse(Gesture::Press, x, y);
        stage.mouse(Gesture::Release, x, y);
    };
    press(&mut stage);
    let selected = stage.explore().list.selected;
    stage.explorer.shared.now = stage.explorer.shared.now.plus_ms(501);
    press(&mut stage);
    assert!(stage.explore().detail.is_none() && selected.is_some(), "it selects");
    assert_eq!(stage.explore().list.selected, selected);
    stage.explorer.shared.now = stage.explorer.shared.now.plus_ms(500);
    press(&mut stage);
    assert!(stage.explore().detail.is_some(), "twice within half a second opens");
    // The lines of other screens, too.
    let mut stage = Stage::new(160, 40, "dark");
    stage.press(&["h"]);
    press_at(&mut stage, "Zoho", 0);
    stage.explorer.shared.now = stage.explorer.shared.now.plus_ms(3000);
    press_at(&mut stage, "Zoho", 0);
    assert_eq!(stage.explorer.stack.name(), "health");
    press_at(&mut stage, "Zoho", 0);
    assert_eq!(stage.explorer.stack.name(), "system");
}

/// A failure of its own operation, given up.
fn given_up(n: u64, entity: &str, system: &str, endpoint: &str) -> Activity {
    let mut a = Activity::new(Id::Uuid(u128::from(n) + 7_000_000), EPOCH.plus_ms(1_000_000 + n as i64 * 1000));
    a.kind = Kind::ApiCall;
    a.status = Some(Status::Failed);
    a.system = Some(system.into());
    a.method = Some("POST".into());
    a.endpoint = Some(endpoint.into());
    a.http_status = Some(422);
    a.entity = Some(entity.into());
    a.correlation_id = Some(compact_str::format_compact!("c-{n}"));
    (a.attempt, a.max_attempts) = (Some(3), Some(3));
    a.error = Some("tax code GST18 is not mapped".into());
    a.places = vec![Place::new(SOURCE, Locator::Row(i64::try_from(n).expect("small") + 1))];
    a
}

fn affected(size: (u16, u16), all: Vec<Activity>) -> String {
    let mut stage = Stage::new(size.0, size.1, "dark");
    stage.event(Event::Pump(PumpEvent::Batch { source: SOURCE, items: all, live: false }));
    stage.event(Event::Filter("error:\"tax code\"".to_owned()));
    stage.act(&[Action::AFFECTED]);
    text(&stage)
}

#[test]
fn operations_say_the_entity_first_and_nothing_twice() {
    let alike = |n: u64| given_up(n, &format!("INVOICE INVOICE-48210{n}"), "orders-sync-service", "/invoice/post");
    for size in SIZES {
        let shown = affected(size, (0..5).map(alike).collect());
        assert!(shown.contains("INVOICE-482104") && !shown.contains("INVOICE-482…"), "{shown}");
        assert!(!shown.contains("in the end"), "all were given up, as the title says:\n{shown}");
        assert!(size.0 < 160 || shown.contains("· all orders-sync-service POST /invoice/post"), "{shown}");
        assert!(shown.contains("422 "), "{shown}");
    }
    // What differs has a column, also where it differs far below.
    let mut other = given_up(0, "INVOICE INVOICE-1", "SAP", "/other");
    (other.attempt, other.max_attempts) = (None, None);
    let shown = affected((160, 48), (1..600).map(alike).chain([other]).collect());
    assert!(shown.contains("in the end") && shown.contains("system") && shown.contains("what"), "{shown}");
    assert!(!shown.contains("· all "), "{shown}");
    // And the system one as wide as its longest name.
    let differ =
        |n: u64| given_up(n, &format!("INVOICE-48210{n}"), ["SAP", "orders-sync-service"][n as usize % 2], "/a");
    for size in [(160, 48), (120, 36)] {
        let shown = affected(size, (0..5).map(differ).collect());
        assert!(shown.contains("orders-sync-service "), "{shown}");
        assert!(shown.contains("system"), "{shown}");
    }
    // The list has it, too, where there is room.
    let mut stage = Stage::new(160, 48, "dark");
    let items = (0..3).map(differ).collect();
    stage.event(Event::Pump(PumpEvent::Batch { source: SOURCE, items, live: false }));
    stage.event(Event::Filter("error:\"tax code\"".to_owned()));
    stage.explorer.count(true);
    assert!(text(&stage).contains("orders-sync-serv"), "{}", text(&stage));
}

/// The number that a line gives of what is left out.
fn left_out(line: &str) -> Option<usize> {
    line.split_once("… ")?.1.split_once(" more")?.0.parse().ok()
}

#[test]
fn facets_say_what_they_leave_out() {
    for height in [24, 48] {
        let mut stage = Stage::new(120, height, "dark");
        let of = |n: u64| given_up(n, "PO 1", &format!("system-{n:02}"), &format!("/endpoint/{n}"));
        let items = (0..30).map(of).collect();
        stage.event(Event::Pump(PumpEvent::Batch { source: SOURCE, items, live: false }));
        stage.explorer.count(true);
        let shown = text(&stage);
        // The panel, its first group.
        let panel = shown.lines().filter(|line| line.contains('│')).filter_map(|line| line.split('│').next());
        let panel: Vec<&str> = panel.skip_while(|line| !line.contains(" system ")).collect();
        let rest = panel.iter().skip(1).take_while(|line| !line.contains('─')).copied();
        let (more, values): (Vec<&str>, Vec<&str>) = rest.partition(|line| left_out(line).is_some());
        let hidden = more.iter().chain(&panel[..1]).find_map(|line| left_out(line)).unwrap_or_default();
        let store = &stage.explorer.shared.store;
        let systems = store.facet(Field::System, store.rows(), 100).len();
        assert_eq!(values.len() + hidden, systems, "{shown}");
        assert!(hidden > 0, "{shown}");
        assert!(panel.iter().all(|line| !line.trim().is_empty()), "no line stays empty:\n{shown}");
        // Pressing the line leads to the values.
        if !more.is_empty() {
            press_at(&mut stage, &format!("… {hidden} more"), 0);
            assert_eq!(stage.explore().focus, Focus::Facets);
        }
    }
}

#[test]
fn one_goes_back_to_the_first_page_from_where_there_is_nothing() {
    let names = Names::default();
    let id = names.add_source("orders");
    let mut explorer = Explorer::new(names, &[id], chrono_tz::Tz::UTC, EPOCH);
    let back = |explorer: &mut Explorer| explorer.update(Event::Action(Action::BACK));
    let leads = |effects: &[Effect]| effects.contains(&Effect::ReadInstead(Instead::FirstPage));
    let effects = back(&mut explorer);
    assert!(!leads(&effects), "it was not opened there: {effects:?}");
    explorer.shared.settings.is_from_first_page = true;
    let waiting = SourceState::Waiting { until: EPOCH.plus_ms(5000), error: "refused".to_owned() };
    explorer.update(Event::Pump(PumpEvent::State(id, waiting)));
    let effects = back(&mut explorer);
    assert!(leads(&effects), "{effects:?}");
    // Not from what has something.
    let mut one = given_up(1, "PO 1", "SAP", "/a");
    one.places = vec![Place::new(id, Locator::Row(1))];
    explorer.update(Event::Pump(PumpEvent::Batch { source: id, items: vec![one], live: false }));
    let effects = back(&mut explorer);
    assert!(!leads(&effects), "{effects:?}");
}

#[test]
fn where_there_is_nothing_the_way_back_is_said() {
    for size in SIZES {
        let names = Names::default();
        let id = names.add_source("orders");
        let mut stage = Stage::new(size.0, size.1, "dark");
        let mut explorer = Explorer::new(names, &[id], chrono_tz::Tz::UTC, EPOCH);
        explorer.shared.settings.is_from_first_page = true;
        stage.explorer = explorer;
        stage.event(Event::Resize(size.0, size.1));
        assert!(text(&stage).contains("esc goes back to the first page"), "{}", text(&stage));
    }
}

/// The lines of the picture in README, as text.
fn lines_of_the_picture() -> Vec<String> {
    const CELL_WIDTH: f64 = 8.4;
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screen.svg");
    let svg = std::fs::read_to_string(path).expect("a picture");
    let (_, defs) = svg.split_once("<defs>").expect("lines");
    let (defs, _) = defs.split_once("</defs>").expect("lines");
    let line = |drawn: &str| {
        let mut line = String::new();
        for part in drawn.split("<text x=\"").skip(1) {
            let x: f64 = part.split('"').next().expect("a place").parse().expect("a number");
            let text = part.split_once('>').expect("a text").1.split("</text>").next().expect("a text");
            let text = text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#x27;", "'");
            let at = (x / CELL_WIDTH).round() as usize;
            let gap = at.saturating_sub(line.chars().count());
            line.extend(std::iter::repeat_n(' ', gap));
            line.push_str(&text.replace("&amp;", "&"));
        }
        line
    };
    defs.lines().map(|drawn| line(drawn).trim().to_owned()).collect()
}

#[test]
fn the_picture_of_readme_is_of_this_program() {
    let drawn = lines_of_the_picture();
    assert!(drawn.len() > 100, "{} lines", drawn.len());
    // What does not depend on what happened: the key bars, and the titles of columns.
    let mut missing = Vec::new();
    for (keys, titles) in [
        (&[][..], "what  "),
        (&["e", "enter"], ""),
        (&["e", "enter", "r"], "policy's verdict"),
        (&["e", "enter", "t"], ""),
        (&["h"], "p50"),
    ] {
        let mut stage = Stage::new(132, 34, "dark");
        stage.press(keys);
        let shown = text(&stage);
        let lines: Vec<&str> = shown.lines().map(str::trim).collect();
        let bar = lines.iter().rev().find(|line| !line.is_empty()).copied();
        let titled = lines.iter().find(|line| !titles.is_empty() && line.contains(titles)).copied();
        assert!(titles.is_empty() || titled.is_some(), "{titles} in\n{shown}");
        // The list stands beside the facets.
        let titled = titled.map(|line| line.rsplit('│').next().unwrap_or(line).trim());
        let wanted = bar.into_iter().chain(titled);
        missing.extend(wanted.filter(|line| !drawn.iter().any(|known| known.contains(line))).map(str::to_owned));
    }
    assert!(missing.is_empty(), "scripts/picture draws docs/screen.svg anew: it does not show {missing:#?}");
}
