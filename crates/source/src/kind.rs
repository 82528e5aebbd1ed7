//! A kind of source is one value that its crate exports. Help, suggestions, errors, `generate`, `schema apply` and
//! completion iterate over a list of these values and know no kind by name.

use crate::alert::ChangeAlerts;
use crate::create::{Creator, Definition};
use crate::error::{ErrorKind, SourceError};
use crate::obedient::Obedient;
use crate::source::Source;
use crosstail_core::filter::suggest;
use crosstail_core::model::{Names, SourceId, Tz, redact_text};
use crosstail_core::schema::{Schema, StoreKind};
use crosstail_record::write::Writer;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Opens a configured source under its number. Does not read or connect yet.
pub type OpenSource = fn(&SourceConfig, SourceId, &Names) -> Result<Arc<dyn Source>, SourceError>;

/// Opens a creator for the store of an address. Does not connect yet.
pub type OpenCreator = fn(url: &str) -> anyhow::Result<Box<dyn Creator>>;

/// Opens the writers for an address or a path; several where the schema has several tables.
pub type OpenWriters = for<'a> fn(&'a str, &'a WriteOptions) -> BoxFuture<'a, anyhow::Result<Vec<Box<dyn Writer>>>>;

/// A kind of source: names, addresses and functions.
pub struct Kind {
    /// Its name in schemas, configuration and JSON, for example `postgres`.
    pub store: StoreKind,
    /// Its name for people, for example PostgreSQL.
    pub title: &'static str,
    /// The schemes of its addresses, the most common one first.
    pub schemes: &'static [&'static str],
    /// An example of an address.
    pub example: &'static str,
    /// How its addresses name a server; `None` for stores on this machine.
    pub network: Option<Network>,
    /// Whether a path without a scheme belongs to the kind. The first kind in the list that claims a path gets it.
    pub claims: fn(&Path) -> bool,
    /// Whether several paths can form one source.
    pub takes_several: bool,
    /// The addresses whose reading runs a program of this machine: the word before their colon, and how they are written.
    pub programs: &'static [(&'static str, &'static str)],
    /// Whether reading an address opens a port of this machine.
    pub listens: bool,
    /// Whether it holds activities, not only measurements.
    pub holds_activities: bool,
    /// Opens a source.
    pub open: OpenSource,
    /// The DDL of the built-in schemas for this kind.
    pub definitions: &'static [Definition],
    /// Creates what a schema defines, if the kind supports it.
    pub creator: Option<OpenCreator>,
    /// Writes simulated traffic as the documented systems do, if the kind supports it.
    pub writing: Option<Writing>,
    /// Changes alerts in stores of the kind, if it has alerts.
    pub alerts: Option<&'static dyn ChangeAlerts>,
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.store.name)
    }
}

impl Kind {
    /// The DDL of a schema for this kind.
    pub fn definition(&self, schema: &str) -> Option<&'static Definition> {
        self.definitions.iter().find(|definition| definition.schema == schema)
    }

    /// The hosts of an address. None for a file, and none for a DNS name that stands for several hosts (`mongodb+srv`).
    pub fn endpoints(&self, at: &str) -> Vec<Endpoint> {
        let (Some((scheme, rest)), Some(network)) = (at.split_once("://"), &self.network) else { return Vec::new() };
        if scheme.ends_with("+srv") {
            return Vec::new();
        }
        let (_, place) = credentials(rest);
        let (hosts, parameters) = place.split_once(['/', '?']).unwrap_or((place, ""));
        let encrypted = (network.encrypted)(scheme, rest);
        let unverified = network.unverified.iter().any(|word| parameters.contains(word));
        hosts
            .split(',')
            .filter(|host| !host.is_empty())
            .map(|host| {
                let split = host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
                let (host, port) = split.unwrap_or((host, (network.default_port)(scheme)));
                let host = host.trim_matches(['[', ']']).to_owned();
                Endpoint { host, port, encrypted, unverified }
            })
            .collect()
    }
}

