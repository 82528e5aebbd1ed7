//! The program in a real pseudo-terminal: first picture, keys, sizes, and every way to end.

use crate::support::{PATIENCE, wait_for};
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read as _, Write as _};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

fn size_of(n: u16) -> std::num::NonZeroU16 {
    std::num::NonZeroU16::new(n).expect("not zero")
}

/// A terminal with the program in it.
pub struct Terminal {
    master: Option<Box<dyn MasterPty + Send>>,
    writer: Option<Box<dyn std::io::Write + Send>>,
    child: Box<dyn Child + Send + Sync>,
    seen: Arc<Mutex<Seen>>,
    reader: std::thread::JoinHandle<()>,
    /// What is remembered: nothing of the one whose tests these are.
    _state: tempfile::TempDir,
}

struct Seen {
    bytes: Vec<u8>,
    screen: vt100::Parser,
    last: Instant,
    shown: String,
}

impl Terminal {
    pub fn start(arguments: &[&str], columns: u16, rows: u16) -> Self {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(arguments);
        Self::run(command, columns, rows)
    }

    pub fn run(command: CommandBuilder, columns: u16, rows: u16) -> Self {
        Self::run_as_it_is(command, &[("XDG_CONFIG_HOME", "/nonexistent".into())], columns, rows)
    }

    pub fn run_as_it_is(
        mut command: CommandBuilder,
        environment: &[(&str, std::path::PathBuf)],
        columns: u16,
        rows: u16,
    ) -> Self {
        command.env("TERM", "xterm-256color");
        command.env("COLORTERM", "truecolor");
        command.env_remove("NO_COLOR");
        command.env_remove("TMUX");
        let state = tempfile::tempdir().expect("a folder");
        command.env("XDG_STATE_HOME", state.path());
        for (name, value) in environment {
            command.env(name, value);
        }
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        let pair = native_pty_system().openpty(size).expect("a pty");
        let child = pair.slave.spawn_command(command).expect("started");
        drop(pair.slave);
        let seen = Arc::new(Mutex::new(Seen {
            bytes: Vec::new(),
            screen: vt100::Parser::new(size_of(rows), size_of(columns), 0),
            last: Instant::now(),
            shown: String::new(),
        }));
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let there = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 65536];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 {
                    return;
                }
                let mut seen = there.lock().expect("lock");
                seen.bytes.extend_from_slice(&buffer[..read]);
                seen.screen.process(&buffer[..read]);
                seen.last = Instant::now();
                let text = seen.screen.screen().contents();
                seen.shown.push_str(&text);
            }
        });
        let writer = pair.master.take_writer().expect("a writer");
        Self { master: Some(pair.master), writer: Some(writer), child, seen, reader, _state: state }
    }

    pub fn keys(&mut self, keys: &str) {
        let writer = self.writer.as_mut().expect("open");
        writer.write_all(keys.as_bytes()).expect("typed");
        writer.flush().expect("typed");
    }

    /// Any bytes as input; false once nobody takes them.
    pub fn bytes_in(&mut self, bytes: &[u8]) -> bool {
        self.writer.as_mut().is_some_and(|writer| writer.write_all(bytes).and_then(|()| writer.flush()).is_ok())
    }

    pub fn screen(&self) -> String {
        self.seen.lock().expect("lock").screen.screen().contents()
    }

    pub fn bytes(&self) -> Vec<u8> {
        self.seen.lock().expect("lock").bytes.clone()
    }

    pub fn ever_showed(&self, text: &str) -> bool {
        self.seen.lock().expect("lock").shown.contains(text)
    }

    /// Until it has taken the terminal so many times: again after each program that had it meanwhile.
    pub fn wait_until_taken(&self, times: usize) {
        let taken = b"\x1b[?1049h";
        wait_for("the alternate screen", || {
            let seen = self.seen.lock().expect("lock");
            seen.bytes.windows(taken.len()).filter(|part| part == taken).count() >= times
        });
    }

    /// Until a text is on the screen.
    pub fn wait_for(&self, text: &str) {
        self.wait_for_any(&[text]);
    }

    /// Until one of these texts is on the screen.
    pub fn wait_for_any(&self, texts: &[&str]) {
        let until = Instant::now() + PATIENCE;
        while !texts.iter().any(|text| self.screen().contains(text)) {
            assert!(Instant::now() < until, "waited for {texts:?}:\n{}", self.screen());
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }

    /// Until a text is off the screen.
    pub fn wait_until_gone(&self, text: &str) {
        wait_for(&format!("'{text}' to go"), || !self.screen().contains(text));
    }

    /// Until it has asked the terminal to report the mouse.
    pub fn wait_for_mouse(&self) {
        let reports = || self.seen.lock().expect("lock").screen.screen().mouse_protocol_mode();
        wait_for("reports of the mouse", || reports() != vt100::MouseProtocolMode::None);
    }

    /// Until nothing was written for a while: where there is no text to wait for.
    pub fn settle(&self) {
        std::thread::park_timeout(Duration::from_millis(150));
        wait_for("a quiet terminal", || self.seen.lock().expect("lock").last.elapsed() > Duration::from_millis(120));
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid =
            self.child.process_id().and_then(|pid| rustix::process::Pid::from_raw(pid as i32)).expect("a process");
        rustix::process::kill_process(pid, signal).expect("signalled");
    }

    pub fn resize(&self, columns: u16, rows: u16) {
        let size = PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 };
        // Nothing drawn for the new size may arrive on a screen of the old one.
        let mut seen = self.seen.lock().expect("lock");
        self.master.as_ref().expect("open").resize(size).expect("resized");
        seen.screen.screen_mut().set_size(size_of(rows), size_of(columns));
    }

    pub fn wait_for_end(&mut self) -> u32 {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("asked") {
                // What it wrote last is read, too.
                wait_for("the end of what it wrote", || self.reader.is_finished());
                return status.exit_code();
            }
            assert!(Instant::now() < until, "did not end:\n{}", self.screen());
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// The terminal as it was: no alternate screen, cursor shown, no paste or mouse mode, lines cooked.
    pub fn assert_restored(&self) {
        let seen = self.seen.lock().expect("lock");
        let screen = seen.screen.screen();
        assert!(!screen.alternate_screen(), "alternate screen");
        assert!(!screen.hide_cursor(), "cursor");
        assert!(!screen.bracketed_paste(), "bracketed paste");
        assert_eq!(screen.mouse_protocol_mode(), vt100::MouseProtocolMode::None);
        if let Some(master) = &self.master {
            let modes = master.get_termios().expect("modes");
            assert!(modes.local_flags.contains(nix_flags::ICANON | nix_flags::ECHO | nix_flags::ISIG), "raw mode");
        }
    }
}

