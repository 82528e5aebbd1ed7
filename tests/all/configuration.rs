//! The configuration as the program reads it: layers, profiles, `config init`, `show`, `check`, `path`.

use crate::writing::said;
use serde_json::Value;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

struct Home(tempfile::TempDir);

impl Home {
    fn new() -> Self {
        let home = Self(tempfile::tempdir().expect("a folder"));
        for folder in ["config/crosstail", "project/deep"] {
            std::fs::create_dir_all(home.0.path().join(folder)).expect("made");
        }
        home
    }

    fn write(&self, path: &str, text: &str) {
        std::fs::write(self.0.path().join(path), text).expect("written");
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.0.path().join(path)).expect("read")
    }

    fn run(&self, arguments: &[&str], environment: &[(&str, &str)], input: &str) -> Output {
        let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(arguments)
            .current_dir(self.0.path().join("project/deep"))
            .env("HOME", self.0.path())
            .env("XDG_CONFIG_HOME", self.0.path().join("config"))
            .env("XDG_STATE_HOME", self.0.path().join("state"))
            .envs(environment.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("started");
        // One that asks nothing may have ended.
        let _ = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
        child.wait_with_output().expect("ended")
    }

    /// Writes the project's file, and trusts it.
    fn write_project(&self, text: &str) {
        self.write("project/crosstail.toml", text);
        let output = self.run(&["config", "trust", "--yes"], &[], "");
        assert!(output.status.success(), "{}", said(&output));
    }

    /// A value, and where it comes from, without the folder.
    fn shown(&self, name: &str, arguments: &[&str], environment: &[(&str, &str)]) -> (String, String) {
        let mut all = vec!["config", "show", "-o", "json"];
        all.extend(arguments);
        let output = self.run(&all, environment, "");
        assert!(output.status.success(), "{}", said(&output));
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
        let found =
            lines.into_iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name} in {text}"));
        let word =
            |key: &str| found[key].as_str().expect("a text").replace(&format!("{}/", self.0.path().display()), "");
        (word("value"), word("from"))
    }
}

fn pair(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn each_layer_lies_over_the_one_before() {
    let home = Home::new();
    let theme = |arguments: &[&str], environment: &[(&str, &str)]| home.shown("theme", arguments, environment);
    assert_eq!(theme(&[], &[]), pair("auto", "built in"));
    home.write("config/crosstail/config.toml", "# mine\ntheme = \"light\"\n[profile.prod]\ntheme = \"contrast\"\n");
    assert_eq!(theme(&[], &[]), pair("light", "config/crosstail/config.toml:2"));
    assert_eq!(theme(&["--profile", "prod"], &[]), pair("contrast", "config/crosstail/config.toml:4"));
    assert_eq!(theme(&[], &[("CROSSTAIL_PROFILE", "prod")]), pair("contrast", "config/crosstail/config.toml:4"));
    home.write_project("\n\ntheme = \"ansi\"\n[[source]]\nname = \"app\"\nat = \"logs/*.log\"\n");
    assert_eq!(theme(&[], &[]), pair("ansi", "project/crosstail.toml:3"));
    let at = home.shown("source.app.at", &[], &[]);
    assert_eq!(at, pair("logs/*.log", "project/crosstail.toml:6"));
    assert_eq!(theme(&[], &[("CROSSTAIL_THEME", "none")]), pair("none", "CROSSTAIL_THEME"));
    assert_eq!(theme(&["--theme", "colourblind"], &[("CROSSTAIL_THEME", "none")]), pair("colourblind", "--theme"));
    home.write("other.toml", "theme = \"contrast\"\n");
    let other = home.0.path().join("other.toml").display().to_string();
    std::fs::remove_file(home.0.path().join("project/crosstail.toml")).expect("removed");
    assert_eq!(theme(&["--config", &other], &[]), pair("contrast", "other.toml:1"));
    // The profile stands before the command, too.
    let output = home.run(&["--profile", "prod", "config", "show"], &[], "");
    assert!(
        output.status.success() && String::from_utf8_lossy(&output.stdout).contains("contrast"),
        "{}",
        said(&output)
    );
    let output = home.run(&["--theme", "x", "config", "show"], &[], "");
    assert_eq!(output.status.code(), Some(64));
    assert!(said(&output).contains("after its name"), "{}", said(&output));
}

#[test]
fn sources_of_a_project_and_of_a_profile_are_used() {
    let home = Home::new();
    std::fs::create_dir(home.0.path().join("project/logs")).expect("made");
    let line = |message: &str| {
        format!(
            "{{\"timestamp\":\"2026-11-20T10:00:00Z\",\"level\":\"INFO\",\"message\":\"{message}\",\"service\":\"x\"}}\n"
        )
    };
    home.write("project/logs/a.log", &line("of the project"));
    home.write("prod.log", &line("of production"));
    let prod = home.0.path().join("prod.log").display().to_string();
    home.write_project(&format!(
        "[[source]]\nname = \"app\"\nat = \"logs/*.log\"\n[[profile.prod.source]]\nname = \"prod\"\nat = \"{prod}\"\n"
    ));
    for (arguments, message) in [(&["query"][..], "of the project"), (&["query", "--profile", "prod"], "of production")]
    {
        let output = home.run(arguments, &[], "");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success() && text.contains(message) && text.lines().count() == 1,
            "{text}{}",
            said(&output)
        );
    }
}

