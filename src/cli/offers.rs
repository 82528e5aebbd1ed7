//! What is on this machine that could be read: offered on the first page, never read by itself. Names of files, variables of the
//! environment, programs and sockets say it; no file is opened but `.env`, of which the names of the variables are taken, and
//! nobody is asked.

use crate::effect::Instead;
use crate::kinds;
use crate::screens::Offer;
use anyhow::{Context as _, Result};
use crosstail_core::model::redact_text;
use crosstail_export::shell_quote;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::{Path, PathBuf};

/// Variables in which people keep the address of a store, as widely used frameworks and images name them.
const VARIABLES: &[&str] = &[
    "DATABASE_URL",
    "POSTGRES_URL",
    "MYSQL_URL",
    "MONGODB_URL",
    "MONGODB_URI",
    "MONGO_URL",
    "ELASTICSEARCH_URL",
    "KAFKA_URL",
];
/// The variables in which the clients of PostgreSQL and MySQL keep the parts of an address: scheme, then the names of host, port,
/// user, password and database.
const PARTS: [(&str, [&str; 5]); 2] = [
    ("postgres", ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"]),
    ("mysql", ["MYSQL_HOST", "MYSQL_TCP_PORT", "MYSQL_USER", "MYSQL_PASSWORD", "MYSQL_DATABASE"]),
];
/// The file of variables that frameworks and Compose read.
const ENV_FILE: &str = ".env";
/// A longer file of variables is none.
const MOST_BYTES: u64 = 256 * 1024;
/// Whether a name is one of a log.
type IsLog = fn(&str) -> bool;
/// How files of logs are named, as they are written, rotated and packed: a pattern, and whether a name is of it.
const LOGS: [(&str, IsLog); 6] = [
    ("*.log", |name| ends_with(name, "log")),
    ("*.log.*", |name| !name.starts_with('.') && name.contains(".log.")),
    ("*.ndjson", |name| ends_with(name, "ndjson")),
    ("*.jsonl", |name| ends_with(name, "jsonl")),
    ("*.ndjson.gz", |name| name.ends_with(".ndjson.gz")),
    ("*.jsonl.gz", |name| name.ends_with(".jsonl.gz")),
];
/// Logs that have names of their own.
const NAMED_LOGS: [&str; 10] = [
    "syslog",
    "messages",
    "secure",
    "maillog",
    "catalina.out",
    "nohup.out",
    "access_log",
    "error_log",
    "stdout",
    "stderr",
];
/// Folders below the present one in which logs are looked for.
const FOLDERS: [&str; 4] = ["", "logs", "log", "var/log"];
/// Endings of the names of SQLite's databases.
const DATABASES: &[&str] = &["sqlite", "sqlite3", "db"];
/// Files that Compose takes, in its order.
const COMPOSE: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// Names in a folder that are looked at, at most.
const MOST_NAMES: usize = 5000;
/// Offers, at most: one page.
const MOST: usize = 9;

/// Where it is looked: the folder in which crosstail was started, the root of the machine, and the environment.
struct Here<'a> {
    folder: &'a Path,
    root: &'a Path,
    variable: &'a dyn Fn(&str) -> Option<String>,
}

/// What is where crosstail was started, and the demonstration.
pub(super) fn here() -> Vec<Offer> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = std::env::current_dir();
    let found = folder.map(|folder| offers(&Here { folder: &folder, root: Path::new("/"), variable: &variable }));
    let demo = Offer {
        opens: Instead::Demo,
        named: "crosstail demo".to_owned(),
        what: "live simulated traffic, nothing needed".to_owned(),
    };
    found.unwrap_or_default().into_iter().chain([demo]).collect()
}

fn offer(address: &str, what: String) -> Offer {
    let word = if address.contains(['*', ' ']) { shell_quote(address) } else { address.to_owned() };
    Offer { opens: Instead::Source(address.to_owned()), named: format!("crosstail {word}"), what }
}

