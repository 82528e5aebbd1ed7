//! What the screens say and take at an incident: pasted ids, columns, empty lists, last failures, commands, the mouse.

use crate::screens::{Stage, press_at};
use crate::support::EPOCH;
use crosstail::action::Action;
use crosstail::effect::{Effect, Reply, SearchProgress};
use crosstail::log::LogLine;
use crosstail::screens::{Event, Explorer, Focus};
use crosstail_core::model::{Activity, Direction, Id, Kind, Level, Locator, Names, Place, SourceId, Status};
use crosstail_engine::insight::alerting;
use crosstail_source::pump::{PumpEvent, SourceState};
use crosstail_source::{Job, Priority};

#[test]
fn what_is_pasted_is_searched_for_whatever_it_is() {
    let mut stage = Stage::new(120, 30, "dark");
    let found = |effects: &[Effect]| match effects {
        [Effect::Find(ticket, text)] => (*ticket, text.clone()),
        other => panic!("{other:?}"),
    };
    let (first, text) = found(&stage.event(Event::Pasted("  PO-4711\r\n".to_owned())));
    assert_eq!(text, "PO-4711", "nothing is pressed before, or after");
    // Another one takes its place: Esc closes all of it.
    let (second, text) = found(&stage.event(Event::Pasted("one\nline\tand \u{1b}[31mmore\0".to_owned())));
    assert!(second > first);
    assert_eq!(text, "one line and  [31mmore", "no control character reaches a store");
    assert!(stage.press_for_effects("esc").contains(&Effect::CancelSearch));
    assert!(!stage.picture().contains("find · ⏎"), "{}", stage.picture());
    // A screen that covers the list, and help with a text, are no obstacle.
    stage.press(&["h"]);
    found(&stage.event(Event::Pasted("PO-4711".to_owned())));
    stage.press(&["esc", "?"]);
    assert_eq!(stage.event(Event::Pasted("retries".to_owned())), [], "help is searched");
    stage.press(&["esc"]);
    // A file is no id.
    let (_, text) = found(&stage.event(Event::Pasted("ä".repeat(1 << 20))));
    assert!(text.len() <= 4096 && text.starts_with('ä'), "{}", text.len());
    assert!(stage.picture().contains("too long"), "{}", stage.picture());
    stage.press(&["esc", "/"]);
    stage.event(Event::Pasted(format!("status:failed {}", "x".repeat(1 << 20))));
    assert!(stage.explorer.shared.filter.text().len() < 1 << 15);
    stage.press(&["esc"]);
    assert_eq!(stage.event(Event::Pasted(" \r\n\0 ".to_owned())), [], "nothing is no text");
}

#[test]
fn what_is_typed_to_be_found_is_no_command() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.press(&["o"]);
    assert!(stage.picture().contains("type or paste an id"), "{}", stage.picture());
    // Letters that are in names of commands, and the name of one.
    for text in ["trc", "zone utc", "q"] {
        stage.write(text, 0);
        let effects = stage.press_for_effects("enter");
        assert!(matches!(&effects[..], [Effect::Find(_, found)] if found == text), "{text}: {effects:?}");
        stage.press(&["esc", "o"]);
    }
}

#[test]
fn columns_that_say_nothing_give_their_room_to_the_message() {
    let mut stage = Stage::new(120, 30, "dark");
    let head = |stage: &Stage| {
        let picture = stage.picture();
        let head = picture.lines().find(|line| line.contains(" what ")).expect("a head");
        head.split('│').next_back().expect("beside the facets").to_owned()
    };
    for title in [" d ", "system", "http", "took", "try"] {
        assert!(head(&stage).contains(title), "{title}: {}", head(&stage));
    }
    // The first try of a success says nothing, that of a failure does.
    assert!(stage.picture().contains("2/3") && stage.picture().contains("1/3"));
    stage.event(Event::Filter("status:success kind:api_call".to_owned()));
    assert!(!head(&stage).contains("try") && head(&stage).contains("http"), "{}", head(&stage));
    stage.event(Event::Filter("kind:log".to_owned()));
    for title in [" d ", "http", "took", "try"] {
        assert!(!head(&stage).contains(title), "{title}: {}", head(&stage));
    }
    // The cursor stands on columns that are drawn.
    let columns: Vec<usize> = (0..6)
        .map(|_| {
            stage.press(&["right"]);
            stage.explore().list.column
        })
        .collect();
    assert!(!columns.contains(&2) && !columns.contains(&5), "{columns:?}");
    stage.event(Event::Filter("system:auth".to_owned()));
    stage.press(&["left"; 6]);
    assert!(!head(&stage).contains("system") && stage.explore().list.column != 0, "{}", head(&stage));
    // Where all have failed, or none, the facets do not say it of each value.
    stage.event(Event::Filter("is:failure".to_owned()));
    assert!(!stage.picture().contains("✗ 100 %"), "{}", stage.picture());
    stage.event(Event::Filter(String::new()));
    assert!(stage.picture().contains("2✗ 100 %"), "{}", stage.picture());
}

