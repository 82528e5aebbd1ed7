//! The JSON Schemas by which editors check and complete the files that people write. They are made from the types that
//! read the files, by a test (`tests/all/json_schema.rs`).

use std::path::{Path, PathBuf};

macro_rules! schemas {
    ($($name:literal),+) => {
        /// The kinds of file, each with its JSON Schema.
        pub const JSON_SCHEMAS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../docs/schema/", $name, ".json")))),+];
    };
}

schemas!("config", "schema", "format", "rule", "theme", "keymap");

/// Writes them where the first lines of the files look for them: into a folder beside the configuration. Returns the folder.
pub fn write_json_schemas(config: &Path) -> anyhow::Result<PathBuf> {
    let folder = config.with_file_name("json-schema");
    for (name, text) in JSON_SCHEMAS {
        super::write_file(&folder.join(format!("{name}.json")), text, true)?;
    }
    Ok(folder)
}