/// The flags under the names that `termios` gives them.
mod nix_flags {
    use nix::sys::termios::LocalFlags;
    pub const ICANON: LocalFlags = LocalFlags::ICANON;
    pub const ECHO: LocalFlags = LocalFlags::ECHO;
    pub const ISIG: LocalFlags = LocalFlags::ISIG;
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

fn demo(columns: u16, rows: u16) -> Terminal {
    let terminal = Terminal::start(&["demo", "--history", "1h"], columns, rows);
    terminal.wait_for("connected");
    terminal
}

#[test]
fn the_demo_opens_answers_keys_and_ends() {
    let mut terminal = demo(160, 48);
    terminal.wait_for("following");
    terminal.wait_for("SAP");
    terminal.keys("?");
    terminal.wait_for("take along");
    terminal.keys("?");
    terminal.wait_for("previous line");
    terminal.keys("\u{1b}");
    terminal.wait_until_gone("previous line");
    terminal.keys("/");
    terminal.wait_for("complete");
    terminal.keys("system:SAP ");
    terminal.keys("\r");
    terminal.wait_for(" of ");
    terminal.keys("h");
    terminal.wait_for("worst first");
    terminal.keys("hs");
    terminal.wait_for("what it is");
    terminal.keys("s\r");
    terminal.wait_for("overview");
    terminal.keys("r");
    terminal.wait_for("outcome");
    terminal.keys("t");
    terminal.wait_for_any(&["critical path", "nothing else in this trace"]);
    terminal.keys("\u{1b}");
    terminal.wait_until_gone("overview");
    terminal.keys(":theme light\r");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn every_size_is_drawn() {
    let mut terminal = demo(160, 48);
    for (columns, rows) in [(80, 24), (60, 20), (40, 10), (20, 5), (10, 3), (3, 2), (1, 1), (200, 60), (80, 24)] {
        terminal.resize(columns, rows);
        terminal.settle();
        terminal.keys("\r");
        terminal.settle();
        // Alone: an escape with a key right behind it is that key with Alt.
        terminal.keys("\u{1b}");
        terminal.settle();
    }
    terminal.wait_for("crosstail");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn ctrl_c_ends_it_and_gives_the_terminal_back() {
    let mut terminal = demo(100, 30);
    terminal.keys("\u{3}");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn a_termination_gives_the_terminal_back() {
    let mut terminal = demo(100, 30);
    terminal.signal(rustix::process::Signal::TERM);
    assert_eq!(terminal.wait_for_end(), 143);
    terminal.assert_restored();
}

/// What writes thirty hours of traffic is ended while it does so.
#[test]
fn a_demonstration_leaves_nothing_however_it_ends() {
    use rustix::process::Signal;
    for end in ["q", "\u{3}", "TERM", "HUP", "panic"] {
        let temporary = tempfile::tempdir().expect("a folder");
        let left = || std::fs::read_dir(temporary.path()).expect("a folder").flatten().count();
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(["demo", "--rate", "20"]);
        command.env("RUST_BACKTRACE", "0");
        if end == "panic" {
            command.env("CROSSTAIL_TEST_PANIC", "1");
        }
        let places = [("XDG_CONFIG_HOME", "/nonexistent".into()), ("TMPDIR", temporary.path().to_owned())];
        let mut terminal = Terminal::run_as_it_is(command, &places, 100, 30);
        if end != "panic" {
            terminal.wait_for("connected");
            assert!(left() >= 1, "its folder is there while it runs");
        }
        match end {
            "TERM" => terminal.signal(Signal::TERM),
            "HUP" => terminal.signal(Signal::HUP),
            "panic" => {}
            keys => terminal.keys(keys),
        }
        terminal.wait_for_end();
        assert_eq!(left(), 0, "after {end:?}");
    }
}

#[test]
fn stopping_and_going_on() {
    let mut shell = CommandBuilder::new("bash");
    shell.args(["--norc", "--noprofile", "-i"]);
    let mut terminal = Terminal::run(shell, 100, 30);
    terminal.keys(&format!("PS1='ready>'; {} demo --history 30m\n", env!("CARGO_BIN_EXE_crosstail")));
    terminal.wait_for("following");
    terminal.keys("\u{1a}");
    terminal.wait_for("Stopped");
    assert!(!terminal.seen.lock().expect("lock").screen.screen().alternate_screen());
    terminal.keys("fg\n");
    terminal.wait_for("following");
    terminal.keys("q");
    wait_for("the shell", || !terminal.seen.lock().expect("lock").screen.screen().alternate_screen());
    // At once: what is typed after the terminal was given back is the shell's, even while our process still ends.
    terminal.keys("exit 7\n");
    assert_eq!(terminal.wait_for_end(), 7);
}

/// The processes whose command line holds a text.
fn processes(mark: &str) -> Vec<i32> {
    std::fs::read_dir("/proc")
        .expect("proc")
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|pid| std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "crosstail"))
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| String::from_utf8_lossy(&line).contains(mark))
        })
        .collect()
}