/// How the addresses of a kind name a server and its encryption.
pub struct Network {
    /// The default port of a scheme.
    pub default_port: fn(scheme: &str) -> u16,
    /// Whether an address requires encryption, by its scheme and the rest; `None` where the server decides.
    pub encrypted: fn(scheme: &str, rest: &str) -> Option<bool>,
    /// What to write in an address to require encryption, for people.
    pub encrypt: &'static str,
    /// Parameters that disable the check of the server's certificate.
    pub unverified: &'static [&'static str],
    /// What to write to enable that check, for people; empty where it is always on.
    pub verify: &'static str,
    /// Whether a source is named after its host instead of the path.
    pub named_by_host: bool,
    /// An address to which nothing of the user's own goes that it does not name: no password of the environment or of a
    /// file, no certificate, no identity of the machine. An error where that cannot be kept.
    pub alone: fn(at: &str) -> Result<String, String>,
}

/// For [`Network::alone`]: the kind sends nothing that the address does not name.
///
/// # Errors
/// None.
pub fn as_it_is(at: &str) -> Result<String, String> {
    Ok(at.to_owned())
}

/// A boxed future, which a function pointer can return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// How simulated traffic is written to a kind of store.
pub struct Writing {
    /// Whether a path without a scheme, which need not exist yet, is written by this kind. The first kind in the list
    /// that claims a path gets it.
    pub claims: fn(&Path) -> bool,
    /// Opens the writers.
    pub open: OpenWriters,
}

/// Options for writing.
#[derive(Debug, Clone)]
pub struct WriteOptions {
    /// Write as the system of this schema does. Without it, existing tables decide.
    pub schema: Option<String>,
    /// Number of rotated files to keep.
    pub keep_files: usize,
}

impl WriteOptions {
    /// The name of the schema, if it is one of those that the kind can write.
    ///
    /// # Errors
    /// [`UnknownSchema`] for any other schema.
    pub fn schema_of(&self, title: &str, known: &[&str]) -> Result<Option<&str>, UnknownSchema> {
        match self.schema.as_deref() {
            Some(name) if !known.contains(&name) => {
                Err(UnknownSchema(format!("{title} can be written as {}", known.join(", "))))
            }
            name => Ok(name),
        }
    }
}

/// The error for a schema that a kind cannot write.
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
    /// The schema; recognised from the data if it is absent.
    pub schema: Option<Schema>,
    /// The zone of times that name none, in log files; UTC where it is absent.
    pub zone: Option<Tz>,
    /// Set once nothing more will be written, for a stream that ends.
    pub ended: Option<Arc<AtomicBool>>,
    /// The command whose output is the source.
    pub run: Option<Run>,
}

/// A command whose output is a source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// The program and its arguments, or a text for the shell.
    pub command: CommandLine,
    /// What makes it go on at a time; `{time}` stands for it.
    pub since: Vec<String>,
    /// What makes it go on behind a cursor; `{cursor}` stands for it.
    pub after: Vec<String>,
    /// The field of its lines of JSON that is the cursor.
    pub cursor: Option<String>,
}

/// How a command is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A program and its arguments.
    Words(Vec<String>),
    /// A text that `sh -c` runs.
    Shell(String),
}

impl Default for CommandLine {
    fn default() -> Self {
        Self::Words(Vec::new())
    }
}

impl SourceConfig {
    /// The address, or the first of several paths.
    pub fn address(&self) -> &str {
        self.at.first().map_or("", String::as_str)
    }
}

/// A host of a source's address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or IP address.
    pub host: String,
    /// TCP port: the one in the address, else the default.
    pub port: u16,
    /// Whether the address requires encryption; `None` where the server decides.
    pub encrypted: Option<bool>,
    /// Whether the check of the server's certificate is disabled.
    pub unverified: bool,
}

/// The kinds of a build, in the order in which they are listed and may claim a path.
#[derive(Debug, Clone, Copy)]
pub struct Kinds(pub &'static [&'static Kind]);