/// What is on this machine, the nearest first.
fn offers(here: &Here<'_>) -> Vec<Offer> {
    let mut found: Vec<Offer> = FOLDERS.iter().flat_map(|below| files(here.folder, below)).collect();
    found.extend(stores(here));
    found.extend(containers(here));
    let logs = here.root.join("var/log");
    if here.folder != logs && here.folder != here.root {
        found.extend(logs_in(&names(&logs), &logs, "of this machine"));
    }
    found.retain(|offer| !matches!(&offer.opens, Instead::Source(address) if kinds::ALL.of(address).is_none()));
    found.truncate(MOST);
    found
}

/// Logs and databases in a folder.
fn files(folder: &Path, below: &str) -> Vec<Offer> {
    let names = names(&folder.join(below));
    let place = if below.is_empty() { "here".to_owned() } else { format!("in {below}/") };
    let mut found = logs_in(&names, Path::new(below), &place);
    let is_database = |name: &&String| DATABASES.iter().any(|ending| ends_with(name, ending));
    for name in names.iter().filter(is_database).take(2) {
        found.push(offer(&Path::new(below).join(name).display().to_string(), "a SQLite database".to_owned()));
    }
    found
}

/// Logs among the names of a folder.
fn logs_in(names: &[String], folder: &Path, place: &str) -> Vec<Offer> {
    let path = |name: &str| folder.join(name).display().to_string();
    let mut found = Vec::new();
    for (pattern, is_of) in LOGS {
        let what = match names.iter().filter(|name| is_of(name)).count() {
            0 => continue,
            1 => format!("1 log file {place}"),
            count => format!("{count} log files {place}"),
        };
        found.push(offer(&path(pattern), what));
    }
    let named = names.iter().filter(|name| NAMED_LOGS.contains(&name.as_str()));
    found.extend(named.map(|name| offer(&path(name), format!("a log {place}"))));
    found
}

/// Stores whose addresses the environment or a file of variables has. No value is shown but without its secrets; of a file, not
/// even that: its values are read once one is opened.
fn stores(here: &Here<'_>) -> Vec<Offer> {
    let mut found = Vec::new();
    for name in VARIABLES {
        if let Some(address) = (here.variable)(name).filter(|address| address.contains("://")) {
            let what = redact_text(&address).into_owned();
            found.push(Offer { opens: Instead::Source(address), named: format!("crosstail \"${name}\""), what });
        }
    }
    for (scheme, [host, port, user, password, database]) in PARTS {
        // A folder of sockets is no host.
        let Some(at) = (here.variable)(host).filter(|at| !at.starts_with(['/', '@'])) else { continue };
        let encoded = |name: &str| Some(utf8_percent_encode(&(here.variable)(name)?, NON_ALPHANUMERIC).to_string());
        let secret = encoded(password).map(|secret| format!(":{secret}")).unwrap_or_default();
        let user = encoded(user).map(|user| format!("{user}{secret}@")).unwrap_or_default();
        let port = (here.variable)(port).map(|port| format!(":{port}")).unwrap_or_default();
        let name = encoded(database).map(|name| format!("/{name}")).unwrap_or_default();
        let address = format!("{scheme}://{user}{at}{port}{name}");
        let what = redact_text(&address).into_owned();
        found.push(Offer { opens: Instead::Source(address), named: format!("crosstail {scheme}://${host}"), what });
    }
    let file = here.folder.join(ENV_FILE);
    let known = variables(&file);
    for name in VARIABLES.iter().filter(|name| known.iter().any(|(known, _)| known == *name)) {
        let opens = Instead::Variable(file.clone(), (*name).to_owned());
        let what = format!("the store whose address is in {ENV_FILE}");
        found.push(Offer { opens, named: format!("{name} of {ENV_FILE}"), what });
    }
    found
}

/// The variables of a file, with their values; none where it cannot be read.
fn variables(file: &Path) -> Vec<(String, String)> {
    if !file.metadata().is_ok_and(|about| about.is_file() && about.len() <= MOST_BYTES) {
        return Vec::new();
    }
    // Lines that are none are left out, as the programs that read such files do not agree on them.
    dotenvy::from_path_iter(file).map(|lines| lines.flatten().collect()).unwrap_or_default()
}