#[test]
fn a_hung_up_terminal_ends_it() {
    // `script` holds the terminal's other end; when it is killed nobody does, as when an SSH connection breaks. Once
    // as it is, once deaf to SIGHUP, where only the terminal itself tells.
    for deaf in [false, true] {
        let mark = format!("--seed=99{}{}", u8::from(deaf), std::process::id());
        let trap = if deaf { "trap '' HUP; " } else { "" };
        let command = format!("{trap}exec {} demo --history=10m {mark}", env!("CARGO_BIN_EXE_crosstail"));
        let mut script = std::process::Command::new("script")
            .args(["-qfc", &command, "/dev/null"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .env("TERM", "xterm-256color")
            .spawn()
            .expect("script, of util-linux");
        wait_for("the program", || !processes(&mark).is_empty());
        // It has taken the terminal: what happens to that concerns it.
        let mut drawn = script.stdout.take().expect("stdout");
        let seen: Arc<Mutex<Vec<u8>>> = Arc::default();
        let there = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = drawn.read(&mut buffer) {
                there.lock().expect("lock").extend_from_slice(&buffer[..read]);
            }
        });
        let taken = b"\x1b[?1049h";
        wait_for("the alternate screen", || seen.lock().expect("lock").windows(taken.len()).any(|part| part == taken));
        assert_eq!(processes(&mark).len(), 1, "it runs");
        script.kill().expect("killed");
        script.wait().expect("ended");
        wait_for("its end", || processes(&mark).is_empty());
    }
}

#[test]
fn a_panic_gives_the_terminal_back() {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["demo", "--history", "10m"]);
    command.env("CROSSTAIL_TEST_PANIC", "1");
    // Its frames would scroll the message away.
    command.env("RUST_BACKTRACE", "0");
    let mut terminal = Terminal::run(command, 100, 30);
    assert_eq!(terminal.wait_for_end(), 101);
    terminal.assert_restored();
    assert!(terminal.ever_showed("asked to panic, by a test"), "{}", terminal.screen());
}

