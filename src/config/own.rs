//! The files of the user's own beside the configuration: schemas, formats, rules; and how a file is written.

use super::folder;
use anyhow::Context as _;
use crosstail_core::filter::suggest;
use crosstail_core::schema::Schema;
use crosstail_engine::insight::alerting::Rule;
use std::path::{Path, PathBuf};

/// Where the user's own schema of a name is, or would be.
pub fn schema_path(name: &str) -> Option<PathBuf> {
    folder().map(|folder| folder.join("schemas").join(format!("{name}.toml")))
}

/// The file of a schema that is not built in: a path, or a name in the user's `schemas` folder.
fn schema_file(name: &str) -> anyhow::Result<PathBuf> {
    let path = [Some(PathBuf::from(name)), schema_path(name)].into_iter().flatten().find(|path| path.is_file());
    path.with_context(|| missing(name))
}

fn missing(name: &str) -> String {
    let known: Vec<String> = Schema::built_in().into_iter().map(|schema| schema.name).collect();
    let near = suggest(name, known.iter().map(String::as_str));
    let hint =
        near.map_or_else(|| format!("the schemas are {}", known.join(", ")), |near| format!("did you mean '{near}'?"));
    format!("no schema '{name}'; {hint}, or the path of a TOML file")
}

/// A schema that is not built in. `origin` is its path.
fn of_text(text: &str, origin: &str) -> anyhow::Result<Schema> {
    let schema = Schema::from_toml(text, origin)?;
    let known = crate::kinds::ALL.names();
    if let Some(wrong) = schema.unknown_store(&known) {
        anyhow::bail!("{origin}: [table] stores = [\"{wrong}\"]: the stores are {}", known.join(", "));
    }
    Ok(schema)
}

/// Whether the user has a schema of a name in the `schemas` folder.
pub(super) fn is_own_schema(name: &str) -> bool {
    !name.contains('/') && schema_path(name).is_some_and(|path| path.is_file())
}

/// A project's schema, as it was read when its file was checked.
#[derive(Debug, Clone)]
pub(super) struct SchemaFile {
    pub path: PathBuf,
    /// `None` where there is none.
    pub text: Option<String>,
}

impl SchemaFile {
    pub fn schema(&self) -> anyhow::Result<Schema> {
        let origin = self.path.display().to_string();
        let text = self.text.as_deref().with_context(|| missing(&origin))?;
        of_text(text, &origin)
    }
}

/// The text of a schema that is not built in.
pub fn schema_text(name: &str) -> anyhow::Result<String> {
    let path = schema_file(name)?;
    std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))
}

/// A schema: the name of a built-in one, the name of a file in the user's `schemas` folder, or a path.
pub fn schema(name: &str) -> anyhow::Result<Schema> {
    match Schema::find(name) {
        Some(schema) => Ok(schema),
        None => of_text(&schema_text(name)?, &schema_file(name)?.display().to_string()),
    }
}

/// The TOML files in a folder of the user's: path and text, in order of their names.
pub fn own_files(folder_name: &str) -> Vec<(String, String)> {
    let Some(folder) = folder().map(|folder| folder.join(folder_name)) else { return Vec::new() };
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    files
        .into_iter()
        .filter_map(|path| Some((path.display().to_string(), std::fs::read_to_string(&path).ok()?)))
        .collect()
}

/// The built-in rules: file name and text.
pub(super) const RULES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/rules.rs"));

/// The built-in rules, then those in the user's `rules` folder, then those in a further folder. A later rule replaces an
/// earlier one with the same name; `enabled = false` removes it. The second part lists what is wrong with unusable files.
pub fn rules(beside: Option<&Path>) -> (Vec<Rule>, Vec<String>) {
    let mut found: Vec<(String, Option<Rule>)> = Vec::new();
    let mut problems = Vec::new();
    let mut take = |text: &str, origin: &str| match Rule::from_toml(text, origin) {
        Ok((name, rule)) => match found.iter_mut().find(|(known, _)| *known == name) {
            Some(known) => known.1 = rule,
            None => found.push((name, rule)),
        },
        Err(error) => problems.push(error.to_string()),
    };
    for (origin, text) in RULES {
        take(text, origin);
    }
    let mut unreadable = Vec::new();
    let own = folder().map(|folder| folder.join("rules"));
    for folder in own.iter().map(PathBuf::as_path).chain(beside) {
        let mut files: Vec<PathBuf> = match std::fs::read_dir(folder) {
            Ok(entries) => entries.flatten().map(|entry| entry.path()).collect(),
            // The user's own folder may be missing.
            Err(error) if Some(folder) == own.as_deref() && error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => {
                unreadable.push(format!("{}: {error}", folder.display()));
                continue;
            }
        };
        files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
        files.sort();
        for path in files {
            match std::fs::read_to_string(&path) {
                Ok(text) => take(&text, &path.display().to_string()),
                Err(error) => unreadable.push(format!("{}: {error}", path.display())),
            }
        }
    }
    problems.extend(unreadable);
    (found.into_iter().filter_map(|(_, rule)| rule).collect(), problems)
}

/// The commented configuration file that `config init` writes.
pub fn template() -> &'static str {
    include_str!("../../config/template.toml")
}

/// Writes a configuration file atomically, and creates its folder if necessary. Permissions follow the user's umask, or are
/// those of the file that is replaced. An existing file is an error unless `replace` is set.
pub fn write_file(path: &Path, text: &str, replace: bool) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    let write = || -> std::io::Result<()> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        std::fs::create_dir_all(folder)?;
        let mut file =
            tempfile::Builder::new().permissions(std::fs::Permissions::from_mode(0o666)).tempfile_in(folder)?;
        if let Some(known) = path.metadata().ok().filter(|_| replace) {
            file.as_file().set_permissions(known.permissions())?;
        }
        file.write_all(text.as_bytes())?;
        match if replace { file.persist(path) } else { file.persist_noclobber(path) } {
            Ok(_) => Ok(()),
            Err(error) => Err(error.error),
        }
    };
    write().with_context(|| path.display().to_string())
}
