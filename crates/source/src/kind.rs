//! What a kind of source is to the rest of the program: one value that its crate exports. Help, suggestions, errors,
//! `generate`, `schema apply` and completion iterate over a list of these and know no kind by name.

use crate::alert::ChangeAlerts;
use crate::create::{Creator, Definition};
use crate::{ErrorKind, Source, SourceError};
use crosstail_core::filter::suggest;
use crosstail_core::model::{Names, SourceId, redact_text};
use crosstail_core::schema::{Schema, StoreKind};
use crosstail_record::write::Writer;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A kind of source.
pub struct Kind {
    /// How schemas, configuration and JSON name it: `postgres`.
    pub store: StoreKind,
    /// How people name it: PostgreSQL.
    pub title: &'static str,
    /// The schemes of its addresses, the usual one first.
    pub schemes: &'static [&'static str],
    /// An address to copy.
    pub example: &'static str,
    /// How its addresses say where the server is; `None` for what is on this machine.
    pub network: Option<Network>,
    /// Whether a path without a scheme is its own. Kinds are asked in order.
    pub claims: fn(&Path) -> bool,
    /// Whether several paths are one source.
    pub takes_several: bool,
    /// Whether it holds activities, not only measurements.
    pub holds_activities: bool,
    /// Whether a user may see only a part of it. Probing says which part, and headless commands repeat that.
    pub may_hide: bool,
    /// Opens a source. Reads nothing and connects to nothing yet.
    pub open: fn(&SourceConfig, SourceId, &Names) -> Result<Arc<dyn Source>, SourceError>,
    /// What the built-in schemas define in stores of this kind.
    pub definitions: &'static [Definition],
    /// Creates what a schema defines.
    pub creator: Option<fn(url: &str) -> anyhow::Result<Box<dyn Creator>>>,
    /// Writes simulated traffic as the systems write it.
    pub writing: Option<Writing>,
    /// Changes alerts that the store holds.
    pub alerts: Option<&'static dyn ChangeAlerts>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.store.name)
    }
}

impl Kind {
    /// The hosts of an address; none of a file, and of a name that stands for several (`mongodb+srv`).
    pub fn endpoints(&self, at: &str) -> Vec<Endpoint> {
        let (Some((scheme, rest)), Some(network)) = (at.split_once("://"), &self.network) else { return Vec::new() };
        if scheme.ends_with("+srv") {
            return Vec::new();
        }
        let (authority, parameters) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
        let encrypted = (network.encrypted)(scheme, rest);
        let unverified = network.unverified.iter().any(|word| parameters.contains(word));
        let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
        let password = user.is_some_and(|user| user.contains(':'));
        hosts
            .split(',')
            .filter(|host| !host.is_empty())
            .map(|host| {
                let split = host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
                let (host, port) = split.unwrap_or((host, (network.default_port)(scheme)));
                let host = host.trim_matches(['[', ']']).to_owned();
                Endpoint { host, port, encrypted, unverified, password }
            })
            .collect()
    }
}

/// How the addresses of a kind say where the server is.
pub struct Network {
    /// The port where an address names none, by scheme.
    pub default_port: fn(scheme: &str) -> u16,
    /// Whether an address asks for encryption, by its scheme and what follows it; `None` where the server decides.
    pub encrypted: fn(scheme: &str, rest: &str) -> Option<bool>,
    /// What in an address asks for encryption, for people.
    pub encrypt: &'static str,
    /// Parameters that leave the server's certificate unchecked.
    pub unverified: &'static [&'static str],
    /// Parameters that check it, for people; empty where it is always checked.
    pub verify: &'static str,
    /// A source is named after its host, not after what follows it.
    pub named_by_host: bool,
}

/// A future that a table of functions can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How simulated traffic is written into a kind of store.
pub struct Writing {
    /// Whether a path without a scheme is written as this kind; it need not exist yet. Kinds are asked in order.
    pub claims: fn(&Path) -> bool,
    /// Opens what writes to an address or a path: several where several tables are written to.
    pub open: for<'a> fn(&'a str, &'a WriteOptions) -> BoxFuture<'a, anyhow::Result<Vec<Box<dyn Writer>>>>,
}

/// What is written, and how.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// As the system of this schema; where none is named, by what is there.
    pub schema: Option<String>,
    /// Rotated files that are kept.
    pub keep_files: usize,
}

impl WriteOptions {
    /// The name of the schema, which must be one of those that a kind can write.
    ///
    /// # Errors
    /// [`UnknownSchema`] where it is another.
    pub fn schema_of(&self, title: &str, known: &[&str]) -> Result<Option<&str>, UnknownSchema> {
        match self.schema.as_deref() {
            Some(name) if !known.contains(&name) => {
                Err(UnknownSchema(format!("{title} is written to as {}", known.join(", "))))
            }
            name => Ok(name),
        }
    }
}

