//! What keys do on every screen: something that is seen, or they say that nothing happens; and nothing to what is hidden.

use crate::screens::{SCREENS, Stage, staged};
use crate::support::{EPOCH, files_below};
use crosstail::action::Action;
use crosstail::effect::Effect;
use crosstail::screens::{Event, vocabulary};
use crosstail::tui::{Context, Stroke};

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