/// A piece of work that panics is no end: the terminal stays as it is, keys act, and the log of the program has the reason.
#[test]
fn a_panic_elsewhere_costs_its_own_work() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("own.log");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["demo", "--history", "10m", "--log-file", log.to_str().expect("UTF-8")]);
    command.env("CROSSTAIL_TEST_PANIC", "task");
    let mut terminal = Terminal::run(command, 100, 30);
    wait_for("a panic", || std::fs::read_to_string(&log).unwrap_or_default().contains("asked to panic, by a test"));
    terminal.keys("h");
    terminal.wait_for("worst first");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
    assert!(!terminal.ever_showed("asked to panic"), "{}", terminal.screen());
}

#[test]
fn standard_input_is_explored() {
    let mut shell = CommandBuilder::new("bash");
    let program = env!("CARGO_BIN_EXE_crosstail");
    shell.args(["-c", &format!("for i in 1 2 3; do echo \"2026-11-20 10:00:0$i ERROR piped $i\"; done | {program} -")]);
    let mut terminal = Terminal::run(shell, 100, 30);
    terminal.wait_for("piped 3");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn what_only_a_stack_says_is_found_where_the_list_is_empty() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("shop.log");
    let stack = "java.lang.IllegalStateException: no stock\n\tat shop.Pay.charge(Pay.java:41)\n\tat shop.Vault.open(Vault.java:7)";
    let log = format!(
        "2026-11-20 10:00:00,000 INFO  [main] shop.Pay - begins\n2026-11-20 10:00:01,000 ERROR [main] shop.Pay - charge failed\n{stack}\n"
    );
    std::fs::write(&path, log).expect("written");
    let mut terminal = Terminal::start(&[path.to_str().expect("text")], 120, 36);
    terminal.wait_for("charge failed");
    // The error is what was thrown, so text finds it.
    terminal.keys("/stock\r");
    terminal.wait_for("1 of 2");
    terminal.keys("/Vault.open\r");
    terminal.wait_for("stacks and payloads were not searched");
    terminal.keys("\r");
    terminal.wait_for("overview");
    terminal.keys("4");
    terminal.wait_for("Vault.java:7");
    assert!(!terminal.screen().contains("no error recorded"), "{}", terminal.screen());
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn a_source_that_is_not_there_is_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let pattern = folder.path().join("nothere/*.log");
    let mut terminal = Terminal::start(&[pattern.to_str().expect("text")], 100, 30);
    terminal.wait_for("as soon as it is there");
    assert!(terminal.screen().contains("nothing to read"), "{}", terminal.screen());
    terminal.keys("s");
    terminal.wait_for("no file matches");
    terminal.keys("s");
    // It is read as soon as it is there.
    std::fs::create_dir(folder.path().join("nothere")).expect("made");
    std::fs::write(folder.path().join("nothere/a.log"), "2026-11-20 10:00:01 ERROR too late\n").expect("written");
    terminal.wait_for("too late");
    terminal.wait_for("connected");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn why_a_source_fails_is_read_whole_in_a_narrow_window() {
    let mut terminal = Terminal::start(&["postgres://nobody@127.0.0.1:1/none?connect_timeout=2"], 80, 24);
    terminal.wait_for("says what to do");
    let whole = |terminal: &Terminal| terminal.screen().split_whitespace().collect::<Vec<_>>().join(" ");
    terminal.keys("s");
    wait_for("the whole error", || whole(&terminal).contains("what to do"));
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
}

#[test]
fn without_a_source_the_first_page_says_what_to_do() {
    let mut terminal = Terminal::start(&[], 100, 30);
    terminal.wait_for("crosstail demo");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[test]
fn no_colours_are_sent_where_none_are_wanted() {
    let coloured = |terminal: &Terminal| {
        let bytes = String::from_utf8_lossy(&terminal.bytes()).into_owned();
        // Colours by number: 30 to 37, 38 for more of them, 90 to 97, with backgrounds likewise.
        let codes =
            bytes.split("\x1b[").skip(1).filter_map(|part| part.split_once('m')).map(|(codes, _)| codes.to_owned());
        let codes: Vec<String> = codes.filter(|codes| codes.chars().all(|c| c.is_ascii_digit() || c == ';')).collect();
        let is_colour = |code: &str| matches!(code.parse(), Ok(30..=38 | 40..=48 | 90..=97 | 100..=107));
        codes.iter().any(|codes| codes.split(';').any(is_colour))
    };
    for (arguments, expected) in
        [(["demo", "--color=always", "--history", "10m"], true), (["demo", "--color=never", "--history", "10m"], false)]
    {
        let mut terminal = Terminal::start(&arguments, 100, 30);
        terminal.wait_for("following");
        terminal.settle();
        assert_eq!(coloured(&terminal), expected, "{arguments:?}");
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0);
    }
}