#[test]
fn a_projects_file_does_nothing_until_it_is_trusted() {
    let home = Home::new();
    let line = "{\"timestamp\":\"2026-11-20T10:00:00Z\",\"level\":\"INFO\",\"message\":\"of the project\"}\n";
    home.write("project/app.log", line);
    let mark = home.0.path().join("ran").display().to_string();
    let file = format!(
        "theme = \"ansi\"\n[[source]]\nname = \"app\"\nat = \"app.log\"\n[[source]]\nname = \"made\"\ncommand = [\"touch\", \"{mark}\"]\n\
         [[source]]\nname = \"db\"\nat = \"postgres://me@db.example/x\"\npassword_env = \"CROSSTAIL_DB\"\n\
         [[channel]]\nname = \"ops\"\nkind = \"webhook\"\nurl = \"https://evil.example/secret-path\"\n\
         [[profile.prod.source]]\nname = \"prod\"\nat = \"kafka://broker.example/orders\"\n"
    );
    home.write("project/crosstail.toml", &file);
    let unused = |why: &str| {
        assert_eq!(home.shown("theme", &[], &[]).0, "auto");
        let output = home.run(&["query", "-s", "app", "-o", "json"], &[], "");
        let text = said(&output);
        assert!(
            text.contains("project/crosstail.toml") && text.contains(why) && text.contains("config trust"),
            "{text}"
        );
        assert!(output.stdout.is_empty() && !Path::new(&mark).exists(), "{text}");
    };
    unused("you have not trusted it");
    // What it wants is said, profiles too; no answer is no.
    let output = home.run(&["config", "trust"], &[], "\n");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    for want in [
        "read        ",
        "project/app.log",
        &format!("run         touch {mark}"),
        "connect to  postgres://me@db.example/x",
        "connect to  kafka://broker.example/orders",
        "source.db.password_env = CROSSTAIL_DB",
        "notify      https://evil.example/[REDACTED]",
        "theme = ansi",
    ] {
        assert!(text.contains(want), "{want}: {text}");
    }
    assert!(!text.contains("secret-path") && !text.contains("replace"), "{text}");
    // What it takes the place of is said.
    home.write("config/crosstail/config.toml", "[[source]]\nname = \"app\"\nat = \"/var/log/mine.log\"\n");
    let output = home.run(&["config", "trust"], &[], "\n");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("replace     your own source app"), "{text}");
    std::fs::remove_file(home.0.path().join("config/crosstail/config.toml")).expect("removed");
    unused("you have not trusted it");
    let output = home.run(&["config", "trust"], &[], "y\n");
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(home.shown("theme", &[], &[]).0, "ansi");
    let output = home.run(&["query", "-s", "app", "-o", "json"], &[], "");
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("of the project"));
    let path = home.run(&["config", "path"], &[], "");
    let path = String::from_utf8_lossy(&path.stdout).into_owned();
    assert!(path.lines().any(|line| line.contains("project/crosstail.toml") && line.ends_with("  trusted")), "{path}");
    let list = std::fs::metadata(home.0.path().join("state/crosstail/trusted.json")).expect("a list");
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&list.permissions()) & 0o777, 0o600);
    // One letter more, and it is seen again.
    home.write("project/crosstail.toml", &format!("{file}# more\n"));
    unused("it has changed since you trusted it");
    home.write("project/crosstail.toml", &file);
    assert_eq!(home.shown("theme", &[], &[]).0, "ansi");
    assert!(home.run(&["config", "trust", "--remove"], &[], "").status.success());
    unused("you have not trusted it");
    // What it may not say, nobody can trust.
    home.write("project/crosstail.toml", "[redaction]\nallow = [\".\"]\n");
    let output = home.run(&["config", "trust", "--yes"], &[], "");
    assert!(!output.status.success() && said(&output).contains("may not show secrets"), "{}", said(&output));
}