impl Kinds {
    /// The kinds in order.
    pub fn iter(self) -> impl Iterator<Item = &'static Kind> {
        self.0.iter().copied()
    }

    /// The kind of an address or a path; `None` where the build has no kind for it.
    pub fn of(self, at: &str) -> Option<&'static Kind> {
        match at.split_once("://") {
            Some((scheme, _)) => self.iter().find(|kind| kind.schemes.contains(&scheme)),
            None => self.iter().find(|kind| (kind.claims)(Path::new(at))),
        }
    }

    /// Whether an address has a password or a token in it: before its host, or as a parameter.
    pub fn tells_a_secret(self, at: &str) -> bool {
        let Some((_, rest)) = at.split_once("://").filter(|_| self.of(at).is_some()) else { return false };
        let (user, place) = credentials(rest);
        let password = user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty());
        let parameters = place.split_once('?').map_or("", |(_, parameters)| parameters).split(['&', ';']);
        let is_secret = |(name, value): (&str, &str)| {
            let name = name.to_ascii_lowercase();
            !value.is_empty()
                && ["token", "password", "secret", "api_key", "apikey"].iter().any(|end| name.ends_with(end))
        };
        password || parameters.filter_map(|parameter| parameter.split_once('=')).any(is_secret)
    }

    /// Whether reading an address runs a program of this machine.
    pub fn runs_a_program(self, at: &str) -> bool {
        self.of(at).is_some_and(|kind| !kind.programs.is_empty())
    }

    /// Whether reading an address does something on this machine: it runs a program, or opens a port.
    pub fn acts(self, at: &str) -> bool {
        self.runs_a_program(at) || self.of(at).is_some_and(|kind| kind.listens)
    }

    /// The names of the kinds in schemas.
    pub fn names(self) -> Vec<&'static str> {
        self.iter().map(|kind| kind.store.name).collect()
    }

    /// What a user can name as a source, for error messages.
    pub fn hint(self) -> String {
        let schemes = self.iter().flat_map(|kind| kind.schemes).filter(|scheme| **scheme != "file");
        let urls: Vec<String> = schemes.map(|name| format!("{name}://")).collect();
        let programs: Vec<&str> = self.iter().flat_map(|kind| kind.programs).map(|(_, form)| *form).collect();
        let programs = if programs.is_empty() { String::new() } else { format!("; or {}", programs.join(", ")) };
        format!("paths, globs in quotes, '-' for standard input, or URLs: {}{programs}", urls.join(", "))
    }

    /// The source of a command-line argument, named after the database, the file or the host.
    pub fn configure(self, argument: &str) -> SourceConfig {
        let name = match argument.split_once("://") {
            Some((scheme, rest)) => {
                let network = self.of(argument).and_then(|kind| kind.network.as_ref());
                // Never the credentials before the host.
                let (_, rest) = credentials(rest);
                let host = || rest.split(['/', '?', '#']).next().unwrap_or(rest);
                // The database without parameters, else the host.
                let path = rest.split(['?', '#']).next().unwrap_or(rest);
                let last = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
                // The host also for several topics or indices.
                let by_host = network.is_some_and(|network| network.named_by_host) || last.contains(',');
                let last = if by_host { host() } else { last };
                // `syslog://` is an address.
                if last.is_empty() { scheme.to_owned() } else { last.to_owned() }
            }
            // `docker:api` is a name by itself; its last part may be a path on another machine.
            None if self.runs_a_program(argument) => argument.to_owned(),
            None => Path::new(argument)
                .file_name()
                .map_or_else(|| argument.to_owned(), |name| name.to_string_lossy().into_owned()),
        };
        SourceConfig { name: redact_text(&name).into_owned(), at: vec![argument.to_owned()], ..SourceConfig::default() }
    }

    /// Opens a source. Does not read or connect yet.
    ///
    /// # Errors
    /// `Unsupported` if the build has no kind for the address, else the error of the kind.
    pub fn open(self, config: &SourceConfig, names: &Names) -> Result<(SourceId, Arc<dyn Source>), SourceError> {
        let at = config.address();
        let Some(kind) = self.of(at) else { return Err(self.unknown(&config.name, at)) };
        let id = names.add_source(&config.name);
        let endpoints = config.at.iter().flat_map(|at| kind.endpoints(at));
        let hosts = endpoints.map(|endpoint| format!("{}:{}", endpoint.host, endpoint.port)).collect();
        // The kinds get addresses as the standard spells them.
        let config = SourceConfig { at: config.at.iter().map(|at| spelled(at)).collect(), ..config.clone() };
        let source = Obedient::new(&config.name, hosts, (kind.open)(&config, id, names)?, names);
        Ok((id, Arc::new(source)))
    }

    fn unknown(self, name: &str, at: &str) -> SourceError {
        let (cause, hint) = match at.split_once("://") {
            Some((scheme, _)) => {
                let schemes = || self.iter().flat_map(|kind| kind.schemes.iter().copied());
                // `https` alone does not say what answers there.
                let over: Vec<String> = schemes()
                    .filter(|known| known.strip_suffix(scheme).is_some_and(|before| before.ends_with('+')))
                    .map(|known| format!("{known}://"))
                    .collect();
                let hint = match suggest(scheme, schemes()) {
                    _ if !over.is_empty() => format!("say what answers there: {}", over.join(", ")),
                    Some(near) => format!("did you mean {near}://?"),
                    None => format!("sources are {}", self.hint()),
                };
                (format!("no kind of source for {scheme}://"), hint)
            }
            None => ("this build cannot read files".to_owned(), "build with the feature `file`".to_owned()),
        };
        SourceError::of(name, "open", (ErrorKind::Unsupported, Some(&hint)), &cause)
    }

    /// The address, to which nothing of the user's own goes that it does not name; see [`Network::alone`].
    ///
    /// # Errors
    /// That cannot be kept; the text says what to do.
    pub fn alone(self, at: &str) -> Result<String, String> {
        let network = self.of(at).and_then(|kind| kind.network.as_ref());
        network.map_or_else(|| as_it_is(at), |network| (network.alone)(&spelled(at)))
    }

    /// The hosts of an address of any kind; see [`Kind::endpoints`].
    pub fn endpoints(self, at: &str) -> Vec<Endpoint> {
        self.of(at).map(|kind| kind.endpoints(at)).unwrap_or_default()
    }
}

