//! Each source as a person types it, seen live in the explorer, and gone with it however it ends.

use super::{Host, World, wait_until_nothing_is_left};
use crate::pty::Terminal;
use crate::support::wait_for;
use portable_pty::CommandBuilder;
use rustix::process::Signal;
use serde_json::json;

const PROGRAMS: [(&str, &str); 4] =
    [("journalctl", "journalctl"), ("docker", "docker"), ("podman", "docker"), ("kubectl", "kubectl")];

/// The explorer of some sources.
fn explorer(world: &World, arguments: &[&str]) -> Terminal {
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
    command.args(arguments);
    command.cwd(world.path(""));
    let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let environment = [
        ("PATH", path.into()),
        ("FAKE", world.path("fake")),
        ("XDG_CONFIG_HOME", world.path("config")),
        ("XDG_CACHE_HOME", world.path("cache")),
    ];
    Terminal::run_as_it_is(command, &environment, 120, 24)
}

/// A world in which each program has something to say.
fn world() -> World {
    let world = World::new(&PROGRAMS);
    let here = world.path("").canonicalize().expect("there").display().to_string();
    let label = format!("com.docker.compose.project.working_dir={here}");
    let one = json!({ "name": "api", "state": "running", "status": "Up 2 hours", "labels": [label] });
    world.write("fake/containers/0a1b2c3d4e5f", &one.to_string());
    world.pod_in("shop", "web-1", "web", 0, "running");
    world.append("fake/journal", "");
    world.append("fake/logs/0a1b2c3d4e5f", "O 2026-11-20T10:00:00.000000001Z INFO of the container\n");
    world.said_in("shop", "web-1", 0, 1, "INFO of the pod");
    world.append("fake/journal", &entry(1, "of the journal"));
    world
}

fn entry(n: u64, message: &str) -> String {
    let at = 1_795_000_000_000_000 + n * 1_000_000;
    let entry = json!({
        "__CURSOR": format!("s=1f;i={n:x}"), "__REALTIME_TIMESTAMP": at.to_string(), "PRIORITY": "6",
        "_SYSTEMD_UNIT": "nginx.service", "MESSAGE": message,
    });
    format!("{entry}\n")
}

/// Writes a line by which a source is seen live.
fn say(world: &World, source: &str, n: u64, text: &str) {
    match source.split(':').next().unwrap_or_default() {
        "journald" => world.append("fake/journal", &entry(n, text)),
        "k8s" => world.said_in("shop", "web-1", 0, n, &format!("INFO {text}")),
        _ => world.append("fake/logs/0a1b2c3d4e5f", &format!("O 2026-11-20T10:00:{n:02}.{n:09}Z INFO {text}\n")),
    }
}

#[test]
fn what_a_person_types_is_seen_live_and_leaves_nothing() {
    for (sources, ending) in [
        (&["docker:", "journald:nginx.service"][..], None),
        (&["journald:"], Some(Signal::HUP)),
        (&["docker:api"], Some(Signal::KILL)),
        (&["podman:api"], None),
        (&["podman:"], Some(Signal::KILL)),
        (&["compose:."], Some(Signal::HUP)),
        (&["k8s:prod/shop/app=web"], None),
        (&["k8s:shop"], Some(Signal::KILL)),
        (&["k8s:shop/app=web"], Some(Signal::HUP)),
    ] {
        let world = world();
        let mut terminal = explorer(&world, sources);
        for source in sources {
            terminal.wait_for(match source.split(':').next() {
                Some("journald") => "of the journal",
                Some("k8s") => "of the pod",
                _ => "of the container",
            });
        }
        wait_for("following", || world.read("fake/calls").matches("--follow").count() >= sources.len());
        for (index, source) in sources.iter().enumerate() {
            let text = format!("live from source {index}");
            say(&world, source, 2, &text);
            terminal.wait_for(&text);
        }
        match ending {
            None => terminal.keys("q"),
            Some(signal) => terminal.signal(signal),
        }
        wait_until_nothing_is_left(&world, &world.path("bin").display().to_string());
    }
}

#[test]
fn a_command_and_one_of_the_configuration_are_seen_live() {
    let world = World::new(&[]);
    world.write(
        "config/crosstail/config.toml",
        "[[source]]\nname = \"ledger\"\ncommand = \"tail -n +1 -f app.log # of the configuration\"\n",
    );
    for arguments in [&["--run", "tail -n +1 -f app.log # typed"][..], &["cmd:ledger"]] {
        world.write("app.log", "2026-11-20T10:00:00Z INFO begun\n");
        let mut terminal = explorer(&world, arguments);
        terminal.wait_for("begun");
        world.append("app.log", "2026-11-20T10:00:01Z INFO live from a command\n");
        terminal.wait_for("live from a command");
        terminal.keys("q");
        wait_until_nothing_is_left(&world, &format!("tail -n +1 -f {}", "app.log"));
    }
}

#[test]
fn files_of_two_hosts_are_seen_live_and_leave_nothing() {
    let Some(host) = Host::start() else { return };
    host.named(&[("web1", host.port), ("web2", host.port)]);
    let world = &host.world;
    world.append("log/a/app.log", "2026-11-20T10:00:00Z INFO of the first\n");
    world.append("log/b/app.log", "2026-11-20T10:00:00Z INFO of the second\n");
    let log = world.path("log").display().to_string();
    let (one, two) = (format!("ssh:web1:{log}/a/*.log"), format!("ssh:web2:{log}/b/"));
    let terminal = explorer(world, &[&one, &two]);
    terminal.wait_for("of the first");
    terminal.wait_for("of the second");
    world.append("log/a/app.log", "2026-11-20T10:00:01Z INFO live from the first\n");
    world.append("log/b/app.log", "2026-11-20T10:00:01Z INFO live from the second\n");
    terminal.wait_for("live from the first");
    terminal.wait_for("live from the second");
    terminal.signal(Signal::KILL);
    wait_until_nothing_is_left(world, &world.path("ssh_config").display().to_string());
}