#[test]
fn a_projects_schema_is_beside_its_file_and_trusted_with_it() {
    let home = Home::new();
    home.write("project/app.log", "{\"wann\":\"2026-11-20T10:00:00Z\",\"was\":\"bezahlt\"}\n");
    let of = |field: &str| {
        format!("name = \"ours\"\nextends = \"json\"\n[fields]\nstarted_at = \"wann\"\noperation = \"{field}\"\n")
    };
    // Neither a path nor a shipped name; one beside the current folder is another.
    home.write("project/ours", &of("was"));
    home.write("project/deep/ours", &of("wann"));
    home.write_project("[[source]]\nname = \"app\"\nat = \"app.log\"\nschema = \"ours\"\n");
    let query = || home.run(&["query", "-s", "app", "-o", "json"], &[], "");
    let output = query();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && text.contains("\"operation\":\"bezahlt\""), "{text}{}", said(&output));
    home.write("project/ours", &of("wann"));
    assert!(said(&query()).contains("it has changed since you trusted it"), "{}", said(&query()));
    std::fs::remove_file(home.0.path().join("project/ours")).expect("removed");
    assert!(said(&query()).contains("it has changed since you trusted it"), "{}", said(&query()));
    // What would never end is not read, and keeps nobody from working there.
    rustix::fs::mkfifoat(rustix::fs::CWD, home.0.path().join("project/ours"), rustix::fs::Mode::RUSR).expect("a pipe");
    for arguments in [&["config", "show"][..], &["config", "path"], &["query", "-s", "app.log"]] {
        let output = home.run(arguments, &[], "");
        let text = format!("{}{}", said(&output), String::from_utf8_lossy(&output.stdout));
        assert!(text.contains("its schema ours: it is no regular file"), "{arguments:?}: {text}");
    }
    let output = home.run(&["config", "trust", "--yes"], &[], "");
    assert!(!output.status.success() && said(&output).contains("no regular file"), "{}", said(&output));
}

