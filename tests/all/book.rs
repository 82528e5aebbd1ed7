//! The documentation is true: its links lead somewhere, the book names every page, what is made from the program is up to
//! date, and a block is what it says it is. `examples.rs` runs the commands.

use crate::described::every_key;
use crate::servers::{Kind, shared};
use crate::support::files_below;
use crate::writing::said;
use crosstail::explain::{Entry, code_of, entries};
use crosstail::tui::Keymap;
use crosstail_core::filter::Filter;
use regex::{Captures, Regex};
use sqlx::AssertSqlSafe;
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The files below a folder with an ending, by their paths from the root.
pub fn files(folder: &str, ending: &str) -> Vec<String> {
    let relative = |path: &PathBuf| path.strip_prefix(root()).expect("below").to_string_lossy().into_owned();
    let found = files_below(&root().join(folder));
    found.iter().map(relative).filter(|path| path.ends_with(ending)).collect()
}

/// A page, by its path from the root.
pub struct Page {
    path: String,
    text: String,
}

/// A fenced block: its first line names its language, and what more is to be known.
pub struct Block {
    pub place: String,
    pub language: String,
    pub about: String,
    pub text: String,
}

impl Page {
    fn open(path: String) -> Self {
        Self { text: read(&path), path }
    }

    pub fn blocks(&self) -> Vec<Block> {
        let mut found = Vec::new();
        let mut open: Option<(usize, Block)> = None;
        for (number, line) in self.text.lines().enumerate() {
            let inner = line.trim_start();
            let fence = inner.strip_prefix("```");
            if let Some((indent, block)) = &mut open {
                if fence.is_some() {
                    found.extend(open.take().map(|(_, block)| block));
                } else {
                    block.text.push_str(line.get(*indent..).unwrap_or_default());
                    block.text.push('\n');
                }
            } else if let Some(info) = fence {
                let (language, about) = info.split_once(' ').unwrap_or((info, ""));
                let place = format!("{}:{}", self.path, number + 1);
                let (language, about) = (language.to_owned(), about.to_owned());
                open = Some((line.len() - inner.len(), Block { place, language, about, text: String::new() }));
            }
        }
        assert!(open.is_none(), "{}: a block is not closed", self.path);
        found
    }

    /// The lines that are in no block.
    fn prose(&self) -> Vec<&str> {
        let mut is_code = false;
        let outside = |line: &&str| {
            let is_fence = line.trim_start().starts_with("```");
            is_code ^= is_fence;
            !is_code && !is_fence
        };
        self.text.lines().filter(outside).collect()
    }

    /// What its headings are called in links, as GitHub and mdBook have it.
    fn anchors(&self) -> BTreeSet<String> {
        let link = Regex::new(r"\[([^\]]*)\]\([^)]*\)").expect("a pattern");
        let mut found = BTreeSet::new();
        for heading in self.prose().iter().filter_map(|line| line.strip_prefix('#')) {
            let text = link.replace_all(heading.trim_start_matches('#').trim(), "$1").to_lowercase();
            let kept = text.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            let name: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
            let again = (1..).map(|n| format!("{name}-{n}"));
            let free = std::iter::once(name.clone()).chain(again).find(|name| !found.contains(name));
            found.extend(free);
        }
        found
    }
}

/// The documents of the five systems are as their teams wrote them.
fn is_foreign(path: &str) -> bool {
    path.starts_with("docs/reference/") && path != "docs/reference/README.md"
}

/// README.md and the pages of the book.
pub fn pages() -> Vec<Page> {
    let book = files("docs", ".md").into_iter().filter(|path| !is_foreign(path));
    std::iter::once("README.md".to_owned()).chain(book).map(Page::open).collect()
}

pub fn blocks(language: &str) -> Vec<Block> {
    let found: Vec<Block> = pages().iter().flat_map(Page::blocks).filter(|block| block.language == language).collect();
    assert!(!found.is_empty(), "{language}");
    found
}

#[test]
fn the_readme_ends() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 150, "{lines} lines: what explains belongs into the book");
}