#[test]
fn a_rare_value_is_seen_where_it_is_drawn() {
    let mut stage = Stage::new(120, 30, "dark");
    let names = Names::default();
    let source = names.add_source("app.log");
    stage.explorer = Explorer::new(names, &[source], chrono_tz::Tz::UTC, EPOCH.plus_ms(50_000_000));
    stage.event(Event::Resize(120, 30));
    // One line of 45,001 has a code; so many are not looked at one by one.
    let items = (0..45_001)
        .map(|n| {
            let mut line = Activity::new(Id::Text(format!("l{n}").into()), EPOCH.plus_ms(n * 1000));
            (line.kind, line.message) = (Kind::Log, Some("nothing special".into()));
            line.http_status = (n == 22_501).then_some(418);
            line
        })
        .collect();
    stage.event(Event::Pump(PumpEvent::Batch { source, items, live: false }));
    stage.event(Event::Pump(PumpEvent::State(source, SourceState::Live)));
    stage.explorer.count(true);
    assert!(!stage.picture().contains(" http"), "{}", stage.picture());
    stage.act(&[Action::TOP]);
    assert!(!stage.picture().contains(" http"), "{}", stage.picture());
    let row = stage.explorer.shared.store.find(&Id::Text("l22501".into())).expect("held");
    let store = &stage.explorer.shared.store;
    stage.explorer.stack.explore.list.stop_at(store, row);
    assert!(stage.picture().contains(" http") && stage.picture().contains(" 418"), "{}", stage.picture());
}

#[test]
fn an_empty_list_says_why_and_what_to_press() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.event(Event::Filter("nothing-has-this".to_owned()));
    assert!(
        stage.picture().contains("[ goes back, backspace shows everything, / changes the filter"),
        "{}",
        stage.picture()
    );
    let names = Names::default();
    let source = names.add_source("orders");
    stage.explorer = Explorer::new(names, &[source], chrono_tz::Tz::UTC, EPOCH);
    stage.event(Event::Resize(120, 30));
    stage.event(Event::Pump(PumpEvent::State(source, SourceState::Live)));
    let picture = stage.picture();
    assert!(picture.contains("nothing yet") && picture.contains("s: more about the sources"), "{picture}");
    let error = "connection refused".to_owned();
    stage.event(Event::Pump(PumpEvent::State(source, SourceState::Failed { error })));
    let picture = stage.picture();
    assert!(picture.contains("connection refused") && picture.contains("s: more about the sources"), "{picture}");
}

#[test]
fn a_last_failure_is_said_to_be_one() {
    let mut stage = Stage::new(120, 30, "dark");
    let said = |stage: &Stage| stage.explorer.shared.notice.as_ref().expect("said").text.clone();
    stage.event(Event::Filter("system:SAP".to_owned()));
    stage.act(&[Action::TOP, Action::BOTTOM, Action::UP, Action::DOWN, Action::NEXT_FAILURE]);
    assert_eq!(said(&stage), "this is the newest failure of the view; E goes back");
    stage.act(&[Action::TOP, Action::PREVIOUS_FAILURE]);
    assert_eq!(said(&stage), "this is the oldest failure of the view; e goes back");
    stage.event(Event::Filter("system:(SAP, Zoho, Slack) time:..".to_owned()));
    stage.event(Event::Filter("system:Slack".to_owned()));
    stage.act(&[Action::TOP, Action::NEXT_FAILURE]);
    assert_eq!(said(&stage), "no failure in this view");
    stage.event(Event::Filter("system:(SAP, auth)".to_owned()));
    stage.act(&[Action::TOP, Action::DOWN, Action::DOWN, Action::NEXT_FAILURE]);
    assert_eq!(said(&stage), "no newer failure; the newest of SAP began at 11:27:24.102; E goes to it");
}

