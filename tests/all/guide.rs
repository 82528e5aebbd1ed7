//! What leads a newcomer: the tour of the demonstration, the page of keys, the ten minutes of README and tutorial.

use crate::pty::Terminal;
use crate::screens::Stage;
use crate::support::{crosstail, wait_for};
use crosstail::action::Action;
use crosstail::effect::Effect;
use crosstail::screens::Event;
use crosstail_source::{Job, Priority};
use portable_pty::CommandBuilder;

#[test]
fn the_page_of_keys_fits_and_is_of_the_keymap() {
    for theme in ["dark", "none"] {
        for (width, height) in [(160, 48), (80, 24)] {
            let mut stage = Stage::new(width, height, theme);
            stage.press(&["?"]);
            insta::assert_snapshot!(format!("keys_at_{width}_in_{theme}"), stage.picture());
        }
    }
    let mut stage = Stage::new(80, 24, "none");
    stage.press(&["?"]);
    assert!(stage.picture().contains("take along") && stage.picture().contains("all keys, filters; quit"));
    // Further down is everything, and back.
    stage.press(&["down"]);
    assert!(stage.picture().contains("previous line"), "{}", stage.picture());
    stage.press(&["up"]);
    assert!(stage.picture().contains("take along"), "{}", stage.picture());
    stage.press(&["?", "?"]);
    assert!(!stage.picture().contains("previous line"), "{}", stage.picture());
    // Letters search everything.
    stage.press(&["?", "r", "e", "t", "r"]);
    assert!(stage.picture().contains("retry chain of the activity"), "{}", stage.picture());
    stage.press(&["esc"]);
    assert!(!stage.picture().contains("retry chain"), "{}", stage.picture());
}

/// A picture of each step, as it begins.
fn toured(width: u16, height: u16, theme: &str) -> String {
    let mut stage = Stage::new(width, height, theme);
    stage.explorer.stack.offer_tour();
    stage.press(&[":", "t", "o", "u", "r", "enter"]);
    let mut pictures = String::new();
    for (step, keys) in [(1, &["/"][..]), (1, &["enter", "up"]), (2, &["enter"]), (3, &["r"]), (4, &["F"]), (5, &["z"])]
    {
        let picture = stage.picture();
        assert!(picture.contains(&format!("tour · {step} of 5")), "{picture}");
        pictures.push_str(&format!("════\n{picture}"));
        stage.press(keys);
        if keys == ["/"] {
            stage.write("is:failure", 0);
            // While it is typed, the step is not done.
        }
    }
    pictures + "════\n" + &stage.picture()
}

#[test]
fn a_tour_waits_for_what_somebody_does() {
    for theme in ["dark", "none"] {
        for (width, height) in [(160, 48), (80, 24)] {
            insta::assert_snapshot!(format!("tour_at_{width}_in_{theme}"), toured(width, height, theme));
        }
    }
}

#[test]
fn a_tour_takes_no_key_but_the_last_esc() {
    let mut stage = Stage::new(80, 24, "none");
    // Outside of the demonstration none is offered.
    stage.act(&[Action::TOUR]);
    assert!(!stage.picture().contains("tour ·"), "{}", stage.picture());
    stage.explorer.stack.offer_tour();
    stage.act(&[Action::TOUR]);
    assert!(stage.picture().contains("esc ends it"), "{}", stage.picture());
    // Other keys do what they always do, and are no step.
    stage.press(&["up", "enter"]);
    assert!(stage.explore().detail.is_some());
    assert!(stage.picture().contains("1 of 5") && stage.picture().contains("esc goes back"), "{}", stage.picture());
    stage.press(&["esc"]);
    assert!(stage.explore().detail.is_none() && stage.picture().contains("1 of 5"), "{}", stage.picture());
    stage.press(&["esc"]);
    assert!(!stage.picture().contains("tour ·"), "{}", stage.picture());
}

#[test]
fn the_demo_is_toured() {
    for (columns, rows) in [(160, 48), (80, 24)] {
        let mut terminal = Terminal::start(&["demo", "--tour", "--history", "2h"], columns, rows);
        terminal.wait_for("tour · 1 of 5 · what failed");
        terminal.keys("/");
        terminal.keys("is:failure");
        terminal.keys("\r");
        terminal.wait_for("tour · 2 of 5 · one request");
        terminal.wait_for(" failed");
        terminal.keys("\u{1b}[A");
        terminal.keys("\r");
        terminal.wait_for("tour · 3 of 5 · its retries");
        terminal.keys("r");
        terminal.wait_for("tour · 4 of 5 · why");
        terminal.keys("F");
        terminal.wait_for("tour · 5 of 5 · when");
        terminal.keys("z");
        terminal.wait_for("tour · done");
        terminal.wait_for("The range is now ‹last 1 h›.");
        // Screen by screen back, then out of the tour. Two that are read at once are one.
        wait_for("the tour to end", || {
            terminal.keys("\u{1b}");
            terminal.settle();
            !terminal.screen().contains("tour · done")
        });
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0);
        terminal.assert_restored();
    }
}

