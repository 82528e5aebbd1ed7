//! Whether a project's file may be used. It comes with a checkout, so it does nothing until its user has seen what it wants
//! and said so; a file that has changed since is seen again. Editors and direnv do the same.

use super::own::{SchemaFile, is_own_schema};
use super::{PROJECT_FILE, private_folder, state_folder, write_private};
use anyhow::{Context as _, bail, ensure};
use crosstail_core::schema::Schema;
use rustix::fs::{Mode, OFlags};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A larger file is none that somebody wrote, in bytes.
const LARGEST: u64 = 1 << 20;
/// All schemas of a project together, in bytes.
const LARGEST_SCHEMAS: usize = 8 << 20;
/// In the state folder: by path, the hash of what was trusted.
const LIST: &str = "trusted.json";

/// A project's file.
#[derive(Debug, Clone)]
pub struct Project {
    pub path: PathBuf,
    pub text: String,
    /// The schemas that it names by a path, by what it calls them: what was hashed is what is used.
    schemas: BTreeMap<String, Arc<SchemaFile>>,
    /// Of the file, and of the schemas.
    hash: String,
    pub trust: Trust,
}

/// Whether a project's file may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// It is what its user has seen.
    Trusted,
    /// Its user has not seen it.
    New,
    /// It, or a schema that it names, has changed since.
    Changed,
}

/// The path of a project's file for a folder: the nearest one in it or above it. A file in the home folder or above it does
/// not belong to a project.
fn nearest(from: &Path) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let mut folders = from.ancestors().take_while(|folder| home.as_deref() != Some(*folder));
    folders.find_map(|folder| Some(folder.join(PROJECT_FILE)).filter(|path| path.symlink_metadata().is_ok()))
}

impl Project {
    /// The project's file of a folder, if there is one.
    ///
    /// # Errors
    /// It is there, and somebody else may have made it or could change it.
    pub fn of(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(path) = nearest(folder) else { return Ok(None) };
        let unsafe_file = || format!("{} is ignored", path.display());
        ensure_own(&path).with_context(unsafe_file)?;
        let text = read(&path).with_context(unsafe_file)?;
        let schemas = schemas_of(&path, &text).with_context(unsafe_file)?;
        let hash = hash_of(&text, &schemas);
        let trust = match list()?.get(&*path.to_string_lossy()) {
            Some(known) if *known == hash => Trust::Trusted,
            Some(_) => Trust::Changed,
            None => Trust::New,
        };
        Ok(Some(Self { path, text, schemas, hash, trust }))
    }

    /// A schema of the project's, by what its file calls it.
    pub(super) fn schema(&self, name: &str) -> Option<Arc<SchemaFile>> {
        self.schemas.get(name).cloned()
    }

    /// Why it is not used, and what to do; `None` for one that is trusted.
    pub fn notice(&self) -> Option<String> {
        let why = match self.trust {
            Trust::Trusted => return None,
            Trust::New => "is not used, because you have not trusted it",
            Trust::Changed => "is not used, because it has changed since you trusted it",
        };
        Some(format!("{} {why}: crosstail config trust", self.path.display()))
    }

    /// Notes that it is trusted as it is, or no longer.
    ///
    /// # Errors
    /// The list of trusted files cannot be written.
    pub fn set_trusted(&self, trusted: bool) -> anyhow::Result<()> {
        let mut all = list()?;
        let path = self.path.to_string_lossy().into_owned();
        if trusted {
            all.insert(path, self.hash.clone());
        } else {
            all.remove(&path);
        }
        let folder = state_folder().context("cannot determine the folder for state")?;
        private_folder(&folder)?;
        write_private(&folder.join(LIST), &serde_json::to_vec_pretty(&all)?)
    }
}

/// What is trusted: hashes by path.
fn list() -> anyhow::Result<BTreeMap<String, String>> {
    let Some(path) = state_folder().map(|folder| folder.join(LIST)) else { return Ok(BTreeMap::new()) };
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text)
            .with_context(|| format!("{}: remove it, and trust your projects again", path.display())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(error) => Err(error).with_context(|| path.display().to_string()),
    }
}