/// A schema that a kind of store cannot be written as.
#[derive(Debug, thiserror::Error)]
#[error("{0}: --schema NAME")]
pub struct UnknownSchema(String);

/// A source as configured.
#[derive(Debug, Clone, Default)]
pub struct SourceConfig {
    /// Name on screen and in filters.
    pub name: String,
    /// Path, glob, directory or URL; several paths are one source.
    pub at: Vec<String>,
    /// Its schema; recognised where absent.
    pub schema: Option<Schema>,
    /// Set once no more will be written, for a stream that ends.
    pub ended: Option<Arc<AtomicBool>>,
}

impl SourceConfig {
    /// The address; of several paths the first.
    pub fn address(&self) -> &str {
        self.at.first().map_or("", String::as_str)
    }
}

/// Where a source is in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the address asks for encryption; `None` where the server decides.
    pub encrypted: Option<bool>,
    /// The other side's certificate is not checked.
    pub unverified: bool,
    /// A password is written in it.
    pub password: bool,
}

/// The kinds of a build, in the order in which they are listed and asked for a path.
#[derive(Debug, Clone, Copy)]
pub struct Kinds(pub &'static [&'static Kind]);

impl Kinds {
    /// The kinds.
    pub fn iter(self) -> impl Iterator<Item = &'static Kind> {
        self.0.iter().copied()
    }

    /// The kind of an address or a path.
    pub fn of(self, at: &str) -> Option<&'static Kind> {
        match at.split_once("://") {
            Some((scheme, _)) => self.iter().find(|kind| kind.schemes.contains(&scheme)),
            None => self.iter().find(|kind| (kind.claims)(Path::new(at))),
        }
    }

    /// The names of the kinds, as schemas write them.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(|kind| kind.store.name).collect()
    }

    /// What a person may name as a source.
    pub fn hint(self) -> String {
        let schemes = self.iter().filter(|kind| kind.holds_activities).map(|kind| kind.schemes[0]);
        let urls: Vec<String> = schemes.filter(|scheme| *scheme != "file").map(|name| format!("{name}://")).collect();
        format!("paths, globs in quotes, '-' for standard input, or URLs: {}", urls.join(", "))
    }

    /// A source from an argument of the command line, named after the database, the file or the host.
    pub fn configure(self, argument: &str) -> SourceConfig {
        let name = match argument.split_once("://") {
            Some((_, rest)) => {
                let network = self.of(argument).and_then(|kind| kind.network.as_ref());
                let host = || rest.split(['/', '?', '#']).next().unwrap_or(rest);
                // The database without its parameters; without one the host, never the credentials before it.
                let path = rest.split(['?', '#']).next().unwrap_or(rest);
                let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
                // Of several topics or indices the host, too.
                let by_host = network.is_some_and(|network| network.named_by_host) || last.contains(',');
                let last = if by_host { host() } else { last };
                last.rsplit('@').next().unwrap_or(last).to_owned()
            }
            None => Path::new(argument)
                .file_name()
                .map_or_else(|| argument.to_owned(), |name| name.to_string_lossy().into_owned()),
        };
        SourceConfig { name: redact_text(&name).into_owned(), at: vec![argument.to_owned()], ..SourceConfig::default() }
    }

    /// Opens a source. Reads nothing and connects to nothing yet.
    ///
    /// # Errors
    /// `Unsupported` where no kind of this build takes the address, else the kind's own.
    pub fn open(self, config: &SourceConfig, names: &Names) -> Result<(SourceId, Arc<dyn Source>), SourceError> {
        let at = config.address();
        let Some(kind) = self.of(at) else { return Err(self.unknown(&config.name, at)) };
        let id = names.add_source(&config.name);
        Ok((id, (kind.open)(config, id, names)?))
    }

    fn unknown(self, name: &str, at: &str) -> SourceError {
        let (cause, hint) = match at.split_once("://") {
            Some((scheme, _)) => {
                let hint = match suggest(scheme, self.iter().flat_map(|kind| kind.schemes.iter().copied())) {
                    Some(near) => format!("did you mean {near}://?"),
                    None => format!("sources are {}", self.hint()),
                };
                (format!("no kind of source for {scheme}://"), hint)
            }
            None => ("this build reads no files".to_owned(), "build with the feature `file`".to_owned()),
        };
        SourceError::of(name, "open", (ErrorKind::Unsupported, Some(&hint)), &cause)
    }

    /// The hosts of an address of any kind.
    pub fn endpoints(self, at: &str) -> Vec<Endpoint> {
        self.of(at).map(|kind| kind.endpoints(at)).unwrap_or_default()
    }
}

/// No path is of this kind.
pub fn claims_none(_: &Path) -> bool {
    false
}