#[test]
fn the_histogram_is_as_high_as_somebody_wants_it() {
    let mut stage = Stage::new(120, 36, "dark");
    // Where the list begins.
    let head = |stage: &Stage| stage.picture().lines().position(|line| line.contains(" what ")).expect("a head");
    let usual = head(&stage);
    stage.press(&["}", "}"]);
    assert_eq!(head(&stage), usual + 2);
    stage.press(&["{"; 9]);
    assert_eq!(head(&stage), usual - 2, "one line stays");
    stage.press(&["}"; 40]);
    let highest = head(&stage);
    assert!(highest > usual && highest < 18, "the list keeps half of the room: {highest}");
    stage.press(&["{"]);
    assert_eq!(head(&stage), highest - 1, "no key without effect");
    // It stays with the explorer, on and off, and on a small terminal that has less room.
    stage.press(&["H", "H"]);
    assert_eq!(head(&stage), highest - 1);
    stage.event(Event::Resize(80, 20));
    assert!(head(&stage) < 10, "{}", stage.picture());
    stage.event(Event::Resize(120, 36));
    stage.press(&["H", "{"]);
    assert_eq!(head(&stage), usual - 2, "a hidden one is shown, as low as it can be");
}

#[test]
fn commands_take_arguments_and_complete_them() {
    let mut stage = Stage::new(120, 30, "dark");
    let field = |stage: &Stage| {
        let picture = stage.picture();
        let line = picture.lines().find(|line| line.contains("│ :")).expect("the palette").to_owned();
        line.split('│').nth(1).expect("inside").trim().trim_start_matches(':').trim().to_owned()
    };
    stage.press(&[":"]);
    stage.write("theme li", 0);
    stage.press(&["tab"]);
    assert_eq!(field(&stage), "theme light");
    stage.press(&["enter"]);
    assert_eq!(stage.explorer.shared.settings.theme, "light");
    // A command that lacks its argument asks for it.
    stage.press(&[":"]);
    stage.write("zone", 0);
    stage.press(&["enter"]);
    assert!(stage.picture().contains("zone UTC"), "{}", stage.picture());
    for (typed, zone) in [("zone kolk", "Asia/Kolkata"), ("zone +02:00", "Etc/GMT-2"), ("zone utc", "UTC")] {
        if stage.explorer.shared.zone != chrono_tz::Tz::UTC || typed != "zone kolk" {
            stage.press(&[":"]);
        }
        stage.write(typed, 0);
        stage.press(&["tab", "enter"]);
        assert_eq!(stage.explorer.shared.zone.name(), zone, "{typed}");
    }
    for (typed, on) in [("mouse on", true), ("mouse of", false)] {
        stage.press(&[":"]);
        stage.write(typed, 0);
        assert_eq!(stage.press_for_effects("enter"), [Effect::Mouse(on)], "{typed}");
    }
    stage.press(&[":"]);
    stage.write("theme nothing", 0);
    assert!(stage.picture().contains("no such theme"), "{}", stage.picture());
    assert_eq!(stage.press_for_effects("enter"), []);
    stage.press(&[":"]);
    stage.write("reload", 0);
    assert!(stage.press_for_effects("enter").contains(&Effect::Reload));
}

#[test]
fn the_mouse_reaches_jobs_the_log_and_the_keys_of_a_text() {
    let mut stage = Stage::new(100, 30, "dark");
    let now = stage.explorer.shared.now;
    for text in ["one", "two", "notice: three"] {
        let line = LogLine { at: now, level: tracing::Level::INFO, text: text.to_owned() };
        stage.explorer.shared.log.add(line);
    }
    let source = crosstail_core::model::SourceId(0);
    let begin = |purpose: &str| stage.explorer.shared.jobs.begin(source, Job::new(purpose, Priority::Follow));
    let jobs = [begin("follow the table"), begin("count the range")];
    jobs[1].runs("SELECT count(*)");
    stage.press(&["L"]);
    assert!(!stage.picture().contains("SELECT count(*)"), "the first is selected");
    press_at(&mut stage, "count the range", 0);
    assert!(stage.picture().contains("SELECT count(*)"), "{}", stage.picture());
    press_at(&mut stage, " two", 0);
    stage.press(&["y"]);
    let [Effect::Copy(text)] = &stage.press_for_effects("y")[..] else { panic!("the line is copied") };
    assert!(text.ends_with("two"), "{text}");
    assert!(stage.picture().contains("said  three"), "what was said is told apart: {}", stage.picture());
    drop(jobs);
    // Hints of keys that only a text has.
    stage.press(&["/", "t", "w", "o"]);
    assert!(stage.picture().contains("⏎ search") && stage.picture().contains("log (1 of 3)"), "{}", stage.picture());
    press_at(&mut stage, "esc everything", 0);
    assert!(stage.picture().contains("log (3)"), "{}", stage.picture());
    stage.press(&["esc", "/", "s", "t", "a", "t"]);
    press_at(&mut stage, "tab complete", 0);
    assert!(stage.picture().contains("status:"), "{}", stage.picture());
    press_at(&mut stage, "esc as before", 0);
    assert_eq!(stage.explore().focus, Focus::List);
    // And those that stand in a line of their own.
    press_at(&mut stage, "space pauses", 0);
    assert!(stage.picture().contains("since you paused"), "{}", stage.picture());
    press_at(&mut stage, "space resumes", 0);
    press_at(&mut stage, "h health", 0);
    press_at(&mut stage, "Z longer", 0);
    assert!(!stage.picture().contains("the last 15 min"), "{}", stage.picture());
    press_at(&mut stage, "esc back", 0);
    stage.event(Event::Filter("is:failure".to_owned()));
    press_at(&mut stage, "O lists them", 0);
    assert!(stage.picture().contains("in the end"), "{}", stage.picture());
}

