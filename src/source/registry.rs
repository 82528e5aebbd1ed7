//! The kinds of source there are: from what a user writes to a source that can be opened.

use super::{ErrorKind, Source, SourceError};
use crate::model::{Names, SourceId};
use crate::schema::Schema;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A source as configured.
#[derive(Debug, Clone, Default)]
pub struct SourceConfig {
    /// Name on screen and in filters.
    pub name: String,
    /// Path, glob, directory or URL; several paths are one source.
    pub at: Vec<String>,
    /// Schema by name; recognised where absent.
    pub schema: Option<Schema>,
    /// Set once no more will be written, for a stream that ends.
    pub ended: Option<Arc<AtomicBool>>,
}

impl SourceConfig {
    /// A source from an argument of the command line.
    pub fn from_argument(text: &str) -> Self {
        let name = match text.split_once("://") {
            // Of what is asked for one page, where it is.
            Some(("prometheus+http" | "prometheus+https" | "health+http" | "health+https", rest)) => {
                let host = rest.split(['/', '?', '#']).next().unwrap_or(rest);
                host.rsplit('@').next().unwrap_or(host).to_owned()
            }
            Some((_, rest)) => {
                // The database without its parameters; without one the host, never the credentials before it.
                let rest = rest.split(['?', '#']).next().unwrap_or(rest);
                let last = rest.rsplit('/').find(|part| !part.is_empty()).unwrap_or(rest);
                // Of several topics or indices the host, too.
                let last = if last.contains(',') { rest.split('/').next().unwrap_or(rest) } else { last };
                last.rsplit('@').next().unwrap_or(last).to_owned()
            }
            None => std::path::Path::new(text)
                .file_name()
                .map_or_else(|| text.to_owned(), |name| name.to_string_lossy().into_owned()),
        };
        Self { name: crate::model::redact_text(&name).into_owned(), at: vec![text.to_owned()], ..Self::default() }
    }
}

/// Opens a source. Nothing is read and no connection is made yet.
pub fn open(config: &SourceConfig, names: &Names) -> Result<(SourceId, Arc<dyn Source>), SourceError> {
    let error = |cause: String, hint: &str| SourceError {
        source_name: config.name.clone(),
        operation: "open",
        kind: ErrorKind::Unsupported,
        cause,
        hint: Some(hint.to_owned()),
    };
    let first = config.at.first().map_or("", String::as_str);
    let scheme = first.split_once("://").map(|(scheme, _)| scheme);
    let id = names.add_source(&config.name);
    match scheme {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => {
            let path = first.trim_start_matches("sqlite://");
            let source =
                super::sqlite::SqliteSource::new(&config.name, id, names.clone(), path, config.schema.clone())?;
            Ok((id, Arc::new(source)))
        }
        #[cfg(feature = "sqlite")]
        None if is_database(first) => {
            let source =
                super::sqlite::SqliteSource::new(&config.name, id, names.clone(), first, config.schema.clone())?;
            Ok((id, Arc::new(source)))
        }
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            let source =
                super::postgres::PostgresSource::new(&config.name, id, names.clone(), first, config.schema.clone())?;
            Ok((id, Arc::new(source)))
        }
        #[cfg(feature = "mongodb")]
        Some("mongodb" | "mongodb+srv") => {
            let source =
                super::mongodb::MongodbSource::new(&config.name, id, names.clone(), first, config.schema.clone())?;
            Ok((id, Arc::new(source)))
        }
        #[cfg(feature = "prometheus")]
        Some("prometheus+http" | "prometheus+https" | "health+http" | "health+https") => {
            Ok((id, Arc::new(super::prometheus::PrometheusSource::new(&config.name, first, config.schema.as_ref())?)))
        }
        #[cfg(feature = "kafka")]
        Some("kafka") => {
            let schema = config.schema.clone();
            Ok((id, Arc::new(super::kafka::KafkaSource::new(&config.name, id, names.clone(), first, schema)?)))
        }
        #[cfg(feature = "elasticsearch")]
        Some("es+http" | "es+https") => {
            let schema = config.schema.clone();
            let source =
                super::elasticsearch::ElasticsearchSource::new(&config.name, id, names.clone(), first, schema)?;
            Ok((id, Arc::new(source)))
        }
        #[cfg(feature = "file")]
        None | Some("file") => {
            let specs = config.at.iter().map(|at| super::file::Spec::parse(at.trim_start_matches("file://"))).collect();
            let source = super::file::FileSource::new(&config.name, id, names.clone(), specs, config.schema.clone());
            Ok((id, Arc::new(source.ending_with(config.ended.clone()))))
        }
        Some(other) => {
            let known = [
                "postgres",
                "mongodb",
                "sqlite",
                "es+http",
                "es+https",
                "kafka",
                "prometheus+http",
                "health+http",
                "file",
            ];
            let hint = crate::filter::suggest(other, known).map_or_else(
                || {
                    "sources are paths, globs, '-', postgres://, mongodb://, es+https://, kafka://, sqlite://"
                        .to_owned()
                },
                |near| format!("did you mean {near}://?"),
            );
            Err(error(format!("no kind of source for {other}://"), &hint))
        }
        #[allow(unreachable_patterns, reason = "reached where a kind is left out of the build")]
        None => Err(error("this build reads no files".to_owned(), "build with the feature `file`")),
    }
}