#[test]
fn every_link_leads_somewhere() {
    let others = ["CONTRIBUTING.md", "ARCHITECTURE.md", "CHANGELOG.md", "SECURITY.md", "crates/record/README.md"];
    let link = Regex::new(r"\]\(([^()\s]+)\)").expect("a pattern");
    let mut dead = Vec::new();
    for page in pages().into_iter().chain(others.map(|path| Page::open(path.to_owned()))) {
        let prose = page.prose().join("\n");
        for target in link.captures_iter(&prose).map(|found| found[1].to_owned()) {
            if target.contains("://") {
                continue;
            }
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = root().join(&page.path).parent().expect("a folder").to_owned();
            let to = if file.is_empty() { root().join(&page.path) } else { folder.join(file) };
            let is_there = to.canonicalize().is_ok_and(|to| {
                let path = to.strip_prefix(root().canonicalize().expect("the root")).map(Path::to_string_lossy);
                path.is_ok_and(|path| anchor.is_empty() || Page::open(path.into_owned()).anchors().contains(anchor))
            });
            if !is_there {
                dead.push(format!("{}: {target}", page.path));
            }
        }
    }
    assert!(dead.is_empty(), "{dead:#?}");
}

#[test]
fn the_book_has_every_page_once() {
    let link = Regex::new(r"\]\(([^()\s]+)\)").expect("a pattern");
    let summary = read("docs/SUMMARY.md");
    let mut named: Vec<String> = link.captures_iter(&summary).map(|found| format!("docs/{}", &found[1])).collect();
    named.sort();
    let there: Vec<String> = files("docs", ".md").into_iter().filter(|path| path != "docs/SUMMARY.md").collect();
    assert_eq!(named, there);
}

#[test]
fn every_block_says_what_it_is() {
    let known = [
        "sh",
        "text",
        "filter",
        "toml config",
        "toml rule",
        "toml schema",
        "toml format",
        "toml keymap",
        "toml theme",
        "toml cargo",
        "sql postgresql",
        "sql mysql",
        "js",
        "json",
        "yaml",
    ];
    for block in pages().iter().flat_map(Page::blocks) {
        let what = format!("{} {}", block.language, block.about);
        assert!(known.contains(&what.trim()), "{}: '{}' is none of {known:?}", block.place, what.trim());
    }
}

#[test]
fn every_filter_of_the_documentation_is_one() {
    for block in blocks("filter") {
        for line in block.text.lines() {
            let parsed = Filter::parse(line);
            assert!(parsed.is_ok(), "{}: {line}: {:?}", block.place, parsed.err());
        }
    }
}

/// Where a file belongs below the folder of the configuration; nowhere if it is none of crosstail's.
fn place(about: &str) -> Option<&'static str> {
    Some(match about {
        "config" => "config.toml",
        "rule" => "rules/own.toml",
        "schema" => "schemas/own.toml",
        "format" => "formats/own.toml",
        "keymap" => "keymap.toml",
        "theme" => "themes/own.toml",
        _ => return None,
    })
}

#[test]
fn every_file_that_the_documentation_shows_is_good() {
    let home = tempfile::tempdir().expect("a folder");
    // What a configuration takes a password from.
    let pass = home.path().join("pass");
    std::fs::write(&pass, "#!/bin/sh\necho hunter2\n").expect("written");
    std::fs::set_permissions(&pass, std::fs::Permissions::from_mode(0o755)).expect("made executable");
    let path = format!("{}:{}", home.path().display(), std::env::var("PATH").expect("PATH"));
    for block in blocks("toml") {
        let table: toml::Table = toml::from_str(&block.text).expect(&block.place);
        let Some(place) = place(&block.about) else { continue };
        let config = tempfile::tempdir().expect("a folder");
        let file = config.path().join("crosstail").join(place);
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("made");
        std::fs::write(&file, &block.text).expect("written");
        let run = |arguments: &[&str]| {
            Command::new(env!("CARGO_BIN_EXE_crosstail"))
                .args(arguments)
                .current_dir(config.path())
                .env("XDG_CONFIG_HOME", config.path())
                .env("PATH", &path)
                .env("PROKURE_PASSWORD", "hunter2")
                .env("SLACK_WEBHOOK_URL", "https://hooks.example/crosstail")
                .env("PAGERDUTY_ROUTING_KEY", "routing-key")
                .output()
                .expect("run")
        };
        let output = run(&["config", "check"]);
        assert!(output.status.success(), "{}: {}", block.place, said(&output));
        // A format reads its samples.
        for sample in table.get("sample").and_then(toml::Value::as_array).into_iter().flatten() {
            let text = sample["text"].as_str().expect("a text");
            std::fs::write(config.path().join("own.log"), format!("{text}\n")).expect("written");
            let output = run(&["query", "-o", "json", "-s", "own.log"]);
            let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect(&block.place);
            for (field, value) in sample["is"].as_table().expect("fields") {
                assert_eq!(shown[field], serde_json::to_value(value).expect("JSON"), "{}: {field}", block.place);
            }
        }
    }
}

