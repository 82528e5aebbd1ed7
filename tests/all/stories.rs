//! Stories of an incident, told to the program in a terminal: what must be on the screen, and after how many keys.

use crate::habits::said;
use crate::pty::Terminal;
use crate::support::{crosstail, lines, wait_for};
use std::path::{Path, PathBuf};

/// A store with an hour of traffic that ends in an incident, as of now.
fn traffic(folder: &Path, incident: &str) -> PathBuf {
    let path = folder.join("traffic.sqlite");
    let to = path.display().to_string();
    let output = crosstail(&[
        "generate",
        "--to",
        &to,
        "--history",
        "1h",
        "--for",
        "0s",
        "--rate",
        "4",
        "--seed",
        "7",
        "--incident",
        incident,
    ]);
    assert!(output.status.success(), "{}", said(&output));
    path
}

/// A person at a terminal, whose keys are counted.
struct Person {
    terminal: Terminal,
    keys: usize,
}

impl Person {
    fn at(path: &Path, columns: u16, rows: u16) -> Self {
        Self::with(path, &[], columns, rows)
    }

    /// With variables of the environment.
    fn with(path: &Path, environment: &[(&str, PathBuf)], columns: u16, rows: u16) -> Self {
        let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.arg(path);
        let environment = [&[("XDG_CONFIG_HOME", "/nonexistent".into())], environment].concat();
        let terminal = Terminal::run_as_it_is(command, &environment, columns, rows);
        terminal.wait_for("connected");
        terminal.wait_for("SAP");
        // All of it is read and counted.
        terminal.wait_until_gone("+…");
        terminal.wait_until_gone("held since");
        Self { terminal, keys: 0 }
    }

    /// Presses a key, or pastes a text, and waits for what it leads to.
    fn press(&mut self, key: &str, says: &str) {
        self.keys += 1;
        self.terminal.keys(key);
        self.terminal.wait_for(says);
    }

    /// Types a word, which counts as one.
    fn write(&mut self, text: &str) {
        self.keys += 1;
        for letter in text.chars() {
            self.terminal.keys(&letter.to_string());
        }
        self.terminal.settle();
    }

    fn screen(&self) -> String {
        self.terminal.screen()
    }

    /// Column and row of a text, from 1, as terminals count.
    fn place_of(&self, text: &str) -> (usize, usize) {
        let screen = self.screen();
        let found = screen.lines().enumerate().find_map(|(row, line)| {
            let at = line.find(text)?;
            Some((line[..at].chars().count() + 1, row + 1))
        });
        found.unwrap_or_else(|| panic!("'{text}' in\n{screen}"))
    }

    fn mouse(&mut self, button: u8, (column, row): (usize, usize), pressed: bool) {
        let end = if pressed { 'M' } else { 'm' };
        self.terminal.keys(&format!("\u{1b}[<{button};{column};{row}{end}"));
    }

    /// Clicks on a value of the facets, which are at the left.
    fn double_click_facet(&mut self, value: &str) {
        let beginning = format!(" {value} ");
        let row = || self.screen().lines().position(|line| line.starts_with(&beginning));
        wait_for("the facets", || row().is_some());
        // Until all of it is read, values change their places.
        self.terminal.settle();
        self.double_click_at((2, row().expect("a value") + 1));
    }

    fn click(&mut self, text: &str) {
        self.click_at(self.place_of(text));
    }

    /// Two presses with nothing between them: a busy machine may take longer than they may be apart.
    fn double_click_at(&mut self, at: (usize, usize)) {
        for _ in 0..2 {
            self.mouse(0, at, true);
            self.mouse(0, at, false);
        }
        self.terminal.settle();
    }

    fn click_at(&mut self, at: (usize, usize)) {
        self.mouse(0, at, true);
        self.mouse(0, at, false);
        self.terminal.settle();
    }

    fn ends(mut self) {
        self.terminal.keys("\u{3}");
        assert_eq!(self.terminal.wait_for_end(), 0);
        self.terminal.assert_restored();
    }
}

