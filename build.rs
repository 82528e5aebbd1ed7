//! Embeds the rules, so that a new rule is one file in `config/rules` and needs no Rust code; and what `--version` says.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    println!("cargo:rerun-if-changed=config/rules");
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    println!("cargo:rustc-env=CROSSTAIL_COMMIT={}", commit(Path::new(&root)).unwrap_or_else(|| "unknown".to_owned()));
    println!("cargo:rustc-env=CROSSTAIL_FEATURES={}", features());
    let mut files: Vec<_> = fs::read_dir(Path::new(&root).join("config/rules"))?.flatten().map(|e| e.path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut text = "&[\n".to_owned();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = writeln!(text, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    text.push_str("]\n");
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&out).join("rules.rs"), text)
}

/// The commit of the source, without asking git: where the head points, and what that says.
fn commit(root: &Path) -> Option<String> {
    let git = root.join(".git");
    // In a second work tree, `.git` is a file that names the folder.
    let folder = match fs::read_to_string(&git) {
        Ok(text) => root.join(text.strip_prefix("gitdir:")?.trim()),
        Err(_) => git,
    };
    let common = fs::read_to_string(folder.join("commondir")).map_or(folder.clone(), |to| folder.join(to.trim()));
    let watched = |path: &Path| -> Option<String> {
        let text = fs::read_to_string(path).ok()?;
        println!("cargo:rerun-if-changed={}", path.display());
        Some(text.trim().to_owned())
    };
    let head = watched(&folder.join("HEAD"))?;
    let hash = match head.strip_prefix("ref: ") {
        None => head,
        Some(name) => watched(&common.join(name)).or_else(|| {
            let packed = watched(&common.join("packed-refs"))?;
            packed.lines().find_map(|line| line.strip_suffix(name).map(|hash| hash.trim().to_owned()))
        })?,
    };
    hash.get(..12).map(str::to_owned)
}

/// The features of this build, without the ones that only name others.
fn features() -> String {
    let on = env::vars().filter_map(|(name, _)| name.strip_prefix("CARGO_FEATURE_").map(str::to_ascii_lowercase));
    let mut on: Vec<String> = on.filter(|name| name != "default").map(|name| name.replace('_', "-")).collect();
    on.sort();
    on.join(", ")
}
