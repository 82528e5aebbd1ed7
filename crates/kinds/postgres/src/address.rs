//! Addresses as psql takes them: URLs with its parameters, `PG*` variables, services.
//! Source: PostgreSQL documentation, "Connection Strings" and "The Connection Service File".

use super::own_certificate::Roots;
use sqlx::postgres::PgConnectOptions;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

/// What an address says.
#[derive(Debug, Clone)]
pub(super) struct Address {
    pub(super) options: PgConnectOptions,
    /// The schemas to look in, in order: `schema=` or `search_path=`.
    pub(super) schemas: Vec<String>,
    /// Parameters of no effect, by name.
    pub(super) unknown: Vec<String>,
    /// The roots that a server's certificate is checked by, where the address names them.
    pub(super) roots: Option<Roots>,
    /// Whether it names a database.
    pub(super) names_database: bool,
}

/// The parameters that the driver takes.
const DRIVER: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
/// The parameters of psql and of other clients that change nothing here.
const HARMLESS: &[&str] = &[
    "connect_timeout",
    "client_encoding",
    "fallback_application_name",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "gssencmode",
    "sslcompression",
    "sslsni",
    "load_balance_hosts",
    "target_session_attrs",
    "pgbouncer",
    "connection_limit",
    "pool_timeout",
    "statement_cache_size",
    "sslnegotiation",
    "channel_binding",
];
const SCHEMAS: &[&str] = &["schema", "search_path", "currentSchema", "current_schema"];

impl Address {
    /// Reads an address.
    ///
    /// # Errors
    /// Says what is wrong with it, without a password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        Self::with(url, |name| std::env::var(name).ok(), |file| std::fs::read_to_string(file).ok())
    }

    fn with(
        url: &str,
        variable: impl Fn(&str) -> Option<String>,
        read: impl Fn(&Path) -> Option<String>,
    ) -> Result<Self, String> {
        let (before, query) = url.split_once('?').unwrap_or((url, ""));
        let mut pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decoded(name), decoded(value)))
            .collect();
        let named = |wanted: &str, pairs: &[(String, String)]| pairs.iter().any(|(name, _)| name == wanted);
        let rest = before.split_once("://").map_or("", |(_, rest)| rest);
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, host) = authority.rsplit_once('@').map_or((None, authority), |(user, host)| (Some(user), host));
        let port =
            host.rsplit_once(':').filter(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        let given = |key: &str| match key {
            "host" | "hostaddr" => !host.is_empty() && !host.starts_with(':'),
            "port" => port.is_some(),
            "user" => user.is_some_and(|user| !user.is_empty()),
            "password" => user.is_some_and(|user| user.contains(':')),
            "dbname" => !path.is_empty(),
            _ => false,
        };
        let service = pairs.iter().find(|(name, _)| name == "service").map(|(_, value)| value.clone());
        if let Some(service) = service.or_else(|| variable("PGSERVICE")).filter(|service| !service.is_empty()) {
            for (key, value) in service_of(&service, &variable, &read)? {
                // The address is more than the service, the service more than the environment.
                if !named(&key, &pairs) && !given(&key) {
                    pairs.push((key, value));
                }
            }
        }
        // A user without a host is none for the parser of URLs; as parameters they are.
        let mut before = before.to_owned();
        if let (Some(user), true) = (user, host.is_empty()) {
            let (name, password) = user.split_once(':').map_or((user, None), |(name, word)| (name, Some(word)));
            pairs.push(("user".to_owned(), decoded(name)));
            pairs.extend(password.map(|word| ("password".to_owned(), decoded(word))));
            before = format!("postgres:///{path}");
        }
        let names_database = given("dbname") || named("dbname", &pairs) || variable("PGDATABASE").is_some();
        let schemas = pairs.iter().filter(|(name, _)| SCHEMAS.contains(&name.as_str()));
        let schemas = schemas
            .flat_map(|(_, value)| value.split(','))
            .map(|schema| schema.trim().trim_matches('"').to_owned())
            .filter(|schema| !schema.is_empty())
            .collect();
        let is_known = |name: &str| DRIVER.contains(&name) || name.starts_with("options[");
        let is_other = |name: &str| HARMLESS.contains(&name) || SCHEMAS.contains(&name) || name == "service";
        let of = |names: &[&str], variable_name: &str| {
            let own = pairs.iter().find(|(name, _)| names.contains(&name.as_str())).map(|(_, value)| value.clone());
            own.or_else(|| variable(variable_name))
        };
        let mode = of(&["sslmode", "ssl-mode"], "PGSSLMODE").unwrap_or_default();
        let roots = of(&["sslrootcert", "ssl-root-cert", "ssl-ca"], "PGSSLROOTCERT")
            .filter(|_| matches!(mode.as_str(), "verify-ca" | "verify-full"))
            .map(|file| Roots { file: PathBuf::from(file), names: mode == "verify-full" });
        let unknown =
            pairs.iter().map(|(name, _)| name.clone()).filter(|name| !is_known(name) && !is_other(name)).collect();
        let query: Vec<String> = pairs
            .iter()
            .filter(|(name, _)| is_known(name))
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        let text = if query.is_empty() { before } else { format!("{before}?{}", query.join("&")) };
        let mut options = PgConnectOptions::from_str(&text).map_err(|error| error.to_string())?;
        // The driver takes the brackets of an IPv6 address for a part of its name.
        if let Some(bare) = options.get_host().strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            let bare = bare.to_owned();
            options = options.host(&bare);
        }
        Ok(Self { options, schemas, unknown, roots, names_database })
    }
}

