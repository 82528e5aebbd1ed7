//! Links and commands of a configuration, in a real terminal.

use crate::pty::Terminal;
use crate::support::wait_for;
use base64::Engine as _;
use portable_pty::CommandBuilder;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// A log with one line of JSON, and a configuration beside it.
fn home(config: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let line = r#"{"time":"2026-11-20T09:00:00Z","level":"error","system":"SAP","msg":"refused","request_id":"r-1","order":{"id":"A/1 ü"},"evil":"$(touch pwned); \u001b]0;pwned\u0007"}"#;
    std::fs::write(folder.path().join("app.log"), format!("{line}\n")).expect("written");
    std::fs::create_dir_all(folder.path().join("config/crosstail")).expect("made");
    std::fs::write(folder.path().join("config/crosstail/config.toml"), config).expect("written");
    folder
}

fn explorer(folder: &Path, environment: &[(&str, &str)]) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.arg("app.log");
    command.cwd(folder);
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION", "SSH_TTY"] {
        command.env_remove(name);
    }
    for (name, value) in environment {
        command.env(name, value);
    }
    let places = [("XDG_CONFIG_HOME", folder.join("config")), ("XDG_STATE_HOME", folder.join("state"))];
    let terminal = Terminal::run_as_it_is(command, &places, 120, 30);
    terminal.wait_for("refused");
    terminal
}

const LINK: &str = "[[link]]\nname = \"order\"\nfilter = \"level>=error\"\nurl = \"https://orders.example/o/{meta.order.id}?r={request}\"\n";
const URL: &str = "https://orders.example/o/A%2F1%20%C3%BC?r=r-1";

#[test]
fn a_link_is_opened_where_there_is_a_browser_and_copied_where_there_is_none() {
    let folder = home(LINK);
    let mut terminal = explorer(folder.path(), &[]);
    terminal.keys("u");
    // Its payload is loaded first.
    terminal.wait_for(URL);
    terminal.keys("\r");
    terminal.wait_for("no browser here: copied");
    let coded = base64::engine::general_purpose::STANDARD.encode(URL);
    let copied = format!("\x1b]52;c;{coded}");
    assert!(terminal.bytes().windows(copied.len()).any(|part| part == copied.as_bytes()));
    drop(terminal);
    // A desktop's program gets the address as one argument.
    let programs = folder.path().join("bin");
    std::fs::create_dir(&programs).expect("made");
    let opener = programs.join("xdg-open");
    std::fs::write(&opener, "#!/bin/sh\nprintf '%s|' \"$@\" > \"$OPENED.part\" && mv \"$OPENED.part\" \"$OPENED\"\n")
        .expect("written");
    std::fs::set_permissions(&opener, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    let opened = folder.path().join("opened");
    let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap_or_default());
    let environment = [("DISPLAY", ":7"), ("PATH", &path), ("OPENED", opened.to_str().expect("UTF-8"))];
    let mut terminal = explorer(folder.path(), &environment);
    terminal.keys("u");
    terminal.wait_for(URL);
    terminal.keys("\r");
    wait_for("the browser", || opened.exists());
    assert_eq!(std::fs::read_to_string(&opened).expect("read"), format!("{URL}|"));
}

#[test]
fn a_command_is_shown_before_it_runs_without_a_shell_and_its_output_is_harmless() {
    let config = "[[command]]\nname = \"what is it\"\nrun = [\"sh\", \"-c\", \"printf '%s\\\\n' \\\"$1\\\" done >&2; printf 'ran in %s\\\\n' \\\"$PWD\\\"\", \"sh\", \"{meta.evil}\"]\n";
    let folder = home(config);
    let mut terminal = explorer(folder.path(), &[]);
    terminal.keys("u");
    terminal.wait_for("what is it");
    terminal.keys("\r");
    terminal.wait_for("Enter runs it, without a shell");
    terminal.wait_for("$(touch pwned)");
    // Not yet.
    assert!(!terminal.ever_showed("ran in /"));
    terminal.keys("\x1b");
    terminal.wait_until_gone("Enter runs it");
    assert!(!terminal.ever_showed("ran in /"));
    terminal.keys("\r");
    terminal.wait_for("Enter runs it, without a shell");
    terminal.keys("\r");
    terminal.wait_for("ran in /");
    terminal.wait_for(" done · ");
    assert!(!folder.path().join("pwned").exists(), "a value was run");
    let title = b"\x1b]0;pwned";
    assert!(
        !terminal.bytes().windows(title.len()).any(|part| part == title),
        "the terminal got an escape of the output"
    );
    terminal.keys("\x1b");
    terminal.wait_until_gone("ran in /");
}

#[test]
fn a_projects_commands_are_offered_once_it_is_trusted() {
    let folder = home("");
    let project = "[[command]]\nname = \"say\"\nrun = [\"echo\", \"hello of {system}\"]\n";
    std::fs::write(folder.path().join("crosstail.toml"), project).expect("written");
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(arguments)
            .current_dir(folder.path())
            .env("XDG_CONFIG_HOME", folder.path().join("config"))
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .output()
            .expect("run");
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let mut terminal = explorer(folder.path(), &[]);
    terminal.keys("u");
    terminal.wait_for("no links and commands");
    drop(terminal);
    let said = run(&["config", "trust", "--yes"]);
    assert!(said.contains("offer to run") && said.contains("echo, hello of {system}"), "{said}");
    let mut terminal = explorer(folder.path(), &[]);
    terminal.keys("u");
    terminal.wait_for("echo 'hello of SAP'");
    drop(terminal);
    // What is one's own stays one's own.
    let own = folder.path().join("config/crosstail/config.toml");
    std::fs::write(own, project).expect("written");
    let said = run(&["config", "check"]);
    assert!(said.contains("the command say is your own"), "{said}");
}