/// The tables of the keymap in which an action has its keys: `[global]` is every screen.
fn tables_of(action: &str) -> String {
    let own = crosstail::screens::vocabulary().keys.into_iter().map(str::to_owned);
    let mut found = BTreeSet::new();
    for text in own.chain([read("config/keymap.toml")]) {
        let tables: toml::Table = toml::from_str(&text).expect("keys");
        found.extend(tables.into_iter().filter(|(_, keys)| keys.get(action).is_some()).map(|(name, _)| name));
    }
    found.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" ")
}

/// Every action with its keys.
fn keys() -> String {
    let keymap = Keymap::load(crosstail::screens::vocabulary()).expect("keys");
    let mut rows = vec!["| keys | where | action | what it does |".to_owned(), "| --- | --- | --- | --- |".to_owned()];
    for action in crosstail::screens::vocabulary().actions {
        let keys = keymap.keys(action).replace('|', "\\|");
        let keys: Vec<String> = keys.split_whitespace().map(|key| format!("`{key}`")).collect();
        let (name, help) = (action.name(), action.help().replace('|', "\\|"));
        rows.push(format!("| {} | {} | `{name}` | {help} |", keys.join(" "), tables_of(name)));
    }
    rows.join("\n")
}

/// What stands between `<!-- made: NAME -->` and `<!-- end -->`.
fn made(name: &str) -> String {
    match name {
        "keys" => keys(),
        file if std::path::Path::new(file).extension().is_some_and(|ending| ending == "json") => every_key(file),
        file => format!("```toml config\n{}```", read(file)),
    }
}

#[test]
fn what_is_made_is_up_to_date() {
    let section = Regex::new(r"(?s)<!-- made: (\S+) -->\n.*?<!-- end -->").expect("a pattern");
    let (mut stale, mut sections) = (Vec::new(), 0);
    for page in pages() {
        let new = section.replace_all(&page.text, |found: &Captures<'_>| {
            sections += 1;
            format!("<!-- made: {} -->\n\n{}\n\n<!-- end -->", &found[1], made(&found[1]))
        });
        if new != page.text {
            if std::env::var_os("UPDATE_DOCS").is_some() {
                std::fs::write(root().join(&page.path), new.as_bytes()).expect("written");
            } else {
                stale.push(page.path.clone());
            }
        }
    }
    assert!(sections >= 3, "{sections}");
    assert!(stale.is_empty(), "{stale:?}: UPDATE_DOCS=1 cargo test --test all book:: makes them anew");
}

/// The code of the program, without its tests; texts over several lines are joined.
fn code(folders: &[&str]) -> String {
    let continued = Regex::new(r"\\\n\s*").expect("a pattern");
    let tests = Regex::new(r"(?m)^#\[cfg\([^\n]*test[^\n]*\n(?:#[^\n]*\n)*mod \w+ \{").expect("a pattern");
    let files = folders.iter().flat_map(|folder| files(folder, ".rs")).filter(|path| !path.ends_with("tests.rs"));
    let own = files.map(|path| {
        let text = read(&path);
        let end = tests.find(&text).map_or(text.len(), |found| found.start());
        continued.replace_all(&text[..end], "").into_owned()
    });
    own.collect()
}