/// An address without a password has an empty one, and no service: then neither the driver nor [`Address::parse`] looks for
/// them in the environment and in files.
pub(crate) fn alone(at: &str) -> Result<String, String> {
    alone_with(at, |name| std::env::var(name).is_ok_and(|value| !value.is_empty()))
}

fn alone_with(at: &str, is_set: impl Fn(&str) -> bool) -> Result<String, String> {
    let (before, query) = at.split_once('?').unwrap_or((at, ""));
    let names = |wanted: &str| query.split('&').any(|pair| decoded(pair.split('=').next().unwrap_or(pair)) == wanted);
    let own = "put the source into your own configuration";
    if names("service") {
        return Err(format!("a service may hold a password of yours: write the address, or {own}"));
    }
    for (variable, parameter) in [("PGSSLCERT", "sslcert"), ("PGSSLKEY", "sslkey")] {
        if is_set(variable) && !names(parameter) {
            return Err(format!("{variable} names a certificate of yours: unset it, or {own}"));
        }
    }
    let authority = before.split_once("://").map_or("", |(_, rest)| rest).split('/').next().unwrap_or_default();
    let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) || names("password");
    let query = [query, "service=", if has_password { "" } else { "password=" }];
    let query: Vec<&str> = query.into_iter().filter(|part| !part.is_empty()).collect();
    Ok(format!("{before}?{}", query.join("&")))
}

/// The parameters of a service.
fn service_of(
    name: &str,
    variable: &impl Fn(&str) -> Option<String>,
    read: &impl Fn(&Path) -> Option<String>,
) -> Result<BTreeMap<String, String>, String> {
    let own = variable("PGSERVICEFILE").map(PathBuf::from);
    let own = own.or_else(|| variable("HOME").map(|home| PathBuf::from(home).join(".pg_service.conf")));
    let common = variable("PGSYSCONFDIR").unwrap_or_else(|| "/etc/postgresql-common".to_owned());
    let files: Vec<PathBuf> = own.into_iter().chain([PathBuf::from(common).join("pg_service.conf")]).collect();
    for file in &files {
        let Some(text) = read(file) else { continue };
        if let Some(found) = section_of(&text, name) {
            return Ok(found);
        }
    }
    let looked: Vec<String> = files.iter().map(|file| file.display().to_string()).collect();
    Err(format!("service '{name}' is not in {}", looked.join(" or ")))
}

/// A section of a service file.
fn section_of(text: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let mut lines = text.lines().map(str::trim);
    lines.find(|line| line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) == Some(name))?;
    let mut found = BTreeMap::new();
    for line in lines.take_while(|line| !line.starts_with('[')) {
        if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            found.insert(key.trim().to_owned(), value.trim().to_owned());
        }
    }
    Some(found)
}

fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/');
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Address {
        Address::with(url, |_| None, |_| None).expect(url)
    }

    #[test]
    fn addresses_are_read_as_psql_reads_them() {
        let one = address("postgres://me@[::1]:5433/db?connect_timeout=3&schema=tenant_a,public&sslmod=require");
        assert_eq!(one.options.get_host(), "::1");
        assert_eq!(one.options.get_port(), 5433);
        assert_eq!(one.schemas, ["tenant_a", "public"]);
        assert_eq!(one.unknown, ["sslmod"]);
        assert!(one.names_database);
        assert!(!address("postgres://me@host").names_database);
    }

    #[test]
    fn nothing_of_the_users_goes_to_an_address_that_is_alone() {
        let nothing = |_: &str| false;
        for (at, alone) in [
            ("postgres://evil/x", "postgres://evil/x?service=&password="),
            ("postgres://me@evil/x?sslmode=require", "postgres://me@evil/x?sslmode=require&service=&password="),
            ("postgres://me:its@evil/x", "postgres://me:its@evil/x?service="),
            ("postgres://me@/x?host=evil&password=its", "postgres://me@/x?host=evil&password=its&service="),
        ] {
            assert_eq!(alone_with(at, nothing).as_deref(), Ok(alone));
            // A service of the environment would name another host, and have a password.
            let text = "[orders]\nhost=own\npassword=secret\n";
            let variable = |name: &str| match name {
                "PGSERVICEFILE" => Some("/services".to_owned()),
                "PGSERVICE" => Some("orders".to_owned()),
                _ => None,
            };
            let found = Address::with(alone, variable, |_| Some(text.to_owned())).expect("an address");
            let debug = format!("{:?}", found.options);
            assert_eq!(found.options.get_host(), "evil", "{debug}");
            assert!(!debug.contains("secret"), "{debug}");
        }
        assert!(alone_with("postgres://evil/?service=orders", nothing).is_err());
        assert!(alone_with("postgres://evil/?%73ervice=orders", nothing).is_err());
        assert!(alone_with("postgres://evil/x", |name| name == "PGSSLKEY").is_err());
    }

    #[test]
    fn a_service_is_more_than_the_environment_and_less_than_the_address() {
        let text = "[other]\nhost=x\n[orders]\n# a comment\nhost = db.example\nport=6000\nuser=reader\ndbname=orders\n";
        let variable = |name: &str| (name == "PGSERVICEFILE").then(|| "/services".to_owned());
        let read = |file: &Path| (file == Path::new("/services")).then(|| text.to_owned());
        let found = Address::with("postgres://someone@/?service=orders", variable, read).expect("an address");
        assert_eq!(found.options.get_host(), "db.example");
        assert_eq!(found.options.get_port(), 6000);
        assert_eq!(found.options.get_username(), "someone");
        assert_eq!(found.options.get_database(), Some("orders"));
        let wrong = Address::with("postgres:///?service=invoices", variable, read).expect_err("no such service");
        assert!(wrong.contains("service 'invoices'"), "{wrong}");
    }
}