/// What was copied last (OSC 52).
fn copied(terminal: &Terminal) -> Option<String> {
    use base64::Engine as _;
    let bytes = terminal.bytes();
    let text = String::from_utf8_lossy(&bytes);
    let (_, last) = text.rsplit_once("\u{1b}]52;c;")?;
    // Until its end is there, it is a part.
    let (coded, _) = last.split_once('\u{7}')?;
    let decoded = base64::engine::general_purpose::STANDARD.decode(coded).ok()?;
    String::from_utf8(decoded).ok()
}

#[test]
fn orders_do_not_reach_sap() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let mut person = Person::at(&path, 160, 48);
    // Health says which system, since when, and how many orders are lost.
    person.press("h", "failing since");
    let system = person.screen().lines().find(|line| line.contains("SAP ")).map(str::to_owned).expect("SAP");
    assert!(system.contains("down") || system.contains("degraded"), "{system}");
    // "given up" stands in the list below, too.
    person.press("\r", "operations: ");
    assert!(person.screen().contains("given up"), "{}", person.screen());
    // Its activities, and of them the orders.
    person.press("\r", "O lists them");
    person.keys += 2;
    person.terminal.keys("yo");
    wait_for("the orders to be copied", || copied(&person.terminal).is_some_and(|text| text.contains("given up")));
    let orders = copied(&person.terminal).expect("copied");
    assert!(orders.lines().count() > 5 && orders.starts_with("entity  "), "{orders}");
    assert!(person.keys <= 5, "outage → affected orders copied: {} keys", person.keys);
    person.press("O", "last reason");
    person.press("\r", "in the end");
    person.ends();
}

#[test]
fn a_customer_names_an_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let lost =
        lines(&crosstail(&["query", "final:given_up", "-n", "1", "-o", "json", "-s", path.to_str().expect("UTF-8")]));
    let entity = lost[0]["entity"].as_str().expect("an order").to_owned();
    let order = entity.rsplit(' ').next().expect("a number").to_owned();
    // Also where the terminal does not mark what is pasted.
    let marked = format!("\u{1b}[200~{order}\u{1b}[201~");
    for (pasted, columns, rows) in [(&marked, 160, 48), (&marked, 80, 24), (&order, 120, 36)] {
        let mut person = Person::at(&path, columns, rows);
        // Its tries are one operation: the newest opens by itself.
        person.press(pasted, "in the end");
        assert_eq!(person.keys, 1);
        assert!(person.screen().contains(&order) && person.screen().contains("given up"), "{}", person.screen());
        person.ends();
    }
}

#[test]
fn the_partner_is_slow_or_we_are() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "slow:SAP");
    let mut person = Person::at(&path, 120, 36);
    person.press("h", "worst first");
    let screen = person.screen();
    let first: Vec<&str> = screen.lines().skip(3).take(3).collect();
    assert!(first[0].ends_with("p95 was") && first[1].contains("SAP"), "{screen}");
    assert!(first[2].contains("p95 is") && first[2].contains(", was "), "{screen}");
    assert_eq!(person.keys, 1, "slow partner");
    person.ends();
}

#[test]
fn something_tells_the_failures_apart() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let mut person = Person::at(&path, 160, 48);
    person.press("c", "what tells");
    assert!(person.screen().contains("SAP"), "{}", person.screen());
    person.press("\r", "O lists them");
    assert!(person.keys <= 2);
    person.ends();
}

/// A view of failures alone, in the words of an alert: they are compared with what has not failed of the same.
#[test]
fn failures_alone_are_told_from_what_did_not_fail() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let mut person = Person::at(&path, 160, 48);
    person.press("/", "as before");
    person.write("(http:* OR status:timeout) (http:5xx OR status:timeout)");
    person.press("\r", "next failure");
    person.press("c", "of failures");
    let screen = person.screen();
    assert!(screen.contains("of the rest") && !screen.contains("everything has failed here"), "{screen}");
    person.ends();
}