/// Everything that the tutorial asks for, key by key.
#[test]
fn the_ten_minutes_of_the_tutorial() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = folder.path().join("incident.sqlite").display().to_string();
    let begun = ["--incident", "outage:SAP", "--history", "1h", "--rate", "3", "--seed", "1", "--for", "0s"];
    let made = crosstail(&[&["generate", "--to", store.as_str()][..], &begun].concat());
    assert!(made.status.success(), "{made:?}");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg("incident.sqlite");
    command.cwd(folder.path());
    let mut terminal = Terminal::run(command, 120, 40);
    terminal.wait_for("connected");
    terminal.keys("h");
    terminal.wait_for("worst first");
    terminal.keys("\r");
    terminal.wait_for("operations:");
    terminal.keys("\u{1b}");
    terminal.wait_for("worst first");
    terminal.keys("\u{1b}");
    terminal.wait_until_gone("worst first");
    terminal.keys("/final:given_up system:SAP\r");
    terminal.wait_for("lists them");
    terminal.keys("O");
    terminal.wait_until_gone("lists them");
    terminal.keys("y");
    terminal.keys("o");
    terminal.wait_for("copied");
    terminal.keys("\u{1b}");
    terminal.wait_for("lists them");
    terminal.keys("E");
    terminal.keys("\r");
    terminal.wait_for("overview");
    terminal.keys("2");
    terminal.wait_for("▾ body");
    terminal.keys("3");
    terminal.keys("r");
    terminal.wait_for("policy's verdict");
    terminal.keys("t");
    terminal.wait_for_any(&["critical path", "nothing else in this trace"]);
    terminal.keys("#");
    terminal.wait_for("stored with the mark");
    terminal.keys("ask SAP why 503\r");
    terminal.wait_for("marked with a note");
    terminal.keys("B");
    terminal.wait_for("write the incident to");
    terminal.keys("\r");
    terminal.wait_for("1 marked and");
    terminal.keys("\u{1b}");
    terminal.wait_until_gone("overview");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    let mut written = std::fs::read_dir(folder.path()).expect("a folder").flatten().map(|entry| entry.path());
    let report = written.find(|path| path.extension().is_some_and(|ending| ending == "md")).expect("a report");
    assert!(std::fs::read_to_string(report).expect("read").contains("ask SAP why 503"));
}

#[test]
fn what_takes_longer_than_a_second_is_said() {
    let mut stage = Stage::new(80, 24, "none");
    let jobs = stage.explorer.shared.jobs.clone();
    let job = jobs.begin(crosstail_core::model::SourceId(0), Job::new("write an incident", Priority::Asked));
    job.count(12_345, 3_000_000);
    let began = jobs.list()[0].began;
    let status = |stage: &mut Stage, after_ms: i64| {
        stage.event(Event::Tick(began.plus_ms(after_ms)));
        stage.picture()
    };
    assert!(!status(&mut stage, 900).contains("write an incident"));
    let picture = status(&mut stage, 3100);
    assert!(picture.contains("◌ write an incident · 3 s, 12,345 read · L shows and ends it"), "{picture}");
    stage.press(&["L"]);
    assert!(matches!(stage.press_for_effects("x")[..], [Effect::EndJob(_)]));
    drop(job);
    assert!(!status(&mut stage, 4000).contains("12,345 read · L"));
}

/// The five things that README has its reader try in the demonstration, in their order: each shows what README promises.
#[test]
fn the_five_things_to_try_in_the_demo() {
    let mut terminal = Terminal::start(&["demo", "--history", "2h"], 110, 36);
    let esc = "\u{1b}";
    terminal.wait_for("connected");
    // 1: every system, the worst first, with the reason; Enter opens one.
    terminal.keys("h");
    terminal.wait_for("worst first");
    terminal.wait_for(" ok · ");
    let screen = terminal.screen();
    let of = |system: &str| screen.lines().position(|line| line.trim_start().starts_with(system));
    assert!(of("SAP ").expect("SAP") < of("HaloPSA ").expect("HaloPSA"), "{screen}");
    assert!(screen.contains("422 ×"), "the reason:\n{screen}");
    terminal.keys("\r");
    terminal.wait_for("all systems");
    terminal.keys(esc);
    terminal.wait_for("worst first");
    terminal.keys(esc);
    terminal.wait_until_gone("worst first");
    // 2: the operations that nobody has repaired, as a list, and copied.
    terminal.keys("/final:given_up\r");
    terminal.wait_for("lists them");
    terminal.keys("O");
    terminal.wait_for("last reason");
    assert!(terminal.screen().contains("INVOICE-"), "{}", terminal.screen());
    terminal.keys("yo");
    terminal.wait_for("copied");
    terminal.keys(esc);
    terminal.wait_until_gone("last reason");
    // 3: one of them, its request and response, its attempts, its trace, the difference to the last success.
    terminal.keys("e");
    terminal.wait_for("failure; E goes to the one before");
    terminal.keys("\r");
    terminal.wait_for("1 overview");
    terminal.keys("2");
    terminal.wait_for("tax_code");
    terminal.keys("3");
    terminal.wait_for("TaxCodeNotMapped");
    terminal.keys("r");
    terminal.wait_for("no more: 3 of 3 attempts used");
    terminal.keys("t");
    terminal.wait_for("webhook invoice.approved");
    terminal.keys("c");
    terminal.wait_for("the last success of its endpoint");
    terminal.wait_for("201 Created");
    // 4: an order number is found in every source.
    terminal.keys(esc);
    terminal.wait_until_gone("1 overview");
    terminal.keys("\u{1b}[200~INVOICE-48215\u{1b}[201~");
    terminal.wait_for("found as a text anywhere");
    terminal.keys(esc);
    terminal.wait_until_gone("found as a text anywhere");
    // 5: what the failures have in common.
    terminal.keys("c");
    terminal.wait_for("what tells");
    terminal.wait_for("/invoice/post");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}