/// The text of a file that is one: no link, no pipe, not larger than a person writes.
fn read(path: &Path) -> anyhow::Result<String> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = match opened {
        Err(rustix::io::Errno::LOOP) => bail!("it is a symbolic link"),
        opened => File::from(opened.map_err(std::io::Error::from)?),
    };
    let about = file.metadata()?;
    ensure!(about.is_file(), "it is no regular file");
    ensure!(about.len() <= LARGEST, "it is larger than {} kB", LARGEST >> 10);
    ensure_owner(&about, "it")?;
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text)?;
    Ok(text)
}

/// The schemas that a project's file names: whatever is neither shipped nor the user's own is a file of the project. A
/// missing one is told where it is used; one that is no file, or may be somebody else's, is not opened.
fn schemas_of(path: &Path, text: &str) -> anyhow::Result<BTreeMap<String, Arc<SchemaFile>>> {
    let folder = path.parent().unwrap_or(Path::new("."));
    // One that cannot be parsed has no schemas; it is refused when it is used.
    let config: super::Config = toml::from_str(text).unwrap_or_default();
    let sources = config.sources.iter().chain(config.profiles.values().flat_map(|profile| &profile.sources));
    let (mut found, mut length) = (BTreeMap::new(), 0);
    for name in sources.filter_map(|source| source.schema.as_deref()) {
        if found.contains_key(name) || Schema::text(name).is_some() || is_own_schema(name) {
            continue;
        }
        let path = folder.join(name);
        let text = match read(&path) {
            Ok(text) => Some(text),
            Err(error) if is_missing(&error) => None,
            Err(error) => return Err(error.context(format!("its schema {name}"))),
        };
        length += text.as_ref().map_or(0, String::len);
        ensure!(length <= LARGEST_SCHEMAS, "its schemas are larger than {} kB", LARGEST_SCHEMAS >> 10);
        found.insert(name.to_owned(), Arc::new(SchemaFile { path, text }));
    }
    Ok(found)
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::NotFound)
}