#[test]
fn a_file_in_a_folder_of_everybody_changes_nothing() {
    let home = Home::new();
    home.write("project/crosstail.toml", "theme = \"ansi\"\n");
    let folder = home.0.path().join("project");
    std::fs::set_permissions(&folder, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("a mode");
    let output = home.run(&["config", "show"], &[], "");
    assert!(output.status.success() && said(&output).contains("anybody may write to"), "{}", said(&output));
    assert_eq!(home.shown("theme", &[], &[]).0, "auto");
    let output = home.run(&["config", "trust", "--yes"], &[], "");
    assert!(!output.status.success() && said(&output).contains("anybody may write to"), "{}", said(&output));
}

/// A server of PostgreSQL that notes what it is sent: it asks for the password in plain text, and refuses it.
fn listening() -> (u16, std::sync::mpsc::Receiver<Vec<u8>>) {
    use std::io::Read as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let (send, received) = std::sync::mpsc::sync_channel(1000);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut bytes = [0; 4096];
            while let Ok(read) = stream.read(&mut bytes) {
                if read == 0 || send.send(bytes[..read].to_vec()).is_err() {
                    break;
                }
                let answer: &[u8] = match bytes.first() {
                    Some(b'p') => b"E\x00\x00\x00\x1aSFATAL\x00C28P01\x00Mwrong\x00\x00",
                    _ => b"R\x00\x00\x00\x08\x00\x00\x00\x03",
                };
                let _ = stream.write_all(answer);
                if bytes.first() == Some(&b'p') {
                    break;
                }
            }
        }
    });
    (port, received)
}

#[test]
fn a_projects_address_gets_no_password_of_the_environment() {
    let home = Home::new();
    let (port, received) = listening();
    let at = format!("postgres://me@127.0.0.1:{port}/x?sslmode=disable");
    let environment = [("PGPASSWORD", "hunter2-of-mine")];
    let asked = |what: &str| {
        let output = home.run(&["query", "-s", what], &environment, "");
        assert!(!output.status.success() && said(&output).contains("wrong"), "{}", said(&output));
        received.try_iter().flatten().collect::<Vec<u8>>()
    };
    let has = |sent: &[u8]| sent.windows(15).any(|part| part == b"hunter2-of-mine");
    assert!(has(&asked(&at)), "an address of one's own gets it, or this test shows nothing");
    home.write_project(&format!("[[source]]\nname = \"db\"\nat = \"{at}\"\n"));
    let sent = asked("db");
    assert!(sent.len() > 20 && !has(&sent), "{}", String::from_utf8_lossy(&sent));
}

#[test]
fn mistakes_name_the_file_the_line_and_the_nearest_right_name() {
    let home = Home::new();
    for (text, why) in [
        ("theme = \"dark\"\ntimezone = \"UTC\"\n", "config.toml:2: unknown field `timezone`"),
        ("[[source]]\nname = \"a\"\nat = \"x\"\npasword_env = \"X\"\n", "did you mean 'password_env'?"),
        ("theme = \n", "config.toml:1"),
        ("\n[[source]]\nname = \"a\"\n", "config.toml:2: the source a has neither at, an address, nor command"),
        ("[[source]]\nname = \"a\"\nat = \"x\"\ncommand = \"y\"\n", "config.toml:1: the source a has at and command"),
        ("[profile.x]\n[[profile.x.source]]\nname = \"a\"\n", "config.toml:2: the source a has neither"),
    ] {
        home.write("config/crosstail/config.toml", text);
        let output = home.run(&["query"], &[], "");
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).contains(why), "{}", said(&output));
    }
    home.write("config/crosstail/config.toml", "[profile.production]\ntheme = \"dark\"\n");
    let output = home.run(&["query", "--profile", "prodution"], &[], "");
    assert!(said(&output).contains("did you mean 'production'?"), "{}", said(&output));
    // Everything that is wrong at once, by `check`.
    home.write(
        "config/crosstail/config.toml",
        "time_zone = \"Europe/Berlim\"\n[[source]]\nname = \"a\"\nat = \"kafkaa://x\"\n[[view]]\nname = \"v\"\nfilter = \"sytem:SAP\"\n[[channel]]\nname = \"c\"\nkind = \"pigeon\"\n",
    );
    let output = home.run(&["config", "check"], &[], "");
    assert_eq!(output.status.code(), Some(1));
    for why in ["did you mean Europe/Berlin?", "did you mean kafka://?", "did you mean 'system'?", "pigeon"] {
        assert!(said(&output).contains(why), "{why}: {}", said(&output));
    }
    home.write("config/crosstail/config.toml", "theme = \"light\"\n");
    let output = home.run(&["config", "check"], &[], "");
    assert!(output.status.success() && output.stdout.starts_with(b"ok: 0 sources"), "{}", said(&output));
    let output = home.run(&["config", "path"], &[], "");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("config/crosstail/config.toml") && text.contains("project/deep/crosstail.toml"), "{text}");
}