/// The address that a file of variables gives to one of them.
pub(super) fn value_of(file: &Path, name: &str) -> Result<String> {
    let value = variables(file).into_iter().find(|(known, _)| known == name).map(|(_, value)| value);
    let value = value.filter(|value| value.contains("://"));
    value.with_context(|| format!("{name} in {} is no address with a scheme, such as postgres://", file.display()))
}

/// What keeps the output of programs on this machine.
fn containers(here: &Here<'_>) -> Vec<Offer> {
    let mut found = Vec::new();
    let has = |program: &str| is_program(program, (here.variable)("PATH").as_deref());
    let has_docker = has("docker") && docker_listens(here);
    // Podman has no daemon that it needs.
    let program = if has_docker { Some("docker") } else { has("podman").then_some("podman") };
    if let Some(file) = COMPOSE.iter().find(|file| here.folder.join(file).is_file()).filter(|_| has_docker) {
        found.push(offer("compose:.", format!("the services of {file}")));
    }
    if let Some(program) = program {
        found.push(offer(&format!("{program}:"), format!("all running containers of {program}")));
    }
    let home = (here.variable)("HOME").map(|home| Path::new(&home).join(".kube/config"));
    let configured = (here.variable)("KUBECONFIG").map(PathBuf::from).or(home);
    if has("kubectl") && configured.is_some_and(|file| file.is_file()) {
        found.push(offer("k8s:default", "the pods of the namespace default".to_owned()));
    }
    if has("journalctl") && here.root.join("run/systemd/system").is_dir() {
        found.push(offer("journald:", "the journal of this machine".to_owned()));
    }
    found
}

/// Whether Docker's daemon listens, as far as its socket says it; one on another machine is not asked.
fn docker_listens(here: &Here<'_>) -> bool {
    if let Some(host) = (here.variable)("DOCKER_HOST") {
        return host.strip_prefix("unix://").is_none_or(|socket| Path::new(socket).exists());
    }
    let home = (here.variable)("HOME");
    let of_user = home
        .iter()
        .flat_map(|home| [".docker/run/docker.sock", ".docker/desktop/docker.sock"].map(|at| Path::new(home).join(at)));
    let rootless = (here.variable)("XDG_RUNTIME_DIR").map(|folder| Path::new(&folder).join("docker.sock"));
    let sockets = ["run/docker.sock", "var/run/docker.sock"].map(|socket| here.root.join(socket));
    sockets.into_iter().chain(of_user).chain(rootless).any(|socket| socket.exists())
}

/// The names of the files of a folder, in order.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_NAMES);
    let files = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()));
    let mut names: Vec<String> = files.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}

fn ends_with(name: &str, ending: &str) -> bool {
    Path::new(name).extension().is_some_and(|own| own == ending) && !name.starts_with('.')
}