/// The messages of the troubleshooting page; `…` stands for what differs.
fn messages() -> Vec<String> {
    let found: Vec<String> = entries().map(|entry| entry.message).collect();
    assert!(found.len() > 300, "{}", found.len());
    found
}

/// A code stays that of its message: whoever has it looks it up in another version.
#[test]
fn every_message_of_the_troubleshooting_page_has_a_code_of_its_own() {
    let path = "docs/troubleshooting.md";
    let page = read(path);
    let number = |entry: Entry| entry.code.strip_prefix('E')?.parse::<usize>().ok();
    let mut last = entries().filter_map(number).max().unwrap_or_default();
    let mut without = Vec::new();
    let coded: String = page
        .lines()
        .map(|line| {
            if !line.starts_with("| `") {
                return format!("{line}\n");
            }
            without.push(line);
            last += 1;
            format!("| <a id=\"E{last:03}\"></a>E{last:03} {line}\n")
        })
        .collect();
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(root().join(path), &coded).expect("written");
    } else {
        assert!(without.is_empty(), "UPDATE_DOCS=1 cargo test --test all book:: gives them codes: {without:#?}");
    }
    let rows = page.lines().filter(|line| line.starts_with("| <a ")).count();
    assert_eq!(entries().count(), rows, "a row is not read");
    let codes: BTreeSet<&str> = entries().map(|entry| entry.code).collect();
    assert_eq!(codes.len(), rows, "a code is given twice");
    for entry in entries() {
        assert!(!entry.why.is_empty() && !entry.remedy.is_empty(), "{entry:?}");
    }
}