#[test]
fn init_asks_and_writes_what_was_said_without_a_password() {
    let home = Home::new();
    home.write("project/a.log", "2026-11-20 10:00:00 INFO one\n");
    let log = home.0.path().join("project/a.log").display().to_string();
    let answers = format!("postgres://me:hunter2@db/prokure\nerp\n\nkafkaa://x\ny\n{log}\n\n\nlight\nEurope/Berlin\n");
    let output = home.run(&["config", "init"], &[], &answers);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("did you mean kafka://?"), "a wrong address is asked for again: {}", said(&output));
    let text = home.read("config/crosstail/config.toml");
    assert!(
        text.contains("name = \"erp\"\nat = \"postgres://me@db/prokure\"\npassword_env = \"ERP_PASSWORD\"\n"),
        "{text}"
    );
    assert!(
        text.contains("name = \"a.log\"")
            && text.contains("theme = \"light\"")
            && text.contains("time_zone = \"Europe/Berlin\""),
        "{text}"
    );
    assert!(!text.contains("hunter2") && text.contains("# [[channel]]"), "commented, without secrets: {text}");
    let output = home.run(&["query", "-s", "a.log", "-o", "json"], &[], "");
    assert!(output.status.success() && String::from_utf8_lossy(&output.stdout).contains("one"), "{}", said(&output));
    let again = home.run(&["config", "init", "--yes"], &[], "");
    assert_eq!(again.status.code(), Some(64));
    assert_eq!(home.read("config/crosstail/config.toml"), text, "what is there is not written over");
    // Of a project, without questions.
    let output =
        home.run(&["config", "init", "--project", "--yes", "-s", "db=postgres://me@db/x", "-s", "../a.log"], &[], "");
    assert!(output.status.success(), "{}", said(&output));
    assert!(home.read("project/deep/crosstail.toml").contains("password_env = \"CROSSTAIL_DB_PASSWORD\""));
    let shown = home.shown("source.db.at", &[], &[]).0;
    assert_eq!(shown, "postgres://me@db/x", "what one wrote oneself is trusted");
    let output = home.run(&["query", "-s", "a.log"], &[], "");
    assert!(output.status.success(), "{}", said(&output));
    assert!(Path::new(&log).exists());
}

#[test]
fn completions_and_manual_pages_are_made_for_every_command() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish"] {
        let output = home.run(&["completions", shell], &[], "");
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        assert!(text.contains("complete-words"), "the program itself says what fits: {text}");
        if shell == "bash" {
            let mut check = Command::new("bash").args(["-n"]).stdin(Stdio::piped()).spawn().expect("bash");
            check.stdin.take().expect("a pipe").write_all(text.as_bytes()).expect("written");
            assert!(check.wait().expect("ended").success());
        }
    }
    let other = String::from_utf8(home.run(&["completions", "elvish"], &[], "").stdout).expect("UTF-8");
    for word in ["generate", "doctor", "payloads", "profile"] {
        assert!(other.contains(word), "{word}");
    }
    for command in ["query", "export", "schema", "config"] {
        let output = home.run(&["man", command], &[], "");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(text.contains(".SH OPTIONS") && text.contains(command), "{text}{}", said(&output));
    }
    assert!(home.run(&["man"], &[], "").stdout.starts_with(b".ie"));
    let output = home.run(&["man", "exprt"], &[], "");
    assert!(output.status.code() == Some(64) && said(&output).contains("did you mean 'export'?"), "{}", said(&output));
}
