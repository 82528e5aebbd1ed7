//! An explorer goes on where the last one over the same sources was left, and says so.

use crate::pty::Terminal;
use crate::screens::Stage;
use crate::support::{crosstail, wait_for};
use crosstail::config::ViewEntry;
use crosstail::effect::{Effect, Reply};
use crosstail::screens::{Event, GoesOn};
use crosstail_core::model::{Activity, Id};
use crosstail_engine::window::Range;
use crosstail_memory::{Keep, LastView, Left, Marked};
use crosstail_source::pump::PumpEvent;
use portable_pty::CommandBuilder;
use std::path::Path;

/// A store of an hour of traffic, and folders of the user's.
fn home() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("shop.sqlite").display().to_string();
    let output =
        crosstail(&["generate", "--to", &store, "--history", "1h", "--rate", "1", "--seed", "1", "--for", "0s"]);
    assert!(output.status.success(), "{output:?}");
    folder
}

fn explorer(folder: &Path, arguments: &[&str]) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg("shop.sqlite");
    command.args(arguments);
    command.cwd(folder);
    let places = [("XDG_CONFIG_HOME", folder.join("config")), ("XDG_STATE_HOME", folder.join("state"))];
    let terminal = Terminal::run_as_it_is(command, &places, 160, 40);
    terminal.wait_for("connected");
    terminal
}

