//! What the screens say and take at an incident: pasted ids, columns, empty lists, last failures, commands, the mouse.

use crate::screens::{Stage, press_at};
use crate::support::EPOCH;
use crosstail::action::Action;
use crosstail::effect::Effect;
use crosstail::log::LogLine;
use crosstail::screens::{Event, Explorer, Focus};
use crosstail_core::model::{Activity, Id, Kind, Names};
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
    stage.explorer.stack.explore.list.stop_at(row);
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
    assert!(stage.picture().contains("⏎ search") && stage.picture().contains("log (1)"), "{}", stage.picture());
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
