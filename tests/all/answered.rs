//! What keys do on every screen: something that is seen, or they say that nothing happens; and nothing to what is hidden.

use crate::screens::{SCREENS, Stage, staged};
use crate::support::{EPOCH, files_below};
use crosstail::action::Action;
use crosstail::effect::Effect;
use crosstail::screens::{Event, vocabulary};
use crosstail::tui::{Context, Stroke};
use crosstail_core::model::{Activity, Id, SourceId};
use crosstail_source::pump::{PumpEvent, SourceState};

#[test]
fn no_key_is_silent() {
    const MOVES: [Action; 8] = [
        Action::UP,
        Action::DOWN,
        Action::PAGE_UP,
        Action::PAGE_DOWN,
        Action::TOP,
        Action::BOTTOM,
        Action::LEFT,
        Action::RIGHT,
    ];
    const OF: [&str; 11] = [
        "list",
        "detail",
        "health",
        "system",
        "alerts",
        "failures in groups",
        "sources",
        "jobs",
        "keys",
        "facets with the keys",
        "histogram with the keys",
    ];
    let mut silent = Vec::new();
    for (name, keys) in SCREENS.into_iter().filter(|(name, _)| OF.contains(name)) {
        let mut stage = staged((120, 36), "dark", keys);
        for action in vocabulary().actions.into_iter().filter(|action| !MOVES.contains(action)) {
            let key = stage.look.keymap.first_key(Context::GLOBAL, action);
            let key = match key.as_str() {
                "⏎" => "enter",
                "shift-tab" => "backtab",
                other => other,
            };
            // Sequences are those of copying.
            if Stroke::named(key).is_none() || stage.explorer.stack.is_typing() {
                continue;
            }
            let before = stage.picture();
            let effects = stage.press_for_effects(key);
            if effects.is_empty() && stage.picture() == before {
                silent.push(format!("{name}: {key} ({})", action.name()));
            }
            if stage.picture() != before {
                stage = staged((120, 36), "dark", keys);
            }
        }
    }
    assert!(silent.is_empty(), "{silent:#?}");
}

/// What of the list a screen may hide.
fn hidden(stage: &Stage) -> String {
    let (explore, shared) = (stage.explore(), &stage.explorer.shared);
    let panels = (explore.facets.is_on, explore.histogram.is_on, explore.histogram.height(), explore.focus);
    let detail = explore.detail.as_ref().map(|detail| detail.tab);
    format!(
        "{:?} {:?} {:?} {panels:?} {detail:?} {:?} {:?} {}",
        shared.filter.text(),
        shared.range,
        shared.layout,
        explore.list.selected,
        explore.list.relative_time,
        shared.marks.len()
    )
}

#[test]
fn no_action_changes_what_a_screen_hides() {
    let hiding = ["health", "system", "alerts", "sources", "jobs", "tables", "sending again"];
    for (name, keys) in SCREENS.into_iter().filter(|(name, _)| hiding.contains(name)) {
        let staged = || {
            let mut stage = staged((120, 36), "dark", &["1", "up"]);
            stage.press(keys);
            stage
        };
        let mut stage = staged();
        // Its title stands where the filter does over the list.
        let title = |stage: &Stage| stage.picture().lines().nth(1).map(str::to_owned);
        let (shown, before) = (title(&stage), hidden(&stage));
        // Following and pausing are seen in the first line.
        let seen = [Action::FOLLOW, Action::PAUSE];
        for action in vocabulary().actions.into_iter().filter(|action| !seen.contains(action)) {
            let picture = stage.picture();
            let effects = stage.event(Event::Action(action));
            // What leads back to the list is seen there.
            if title(&stage) == shown {
                assert_eq!(hidden(&stage), before, "{} over {name}", action.name());
            }
            let takes = |effect: &Effect| matches!(effect, Effect::Copy(_) | Effect::RunExternal(_));
            assert!(name == "jobs" || !effects.iter().any(takes), "{} over {name}: {effects:?}", action.name());
            if title(&stage) != shown || stage.picture() != picture {
                stage = staged();
            }
        }
    }
}

#[test]
fn what_is_done_already_is_said() {
    let mut stage = Stage::new(120, 36, "dark");
    assert!(stage.explore().list.follow && stage.explorer.shared.now > EPOCH);
    for (key, says) in
        [("f", "followed already"), ("esc", "q quits"), ("backspace", "no filter is set"), ("9", "there is no view 9")]
    {
        stage.press(&[key]);
        assert!(stage.picture().contains(says), "{key}: {}", stage.picture());
    }
    stage.press(&["h", "z"]);
    assert!(stage.picture().contains("this is the shortest time"), "{}", stage.picture());
    stage.press(&["T"]);
    assert!(stage.picture().contains("range does nothing here"), "{}", stage.picture());
}

