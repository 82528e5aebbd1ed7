//! The rules of the structure, read off the sources.

use std::path::{Path, PathBuf};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&root, &mut found);
    assert!(found.len() > 60, "the sources are read");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below").to_string_lossy().into_owned();
            (name, std::fs::read_to_string(&path).expect("text"))
        })
        .collect()
}

/// The part of a file before its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

#[test]
fn dependencies_point_one_way() {
    let allowed: &[(&str, &[&str])] = &[
        ("model", &[]),
        ("filter", &["model"]),
        ("schema", &["model", "filter"]),
        ("source", &["model", "filter", "schema"]),
        ("record", &["model", "filter", "schema"]),
        ("store", &["model", "filter", "schema"]),
        ("insight", &["model", "filter", "schema"]),
        ("export", &["model", "filter", "schema", "source", "insight"]),
        ("config", &["model", "filter", "schema", "source", "insight"]),
        ("app", &["model", "filter", "schema", "source", "record", "store", "insight", "export", "config"]),
        ("watch", &["model", "filter", "schema", "source", "store", "insight", "export", "config", "app"]),
        ("tui", &["model", "filter", "schema", "source", "store", "insight", "export", "config", "app"]),
    ];
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        let module = name.split('/').next().unwrap_or_default().trim_end_matches(".rs").to_owned();
        let Some((_, uses)) = allowed.iter().find(|(known, _)| *known == module) else { continue };
        for (_, rest) in code(&text).match_indices("crate::").map(|(at, _)| (at, &code(&text)[at + 7..])) {
            let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let is_module = allowed.iter().any(|(known, _)| *known == used) || used == "cli";
            if is_module && used != module && !uses.contains(&used.as_str()) {
                wrong.push(format!("{name} uses {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn drivers_and_terminals_stay_in_their_places() {
    let mut wrong = Vec::new();
    for (name, text) in sources() {
        for (library, places) in [
            ("sqlx", &["source/sqlite/", "source/postgres/", "record/"][..]),
            ("use mongodb::", &["source/mongodb/", "record/"]),
            ("bson", &["source/mongodb/", "record/"]),
            ("use elasticsearch::", &["source/elasticsearch/", "record/"]),
            ("rdkafka", &["source/kafka/", "record/"]),
            ("reqwest", &["source/prometheus/", "watch/"]),
            ("lettre", &["watch/"]),
            ("axum", &["watch/"]),
            ("notify::", &["source/file/"]),
            ("ratatui", &["tui/"]),
            ("crossterm", &["tui/"]),
            ("tui_textarea", &["tui/"]),
        ] {
            let used = code(&text).lines().any(|line| !line.trim_start().starts_with("//") && line.contains(library));
            if used && !places.iter().any(|place| name.starts_with(place)) {
                wrong.push(format!("{name} uses {library}"));
            }
        }
        // No kind uses another kind, no panel another panel (but for the words of the list).
        let kinds = ["sqlite", "file", "postgres", "mongodb", "elasticsearch", "kafka", "prometheus"];
        for own in kinds.iter().filter(|kind| name.starts_with(&format!("source/{kind}/"))) {
            for other in kinds.iter().filter(|kind| *kind != own) {
                if code(&text).contains(&format!("super::{other}::")) {
                    wrong.push(format!("{name} uses another kind"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn update_never_waits() {
    for (name, text) in sources() {
        if name.starts_with("app/") && !name.starts_with("app/runtime/") {
            assert!(!code(&text).contains(".await") && !code(&text).contains("async "), "{name}");
        }
    }
}

#[test]
fn files_fit_in_the_head() {
    let long: Vec<String> = sources()
        .into_iter()
        .map(|(name, text)| (name, code(&text).lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .map(|(name, lines)| format!("{name}: {lines}"))
        .collect();
    assert!(long.is_empty(), "over 500 lines without their tests: {long:#?}");
}

#[test]
fn no_test_file_is_forgotten() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/all");
    let main = std::fs::read_to_string(root.join("main.rs")).expect("text");
    for entry in std::fs::read_dir(&root).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        assert!(
            name == "main" || name == "snapshots" || main.contains(&format!("mod {name};")),
            "{name} is not in main.rs"
        );
    }
}