/// A try that failed, another one twelve seconds later that succeeded, and a call that nothing belongs to.
fn an_operation_that_recovers(stage: &mut Stage) -> Vec<Activity> {
    let call = |n: u64, after_s: i64, status: Status| {
        let mut call = Activity::new(Id::Uuid(0xfe00 + u128::from(n)), EPOCH.plus_ms(1_200_000 + after_s * 1000));
        (call.kind, call.direction, call.status) = (Kind::ApiCall, Direction::Out, Some(status));
        (call.system, call.operation) = (Some("Ariba".into()), Some("CREATE".into()));
        call.http_status = Some(if status.is_failure() { 502 } else { 201 });
        call.duration_us = Some(100_000);
        call.request_id = Some(call.id.clone());
        call.error = status.is_failure().then(|| "Bad Gateway".into());
        call.places = vec![Place::new(SourceId(0), Locator::Row(n as i64))];
        call
    };
    let (mut first, mut second) = (call(1, 0, Status::Failed), call(2, 12, Status::Success));
    for (try_, entity) in [(&mut first, 1), (&mut second, 2)] {
        (try_.attempt, try_.max_attempts, try_.entity) = (Some(entity), Some(3), Some("PO PO-9001".into()));
    }
    second.parent_request_id = Some(first.id.to_string().into());
    let alone = call(3, 20, Status::Success);
    let items = vec![first, second, alone];
    stage.event(Event::Pump(PumpEvent::Batch { source: SourceId(0), items: items.clone(), live: false }));
    stage.explorer.count(true);
    items
}

/// Of a long name the end is shown, and a sign for what became of it.
#[test]
fn a_long_name_hides_no_outcome() {
    for width in [100, 80] {
        let mut stage = Stage::new(width, 36, "dark");
        let mut items = an_operation_that_recovers(&mut stage);
        for one in &mut items {
            one.entity = Some("INVOICE INVOICE-4821077".into());
        }
        stage.event(Event::Pump(PumpEvent::Batch { source: SourceId(0), items, live: false }));
        stage.event(Event::Filter("system:Ariba".to_owned()));
        stage.act(&[Action::TOP]);
        let picture = stage.picture();
        let failed = picture.lines().find(|line| line.contains("502")).expect("the failed try");
        assert!(failed.contains("821077 ✓"), "{width}: {picture}");
    }
}

#[test]
fn a_failure_that_a_retry_repaired_is_not_lost() {
    for width in [160, 120, 80] {
        let mut stage = Stage::new(width, 36, "dark");
        an_operation_that_recovers(&mut stage);
        stage.event(Event::Filter("system:Ariba".to_owned()));
        stage.act(&[Action::TOP]);
        let picture = stage.picture();
        let failed = picture.lines().find(|line| line.contains("502")).expect("the failed try");
        assert!(failed.contains("PO-9001 · recovered"), "{width}: {picture}");
        assert!(width < 160 || failed.contains("recovered +12 s"), "{picture}");
        stage.act(&[Action::OPEN]);
        assert!(stage.picture().contains("recovered +12 s by try 2"), "{width}: {}", stage.picture());
        // What no other belongs to says so.
        stage.act(&[Action::BACK, Action::BOTTOM, Action::OPEN, Action::RETRIES]);
        assert!(stage.picture().contains("no other try found"), "{width}: {}", stage.picture());
    }
}