/// The user and the password of what follows a scheme, and the rest. A password that somebody typed as it is may hold `@`
/// and `/`: what stands before the last `@` belongs to it, unless an `@` can only be in the path.
pub fn credentials(rest: &str) -> (Option<&str>, &str) {
    let address = rest.split(['?', '#']).next().unwrap_or(rest);
    let authority = address.split('/').next().unwrap_or(address);
    // `host:9200/a@b` has no user, `me:a/b@host` has.
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    let is_host = !authority.contains('@') && port.is_none_or(|port| port.bytes().all(|b| b.is_ascii_digit()));
    match address.rfind('@') {
        Some(at) if !is_host => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    }
}

/// An address whose password was typed as it is, with `@` and `/` escaped: no part of it can be taken for the host.
fn spelled(at: &str) -> String {
    let Some((scheme, rest)) = at.split_once("://") else { return at.to_owned() };
    match credentials(rest) {
        (Some(user), place) if user.contains(['@', '/']) => {
            format!("{scheme}://{}@{place}", user.replace('@', "%40").replace('/', "%2F"))
        }
        _ => at.to_owned(),
    }
}

/// For [`Kind::claims`]: claims no path.
pub fn claims_none(_: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::{credentials, spelled};

    #[test]
    fn a_password_may_have_any_character() {
        for (rest, user, place) in [
            ("me:x@db/shop", Some("me:x"), "db/shop"),
            ("me@db", Some("me"), "db"),
            ("db:5432/shop", None, "db:5432/shop"),
            ("db/a@b", None, "db/a@b"),
            ("db:9200/a@b", None, "db:9200/a@b"),
            ("me:a@b/c@db:1/shop?x=y@z", Some("me:a@b/c"), "db:1/shop?x=y@z"),
            ("me:a/b@db/shop", Some("me:a/b"), "db/shop"),
            ("[::1]:9200/x", None, "[::1]:9200/x"),
        ] {
            assert_eq!(credentials(rest), (user, place), "{rest}");
        }
        assert_eq!(spelled("x://me:a@b/c@db/shop"), "x://me:a%40b%2Fc@db/shop");
        assert_eq!(spelled("x://me:a%40b@db/shop"), "x://me:a%40b@db/shop");
    }
}
