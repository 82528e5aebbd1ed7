//! What is on this machine that could be read: offered on the first page, never read by itself. Names of files, variables of the
//! environment and programs say it; no file is opened and nobody is asked.

use crate::kinds;
use crate::screens::Offer;
use crosstail_core::model::redact_text;
use crosstail_export::shell_quote;
use std::collections::BTreeMap;
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
/// Endings of the names of logs.
const LOGS: &[&str] = &["log", "ndjson", "jsonl"];
/// Endings of the names of SQLite's databases.
const DATABASES: &[&str] = &["sqlite", "sqlite3", "db"];
/// Files that Compose takes, in its order.
const COMPOSE: &[&str] = &["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];
/// Names in a folder that are looked at, at most.
const MOST_NAMES: usize = 5000;
/// Offers, at most: one page.
const MOST: usize = 9;

/// What is where crosstail was started.
pub(super) fn here() -> Vec<Offer> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    std::env::current_dir().map(|folder| offers(&folder, &variable)).unwrap_or_default()
}

/// What is in a folder and an environment.
fn offers(folder: &Path, variable: &dyn Fn(&str) -> Option<String>) -> Vec<Offer> {
    let offer = |address: &str, what: String| Offer {
        address: address.to_owned(),
        named: format!(
            "crosstail {}",
            if address.contains(['*', ' ']) { shell_quote(address) } else { address.to_owned() }
        ),
        what,
    };
    let mut found = Vec::new();
    for below in ["", "logs", "log"] {
        let names = names(&folder.join(below));
        let place = if below.is_empty() { "here".to_owned() } else { format!("in {below}/") };
        let path = |name: &str| Path::new(below).join(name).display().to_string();
        for (ending, count) in endings(&names, LOGS) {
            let what = if count == 1 { "1 log file" } else { &format!("{count} log files") };
            found.push(offer(&path(&format!("*.{ending}")), format!("{what} {place}")));
        }
        let is_database = |name: &&String| DATABASES.iter().any(|ending| ends_with(name, ending));
        for name in names.iter().filter(is_database).take(2) {
            found.push(offer(&path(name), "a SQLite database".to_owned()));
        }
    }
    for name in VARIABLES {
        if let Some(address) = variable(name).filter(|address| address.contains("://")) {
            let what = redact_text(&address).into_owned();
            found.push(Offer { address, named: format!("crosstail \"${name}\""), what });
        }
    }
    let has = |program: &str| is_program(program, variable("PATH").as_deref());
    let containers = if has("docker") { Some("docker") } else { has("podman").then_some("podman") };
    if let Some(file) = COMPOSE.iter().find(|file| folder.join(file).is_file()).filter(|_| has("docker")) {
        found.push(offer("compose:.", format!("the services of {file}")));
    }
    if let Some(program) = containers {
        found.push(offer(&format!("{program}:"), format!("all running containers of {program}")));
    }
    let configured =
        variable("KUBECONFIG").map(PathBuf::from).or_else(|| Some(Path::new(&variable("HOME")?).join(".kube/config")));
    if has("kubectl") && configured.is_some_and(|file| file.is_file()) {
        found.push(offer("k8s:default", "the pods of the namespace default".to_owned()));
    }
    if has("journalctl") && Path::new("/run/systemd/system").is_dir() {
        found.push(offer("journald:", "the journal of this machine".to_owned()));
    }
    found.retain(|offer| kinds::ALL.of(&offer.address).is_some());
    found.truncate(MOST);
    found
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

/// How many names have each ending that occurs.
fn endings<'e>(names: &[String], endings: &[&'e str]) -> BTreeMap<&'e str, usize> {
    let counted = endings.iter().map(|ending| (*ending, names.iter().filter(|name| ends_with(name, ending)).count()));
    counted.filter(|(_, count)| *count > 0).collect()
}

fn is_program(name: &str, path: Option<&str>) -> bool {
    path.is_some_and(|path| std::env::split_paths(path).any(|folder| folder.join(name).is_file()))
}

#[cfg(all(test, feature = "file", feature = "sqlite", feature = "postgres", feature = "command"))]
mod tests {
    use super::*;

    #[test]
    fn what_is_here_is_offered_and_no_secret_shown() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, "x").expect("written");
        };
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
            write(name);
        }
        let bin = folder.path().join("bin").display().to_string();
        let variable = |name: &str| match name {
            "DATABASE_URL" => Some("postgres://shop:hunter2@db.example/orders".to_owned()),
            "MONGO_URL" => Some("not an address".to_owned()),
            "PATH" => Some(bin.clone()),
            _ => None,
        };
        let found = offers(folder.path(), &variable);
        let shown: Vec<(&str, &str)> = found.iter().map(|offer| (offer.named.as_str(), offer.what.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("crosstail '*.log'", "2 log files here"),
                ("crosstail shop.sqlite", "a SQLite database"),
                ("crosstail 'logs/*.ndjson'", "1 log file in logs/"),
                ("crosstail \"$DATABASE_URL\"", "postgres://shop:[REDACTED]@db.example/orders"),
                ("crosstail compose:.", "the services of compose.yml"),
                ("crosstail docker:", "all running containers of docker"),
            ]
        );
        assert_eq!(found[3].address, "postgres://shop:hunter2@db.example/orders");
        assert_eq!(offers(&folder.path().join("nothing"), &|_| None), []);
    }
}
