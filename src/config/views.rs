//! Saved views, and how one is added to a file without changing anything else in it.

use super::layers::{DEFAULT, parse};
use super::{Layout, write_file};
use anyhow::{Context as _, Result, ensure};
use crosstail_core::model::redact_text;
use schemars::JsonSchema;
use serde::Deserialize;
use std::path::Path;
use toml::Value;

/// A saved view.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ViewEntry {
    /// Name shown in the first line.
    pub name: String,
    /// A filter; empty shows everything.
    pub filter: String,
    /// Columns of the list: fields, `what`, and paths such as `req.body.order.id`, with a width behind a colon if wanted.
    #[serde(default)]
    pub columns: Vec<String>,
    /// Fields and paths whose values the facets count.
    #[serde(default)]
    pub facets: Vec<String>,
}

impl ViewEntry {
    /// Its columns and facets.
    ///
    /// # Errors
    /// A name stands for nothing.
    pub fn layout(&self) -> Result<Layout, String> {
        Layout::parse(&self.columns, &self.facets)
    }

    /// As a table of a configuration file.
    fn table(&self) -> String {
        let text = |text: &str| Value::String(text.to_owned()).to_string();
        let mut table = format!("\n[[view]]\nname = {}\nfilter = {}\n", text(&self.name), text(&self.filter));
        for (key, names) in [("columns", &self.columns), ("facets", &self.facets)] {
            if !names.is_empty() {
                let names: Vec<String> = names.iter().map(|name| text(name)).collect();
                table.push_str(&format!("{key} = [{}]\n", names.join(", ")));
            }
        }
        table
    }
}

/// Adds a view to a configuration file, which is made where it is missing. A file without views gets those that are built in as
/// well: a file's views take their place, and their keys would mean something else.
///
/// # Errors
/// The file cannot be read or written, a view has this name, or the filter contains a secret.
pub fn add_view(path: &Path, view: &ViewEntry) -> Result<()> {
    ensure!(redact_text(&view.filter) == view.filter, "the filter contains what looks like a secret");
    // The file that a link stands for, not the link, is replaced.
    let path = &path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let mut text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let mut known = parse(&text, path)?.views;
    let mut added = String::new();
    if known.is_empty() {
        let built_in = parse(DEFAULT, path)?.views;
        added.extend(built_in.iter().map(ViewEntry::table));
        known = built_in;
    }
    ensure!(known.iter().all(|other| other.name != view.name), "a view '{}' exists; give it another name", view.name);
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.push_str(&added);
    text.push_str(&view.table());
    // What is added at the end does not fit where views are written in another form (`view = [...]`).
    parse(&text, path)?;
    write_file(path, &text, true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn view(name: &str, filter: &str) -> ViewEntry {
        ViewEntry { name: name.to_owned(), filter: filter.to_owned(), ..ViewEntry::default() }
    }

    #[test]
    fn a_view_is_added_and_nothing_else_changes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("dotfiles.toml"), folder.path().join("config.toml"));
        let before = "# mine\ntheme = \"light\"   # by day\n\n[profile.prod]\ntheme = \"dark\"";
        std::fs::write(&file, before).expect("written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("set");
        symlink(&file, &link).expect("a link");
        let one = ViewEntry {
            columns: vec!["time".to_owned(), "meta.tenant:12".to_owned()],
            facets: vec!["system".to_owned()],
            ..view("\"quoted\" one", "error~/a\\d+|\"b\"/")
        };
        add_view(&link, &one).expect("added");
        add_view(&link, &view("two", "")).expect("added");
        let text = std::fs::read_to_string(&file).expect("read");
        assert!(text.starts_with(&format!("{before}\n\n[[view]]\n")), "{text}");
        assert_eq!(file.metadata().expect("there").permissions().mode() & 0o777, 0o600);
        assert!(link.symlink_metadata().expect("there").is_symlink());
        let views = parse(&text, &file).expect("a configuration").views;
        let built_in = parse(DEFAULT, &file).expect("a configuration").views;
        assert_eq!(views[..built_in.len()], built_in[..], "the keys of the built-in views stay");
        assert_eq!(views[built_in.len()..], [one, view("two", "")]);
    }

    #[test]
    fn what_cannot_be_added_leaves_the_file_as_it_is() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/config.toml");
        add_view(&path, &view("mine", "system:SAP")).expect("a new file");
        let fails = |before: &str, view: &ViewEntry, why: &str| {
            std::fs::write(&path, before).expect("written");
            let error = format!("{:#}", add_view(&path, view).expect_err("refused"));
            assert!(error.contains(why), "{error}");
            assert_eq!(std::fs::read_to_string(&path).expect("read"), before);
        };
        let mine = "[[view]]\nname = \"mine\"\nfilter = \"\"\n";
        fails(mine, &view("mine", "x"), "a view 'mine' exists");
        fails(mine, &view("new", "req.header.authorization:\"Bearer abcdefghijklmnop1234\""), "a secret");
        fails("theme = [", &view("new", "x"), "config.toml:1");
        fails("view = [{ name = \"a\", filter = \"\" }]\n", &view("new", "x"), "config.toml");
    }
}
