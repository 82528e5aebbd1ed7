//! The JSON Schemas for editors are what the types say, accept every file that is shipped or shown, and refuse what the
//! program refuses.

use crate::book::{blocks, files, read, root};
use crate::support::crosstail;
use crosstail::config::{Config, JSON_SCHEMAS};
use crosstail::tui::{Keymap, Theme};
use crosstail_core::schema::Definition;
use crosstail_engine::insight::alerting::Rule;
use crosstail_formats::Format;
use jsonschema::Validator;
use regex::Regex;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{Schema, SchemaGenerator};
use serde_json::Value;

/// The JSON Schema of a kind of file.
fn made(name: &str) -> String {
    // Draft 7 is what editors of TOML know.
    let mut generator = SchemaSettings::draft07().with_transform(RecursiveTransform(as_toml)).into_generator();
    let mut schema = of(name, &mut generator);
    schema.insert("title".to_owned(), format!("crosstail: {name}").into());
    format!("{}\n", serde_json::to_string_pretty(&schema).expect("JSON"))
}

fn of(name: &str, generator: &mut SchemaGenerator) -> Schema {
    match name {
        "config" => generator.root_schema_for::<Config>(),
        "schema" => generator.root_schema_for::<Definition>(),
        "format" => Format::file_schema(generator),
        "rule" => Rule::file_schema(generator),
        "theme" => Theme::file_schema(generator),
        "keymap" => Keymap::file_schema(crosstail::screens::vocabulary()).expect("a keymap"),
        other => panic!("no type for {other}"),
    }
}

/// TOML has no null: what is optional is left out. How many bits a number has is the program's own matter.
fn as_toml(schema: &mut Schema) {
    let is_null = |value: &Value| value.get("type").is_some_and(|kind| kind == "null");
    if let Some(Value::Array(kinds)) = schema.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_mut_slice() {
            let one = one.take();
            schema.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(ways)) = schema.get_mut("anyOf") {
        ways.retain(|way| !is_null(way));
    }
    if let Some(Value::Array(words)) = schema.get_mut("enum") {
        words.retain(|word| !word.is_null());
    }
    schema.remove("format");
    if schema.get("default").is_some_and(Value::is_null) {
        schema.remove("default");
    }
}

#[test]
fn they_are_up_to_date() {
    let mut stale = Vec::new();
    for (name, shipped) in JSON_SCHEMAS {
        let new = made(name);
        if new == *shipped {
            continue;
        }
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(root().join(format!("docs/schema/{name}.json")), new).expect("written");
        } else {
            stale.push(name);
        }
    }
    assert!(stale.is_empty(), "{stale:?}: UPDATE_DOCS=1 cargo test --test all json_schema:: makes them anew");
}

fn validator(name: &str) -> Validator {
    let schema: Value = serde_json::from_str(&made(name)).expect("JSON");
    jsonschema::validator_for(&schema).expect("a JSON Schema")
}

/// What is wrong with a file.
fn problems(of: &Validator, text: &str, place: &str) -> Vec<String> {
    let table: toml::Table = toml::from_str(text).unwrap_or_else(|error| panic!("{place}: {error}"));
    let value = serde_json::to_value(table).expect("JSON");
    of.iter_errors(&value).map(|error| format!("{place}: {}: {error}", error.instance_path())).collect()
}

/// The template as it is when all of its examples are used.
fn template_in_use() -> String {
    let setting = Regex::new(r"(?m)^# (\[|\w+ = )").expect("a pattern");
    let text = setting.replace_all(&read("config/template.toml"), "$1").into_owned();
    assert!(text.lines().filter(|line| line.starts_with('[')).count() > 10, "{text}");
    text
}