fn is_program(name: &str, path: Option<&str>) -> bool {
    path.is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join(name).is_file()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, name: &str, text: &str) {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    fn shown(found: &[Offer]) -> Vec<(&str, &str)> {
        found.iter().map(|offer| (offer.named.as_str(), offer.what.as_str())).collect()
    }

    #[test]
    fn what_is_here_is_offered_and_no_secret_shown() {
        let (folder, root) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let here = folder.path();
        for name in [
            "a.log",
            "b.log",
            "c.log.gz",
            "notes.txt",
            ".x.log",
            "shop.sqlite",
            "logs/app.ndjson",
            "bin/docker",
            "compose.yml",
        ] {
            write(here, name, "x");
        }
        write(root.path(), "run/docker.sock", "");
        let bin = here.join("bin").display().to_string();
        let variable = |name: &str| match name {
            "DATABASE_URL" => Some("postgres://shop:hunter2@db.example/orders".to_owned()),
            "MONGO_URL" => Some("not an address".to_owned()),
            "PATH" => Some(bin.clone()),
            _ => None,
        };
        let found = offers(&Here { folder: here, root: root.path(), variable: &variable });
        assert_eq!(
            shown(&found),
            [
                ("crosstail '*.log'", "2 log files here"),
                ("crosstail '*.log.*'", "1 log file here"),
                ("crosstail shop.sqlite", "a SQLite database"),
                ("crosstail 'logs/*.ndjson'", "1 log file in logs/"),
                ("crosstail \"$DATABASE_URL\"", "postgres://shop:[REDACTED]@db.example/orders"),
                ("crosstail compose:.", "the services of compose.yml"),
                ("crosstail docker:", "all running containers of docker"),
            ]
        );
        assert_eq!(found[4].opens, Instead::Source("postgres://shop:hunter2@db.example/orders".to_owned()));
        // Without its socket, the daemon does not run.
        std::fs::remove_file(root.path().join("run/docker.sock")).expect("removed");
        let found = offers(&Here { folder: here, root: root.path(), variable: &variable });
        assert!(
            !found.iter().any(|offer| offer.named.contains("docker") || offer.named.contains("compose")),
            "{found:?}"
        );
        assert_eq!(offers(&Here { folder: &here.join("nothing"), root: here, variable: &|_| None }), []);
    }

    #[test]
    fn logs_have_many_names() {
        let (folder, root) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let here = folder.path();
        for name in ["access.log.1", "logs/catalina.out", "var/log/messages", "data.tar.gz", "old.jsonl.gz", "README"] {
            write(here, name, "x");
        }
        write(root.path(), "var/log/syslog", "x");
        write(root.path(), "var/log/auth.log", "x");
        let found = offers(&Here { folder: here, root: root.path(), variable: &|_| None });
        let logs = root.path().join("var/log").display().to_string();
        let (any, syslog) = (format!("crosstail '{logs}/*.log'"), format!("crosstail {logs}/syslog"));
        assert_eq!(
            shown(&found),
            [
                ("crosstail '*.log.*'", "1 log file here"),
                ("crosstail '*.jsonl.gz'", "1 log file here"),
                ("crosstail logs/catalina.out", "a log in logs/"),
                ("crosstail var/log/messages", "a log in var/log/"),
                (&*any, "1 log file of this machine"),
                (&*syslog, "a log of this machine"),
            ]
        );
    }

    #[test]
    fn a_store_is_named_by_its_variables() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(".env");
        let text =
            "# the shop\nexport DATABASE_URL=\"postgres://shop:hunter2@db/orders\"\nMONGO_URL=none\nnonsense\nX=1\n";
        write(folder.path(), ".env", text);
        let variable = |name: &str| {
            let value = match name {
                "PGHOST" => "db.example",
                "PGUSER" => "shop",
                "PGPASSWORD" => "hunter2/@",
                "PGDATABASE" => "orders",
                "MYSQL_HOST" => "/run/mysqld",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let found = offers(&Here { folder: folder.path(), root: folder.path(), variable: &variable });
        assert_eq!(
            shown(&found),
            [
                ("crosstail postgres://$PGHOST", "postgres://shop:[REDACTED]@db.example/orders"),
                ("DATABASE_URL of .env", "the store whose address is in .env"),
                ("MONGO_URL of .env", "the store whose address is in .env"),
            ]
        );
        assert_eq!(found[0].opens, Instead::Source("postgres://shop:hunter2%2F%40@db.example/orders".to_owned()));
        assert!(!format!("{:?}", &found[1..]).contains("hunter2"), "a value of the file is not kept: {found:?}");
        assert_eq!(value_of(&file, "DATABASE_URL").expect("an address"), "postgres://shop:hunter2@db/orders");
        let why = value_of(&file, "MONGO_URL").expect_err("no address").to_string();
        assert!(why.contains("MONGO_URL in") && !why.contains("none"), "{why}");
    }

    #[test]
    fn the_demonstration_is_always_offered() {
        assert_eq!(here().last().map(|offer| offer.opens.clone()), Some(Instead::Demo));
    }
}
