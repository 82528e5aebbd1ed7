//! Terminals that misbehave: any bytes as input, sizes that change all the time, few abilities, and one that does not read.

use crate::pty::Terminal;
use crate::support::wait_for;
use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use std::io::Read as _;
use std::path::PathBuf;
use std::time::Duration;

fn demo() -> CommandBuilder {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["demo", "--history", "10m"]);
    command
}

/// Whatever a terminal sends, the explorer lives on or ends as it does for its own keys.
#[test]
fn any_bytes_are_input() {
    const PARTS: &[&str] = &[
        "\u{1b}[200~",
        "\u{1b}[201~",
        "\u{1b}[<0;10;5M",
        "\u{1b}[<64;999999;0M",
        "\u{1b}[M\u{20}\u{ff}\u{ff}",
        "\u{1b}[1;5A",
        "\u{1b}[27;5;9~",
        "\u{1b}[97;5u",
        "\u{1b}[?1;2c",
        "\u{1b}]11;rgb:0000/0000/0000\u{7}",
        "\u{1b}P1$r0m\u{1b}\\",
        "\u{1b}O",
        "\u{1b}[",
        "\u{1b}[I",
        "\u{1b}[O",
        "\u{1b}[99999999999999999999~",
        "\u{1b}_Gi=1;OK\u{1b}\\",
        "/",
        "\r",
        "\t",
        "j",
        "?",
        ":",
        "漢字",
        "status:failed",
        "7f3a9c21-aaaa-4abc-8def-0123456789ab",
        "\u{1b}",
        "s",
        "h",
        "2",
        " ",
    ];
    let seed: u64 = std::env::var("CROSSTAIL_FUZZ_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    println!("CROSSTAIL_FUZZ_SEED={seed}");
    let mut dice = fastrand::Rng::with_seed(seed);
    let home = tempfile::tempdir().expect("a folder");
    for _ in 0..3 {
        let mut command = demo();
        command.cwd(home.path());
        let mut environment =
            vec![("EDITOR", "true".into()), ("PAGER", "true".into()), ("HOME", home.path().to_owned())];
        environment.push(("XDG_CONFIG_HOME", PathBuf::from("/nonexistent")));
        let mut terminal = Terminal::run_as_it_is(command, &environment, 100, 30);
        terminal.wait_for("connected");
        for _ in 0..60 {
            let mut bytes = Vec::new();
            for _ in 0..dice.usize(1..40) {
                if dice.u8(0..4) == 0 {
                    // Ctrl-C and Ctrl-Z are asked for elsewhere, and `q` ends it; a hang-up is no input.
                    let byte = dice.u8(..);
                    bytes.push(if [3, 26, 28, b'q', b'Q'].contains(&byte) { b'x' } else { byte });
                } else {
                    bytes.extend_from_slice(PARTS[dice.usize(0..PARTS.len())].as_bytes());
                }
            }
            if !terminal.bytes_in(&bytes) {
                break;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
        terminal.signal(rustix::process::Signal::TERM);
        let code = terminal.wait_for_end();
        assert!(code == 0 || code == 143, "{code}: {}", terminal.screen());
        assert!(!terminal.ever_showed("panicked"), "{}", terminal.screen());
        terminal.assert_restored();
    }
}

/// A megabyte is pasted into the filter.
#[test]
fn a_large_paste_is_taken() {
    let mut terminal = Terminal::run(demo(), 100, 30);
    terminal.wait_for("connected");
    terminal.keys("/");
    terminal.keys("\u{1b}[200~");
    // A pty holds some kilobytes: it is written as fast as it is read.
    let piece = "status:failed OR system:SAP ".repeat(400);
    for _ in 0..90 {
        terminal.keys(&piece);
    }
    terminal.keys("\u{1b}[201~");
    terminal.settle();
    terminal.signal(rustix::process::Signal::TERM);
    assert_eq!(terminal.wait_for_end(), 143);
    terminal.assert_restored();
}

/// A window that is dragged: a hundred sizes a second, some of them none.
#[test]
fn a_size_that_changes_all_the_time_is_followed() {
    let mut terminal = Terminal::run(demo(), 100, 30);
    terminal.wait_for("connected");
    let mut dice = fastrand::Rng::with_seed(7);
    for _ in 0..300 {
        terminal.resize(dice.u16(1..200), dice.u16(1..70));
        std::thread::park_timeout(Duration::from_millis(10));
    }
    terminal.resize(100, 30);
    terminal.settle();
    terminal.wait_for("connected");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

/// A size that is back before the next picture: the terminal has cut its lines meanwhile.
#[test]
fn what_a_size_of_a_moment_has_cut_is_drawn_again() {
    let mut terminal = Terminal::run(demo(), 100, 30);
    terminal.wait_for("connected");
    for _ in 0..20 {
        terminal.settle();
        let whole = terminal.screen();
        let footer = whole.lines().rfind(|line| !line.trim().is_empty()).expect("a footer").to_owned();
        terminal.resize(20, 5);
        terminal.resize(100, 30);
        terminal.wait_for(&footer);
    }
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

/// A key right behind a new size does not wait for the next key.
#[test]
fn the_first_key_after_a_new_size_acts() {
    let mut terminal = Terminal::run(demo(), 100, 30);
    terminal.wait_for("connected");
    for rows in [28, 30, 28, 30, 28, 30] {
        terminal.resize(100, rows);
        terminal.settle();
        terminal.keys("h");
        terminal.wait_for("worst first");
        terminal.resize(100, rows - 1);
        terminal.settle();
        terminal.keys("h");
        terminal.wait_for("/ filter");
    }
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

/// The terminal says whether its background is light, when it is asked at the start and with each focus; its answer is no key.
#[test]
fn the_theme_is_that_of_the_background() {
    let asked = |terminal: &Terminal| {
        let question = b"\x1b]11;?";
        terminal.bytes().windows(question.len()).filter(|part| part == question).count()
    };
    // The colour of the text of the themes.
    let (dark, light) = ("38;2;200;204;212", "38;2;44;49;58");
    let drawn = |terminal: &Terminal, colour: &str| {
        String::from_utf8_lossy(&terminal.bytes()).rfind(colour).map_or(0, |place| place + 1)
    };
    let mut terminal = Terminal::run(demo(), 120, 24);
    terminal.wait_for("following");
    assert!(asked(&terminal) == 1 && drawn(&terminal, dark) > 0 && drawn(&terminal, light) == 0);
    terminal.keys("\x1b]11;rgb:fdfd/");
    terminal.keys("f6f6/e3e3\x1b\\");
    wait_for("a light theme", || drawn(&terminal, light) > drawn(&terminal, dark));
    terminal.keys("\x1b[O\x1b[I");
    wait_for("a question with the focus", || asked(&terminal) == 2);
    terminal.keys("\x1b]11;rgb:1e/1e/2e\x07");
    wait_for("a dark theme", || drawn(&terminal, dark) > drawn(&terminal, light));
    // No letter of it was a key: `1` would have opened a view, `f` and `g` would have moved.
    assert!(terminal.screen().contains("following"), "{}", terminal.screen());
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);

    for (arguments, name) in [(&["--theme", "dark"][..], "xterm-256color"), (&[], "linux")] {
        let mut command = demo();
        command.args(arguments);
        let mut terminal = Terminal::run_as_it_is(
            command,
            &[("TERM", name.into()), ("XDG_CONFIG_HOME", "/nonexistent".into())],
            120,
            24,
        );
        terminal.wait_for("following");
        terminal.keys("\x1b[I");
        terminal.settle();
        assert_eq!(asked(&terminal), 0, "{name}");
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0);
    }
}

/// How terminals spell keys that they spell differently, and what they say by themselves: as their documentation and terminfo
/// have it.
struct Spelling {
    terminal: &'static str,
    /// The one that it sets.
    name: &'static str,
    down: &'static str,
    up: &'static str,
    home: &'static str,
    end: &'static str,
    page_up: &'static str,
    back_tab: &'static str,
    /// Answers and events that nobody asked for: none of them is a key.
    chatter: &'static [&'static str],
}

const SPELLINGS: &[Spelling] = &[
    Spelling {
        terminal: "xterm",
        name: "xterm-256color",
        down: "\x1b[B",
        up: "\x1b[A",
        home: "\x1b[H",
        end: "\x1b[F",
        page_up: "\x1b[5~",
        back_tab: "\x1b[Z",
        chatter: &["\x1b[?64;1;2;6;9;15;16;17;18;21;22;28c", "\x1b[>41;390;0c", "\x1b[?2026;2$y"],
    },
    // Its keys are those of applications, as `screen` and `tmux` send them (terminfo: kcud1=\EOB, khome=\E[1~).
    Spelling {
        terminal: "screen",
        name: "screen",
        down: "\x1bOB",
        up: "\x1bOA",
        home: "\x1b[1~",
        end: "\x1b[4~",
        page_up: "\x1b[5~",
        back_tab: "\x1b[Z",
        chatter: &["\x1b[>83;40900;0c", "\x1b[?1;2c"],
    },
    Spelling {
        terminal: "tmux",
        name: "tmux-256color",
        down: "\x1bOB",
        up: "\x1bOA",
        home: "\x1b[1~",
        end: "\x1b[4~",
        page_up: "\x1b[5~",
        back_tab: "\x1b[Z",
        chatter: &["\x1b[>84;0;0c", "\x1b[?1;2;4c", "\x1bP>|tmux 3.4\x1b\\"],
    },
    // modifyOtherKeys, where an editor has left it on.
    Spelling {
        terminal: "xterm with modifyOtherKeys",
        name: "xterm-256color",
        down: "\x1b[27;1;106~",
        up: "\x1b[27;1;107~",
        home: "\x1b[1;1H",
        end: "\x1b[1;1F",
        page_up: "\x1b[5~",
        back_tab: "\x1b[27;2;9~",
        chatter: &["\x1b[0n", "\x1b[12;40R", "\x1b[8;30;110t", "\x1bP1$r0m\x1b\\"],
    },
    // Its protocol of keys is not asked for; where an editor has left it on, keys have this form.
    Spelling {
        terminal: "kitty",
        name: "xterm-kitty",
        down: "\x1b[1;1B",
        up: "\x1b[1;1A",
        home: "\x1b[1;1H",
        end: "\x1b[1;1F",
        page_up: "\x1b[5;1~",
        back_tab: "\x1b[9;2u",
        chatter: &[
            "\x1b[?62;52;c",
            "\x1b[>1;4000;36c",
            "\x1b_Gi=31;OK\x1b\\",
            "\x1b[?0u",
            "\x1bP>|kitty(0.36.0)\x1b\\",
        ],
    },
    // ConPTY sends the spellings of xterm, and events of the focus.
    Spelling {
        terminal: "Windows Terminal",
        name: "xterm-256color",
        down: "\x1b[B",
        up: "\x1b[A",
        home: "\x1b[H",
        end: "\x1b[F",
        page_up: "\x1b[5~",
        back_tab: "\x1b[Z",
        chatter: &["\x1b[?61;4;6;7;14;21;22;23;24;28;32;42;52c", "\x1b[I", "\x1b[O", "\x1b[I", "\x1b[?1;0c"],
    },
];

/// The messages of the list, as they stand there.
fn rows(terminal: &Terminal) -> Vec<String> {
    terminal.screen().lines().filter(|line| line.contains(" here")).map(str::to_owned).collect()
}

/// What is marked in the list is under the cursor: the row says so by its first characters.
#[test]
fn keys_are_known_however_a_terminal_spells_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let log = folder.path().join("app.log");
    let line = |n: usize| format!("2026-11-20T10:{:02}:{:02}Z INFO message {n:03} here\n", n / 60, n % 60);
    std::fs::write(&log, (0..200).map(line).collect::<String>()).expect("written");
    for spelling in SPELLINGS {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args(["-s", log.to_str().expect("UTF-8")]);
        let environment = [("TERM", spelling.name.into()), ("XDG_CONFIG_HOME", PathBuf::from("/nonexistent"))];
        let mut terminal = Terminal::run_as_it_is(command, &environment, 110, 30);
        terminal.wait_for("message 199");
        let open = |terminal: &mut Terminal, number: usize| {
            terminal.keys("\r");
            terminal.wait_for("overview");
            terminal.wait_for(&format!("message {number:03}"));
            terminal.keys("\x1b");
            terminal.wait_until_gone("overview");
        };
        // What is beside the list is counted after the list is drawn.
        terminal.settle();
        // A focus that comes and goes may draw something, but takes nothing away.
        let before: Vec<String> = rows(&terminal);
        for said in spelling.chatter {
            terminal.keys(said);
            terminal.settle();
            // In parts, as over a line: what has begun is waited for.
            let (first, rest) = said.split_at(said.len().min(3));
            let (middle, end) = rest.split_at(rest.len() / 2);
            for part in [first, middle, end] {
                terminal.keys(part);
                std::thread::park_timeout(Duration::from_millis(60));
            }
            terminal.settle();
            assert_eq!(rows(&terminal), before, "{} {said:?}: {}", spelling.terminal, terminal.screen());
        }
        terminal.keys(spelling.home);
        terminal.wait_for("message 000");
        open(&mut terminal, 0);
        terminal.keys(&spelling.down.repeat(3));
        open(&mut terminal, 3);
        terminal.keys(spelling.up);
        open(&mut terminal, 2);
        terminal.keys(spelling.end);
        terminal.wait_for("message 199");
        open(&mut terminal, 199);
        terminal.keys(spelling.page_up);
        terminal.wait_for("line 1");
        terminal.keys(spelling.back_tab);
        terminal.settle();
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0, "{}", spelling.terminal);
        terminal.assert_restored();
    }
}

/// A terminal of few abilities, and a system without UTF-8.
#[test]
fn few_abilities_are_enough() {
    for (name, value) in [
        ("TERM", "dumb"),
        ("TERM", "vt100"),
        ("TERM", "screen"),
        ("TERM", "screen-256color"),
        ("TERM", ""),
        ("LC_ALL", "C"),
        ("LANG", "POSIX"),
    ] {
        let environment =
            [(name, PathBuf::from(value)), ("XDG_CONFIG_HOME", "/nonexistent".into()), ("COLORTERM", "".into())];
        let mut terminal = Terminal::run_as_it_is(demo(), &environment, 100, 30);
        terminal.wait_for("connected");
        terminal.wait_for("SAP");
        terminal.keys("k");
        terminal.settle();
        terminal.keys("\r");
        terminal.wait_for("overview");
        terminal.keys("\u{1b}");
        terminal.settle();
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0, "{name}={value}");
        terminal.assert_restored();
    }
}