/// What is printed is recognised, also where something stands before it.
#[test]
fn a_message_is_known_by_its_words() {
    let mut wrong = Vec::new();
    for entry in entries() {
        let printed = format!("orders: {}", entry.message.replace('…', "7f3a"));
        let found = code_of(&printed);
        let other = entries().find(|other| Some(other.code) == found).map(|other| other.message);
        if other.as_ref() != Some(&entry.message) {
            wrong.push(format!("{printed}\n        is taken for {other:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}: {wrong:#?}", wrong.len());
    assert_eq!(code_of("wrote config.toml with 3 sources"), None);
    // It is printed, and leads to its entry.
    let run = |arguments: &[&str]| crate::support::crosstail(arguments);
    let text = String::from_utf8(run(&["query", "-s", "/nonexistent.log"]).stderr).expect("UTF-8");
    let code = text.strip_prefix("crosstail[").and_then(|rest| rest.split(']').next()).expect("a code").to_owned();
    let output = run(&["help", &code.to_lowercase()]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(text.starts_with(&format!("{code}  ")) && text.contains("\nWhat to do\n"), "{text}");
    assert_eq!(run(&["help", "E999999"]).status.code(), Some(64));
}

/// `https` says nothing of what answers there.
#[test]
fn an_address_of_the_web_is_told_what_it_may_be() {
    let output = crate::support::crosstail(&["query", "-s", "https://host.example"]);
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(text.contains("es+https://") && text.contains("health+https://") && !text.contains("http-in"), "{text}");
}

/// A mistake in a filter stands behind the place that it is about.
#[test]
fn a_mistake_in_a_filter_has_a_code() {
    let filters = [
        "sytem:SAP",
        "foo.bar:1",
        "status:bogus",
        "status:",
        "system:()",
        "(a",
        "a b )",
        "\"abc",
        "latency>abc",
        "time:foo",
        "error~/[/",
        "a OR",
        "attempt>x",
        ":x",
    ];
    let mut without = Vec::new();
    for filter in filters {
        let output = crate::support::crosstail(&["query", filter, "-s", "Cargo.toml"]);
        let text = String::from_utf8(output.stderr).expect("UTF-8");
        assert_eq!(output.status.code(), Some(64), "{text}");
        if !text.starts_with("crosstail[E") {
            without.push(text);
        }
    }
    assert!(without.is_empty(), "{without:#?}");
}

/// A message that the program no longer has would be looked for in vain.
#[test]
fn every_message_of_the_troubleshooting_page_is_one_of_the_program() {
    let text = code(&["src", "crates"]).replace("\\\"", "\"").replace("{{", "{").replace("}}", "}");
    let mut unknown = Vec::new();
    for message in messages() {
        let parts = message.split('…').map(str::trim).filter(|part| part.len() > 2);
        unknown.extend(parts.filter(|part| !text.contains(*part)).map(|part| format!("{message}: {part}")));
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}

/// What the program gives as a reason for its end, or says as a remedy, has an entry.
#[test]
fn every_error_of_the_program_is_on_the_troubleshooting_page() {
    let (text, page) = (code(&["src", "crates/kinds", "crates/files", "crates/source"]), messages().join("\n"));
    let literal = r#""((?:[^"\\]|\\.)*)""#;
    let makers = [
        r"(?:bail!|anyhow!)\(\s*",
        r"UsageError\(\s*(?:format!\(\s*)?",
        r#"ensure!\([^"]*?"#,
        r#"\bhint[^"\n]{0,40}Some\(\s*"#,
        r"\.hinted\(\s*",
        r"ErrorKind::\w+,\s*Some\(\s*",
    ];
    let differs = Regex::new(r"\{[^{}]*\}|\\n").expect("a pattern");
    let (mut all, mut without) = (0, Vec::new());
    for maker in makers {
        let message = Regex::new(&format!("{maker}{literal}")).expect("a pattern");
        for found in message.captures_iter(&text) {
            let said = found[1].replace("\\\"", "\"");
            let longest = differs.split(&said).map(str::trim).max_by_key(|part| part.len()).unwrap_or_default();
            all += 1;
            // What is shorter only stands before what another says.
            if longest.len() > 9 && !page.contains(longest) {
                without.push(said.clone());
            }
        }
    }
    assert!(all > 120, "{all}");
    assert!(without.is_empty(), "no entry in docs/troubleshooting.md: {without:#?}");
}

/// The keys that a struct takes from TOML.
fn keys_of(file: &str, name: &str) -> Vec<String> {
    let text = read(file);
    let (_, body) = text.split_once(&format!("struct {name} {{\n")).unwrap_or_else(|| panic!("{file}: {name}"));
    let body = body.split("\n}").next().unwrap_or_default();
    let (rename, field) = (Regex::new(r#"rename = "(\w+)""#), Regex::new(r"^ +(?:pub )?(\w+): "));
    let (rename, field) = (rename.expect("a pattern"), field.expect("a pattern"));
    let (mut renamed, mut is_skipped, mut found) = (None, false, Vec::new());
    for line in body.lines() {
        if line.contains("serde(skip)") {
            is_skipped = true;
        } else if let Some(name) = rename.captures(line) {
            renamed = Some(name[1].to_owned());
        } else if let Some(name) = field.captures(line) {
            let key = renamed.take().unwrap_or_else(|| name[1].to_owned());
            if !std::mem::take(&mut is_skipped) {
                found.push(key);
            }
        }
    }
    assert!(!found.is_empty(), "{file}: {name}");
    found
}

#[test]
fn every_setting_is_described() {
    let (definition, rules) =
        ("crates/core/src/schema/definition.rs", "crates/engine/src/insight/alerting/definition.rs");
    let code = Regex::new(r"`[^`\n]+`").expect("a pattern");
    let described: [(&str, &str, &[&str]); 9] = [
        ("configuration", "src/config/mod.rs", &["Config", "SourceEntry"]),
        ("configuration", "src/config/views.rs", &["ViewEntry"]),
        ("configuration", "src/config/channel.rs", &["ChannelEntry"]),
        ("configuration", "crates/core/src/model/redact/rules.rs", &["RedactionConfig"]),
        ("schemas", definition, &["Definition", "Template", "MetricDefinition", "SeriesTable", "CatalogueTable"]),
        ("schemas", definition, &["Recognise", "RuleText"]),
        ("schemas", "crates/core/src/schema/table.rs", &["Table", "Lookup"]),
        ("schemas", "crates/formats/src/format.rs", &["FormatFile", "Sample"]),
        ("alerts", rules, &["Definition", "Activities", "Metrics", "Sources"]),
    ];
    for (page, file, structs) in described {
        let page = Page::open(format!("docs/{page}.md"));
        let blocks: String = page.blocks().into_iter().map(|block| block.text).collect();
        let named: String = code.find_iter(&page.text).map(|found| found.as_str()).chain([blocks.as_str()]).collect();
        for name in structs {
            for key in keys_of(file, name) {
                let word = Regex::new(&format!(r"\b{key}\b")).expect("a pattern");
                assert!(word.is_match(&named), "{}: {key} of {name} ({file})", page.path);
            }
        }
    }
    let page = read("docs/schemas.md");
    for (target, _) in crosstail_core::schema::Target::ALL {
        assert!(page.contains(&format!("`{target}`")), "{target}");
    }
    let page = read("docs/alerts.md");
    for file in files("config/rules", ".toml") {
        let rule: toml::Table = toml::from_str(&read(&file)).expect(&file);
        assert!(page.contains(&format!("| `{}` |", rule["name"].as_str().expect("a name"))), "{file}");
    }
}

/// The statements of a page's blocks, for another user and another database.
fn statements(about: &str, user: &str, database: &str) -> Vec<String> {
    let of = blocks("sql").into_iter().filter(|block| block.about == about);
    let of: Vec<String> =
        of.map(|block| block.text.replace("crosstail", user).replace("shop.", &format!("{database}."))).collect();
    assert!(!of.is_empty(), "{about}");
    of
}

/// What a user may do is enough to read, and nothing more.
fn assert_reads(url: &str) {
    let run = |arguments: &[&str]| crate::support::crosstail(&[arguments, &["-s", url]].concat());
    let output = run(&["query", "-o", "name"]);
    assert!(output.status.success() && !output.stdout.is_empty(), "{url}: {}", said(&output));
    let output = run(&["doctor", "-o", "json"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let findings: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of_rights: Vec<_> = findings.iter().filter(|found| found["topic"] == "permissions").collect();
    assert!(!of_rights.is_empty(), "{text}");
    assert!(of_rights.iter().all(|found| found["grade"] == "ok" || found["grade"] == "note"), "{of_rights:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_rights_that_the_pages_name_are_enough() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let database = server.postgres_database(&["log-tracking"]).await;
    let mut on = server.postgres_connection(&database).await;
    let run = "INSERT INTO logs (level, service, message, request_id) VALUES ('WARN', 'auth', 'slow', 'r1')";
    sqlx::raw_sql(run).execute(&mut on).await.expect("written");
    let user = format!("reader_{database}");
    for (number, text) in statements("postgresql", &user, &database).into_iter().enumerate() {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("granted");
        if number == 0 {
            assert_reads(&server.url(&database).replace("postgres@", &format!("{user}@")));
        }
    }
    let Some(server) = shared(Kind::Mysql).await else { return };
    let database = server.mysql_database(&["log-tracking"]).await;
    let mut on = server.mysql_connection(&database).await;
    sqlx::raw_sql(run).execute(&mut on).await.expect("written");
    let user = format!("reader_{database}");
    for text in statements("mysql", &user, &database) {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut on).await.expect("granted");
    }
    assert_reads(&server.url(&database).replace("root@", &format!("{user}:choose%20one@")));
}

#[test]
fn the_contract_names_tests_and_files_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = std::fs::read_to_string(root.join("docs/contract.md")).expect("the contract");
    let mut tests = String::new();
    for path in files_below(&root.join("tests/all")) {
        tests.push_str(&std::fs::read_to_string(path).unwrap_or_default());
    }
    let (mut checked, mut wrong) = (0, Vec::new());
    for name in contract.split('`').skip(1).step_by(2) {
        let is_there = match name.rsplit_once("::") {
            Some((_, last)) if name.starts_with(|c: char| c.is_ascii_lowercase()) && !name.contains(' ') => {
                let pattern = format!(r"\b{}\b", last.replace('*', r"\w*"));
                last.starts_with(char::is_uppercase) || Regex::new(&pattern).expect("a pattern").is_match(&tests)
            }
            None if name.starts_with("crates/") || name.starts_with("tests/") => root.join(name).exists(),
            _ => continue,
        };
        checked += 1;
        if !is_there {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty() && checked > 100, "{checked}: {wrong:#?}");
}
