//! What somebody stumbles over who has never seen it: commands that are hidden, texts that are cut, mistakes that say nothing.

use crate::screens::Stage;
use crate::support::crosstail;
use crosstail::action::Action;

/// The names of the palette's commands, in order.
fn offered(stage: &mut Stage) -> Vec<String> {
    stage.act(&[Action::PALETTE]);
    let picture = stage.picture();
    stage.act(&[Action::BACK]);
    let inside = picture.lines().filter_map(|line| line.split('│').rev().nth(1)).map(str::trim);
    let name = |line: &str| line.split("  ").next().unwrap_or_default().to_owned();
    inside.skip_while(|line| !line.starts_with(':')).skip(1).map(name).take(8).collect()
}

#[test]
fn the_palette_begins_with_what_the_screen_does() {
    let mut stage = Stage::new(120, 40, "none");
    assert_eq!(offered(&mut stage)[0], "filter");
    stage.press(&["~"]);
    let of_changes = offered(&mut stage);
    assert_eq!(of_changes[..2], ["compare", "by endpoint"], "{of_changes:?}");
    stage.press(&["esc", "a"]);
    let of_alerts = offered(&mut stage);
    assert_eq!(of_alerts[..3], ["acknowledge", "resolve", "silence"], "{of_alerts:?}");
    stage.press(&["esc", "F"]);
    let of_failures = offered(&mut stage);
    for name in ["example", "mute", "note"] {
        assert!(of_failures[..5].iter().any(|offered| offered == name), "{of_failures:?}");
    }
}

#[test]
fn the_way_to_all_commands_is_always_in_the_key_bar() {
    for (width, height) in [(160, 48), (120, 36), (80, 24), (60, 20)] {
        let mut stage = Stage::new(width, height, "none");
        for key in ["", "F", "~", "p", "h", "s", "L", "O"] {
            if !key.is_empty() {
                stage.press(&[key]);
            }
            let picture = stage.picture();
            let bar = picture.lines().find(|line| line.contains(": commands"));
            assert!(bar.is_some_and(|bar| !bar.contains('…')), "{width}, {key:?}: {picture}");
            stage.press(&["esc"]);
        }
    }
}

#[test]
fn the_sentences_of_the_tour_are_whole_in_a_narrow_terminal() {
    for (width, rows) in [(80, 4), (60, 6)] {
        let mut stage = Stage::new(width, 30, "none");
        stage.explorer.stack.offer_tour();
        stage.press(&[":", "t", "o", "u", "r", "enter", "/"]);
        stage.write("is:failure", 0);
        stage.press(&["enter", "up", "enter", "r"]);
        let picture = stage.picture();
        let strip: Vec<&str> =
            picture.lines().skip_while(|line| !line.contains("── tour · 4 of 5")).take(rows).collect();
        assert!(!strip.is_empty() && strip[1..].iter().all(|line| !line.contains('…')), "{width}: {picture}");
        let words = strip[1..].join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
        for sentence in ["< and > go through the tabs.", "for the failures in groups.", "What is new stands first:"] {
            assert!(words.contains(sentence), "{width}: {sentence}: {picture}");
        }
    }
}

#[test]
fn what_may_be_missed_among_changes_is_said_with_the_keys_that_find_it() {
    let mut stage = Stage::new(80, 24, "none");
    stage.press(&["~"]);
    let picture = stage.picture();
    assert!(picture.contains("may be missed · z a shorter range · T any range"), "{picture}");
}

#[test]
fn what_is_told_of_an_alert_or_a_group_is_wrapped() {
    let mut stage = Stage::new(80, 40, "none");
    stage.press(&["F"]);
    let picture = stage.picture();
    let told: Vec<&str> = picture.lines().skip_while(|line| !line.starts_with("────")).take(7).collect();
    assert!(told.len() > 2 && !told.iter().any(|line| line.contains('…')), "{picture}");
}

/// A mistake on the command line is one, with a code, before anything is opened.
#[test]
fn what_is_mistyped_has_a_code_and_ends_as_a_mistake() {
    for arguments in [&["--theme", "nope"][..], &["demo", "--theme", "nope"], &["demo", "--range", "3x"]] {
        let output = crosstail(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(64), "{arguments:?}: {said}");
        assert!(said.starts_with("crosstail[E"), "{arguments:?}: {said}");
    }
}