fn quit(mut terminal: Terminal) {
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

/// The folder for what is remembered.
fn memory(folder: &Path) -> std::path::PathBuf {
    folder.join("state/crosstail/memory.sqlite")
}

#[test]
fn an_explorer_goes_on_where_the_last_one_was_left() {
    let folder = home();
    let folder = folder.path();
    // Who only looks leaves nothing.
    let terminal = explorer(folder, &[]);
    terminal.wait_for("‹ last 24 h ›");
    quit(terminal);
    assert!(!memory(folder).exists());

    let mut terminal = explorer(folder, &[]);
    terminal.wait_for("system ─");
    terminal.keys("b");
    terminal.wait_until_gone("system ─");
    terminal.keys("Z");
    terminal.wait_for("‹ last 7 d ›");
    terminal.keys("/status:failed\r");
    terminal.wait_for("lists them");
    terminal.keys("m");
    terminal.wait_for("marked, 1 in all");
    terminal.keys("#");
    terminal.wait_for("stored with the mark");
    terminal.keys("known, password=hunter2-and-more\r");
    terminal.wait_for("marked with a note");
    quit(terminal);

    let mut terminal = explorer(folder, &[]);
    terminal.wait_for("range, panels and 1 mark as last time · --fresh ignores them");
    terminal.wait_for("‹ last 7 d ›");
    assert!(!terminal.screen().contains("system ─"), "{}", terminal.screen());
    // The filter is not in force; it is the first that is offered.
    assert!(!terminal.screen().contains("status:failed"), "{}", terminal.screen());
    terminal.wait_for("◆ 1");
    terminal.keys("\u{12}");
    terminal.wait_for("filters that were used");
    terminal.wait_for("status:failed");
    terminal.keys("stfa\r");
    terminal.wait_for("lists them");
    terminal.keys("M");
    terminal.keys("\r");
    terminal.wait_for("known, password=[REDACTED]");
    quit(terminal);

    // What the command line says comes first; a link to a view shows what it says.
    let terminal = explorer(folder, &["--range", "1h"]);
    terminal.wait_for("panels and 1 mark as last time");
    terminal.wait_for("‹ last 1 h ›");
    quit(terminal);
    let terminal = explorer(folder, &["--filter", "system:SAP"]);
    terminal.wait_for("panels and 1 mark as last time");
    terminal.wait_for("‹ last 24 h ›");
    quit(terminal);

    // With --fresh everything is as usual, and what is remembered stays.
    let before = std::fs::read(memory(folder)).expect("read");
    let mut terminal = explorer(folder, &["--fresh"]);
    terminal.wait_for("‹ last 24 h ›");
    terminal.wait_for("system ─");
    terminal.keys("/system:Zoho\r");
    terminal.keys("H");
    quit(terminal);
    assert_eq!(std::fs::read(memory(folder)).expect("read"), before);
    let text = String::from_utf8_lossy(&before).into_owned();
    assert!(text.contains("status:failed") && !text.contains("hunter2"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&memory(folder).metadata().expect("there").permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn two_at_once_keep_what_both_did() {
    let folder = home();
    let (mut one, mut two) = (explorer(folder.path(), &[]), explorer(folder.path(), &[]));
    one.keys("/system:SAP\r");
    two.keys("/system:Zoho\r");
    one.keys("/status:failed\r");
    for (terminal, filter) in [(&one, "system:SAP status:failed"), (&two, "system:Zoho")] {
        terminal.wait_for(filter);
    }
    quit(one);
    quit(two);
    let mut next = explorer(folder.path(), &[]);
    next.keys("\u{12}");
    for filter in ["system:SAP status:failed", "system:Zoho"] {
        next.wait_for(filter);
    }
    next.keys("\u{1b}");
    next.wait_until_gone("filters that were used");
    quit(next);
}

#[test]
fn a_memory_that_cannot_be_used_costs_only_itself() {
    let folder = home();
    let path = memory(folder.path());
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    let victim = folder.path().join("victim");
    std::fs::write(&victim, "mine").expect("written");
    for (make, said) in [
        (
            &(|| std::fs::write(&path, "no database, but a text that is long enough").expect("written")) as &dyn Fn(),
            "not a database",
        ),
        (&|| std::os::unix::fs::symlink(&victim, &path).expect("a link"), "it is no regular file"),
    ] {
        let _ = std::fs::remove_file(&path);
        make();
        let mut terminal = explorer(folder.path(), &[]);
        terminal.wait_for("nothing is remembered");
        terminal.wait_for(said);
        terminal.keys("Z");
        terminal.wait_for("‹ last 7 d ›");
        quit(terminal);
    }
    assert_eq!(std::fs::read_to_string(&victim).expect("read"), "mine");
}

#[test]
fn a_view_is_saved_by_its_name() {
    let folder = home();
    let mut terminal = explorer(folder.path(), &[]);
    terminal.keys("/system:SAP status:failed\r");
    terminal.wait_for("lists them");
    terminal.keys(":save view\r");
    terminal.wait_for("added to your configuration");
    terminal.keys("sick SAP\r");
    terminal.wait_for("the view 'sick SAP' is saved in");
    terminal.wait_for("key 8 opens it");
    quit(terminal);
    let path = folder.path().join("config/crosstail/config.toml");
    wait_for("the configuration", || path.exists());
    let mut terminal = explorer(folder.path(), &[]);
    terminal.keys("8");
    terminal.wait_for("system:SAP status:failed");
    quit(terminal);
}

/// What an event asks to keep.
fn kept(effects: Vec<Effect>) -> Vec<Keep> {
    let keep = |effect| if let Effect::Keep(keep) = effect { Some(*keep) } else { None };
    effects.into_iter().filter_map(keep).collect()
}

#[test]
fn what_somebody_chose_is_kept_and_what_a_view_shows_is_not() {
    let mut stage = Stage::new(120, 30, "none");
    // Until it is known what was kept, nothing is.
    assert_eq!(kept(stage.event(Event::Filter("system:SAP".to_owned()))), []);
    assert_eq!(kept(stage.event(Event::Range(Range::Last(60_000_000)))), []);
    let everything = GoesOn { range: true, layout: true };
    stage.event(Event::GoOn(Box::default(), everything));
    let hour = LastView { range: Some("1h".to_owned()), ..LastView::default() };
    assert_eq!(kept(stage.event(Event::Range(Range::Last(3_600_000_000)))).last(), Some(&Keep::View(hour.clone())));
    let day = Range::parse("2026-11-18..2026-11-19", &stage.explorer.shared.context()).expect("a range");
    assert!(!kept(stage.event(Event::Range(day))).iter().any(|keep| matches!(keep, Keep::View(_))));
    // The columns of a saved view are its own.
    stage.explorer.shared.settings.views = vec![ViewEntry {
        name: "orders".to_owned(),
        filter: "kind:api_call".to_owned(),
        columns: vec!["time".to_owned(), "status".to_owned(), "message".to_owned()],
        ..ViewEntry::default()
    }];
    assert_eq!(kept(stage.press_for_effects("1")), [Keep::Filter("kind:api_call".to_owned())]);
    stage.press(&["C", "t", "e", "n", "a", "n", "t"]);
    let [Keep::View(view)] = &kept(stage.press_for_effects("tab"))[..] else { panic!("facets were chosen") };
    assert!(view.facets.contains(&"meta.tenant".to_owned()) && view.range == hour.range, "{view:?}");
    stage.press(&["esc", "H"]);
    let now = stage.explorer.shared.now;
    let after_a_tick = kept(stage.event(Event::Tick(now.plus_ms(1000))));
    assert!(matches!(&after_a_tick[..], [Keep::View(view)] if !view.shows_histogram), "{after_a_tick:?}");
    assert_eq!(kept(stage.event(Event::Tick(now.plus_ms(2000)))), [], "nothing has changed");
    // What changed last is kept before the end.
    stage.press(&["H"]);
    let effects = stage.press_for_effects("q");
    assert!(matches!(&effects[..], [Effect::Keep(_), Effect::Quit]), "{effects:?}");
}

#[test]
fn what_is_not_as_usual_is_said_once() {
    let view = LastView {
        range: Some("7d".to_owned()),
        columns: vec!["time".to_owned(), "message".to_owned()],
        ..LastView::default()
    };
    let left = |view: &LastView| Box::new(Left { view: view.clone(), ..Left::default() });
    let mut stage = Stage::new(120, 30, "none");
    stage.event(Event::GoOn(left(&view), GoesOn { range: true, layout: true }));
    let said = |stage: &Stage| stage.explorer.shared.notice.clone().map(|notice| notice.text).unwrap_or_default();
    assert_eq!(said(&stage), "range and columns as last time · --fresh ignores them");
    assert_eq!(stage.explorer.shared.layout.names().0, view.columns);
    // What the command line says comes first, and then nothing is to be said.
    let mut stage = Stage::new(120, 30, "none");
    stage.event(Event::GoOn(left(&view), GoesOn { range: false, layout: false }));
    assert_eq!((said(&stage).as_str(), stage.explorer.shared.range.clone()), ("", Range::Everything));
    // A column that no longer means anything.
    let mut stage = Stage::new(120, 30, "none");
    let strange = LastView { columns: vec!["nonsense".to_owned()], range: Some("soon".to_owned()), ..view };
    stage.event(Event::GoOn(left(&strange), GoesOn { range: true, layout: true }));
    assert!(said(&stage).is_empty() && stage.explorer.shared.layout.is_usual());
}

#[test]
fn a_mark_is_one_again_once_its_activity_is_found() {
    let mut stage = Stage::new(120, 30, "none");
    let store = &stage.explorer.shared.store;
    let held = store.get(store.rows()[3]);
    let marked = |id: Id, note: &str| Marked { id, started_at: held.started_at, note: note.to_owned() };
    let elsewhere = Activity::new(Id::parse("order 1"), held.started_at);
    let left =
        Left { marked: vec![marked(held.id.clone(), ""), marked(elsewhere.id.clone(), "known")], ..Left::default() };
    let effects = stage.event(Event::GoOn(Box::new(left), GoesOn { range: true, layout: true }));
    let [Effect::FindMarked(ticket, asked)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(asked.len(), 2);
    assert_eq!((stage.explorer.shared.marks.len(), stage.explorer.shared.keeping.missing()), (0, 2));
    // The one comes from a store that finds ids, the other with what a source delivers by itself.
    stage.event(Event::Reply(*ticket, Reply::Marked(vec![held.clone()])));
    assert!(stage.explorer.shared.marks.contains_key(&held.id));
    let source = crosstail_core::model::SourceId(0);
    stage.event(Event::Pump(PumpEvent::Batch { source, items: vec![elsewhere.clone()], live: false }));
    assert_eq!(stage.explorer.shared.marks.get(&elsewhere.id).map(|mark| mark.note.as_str()), Some("known"));
    assert_eq!(stage.explorer.shared.keeping.missing(), 0);
}