/// When it began, beside what was deployed; and what has been otherwise since.
#[test]
fn somebody_has_deployed() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let state = folder.path().join("state");
    let mut mark = std::process::Command::new(env!("CARGO_BIN_EXE_crosstail"));
    mark.args(["mark", "--at", "31m", "deployed", "1.4.3"]).env("XDG_STATE_HOME", &state);
    assert!(mark.env("XDG_CONFIG_HOME", "/nonexistent").status().expect("run").success());
    let mut person = Person::with(&path, &[("XDG_STATE_HOME", state)], 160, 48);
    person.press("~", "deployed 1.4.3");
    person.press("c", "what one has more often than the other");
    let screen = person.screen();
    for says in [" after ", " before ", "a minute", "p95", "were looked at"] {
        assert!(screen.contains(says), "{says}: {screen}");
    }
    assert!(person.keys <= 2);
    // Back to the changes, not to the list.
    person.press("\u{1b}", "deployed 1.4.3");
    person.ends();
}

/// A new error: since when, how many orders of how many tenants, what was marked before it, whether retries repair it. On the
/// demonstration, as somebody opens it.
#[test]
fn an_error_is_new_and_its_cause_stands_beside_it() {
    for (columns, rows) in [(160, 48), (80, 24)] {
        let folder = tempfile::tempdir().expect("a folder");
        let store = folder.path().join("demo.sqlite").display().to_string();
        let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(["demo", "--seed", "7", "--history", "3h", "--keep", &store]);
        let environment = [("XDG_CONFIG_HOME", "/nonexistent".into()), ("XDG_STATE_HOME", folder.path().into())];
        let terminal = Terminal::run_as_it_is(command, &environment, columns, rows);
        terminal.wait_for("connected");
        // Its past is written while it is shown.
        let first = || {
            let found = crosstail(&["failures", "-s", &store, "--since", "24h", "-n", "1", "-o", "json"]);
            String::from_utf8_lossy(&found.stdout).into_owned()
        };
        // Its day, then what failed on the days before.
        let written_before = || {
            let counted = crosstail(&["query", "--count", "-s", &store, "--since", "20d", "--until", "36h"]);
            String::from_utf8_lossy(&counted.stdout).trim().parse().unwrap_or(0_u32)
        };
        wait_for("all of it is written", || {
            let first = first();
            written_before() > 0 && first.contains("tax code") && first.contains("\"state\":\"new\"")
        });
        let mut person = Person { terminal, keys: 0 };
        person.press("F", "tax code <*> is not mapped for plant <*>   SAP");
        let screen = person.screen();
        for says in ["new since ", "entities · 3 organisations", "after ◆ deployed 1.4.3", "retries repaired none of "]
        {
            assert!(screen.contains(says), "{says}: {screen}");
        }
        assert!(person.keys <= 5);
        // When it began, beside the deploy: among the systems, with its endpoint.
        person.press("~", "of rate, failures and p95");
        let screen = person.screen();
        let tells = |line: &str| {
            let says = [" SAP ", " failures ", "→ 100", "  /invoice/post"];
            line.starts_with(" ↑") && says.iter().all(|text| line.contains(text))
        };
        assert!(screen.contains("deployed 1.4.3") && screen.lines().any(tells), "{screen}");
        person.ends();
    }
}

/// What a screen does not show is acted on by no key.
#[test]
fn nothing_happens_to_what_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "none");
    let mut person = Person::at(&path, 120, 36);
    person.press("a", "crosstail");
    for (key, says) in
        [("\r", "open does nothing here"), ("m", "mark does nothing here"), ("+", "keep does nothing here")]
    {
        person.press(key, says);
    }
    person.press("h", "worst first");
    for (key, says) in [("-", "exclude does nothing here"), ("e", "next failure does nothing here")] {
        person.press(key, says);
    }
    person.ends();
}

#[test]
fn it_is_handed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let mut person = Person::at(&path, 120, 36);
    person.press("e", "line ");
    person.press("m", "marked, 1 in all");
    person.press("#", "stored with the mark");
    person.write("SAP is down");
    person.press("\r", "◆ SAP is down");
    person.press("B", "write the incident to");
    let to = folder.path().join("night");
    person.write(&format!("\u{15}{}", to.display()));
    person.press("\r", "1 marked");
    let document = std::fs::read_to_string(to.with_extension("md")).expect("a document");
    for says in [
        "| what | ",
        "operations: ",
        "| since | SAP is failing since ",
        "(the first failure of the view)",
        "| systems | SAP (",
        "| by | ",
        "SAP is down",
    ] {
        assert!(document.contains(says), "{says}: {document}");
    }
    person.ends();
}

