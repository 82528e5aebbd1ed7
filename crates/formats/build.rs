//! Lists the formats in `config/formats`, so that a file there is all that a format needs.

use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/formats");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut files: Vec<_> = std::fs::read_dir(&folder)?.collect::<Result<Vec<_>, _>>()?;
    files.sort_by_key(std::fs::DirEntry::file_name);
    let mut text =
        String::from("/// Name and TOML of the built-in formats, in order of precedence: that of their file names.\n");
    text.push_str("const BUILT_IN: &[(&str, &str)] = &[\n");
    for file in files {
        let path = file.path().canonicalize()?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if name != "grok" && path.extension().is_some_and(|extension| extension == "toml") {
            writeln!(text, "    ({name:?}, include_str!({:?})),", path.display().to_string())?;
        }
    }
    text.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").ok_or("no OUT_DIR")?;
    std::fs::write(Path::new(&out).join("formats.rs"), text)?;
    Ok(())
}