#[test]
fn what_is_pending_has_a_flag_that_leads_to_it() {
    for width in [160, 100, 80] {
        let mut stage = Stage::new(width, 30, "dark");
        let rule = "name = \"SlowPartner\"\ntitle = \"Slow\"\nseverity = \"warning\"\nmessage = \"{value}\"\nwhen = \"> 0\"\nwindow = \"1h\"\nfor = \"10m\"\n\
                    [activities]\nfilter = \"system:SAP\"\nmeasure = \"count\"\n";
        let (_, rule) = alerting::Rule::from_toml(rule, "here").expect("a rule");
        stage.explorer.shared.alerts.alerting = alerting::Alerting::new(rule.into_iter().collect());
        let now = stage.explorer.shared.now;
        for second in 0..30 {
            stage.event(Event::Tick(now.plus_ms(second * 1000)));
        }
        assert!(stage.picture().contains("⚑ 1 pending"), "{width}: {}", stage.picture());
        press_at(&mut stage, "⚑ 1 pending", 0);
        assert_eq!(stage.explorer.stack.name(), "alerts", "{width}");
    }
}

#[test]
fn the_histograms_cursor_begins_where_the_list_is() {
    let mut stage = Stage::new(160, 40, "dark");
    stage.act(&[Action::TOP]);
    stage.press(&["backtab"]);
    let first = stage.explore().histogram.data.buckets.iter().position(|bucket| bucket.total > 0);
    assert_eq!(Some(stage.explore().histogram.cursor), first);
    stage.press(&["tab", "G", "backtab"]);
    let last = stage.explore().histogram.data.buckets.iter().rposition(|bucket| bucket.total > 0);
    assert_eq!(Some(stage.explore().histogram.cursor), last);
}

#[test]
fn a_range_that_was_begun_is_shown_until_esc_ends_it() {
    let mut stage = Stage::new(160, 40, "dark");
    let plain = stage.picture();
    stage.press(&["backtab", "home", "enter", "right", "right", "tab"]);
    assert_eq!(stage.explore().focus, Focus::List);
    let range = stage.explore().histogram.range();
    assert!(range.is_some() && stage.picture() != plain, "{}", stage.picture());
    let row = |picture: &str| picture.split("── style").nth(1).map(str::to_owned);
    assert_ne!(row(&stage.picture()), row(&plain), "its columns are marked");
    stage.press(&["esc"]);
    assert_eq!(stage.explore().histogram.range(), None);
    assert!(stage.explorer.shared.filter.is_all(), "{}", stage.explorer.shared.filter.text());
}

#[test]
fn facets_keep_their_cursor_and_their_other_values() {
    let mut stage = Stage::new(160, 40, "dark");
    stage.press(&["tab"]);
    assert_eq!(stage.explore().focus, Focus::Facets);
    let values = |stage: &Stage| {
        let picture = stage.picture();
        let names: Vec<&str> = ["Zoho", "Apollo", "Slack", "SAP"]
            .into_iter()
            .filter(|name| picture.contains(&format!(" {name} ")))
            .collect();
        names.join(" ")
    };
    let (all, at) = (values(&stage), stage.explore().facets.selected);
    assert_eq!(all, "Zoho Apollo Slack SAP");
    stage.press(&["enter"]);
    assert!(stage.explorer.shared.filter.text().starts_with("system:"), "{}", stage.explorer.shared.filter.text());
    assert_eq!((stage.explore().facets.selected, values(&stage)), (at, all));
}

#[test]
fn keys_never_go_to_a_panel_that_is_not_drawn() {
    // Where an opened activity takes the list's place, and where it is beside it.
    for (width, height) in [(80, 24), (60, 20), (120, 36), (160, 48)] {
        let mut stage = Stage::new(width, height, "dark");
        stage.press(&["1", "up", "enter"]);
        for _ in 0..4 {
            stage.press(&["tab"]);
            let shown = stage.picture();
            let is_drawn = match stage.explore().focus {
                Focus::Facets => shown.contains("✗ 100 %") || shown.contains(" system\n") || shown.contains("SAP  "),
                Focus::Histogram => shown.contains('┬'),
                _ => true,
            };
            assert!(is_drawn, "{:?} at {width}:\n{shown}", stage.explore().focus);
        }
        // Whichever has the keys, Enter changes no filter that nobody sees.
        let filter = stage.explorer.shared.filter.text().to_owned();
        if width < 100 {
            stage.press(&["enter"]);
            assert_eq!(stage.explorer.shared.filter.text(), filter, "{width}");
        }
    }
}