#[test]
fn other_eyes_and_another_zone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "none");
    let mut person = Person::at(&path, 120, 36);
    person.press(":", "commands");
    person.write("theme light");
    person.press("\r", "UTC");
    person.press(":", "commands");
    person.write("zone Kolkata");
    person.press("\r", "IST");
    person.ends();
}

#[test]
fn the_mouse_is_enough() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let mut person = Person::at(&path, 160, 48);
    person.press(":", "commands");
    person.write("mouse on");
    person.terminal.keys("\r");
    person.terminal.wait_for_mouse();
    person.terminal.wait_until_gone("tab complete");
    person.double_click_facet("SAP");
    person.terminal.wait_for("system:SAP");
    person.double_click_at(person.place_of("✗ → "));
    person.terminal.wait_for("1 overview");
    person.click("5 retries");
    person.terminal.wait_for("policy's verdict");
    person.click("[×]");
    person.terminal.wait_until_gone("policy's verdict");
    person.click("h health");
    person.terminal.wait_for("worst first");
    person.click("esc back");
    person.click("[?] help");
    person.terminal.wait_for("type to search");
    person.ends();
}

#[test]
fn panic_at_the_keyboard_breaks_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "outage:SAP");
    let mut person = Person::at(&path, 80, 24);
    let mut rng = fastrand::Rng::with_seed(3);
    // Everything but what ends it, suspends it, starts a program, or writes a file.
    let keys: Vec<String> = ('!'..='~')
        .filter(|key| !"qvV|wBd".contains(*key))
        .map(String::from)
        .chain(
            ["\r", "\u{1b}", "\t", "\u{1b}[A", "\u{1b}[B", "\u{1b}[5~", "\u{1b}[6~", " ", "\u{7f}"].map(String::from),
        )
        .collect();
    for round in 0..40 {
        let typed: String = (0..25).map(|_| keys[rng.usize(0..keys.len())].clone()).collect();
        person.terminal.keys(&typed);
        if round % 10 == 0 {
            person.terminal.resize(60 + rng.u16(0..100), 16 + rng.u16(0..40));
        }
    }
    person.terminal.settle();
    // Out of whatever is open, and back to everything.
    for _ in 0..12 {
        person.terminal.keys("\u{1b}");
        person.terminal.settle();
    }
    person.terminal.wait_for("crosstail");
    person.ends();
}

#[test]
fn plain_logs_are_enough() {
    use std::fmt::Write as _;
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("app.log");
    let mut text = String::new();
    for second in 0..300 {
        let (minute, second) = (second / 60, second % 60);
        let line =
            if (minute, second) == (3, 7) { "ERROR SAP order 4711 was refused" } else { "INFO SAP request processed" };
        let _ = writeln!(text, "2026-11-25 10:{minute:02}:{second:02},000 {line}");
    }
    std::fs::write(&path, text).expect("written");
    let mut person = Person::at(&path, 80, 24);
    person.press("e", "order 4711 was refused");
    person.press("\r", "1 overview");
    person.terminal.keys("\u{1b}");
    person.terminal.wait_until_gone("1 overview");
    person.terminal.wait_for("line 188 of 300");
    person.ends();
}

#[test]
fn all_is_well() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = traffic(folder.path(), "none");
    let mut person = Person::at(&path, 160, 48);
    // The last line is drawn last: above it is no line of the list any more, which may say that a service was shut down.
    person.press("h", "open the system");
    assert!(!person.screen().contains("degraded") && !person.screen().contains("down"), "{}", person.screen());
    // The rules have been evaluated, and nothing is wrong.
    person.press("a", "0 firing");
    wait_for("the rules", || person.screen().contains("no alerts"));
    assert!(!person.screen().contains('⚑'), "{}", person.screen());
    person.ends();
}