/// The file and the schemas that it names: they decide what is read.
fn hash_of(text: &str, schemas: &BTreeMap<String, Arc<SchemaFile>>) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(text.as_bytes());
    for (name, schema) in schemas {
        add(name.as_bytes());
        add(&[u8::from(schema.text.is_some())]);
        add(schema.text.as_deref().unwrap_or_default().as_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Nobody but its user and root may have put the file there, or could put another one in its place.
fn ensure_own(path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    for folder in parent.ancestors() {
        let about = folder.metadata().with_context(|| folder.display().to_string())?;
        let is_sticky = about.mode() & 0o1000 != 0;
        let others = about.mode() & 0o002 != 0;
        // Names in a sticky folder stay their owners', but anybody may add a first one.
        ensure!(
            !others || is_sticky && folder != parent,
            "anybody may write to {}; move the project, or name the file with --config",
            folder.display()
        );
        ensure!(
            about.mode() & 0o020 == 0 || is_sticky && folder != parent || is_of_private_group(&about),
            "the group of {} may write to it; move the project, or name the file with --config",
            folder.display()
        );
        ensure_owner(&about, &folder.display().to_string())?;
    }
    Ok(())
}

/// Whether the group of a file is the user's own, as many systems make one for each user, or root's.
fn is_of_private_group(about: &Metadata) -> bool {
    about.gid() == 0 || about.gid() == rustix::process::getegid().as_raw() && about.gid() == about.uid()
}

fn ensure_owner(about: &Metadata, what: &str) -> anyhow::Result<()> {
    let own = rustix::process::geteuid().as_raw();
    ensure!([own, 0].contains(&about.uid()), "{what} belongs to another user; name the file with --config");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    fn mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn what_others_may_have_made_is_not_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let inner = folder.path().join("project/deep");
        std::fs::create_dir_all(&inner).expect("made");
        let file = folder.path().join("project").join(PROJECT_FILE);
        let refused = |why: &str| {
            let error = format!("{:#}", Project::of(&inner).expect_err(why));
            assert!(error.contains(why) && error.contains(&*file.to_string_lossy()), "{error}");
        };
        assert!(Project::of(&inner).expect("nothing").is_none());
        std::fs::write(&file, "theme = \"dark\"\n").expect("written");
        assert_eq!(Project::of(&inner).expect("there").expect("a file").trust, Trust::New);
        for (writable, why) in [(0o777, "anybody"), (0o1777, "anybody")] {
            mode(file.parent().expect("a folder"), writable);
            refused(why);
        }
        mode(file.parent().expect("a folder"), 0o755);
        // A folder above it, in which another `project` could take its place; not where names stay their owners'.
        mode(folder.path(), 0o777);
        refused("anybody");
        mode(folder.path(), 0o1777);
        Project::of(&inner).expect("as in /tmp");
        mode(folder.path(), 0o755);
        std::fs::write(&file, vec![b'#'; 2 << 20]).expect("written");
        refused("larger");
        std::fs::remove_file(&file).expect("removed");
        symlink("/etc/passwd", &file).expect("a link");
        refused("symbolic link");
        std::fs::remove_file(&file).expect("removed");
        rustix::fs::mkfifoat(rustix::fs::CWD, &file, Mode::RUSR | Mode::WUSR).expect("a pipe");
        refused("no regular file");
    }

    #[test]
    fn a_schema_that_it_names_is_a_part_of_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(PROJECT_FILE);
        let hash = |text: &str| hash_of(text, &schemas_of(&file, text).expect("readable"));
        // With a slash or without, as long as no shipped one has its name.
        for schema in ["./a.toml", "a.toml", "ours"] {
            let text = format!("[[source]]\nname = \"a\"\nat = \"a.log\"\nschema = \"{schema}\"\n");
            let without = hash(&text);
            std::fs::write(folder.path().join(schema), "").expect("written");
            let empty = hash(&text);
            assert_ne!(empty, without, "{schema}");
            std::fs::write(folder.path().join(schema), "name = \"a\"\n").expect("written");
            assert_ne!(hash(&text), empty, "{schema}");
            let found = schemas_of(&file, &text).expect("readable");
            assert_eq!(found[schema].text.as_deref(), Some("name = \"a\"\n"), "what is used is what was hashed");
            std::fs::remove_file(folder.path().join(schema)).expect("removed");
            let of_profile = text.replace("[[source]]", "[[profile.p.source]]");
            let without = hash(&of_profile);
            std::fs::write(folder.path().join(schema), "x").expect("written");
            assert_ne!(hash(&of_profile), without, "{schema}");
            std::fs::remove_file(folder.path().join(schema)).expect("removed");
        }
        let shipped = "[[source]]\nname = \"a\"\nat = \"a.log\"\nschema = \"prokure\"\n";
        std::fs::write(folder.path().join("prokure"), "x").expect("written");
        assert_eq!(schemas_of(&file, shipped).expect("readable").len(), 0);
    }

    #[test]
    fn a_schema_that_is_no_file_is_not_opened() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join(PROJECT_FILE);
        let schema = folder.path().join("s.toml");
        let text = "[[source]]\nname = \"a\"\nat = \"a.log\"\nschema = \"./s.toml\"\n";
        std::fs::write(&file, text).expect("written");
        let refused = |why: &str| {
            let error = format!("{:#}", Project::of(folder.path()).expect_err(why));
            assert!(error.contains("its schema ./s.toml") && error.contains(why), "{error}");
        };
        rustix::fs::mkfifoat(rustix::fs::CWD, &schema, Mode::RUSR | Mode::WUSR).expect("a pipe");
        refused("no regular file");
        std::fs::remove_file(&schema).expect("removed");
        symlink("/dev/zero", &schema).expect("a link");
        refused("symbolic link");
        std::fs::remove_file(&schema).expect("removed");
        std::fs::create_dir(&schema).expect("a folder");
        refused("no regular file");
        std::fs::remove_dir(&schema).expect("removed");
        std::fs::write(&schema, vec![b'#'; 2 << 20]).expect("written");
        refused("larger");
        std::fs::write(&file, text.replace("./s.toml", "/dev/zero")).expect("written");
        let error = format!("{:#}", Project::of(folder.path()).expect_err("a device"));
        assert!(error.contains("its schema /dev/zero") && error.contains("no regular file"), "{error}");
    }
}