#[test]
fn a_value_that_the_filter_has_is_said_to_be_there() {
    let mut stage = Stage::new(120, 36, "dark");
    stage.press(&["tab", "enter"]);
    let filter = stage.explorer.shared.filter.text().to_owned();
    assert!(filter.starts_with("system:"), "{filter}");
    stage.press(&["enter"]);
    assert!(stage.picture().contains("the filter says so already"), "{}", stage.picture());
}

/// An activity has one system: another one takes the place of the first, or nothing would be left.
#[test]
fn another_value_of_a_facet_takes_the_place_of_the_first() {
    let mut stage = Stage::new(120, 36, "dark");
    let filter = |stage: &Stage| stage.explorer.shared.filter.text().to_owned();
    stage.press(&["tab", "enter"]);
    let first = filter(&stage);
    stage.press(&["down", "enter"]);
    let second = filter(&stage);
    assert!(second.starts_with("system:") && second != first && !second.contains(' '), "{first}, {second}");
    assert!(!stage.explorer.shared.store.rows().is_empty(), "{second}");
    stage.press(&["-"]);
    assert_eq!(filter(&stage), format!("-{second}"), "it was kept");
    stage.press(&["up", "-"]);
    assert_eq!(filter(&stage), format!("-{second} -{first}"), "several are excluded");
    stage.press(&["enter"]);
    assert_eq!(filter(&stage), first);
}

/// What is typed is the range, and the prompt says which one there is.
#[test]
fn a_range_is_typed_from_its_beginning() {
    let mut stage = Stage::new(120, 36, "dark");
    stage.press(&["T", "2", "h", "enter", "T"]);
    assert!(stage.picture().contains("range of time, now last 2 h"), "{}", stage.picture());
    stage.press(&["1", "h", "enter"]);
    assert_eq!(stage.explorer.shared.range.text(), "1h");
}

#[test]
fn what_is_not_compared_with_failures_is_not_said_to_be() {
    let mut stage = Stage::new(160, 40, "dark");
    stage.press(&["1", "c"]);
    let picture = stage.picture();
    let says = picture.contains("is:failure from ") && picture.contains(" that have not failed, of everything");
    assert!(says && !picture.contains("from the other"), "{picture}");
}

/// What a source delivers of its past is not newer.
#[test]
fn only_what_begins_later_is_newer() {
    let mut stage = Stage::new(160, 40, "dark");
    stage.press(&["up"]);
    let deliver = |stage: &mut Stage, begun: &[i64]| {
        let one = |ms: &i64| Activity::new(Id::Text(format!("at-{ms}").into()), EPOCH.plus_ms(*ms));
        let items = begun.iter().map(one).collect();
        stage.event(Event::Pump(PumpEvent::Batch { source: SourceId(0), items, live: false }));
    };
    deliver(&mut stage, &[5, 10_000]);
    assert!(!stage.picture().contains("newer since"), "{}", stage.picture());
    deliver(&mut stage, &[15, 1_255_000]);
    assert!(stage.picture().contains(" 1 newer since"), "{}", stage.picture());
}

/// Large numbers of completions are written as everywhere else.
#[test]
fn completions_separate_thousands() {
    let mut stage = Stage::new(120, 36, "dark");
    let one = |n: i64| {
        let mut call = Activity::new(Id::Text(format!("n-{n}").into()), EPOCH.plus_ms(n));
        call.system = Some("Zoho".into());
        call
    };
    let items = (0..1500).map(one).collect();
    stage.event(Event::Pump(PumpEvent::Batch { source: SourceId(0), items, live: false }));
    stage.press(&["/", "s", "y", "s", "t", "e", "m", ":"]);
    let picture = stage.picture();
    assert!(picture.contains("1,514 ") && !picture.contains("1514"), "{picture}");
}

#[test]
fn a_source_that_cannot_be_read_is_not_followed_and_not_said_to_be_empty() {
    let mut stage = Stage::new(160, 40, "dark");
    stage.press(&["T"]);
    stage.write("2020-01-01..2020-01-02", 0);
    stage.press(&["enter"]);
    stage.explorer.count(true);
    // Of the first line, the sources' state.
    let says = |stage: &Stage| {
        let picture = stage.picture();
        let below = picture.lines().skip(1).any(|line| line.contains("not read"));
        (picture.contains("no activity in this range"), below, picture.contains("▶ following"))
    };
    assert_eq!(says(&stage), (true, false, true), "{}", stage.picture());
    let failed = SourceState::Failed { error: "refused".to_owned() };
    stage.event(Event::Pump(PumpEvent::State(SourceId(0), failed)));
    stage.explorer.count(true);
    assert_eq!(says(&stage), (false, true, false), "{}", stage.picture());
}

