//! The rules of the structure that Cargo cannot hold, read off the sources. What depends on what between crates is in
//! their manifests.

use crate::support::files_below;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The sources below a folder.
fn files(folder: &Path) -> impl Iterator<Item = PathBuf> {
    files_below(folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
}

/// The sources below some folders, without their tests: path from the root, text.
fn sources(folders: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for folder in folders {
        found.extend(files(&root().join(folder)));
    }
    assert!(found.len() > 60, "the sources are read");
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).expect("below").to_string_lossy().into_owned();
            let text = std::fs::read_to_string(&path).expect("text");
            (name, code(&text).to_owned())
        })
        .collect()
}

/// The part of a file before its tests, which stand at its end.
fn code(text: &str) -> &str {
    let is_test = |line: &str| line.starts_with("#[cfg(") && line.contains("test");
    let mut at = 0;
    let mut lines = text.split_inclusive('\n').peekable();
    while let Some(line) = lines.next() {
        if is_test(line) && lines.peek().is_some_and(|next| next.starts_with("mod ") && next.contains('{')) {
            return &text[..at];
        }
        at += line.len();
    }
    text
}

fn lines_with<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter(move |line| !line.trim_start().starts_with("//") && line.contains(word))
}

#[test]
fn the_modules_of_the_program_depend_one_way() {
    // A module of the program uses itself, the crates, and these.
    let allowed: &[(&str, &[&str])] = &[
        ("kinds", &[]),
        ("action", &[]),
        ("explain", &[]),
        // A view that is to be saved is an entry of the configuration.
        ("effect", &["config"]),
        ("ingest", &[]),
        ("config", &["kinds"]),
        ("runtime", &["effect", "config"]),
        ("watch", &["config", "ingest", "runtime"]),
        ("screens", &["action", "config", "effect", "explain", "ingest", "runtime", "tui"]),
        ("tui", &["action", "config", "effect"]),
        ("cli", &["kinds", "action", "config", "effect", "explain", "runtime", "screens", "watch", "tui"]),
    ];
    let mut wrong = Vec::new();
    for (name, text) in sources(&["src"]) {
        let module = name.split('/').nth(1).unwrap_or_default().trim_end_matches(".rs");
        let Some((_, uses)) = allowed.iter().find(|(known, _)| *known == module) else { continue };
        for line in lines_with(&text, "crate::") {
            for rest in line.split("crate::").skip(1) {
                let used: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                let is_module = allowed.iter().any(|(known, _)| *known == used);
                if is_module && used != module && !uses.contains(&used.as_str()) {
                    wrong.push(format!("{name}: {}", line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_terminal_is_in_the_tui_and_pictures_are_in_views() {
    let mut wrong = Vec::new();
    for (name, text) in sources(&["src"]).into_iter().filter(|(name, _)| !name.starts_with("src/tui/")) {
        let is_view = name.starts_with("src/screens/") && (name.ends_with("/view.rs") || name.contains("/view/"));
        for library in ["ratatui", "crossterm", "tui_textarea"] {
            let allowed = is_view && library == "ratatui";
            if !allowed && lines_with(&text, library).next().is_some() {
                wrong.push(format!("{name} uses {library}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The names that follow a path, alone or in braces: `a`, `b` and `c` of `path::a::X` and `path::{b, c::Y}`.
fn names_after(text: &str, path: &str) -> Vec<String> {
    let name = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let rests = text.split(path).skip(1);
    rests
        .flat_map(|rest| match rest.strip_prefix('{').and_then(|rest| rest.split('}').next()) {
            Some(several) => several.split(',').map(name).collect(),
            None => vec![name(rest)],
        })
        .collect()
}

#[test]
fn only_the_stack_knows_which_screen_is_shown() {
    let folders = std::fs::read_dir(root().join("src/screens")).expect("a folder").flatten();
    let screens: Vec<String> = folders
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        // What several screens know, and what several draw.
        .filter(|name| !["shared", "distinctions"].contains(&name.as_str()))
        .collect();
    assert!(screens.len() >= 10, "{screens:?}");
    assert_eq!(names_after("use super::a::X; use super::{b, c::Y};", "super::"), ["a", "b", "c"]);
    // The stack makes them, offers them what happens and draws them.
    let stack = ["mod.rs", "stack.rs", "global.rs", "view.rs"].map(|file| format!("src/screens/{file}"));
    let mut wrong = Vec::new();
    for (name, text) in sources(&["src"]).into_iter().filter(|(name, _)| !stack.contains(name)) {
        let mut named = names_after(&text, "screens::");
        // `super` is the folder of the screens for its files and for the `mod.rs` of each screen.
        let depth = name.matches('/').count();
        if name.starts_with("src/screens/") && (depth == 2 || (depth == 3 && name.ends_with("/mod.rs"))) {
            named.extend(names_after(&text, "super::"));
        }
        let own = name.split('/').nth(2).unwrap_or_default();
        let others = named.iter().filter(|used| screens.contains(used) && *used != own);
        wrong.extend(others.map(|used| format!("{name} names {used}")));
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_the_list_of_kinds_has_a_condition_a_kind() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("text");
    let kinds: Vec<&str> = std::fs::read_dir(root().join("crates/kinds"))
        .expect("a folder")
        .flatten()
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| &*entry.file_name().to_string_lossy().into_owned().leak())
        .collect();
    assert!(kinds.len() >= 7, "{kinds:?}");
    let list = std::fs::read_to_string(root().join("src/kinds.rs")).expect("text");
    for kind in &kinds {
        assert!(list.contains(&format!("crosstail_{kind}::KIND")), "{kind} is not in src/kinds.rs");
        assert!(manifest.contains(&format!("{kind} = [\"dep:crosstail-{kind}\"")), "{kind} has no feature");
    }
    // The recorder has a feature a driver; everything else knows kinds by the list alone.
    let places = ["src", "crates/core", "crates/source", "crates/engine", "crates/export", "crates/kinds"];
    for (name, text) in sources(&places) {
        for kind in &kinds {
            let condition = format!("feature = \"{kind}\"");
            assert!(name == "src/kinds.rs" || !text.contains(&condition), "{name}: {condition}");
            let named = format!("crosstail_{kind}::");
            let own = name.starts_with(&format!("crates/kinds/{kind}/"));
            assert!(own || name == "src/kinds.rs" || !text.contains(&named), "{name}: {named}");
        }
    }
}

#[test]
fn a_recorder_of_one_store_has_no_screen_and_no_other_store() {
    let tree = Command::new(env!("CARGO"))
        .args([
            "tree",
            "--offline",
            "-p",
            "crosstail-record",
            "--features",
            "postgres",
            "-e",
            "normal",
            "--prefix",
            "none",
        ])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(tree.status.success(), "{}", String::from_utf8_lossy(&tree.stderr));
    let tree = String::from_utf8(tree.stdout).expect("text");
    let mut crates: Vec<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.contains(&"sqlx-postgres"), "{crates:?}");
    let unwanted =
        ["ratatui", "crossterm", "clap", "jaq-core", "libsqlite3-sys", "mongodb", "rdkafka", "notify", "parquet"];
    for unwanted in unwanted {
        assert!(
            !crates.contains(&unwanted),
            "{unwanted}: see cargo tree -p crosstail-record --features postgres -i {unwanted}"
        );
    }
}

#[test]
fn screens_never_wait() {
    for (name, text) in sources(&["src"]) {
        // The loop waits, for what the screens then take.
        if name.starts_with("src/screens/") && name != "src/screens/run.rs" {
            assert!(!text.contains(".await") && !text.contains("async "), "{name}");
        }
    }
}

#[test]
fn files_fit_in_the_head() {
    let long: Vec<String> = sources(&["src", "crates"])
        .into_iter()
        .map(|(name, text)| (name, text.lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .map(|(name, lines)| format!("{name}: {lines}"))
        .collect();
    assert!(long.is_empty(), "over 500 lines without their tests: {long:#?}");
}

#[test]
fn no_test_file_is_forgotten() {
    let folder = root().join("tests/all");
    let found: Vec<PathBuf> = files(&folder).collect();
    assert!(found.len() > 30, "the tests are read, those in folders too");
    for path in found {
        let stem = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let (module, parent) = match stem.as_str() {
            "main" => continue,
            // A folder's module is named beside the folder, everything else in it.
            "mod" => {
                let own = path.parent().expect("a folder");
                (own.file_name().expect("a name").to_string_lossy().into_owned(), own.parent().expect("a folder"))
            }
            _ => (stem, path.parent().expect("a folder")),
        };
        let parent = if parent == folder { parent.join("main.rs") } else { parent.join("mod.rs") };
        let text = std::fs::read_to_string(&parent).expect("the module above");
        let named = text.lines().any(|line| line.trim_start_matches("pub ").trim_end() == format!("mod {module};"));
        assert!(named, "{} is not in {}", path.display(), parent.display());
    }
}