/// Where a source is in the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Whether the address asks for encryption; `None` where the kind decides by itself.
    pub encrypted: Option<bool>,
    /// The other side's certificate is not checked.
    pub unverified: bool,
    /// A password is written in it.
    pub password: bool,
}

/// The hosts of an address; none of a file, and of a name that stands for several (`mongodb+srv`).
pub fn endpoints(at: &str) -> Vec<Endpoint> {
    let Some((scheme, rest)) = at.split_once("://") else { return Vec::new() };
    let (port, asked) = match scheme {
        "postgres" | "postgresql" => (5432, None),
        "mongodb" => (27017, Some(rest.contains("tls=true") || rest.contains("ssl=true"))),
        "kafka" => (9092, Some(rest.contains("tls=true"))),
        "es+http" => (9200, Some(false)),
        "es+https" => (9200, Some(true)),
        "prometheus+http" | "health+http" => (80, Some(false)),
        "prometheus+https" | "health+https" => (443, Some(true)),
        _ => return Vec::new(),
    };
    let (authority, parameters) = rest.split_once(['/', '?']).unwrap_or((rest, ""));
    let weak = ["tlsInsecure=true", "tlsAllowInvalidCertificates=true", "sslmode=require", "sslmode=verify-ca"];
    let unverified = weak.iter().any(|word| parameters.contains(word));
    let (user, hosts) = authority.rsplit_once('@').map_or((None, authority), |(user, hosts)| (Some(user), hosts));
    let password = user.is_some_and(|user| user.contains(':'));
    hosts
        .split(',')
        .filter(|host| !host.is_empty())
        .map(|host| {
            let split = host.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            let (host, port) = split.unwrap_or((host, port));
            let host = host.trim_matches(['[', ']']).to_owned();
            Endpoint { host, port, encrypted: asked, unverified, password }
        })
        .collect()
}

/// Whether a path is a `SQLite` database, by its first bytes (<https://sqlite.org/fileformat.html>, 1.3).
pub fn is_database(path: &str) -> bool {
    use std::io::Read as _;
    let mut head = [0; 16];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head)).is_ok() && &head == b"SQLite format 3\0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_tell_where_they_are() {
        let of = |at: &str| -> Vec<(String, u16, Option<bool>)> {
            endpoints(at).into_iter().map(|e| (e.host, e.port, e.encrypted)).collect()
        };
        assert_eq!(of("postgres://me:x@db/prokure"), [("db".to_owned(), 5432, None)]);
        assert_eq!(
            of("mongodb://a:1,b/logs?tls=true"),
            [("a".to_owned(), 1, Some(true)), ("b".to_owned(), 27017, Some(true))]
        );
        assert_eq!(of("es+http://[::1]:9201/x"), [("::1".to_owned(), 9201, Some(false))]);
        assert_eq!(of("health+https://app/health"), [("app".to_owned(), 443, Some(true))]);
        assert!(of("logs/*.log").is_empty() && of("mongodb+srv://x.example/y").is_empty());
        assert!(endpoints("postgres://me:x@db/y?sslmode=require").iter().all(|e| e.unverified && e.password));
        assert!(endpoints("postgres://me@db/y?sslmode=verify-full").iter().all(|e| !e.unverified && !e.password));
    }
}