/// `+` and `-` act on the line of the list, which a detail may cover.
#[test]
fn values_are_kept_of_what_is_drawn_only() {
    for (size, tab) in [((100, 30), "1"), ((120, 36), "5")] {
        let mut stage = staged(size, "dark", &["1", "up", "enter", tab]);
        let filter = stage.explorer.shared.filter.text().to_owned();
        for key in ["+", "-"] {
            stage.press(&[key]);
            assert_eq!(stage.explorer.shared.filter.text(), filter, "{key} at {size:?}");
            assert!(stage.picture().contains("no value is selected here"), "{key} at {size:?}: {}", stage.picture());
        }
    }
}

#[test]
fn a_system_is_shown_whole_unless_a_line_of_it_is_selected() {
    let mut stage = staged((120, 36), "dark", &["h", "enter"]);
    stage.press(&["enter"]);
    let whole = stage.explorer.shared.filter.text().to_owned();
    assert!(whole.starts_with("system:") && !whole.contains("endpoint:"), "{whole}");
    let mut stage = staged((120, 36), "dark", &["h", "enter"]);
    stage.press(&["down", "enter"]);
    assert!(stage.explorer.shared.filter.text().contains("endpoint:"), "{}", stage.explorer.shared.filter.text());
}

/// Before a source is read, nothing is known to be absent.
#[test]
fn what_is_not_yet_read_is_not_said_to_be_absent() {
    let mut stage = Stage::new(120, 36, "dark");
    stage.event(Event::Pump(PumpEvent::State(SourceId(0), SourceState::Connecting)));
    stage.press(&["g", "E"]);
    assert!(stage.picture().contains("so far: history is still being read"), "{}", stage.picture());
    stage.event(Event::Filter("system:NoSuch".to_owned()));
    stage.explorer.count(true);
    let picture = stage.picture();
    assert!(picture.contains("nothing read yet") && !picture.contains("0 of 46 match"), "{picture}");
    let mut stage = Stage::new(120, 36, "dark");
    drop(std::mem::take(&mut stage.explorer.shared.alerts));
    stage.press(&["a"]);
    let picture = stage.picture();
    assert!(picture.contains("not evaluated yet") && !picture.contains("no alerts"), "{picture}");
}

/// The last line, where the keys stand.
fn footer(stage: &Stage) -> String {
    let picture = stage.picture();
    let (text, _) = picture.split_once("── style").expect("styles below it");
    text.trim_end().lines().next_back().unwrap_or_default().to_owned()
}

#[test]
fn footers_name_what_does_something() {
    let mut stage = Stage::new(120, 36, "dark");
    stage.press(&["L"]);
    assert!(!footer(&stage).contains("end it") && footer(&stage).contains("every query"), "{}", stage.picture());
    let mut stage = Stage::new(120, 36, "dark");
    stage.press(&["h", "Z", "Z", "Z", "Z", "Z", "Z"]);
    assert!(!footer(&stage).contains("longer") && footer(&stage).contains("shorter"), "{}", stage.picture());
    let mut stage = Stage::new(120, 36, "dark");
    stage.press_for_effects("~");
    assert!(!footer(&stage).contains("with before") && footer(&stage).contains("esc"), "{}", stage.picture());
}

/// What is drawn is in the fonts that terminals have: these are in DejaVu Sans Mono, and each takes one column.
#[test]
fn glyphs_are_those_of_common_fonts() {
    const HAVE: &str = "±µ·×–‖…‹›←↑→↓≈≥⊘⋯⏎─│┈┬▁▂▃▄▅▆▇█░▒▓■▪▲▶▷▸▼▾◀◆○◌●◐◔⚑✎✓✗↺";
    let mut unknown = Vec::new();
    for folder in ["src/screens", "src/tui"] {
        let tests = |file: &std::path::PathBuf| !file.ends_with("tests.rs");
        for file in files_below(std::path::Path::new(folder)).into_iter().filter(tests) {
            let source = std::fs::read_to_string(&file).expect("a source");
            let code = source.split("#[cfg(test)]").next().unwrap_or_default().lines();
            for line in code.map(|line| line.split("//").next().unwrap_or_default()) {
                let foreign = line.chars().filter(|c| !c.is_ascii() && !HAVE.contains(*c));
                unknown.extend(foreign.map(|c| format!("{c} in {}", file.display())));
            }
        }
    }
    assert!(unknown.is_empty(), "{unknown:?}");
    for c in HAVE.chars() {
        assert_eq!(unicode_width::UnicodeWidthChar::width(c), Some(1), "{c}");
    }
}