#[test]
fn they_accept_what_is_shipped_and_shown() {
    let mut all: Vec<(&str, String, String)> = Vec::new();
    let folders =
        [("schema", "config/schemas"), ("format", "config/formats"), ("rule", "config/rules"), ("theme", "themes")];
    for (name, folder) in folders {
        // The vocabulary of patterns is no format.
        let own = files(folder, ".toml").into_iter().filter(|path| !path.ends_with("/grok.toml"));
        all.extend(own.map(|path| (name, read(&path), path)));
    }
    for (name, path) in
        [("config", "config/default.toml"), ("config", "config/template.toml"), ("keymap", "config/keymap.toml")]
    {
        all.push((name, read(path), path.to_owned()));
    }
    all.push(("config", template_in_use(), "config/template.toml, in use".to_owned()));
    let own_keys = crosstail::screens::vocabulary().keys.into_iter();
    all.extend(own_keys.map(|keys| ("keymap", keys.to_owned(), format!("the keys of a screen: {keys}"))));
    for block in blocks("toml") {
        let kind = JSON_SCHEMAS.iter().find(|(name, _)| *name == block.about);
        all.extend(kind.map(|(name, _)| (*name, block.text, block.place)));
    }
    let mut wrong = Vec::new();
    for (name, _) in JSON_SCHEMAS {
        let validator = validator(name);
        let mut count = 0;
        for (_, text, place) in all.iter().filter(|(of, ..)| of == name) {
            wrong.extend(problems(&validator, text, place));
            count += 1;
        }
        assert!(count >= 2, "{name}: {count}");
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn they_refuse_what_is_wrong() {
    let source = "[[source]]\nname = \"a\"\n";
    let rule = "name = \"r\"\nseverity = \"critical\"\nwhen = \"> 5\"\n";
    let schema = "name = \"s\"\n[fields]\nstarted_at = \"at\"\n";
    for (name, text) in [
        ("config", "them = \"dark\"\n".to_owned()),
        ("config", "figures = \"rough\"\n".to_owned()),
        ("config", "history_limit = \"many\"\n".to_owned()),
        ("config", source.to_owned()),
        ("config", format!("{source}at = \"a.log\"\ncommand = \"b\"\n")),
        ("config", format!("[profile.x]\n{}", source.replace("source", "profile.x.source"))),
        ("config", "[[channel]]\nname = \"c\"\nkind = \"pager\"\n".to_owned()),
        ("config", "[[channel]]\nname = \"c\"\nkind = \"slack\"\nat_least = \"bad\"\n".to_owned()),
        ("config", "[[view]]\nname = \"v\"\n".to_owned()),
        ("schema", format!("{schema}statuz = \"x\"\n")),
        ("schema", format!("{schema}[payload]\nerror_stack = \"x\"\n")),
        ("schema", format!("{schema}[words.status]\ndone = \"finished\"\n")),
        ("schema", format!("{schema}[words.system]\na = \"b\"\n")),
        ("schema", format!("{schema}[[rule]]\nwhen = {{ kind = \"log\" }}\npart = \"middle\"\n")),
        ("schema", format!("{schema}[table]\nname = \"t\"\ntime = \"at\"\n")),
        ("format", "name = \"f\"\ntitle = \"f\"\n".to_owned()),
        ("format", "name = \"f\"\ntitle = \"f\"\npattern = [\"x\"]\nduration_unit = \"h\"\n".to_owned()),
        ("rule", "name = \"r\"\nenabled = true\n".to_owned()),
        ("rule", "name = \"r\"\nenabled = false\ntitle = \"t\"\n".to_owned()),
        ("rule", rule.replace("critical", "bad")),
        ("rule", format!("{rule}[activities]\nmeasure = \"counts\"\n")),
        ("rule", format!("{rule}[source]\nmeasure = \"lag\"\n")),
        ("theme", "falure = { fg = \"red\" }\n".to_owned()),
        ("theme", "failure = { colour = \"red\" }\n".to_owned()),
        ("keymap", "[globl]\nquit = [\"Q\"]\n".to_owned()),
        ("keymap", "[global]\nquitt = [\"Q\"]\n".to_owned()),
        ("keymap", "[global]\nquit = [\"qq!\"]\n".to_owned()),
        ("keymap", "[global]\nquit = \"Q\"\n".to_owned()),
    ] {
        assert!(!problems(&validator(name), &text, name).is_empty(), "{name}:\n{text}");
    }
    assert_eq!(problems(&validator("rule"), "name = \"r\"\nenabled = false\n", "off"), [""; 0]);
    assert_eq!(problems(&validator("config"), &format!("{source}command = [\"a\", \"b\"]\n"), "command"), [""; 0]);
}

/// The file that the first line of a text names, from the folder in which the text is.
fn named(text: &str) -> &str {
    text.lines().next().and_then(|line| line.strip_prefix("#:schema ")).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn what_is_written_names_its_own() {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("crosstail");
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .args(arguments)
            .env("XDG_CONFIG_HOME", home.path())
            .env("XDG_STATE_HOME", home.path().join("state"))
            .current_dir(home.path())
            .output()
            .expect("run");
        assert!(output.status.success(), "{}", crate::writing::said(&output));
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    run(&["config", "init", "--yes", "-s", "logs=/var/log/app.log"]);
    let config = std::fs::read_to_string(folder.join("config.toml")).expect("written");
    let written = std::fs::read_to_string(folder.join(named(&config))).expect("its JSON Schema");
    assert_eq!(written, made("config"));
    assert_eq!(run(&["config", "json-schema", "config"]), written);

    // Drafts belong into the folders beside it.
    let odd = home.path().join("odd.log");
    for (record, kind) in [("AB|2026-01-02 03:04:05|pay|slow bank", "format"), ("{\"zeit\":1,\"wer\":\"x\"}", "schema")]
    {
        std::fs::write(&odd, format!("{record}\n")).expect("written");
        let draft = run(&["schema", "draft", "--from", "odd.log"]);
        std::fs::create_dir_all(folder.join(format!("{kind}s"))).expect("made");
        let path = folder.join(format!("{kind}s")).join(named(&draft));
        let of = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(of, made(kind));
        assert_eq!(problems(&validator(kind), &draft, kind), [""; 0], "{draft}");
    }
    // They are made anew, and a project's file has none beside it.
    std::fs::write(folder.join("json-schema/rule.json"), "{}").expect("written");
    run(&["config", "json-schema", "--write"]);
    assert_eq!(std::fs::read_to_string(folder.join("json-schema/rule.json")).expect("there"), made("rule"));
    run(&["config", "init", "--project", "--yes"]);
    let project = std::fs::read_to_string(home.path().join("crosstail.toml")).expect("written");
    assert!(project.starts_with("# "), "{project}");
}

#[test]
fn a_kind_of_file_that_is_none_is_refused() {
    for arguments in [&["config", "json-schema"][..], &["config", "json-schema", "rules"]] {
        assert_eq!(crosstail(arguments).status.code(), Some(64));
    }
}