#[test]
fn rows_that_were_found_are_opened_by_the_mouse() {
    let mut stage = Stage::new(120, 30, "dark");
    let [Effect::Find(ticket, _)] = &stage.event(Event::Pasted("PO-4711".to_owned()))[..] else { panic!("no search") };
    let ticket = *ticket;
    let store = &stage.explorer.shared.store;
    let mut found: Vec<Activity> =
        store.rows().iter().map(|row| store.get(*row)).filter(|one| one.entity.is_some()).collect();
    let oldest = found.iter().min_by_key(|one| one.started_at).expect("two tries").id.clone();
    // Two tries of one operation alone would open by themselves.
    found.push(store.get(store.rows()[0]));
    let reply = Reply::SearchProgress(
        SourceId(0),
        SearchProgress::Found { what: "a text anywhere", count: 3, ms: 3, has_more: false },
        found,
    );
    stage.event(Event::Reply(ticket, reply));
    press_at(&mut stage, "11:27:02.101", 0);
    press_at(&mut stage, "11:27:02.101", 0);
    assert_eq!(stage.explore().detail.as_ref().map(|detail| detail.activity.id.clone()), Some(oldest));
}

#[test]
fn lines_of_level_error_are_counted_as_what_they_are() {
    let mut stage = Stage::new(120, 36, "dark");
    let items = (0..9)
        .map(|n| {
            let mut line = Activity::new(Id::Text(format!("line {n}").into()), EPOCH.plus_ms(1_250_000 + n));
            (line.kind, line.level, line.system) = (Kind::Log, Some(Level::Error), Some("worker".into()));
            line.message = Some("could not do it".into());
            line.places = vec![Place::new(SourceId(0), Locator::Row(n))];
            line
        })
        .collect();
    stage.event(Event::Pump(PumpEvent::Batch { source: SourceId(0), items, live: false }));
    stage.press(&["h"]);
    let picture = stage.picture();
    let worker = picture.lines().skip_while(|line| !line.contains("worker")).take(2).collect::<Vec<_>>().concat();
    assert!(worker.contains("9 error lines") && worker.contains("healthy"), "{picture}");
}

#[test]
fn what_a_key_did_is_said_over_what_another_said_before() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.press(&["1", "esc"]);
    assert!(stage.picture().contains("Backspace clears the filter"), "{}", stage.picture());
    stage.press(&["m"]);
    let picture = stage.picture();
    assert!(picture.contains("marked, 1 in all") && !picture.contains("Backspace clears"), "{picture}");
    // Beside it stands what a source that fails says.
    let (source, until) = (SourceId(0), stage.explorer.shared.now.plus_ms(8_000));
    let waiting = SourceState::Waiting { until, error: "connection refused".to_owned() };
    stage.event(Event::Pump(PumpEvent::State(source, waiting)));
    let picture = stage.picture();
    assert!(picture.contains("marked, 1 in all") && picture.contains("connection refused"), "{picture}");
    // What a key said is no longer true behind the next one.
    stage.press(&["backspace"]);
    let picture = stage.picture();
    assert!(!picture.contains("marked, 1 in all") && picture.contains("connection refused"), "{picture}");
}

#[test]
fn a_filter_that_keeps_nothing_says_of_how_many() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.event(Event::Filter("system:NoSuch".to_owned()));
    assert!(stage.picture().contains("0 of 46 match"), "{}", stage.picture());
    assert!(!stage.picture().contains("⏎ open"), "nothing can be opened: {}", stage.picture());
}

/// Of one operation, each try stands in the facet; the line below the histogram counts operations.
#[test]
fn tries_and_operations_are_told_apart() {
    let mut stage = Stage::new(160, 48, "dark");
    an_operation_that_recovers(&mut stage);
    stage.event(Event::Filter("final:recovered".to_owned()));
    stage.explorer.count(true);
    let picture = stage.picture();
    assert!(picture.contains("1 operation: 1 recovered"), "{picture}");
    assert!(!picture.contains("final ─") || picture.contains("final · tries"), "{picture}");
}

#[test]
fn time_may_be_told_from_now() {
    let mut stage = Stage::new(120, 30, "dark");
    stage.press(&["ctrl-t"]);
    assert!(stage.picture().contains("-8:29 "), "{}", stage.picture());
}