/// A terminal that does not read any more, as over a connection that hangs: the explorer does not fill the memory, ends when it
/// is asked to, and shows the present when the terminal reads again.
#[test]
fn a_terminal_that_does_not_read_holds_nothing_up() {
    let pair =
        native_pty_system().openpty(PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 }).expect("a pty");
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(["demo", "--history", "10m", "--rate", "50"]);
    command.env("TERM", "xterm-256color");
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    let mut child = pair.slave.spawn_command(command).expect("started");
    drop(pair.slave);
    let pid = i32::try_from(child.process_id().expect("a process")).expect("a pid");
    let memory = || {
        let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:").map(str::to_owned));
        line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
    };
    // Frames that nobody takes are dropped: once everything is loaded, the memory stays as it is. A megabyte a second would be
    // a tenth of the frames.
    let (mut since, mut at_first) = (std::time::Instant::now(), 0);
    wait_for("memory that stays as it is", || {
        let now = memory();
        if now.abs_diff(at_first) > 8 {
            (since, at_first) = (std::time::Instant::now(), now);
        }
        since.elapsed() > Duration::from_secs(8)
    });
    // It is read again: what comes is not an old picture a second.
    let mut reader = pair.master.try_clone_reader().expect("a reader");
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        let mut buffer = [0; 65536];
        while let Ok(read @ 1..) = reader.read(&mut buffer) {
            all.extend_from_slice(&buffer[..read]);
        }
        all
    });
    let signalled = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(signalled, rustix::process::Signal::TERM).expect("signalled");
    wait_for("its end", || child.try_wait().expect("asked").is_some());
    // The cursor, and the title.
    assert!(reading.join().expect("read").ends_with(b"\x1b[?25h\x1b[23;2t"), "the terminal is given back");
}
