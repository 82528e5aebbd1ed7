//! What an address says: what the driver reads of it, and the zone of times without one.

use sqlx::mysql::MySqlConnectOptions;
use std::str::FromStr as _;

/// The parameters of an address. The driver ignores others in silence, a misspelt `ssl-mode` too.
const PARAMETERS: [&str; 12] = [
    "ssl-mode",
    "sslmode",
    "ssl-ca",
    "sslca",
    "ssl-cert",
    "sslcert",
    "ssl-key",
    "sslkey",
    "socket",
    "charset",
    "collation",
    "timezone",
];

/// An address that was read.
pub(crate) struct Address {
    pub(crate) options: MySqlConnectOptions,
    /// How far the zone of `datetime` columns is ahead of UTC, in microseconds.
    pub(crate) zone_us: i64,
}

/// Reads an address.
pub(crate) fn read(url: &str) -> Result<Address, String> {
    // The driver says what kind of error it is, once for each of its layers.
    let reason = |error: sqlx::Error| error.to_string().trim_start_matches("error with configuration: ").to_owned();
    let mut options = MySqlConnectOptions::from_str(url).map_err(reason)?;
    let (head, query) = url.split_once('?').unwrap_or((url, ""));
    let mut zone_us = 0;
    for (name, value) in
        query.split('&').filter(|pair| !pair.is_empty()).map(|pair| pair.split_once('=').unwrap_or((pair, "")))
    {
        if !PARAMETERS.contains(&name) {
            let near = crosstail_core::filter::suggest(name, PARAMETERS);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            return Err(format!("the address has no parameter '{name}'{hint}"));
        }
        if name == "timezone" {
            zone_us = offset_us(value)
                .ok_or_else(|| format!("timezone={value} is not an offset such as %2B02:00: store times in UTC, or as TIMESTAMP, where the offset changes over the year"))?;
        }
    }
    let authority = head.split_once("://").map_or(head, |(_, rest)| rest).split('/').next().unwrap_or_default();
    let has_password = authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'));
    if !has_password && let Ok(password) = std::env::var("MYSQL_PWD") {
        options = options.password(&password);
    }
    Ok(Address { options, zone_us })
}

/// An address without a password has an empty one: then `MYSQL_PWD` is not asked.
#[allow(clippy::unnecessary_wraps, reason = "the signature of `Network::alone`")]
pub(crate) fn alone(at: &str) -> Result<String, String> {
    let (scheme, rest) = at.split_once("://").unwrap_or(("mysql", at));
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, more) = rest.split_at(end);
    Ok(match authority.rsplit_once('@') {
        Some((user, _)) if user.contains(':') => at.to_owned(),
        Some((user, host)) => format!("{scheme}://{user}:@{host}{more}"),
        // The driver's own name for a user that is not named.
        None => format!("{scheme}://root:@{authority}{more}"),
    })
}

/// `+02:00`, `%2B02:00`, `-0530` in microseconds.
fn offset_us(text: &str) -> Option<i64> {
    let text = text.replace("%2B", "+").replace("%2b", "+").replace("%3A", ":").replace("%3a", ":");
    if text == "UTC" || text == "Z" {
        return Some(0);
    }
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        // A plus in an address is a blank.
        None => (1, text.strip_prefix('+').or_else(|| text.strip_prefix(' ')).unwrap_or(&text)),
    };
    let digits = rest.replace(':', "");
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes): (i64, i64) = (digits[..2].parse().ok()?, digits[2..].parse().ok()?);
    (hours <= 14 && minutes < 60).then_some(sign * (hours * 60 + minutes) * 60_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_is_alone_has_a_password_of_its_own() {
        for (at, expected) in [
            ("mysql://evil/x", "mysql://root:@evil/x"),
            ("mysql://me@evil:3307/x?charset=utf8mb4", "mysql://me:@evil:3307/x?charset=utf8mb4"),
            ("mariadb://me:its@evil/x", "mariadb://me:its@evil/x"),
        ] {
            assert_eq!(alone(at).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_an_address_says() {
        let zone = |url: &str| read(url).map(|address| address.zone_us);
        assert_eq!(zone("mysql://me@db/shop"), Ok(0));
        assert_eq!(zone("mariadb://me@db/shop?ssl-mode=REQUIRED&timezone=%2B02:00"), Ok(7_200_000_000));
        assert_eq!(zone("mysql://me@db/shop?timezone=-05:30"), Ok(-19_800_000_000));
        let wrong = zone("mysql://me@db/shop?sslmod=REQUIRED").expect_err("misspelt");
        assert!(wrong.contains("did you mean sslmode?"), "{wrong}");
        let wrong = zone("mysql://me@db/shop?ssl-mode=perhaps").expect_err("no mode");
        assert!(!wrong.contains("error with configuration") && wrong.contains("perhaps"), "{wrong}");
        assert!(zone("mysql://me@db/shop?timezone=Europe/Berlin").expect_err("no offset").contains("UTC"));
        let socket = read("mysql://me@localhost/shop?socket=/run/mysqld/mysqld.sock").map_err(|_| ()).expect("read");
        assert_eq!(
            socket.options.get_socket().map(|path| path.display().to_string()).as_deref(),
            Some("/run/mysqld/mysqld.sock")
        );
    }
}
