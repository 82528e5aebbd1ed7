//! What can go wrong, and what to do about it.

use crosstail_source::{ErrorKind, TooLarge};
use sqlx::mysql::MySqlDatabaseError;

/// The driver's errors, and a mapping that does not fit.
pub(crate) enum Error {
    Driver(sqlx::Error),
    Mapping(String),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

/// The server's number of an error.
pub(crate) fn number(error: &sqlx::Error) -> Option<u16> {
    error.as_database_error()?.try_downcast_ref::<MySqlDatabaseError>().map(MySqlDatabaseError::number)
}

/// A table or a column that is not there any more, or is another.
pub(crate) fn is_of_tables(error: &sqlx::Error) -> bool {
    matches!(number(error), Some(1054 | 1142 | 1143 | 1146 | 1356 | 1412))
}

/// What an error means, and what to do ("Server Error Message Reference", "MariaDB Error Codes").
pub(crate) fn classify(error: &sqlx::Error) -> (ErrorKind, Option<&'static str>) {
    const CERTIFICATE: &str = "does the server have a certificate that ssl-ca, or the system's roots, know?";
    match error {
        // Of a certificate that is not accepted, too.
        sqlx::Error::Io(io) if io.to_string().contains("certificate") => (ErrorKind::Connect, Some(CERTIFICATE)),
        sqlx::Error::Io(_) => (ErrorKind::Connect, Some("is the server running, and the address right?")),
        sqlx::Error::Tls(_) => (ErrorKind::Connect, Some(CERTIFICATE)),
        sqlx::Error::PoolTimedOut => (ErrorKind::Timeout, Some("the server does not answer")),
        sqlx::Error::Decode(error) if error.is::<TooLarge>() => {
            (ErrorKind::Budget, Some("narrow the filter or the range of time"))
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => (ErrorKind::Decode, None),
        sqlx::Error::Protocol(text) if text.contains("authentication plugin") => {
            (ErrorKind::Auth, Some("give the user mysql_native_password, or caching_sha2_password and TLS"))
        }
        sqlx::Error::Protocol(text) if text.contains("rsa") || text.contains("RSA") => {
            (ErrorKind::Auth, Some("caching_sha2_password wants TLS: add ?ssl-mode=REQUIRED to the address"))
        }
        sqlx::Error::Database(_) => match number(error) {
            Some(1045 | 1698 | 3118 | 4151) => (ErrorKind::Auth, Some("check the user and the password")),
            Some(1044) => (ErrorKind::Auth, Some("GRANT SELECT on the database's tables to the user")),
            Some(1142 | 1143) => (ErrorKind::Auth, Some("GRANT SELECT on it to the user")),
            Some(1227) => (ErrorKind::Auth, None),
            Some(1049) => (ErrorKind::Connect, Some("check the database's name")),
            Some(1969 | 3024) => {
                (ErrorKind::Timeout, Some("the query was stopped after 60 s; is there an index on the time column?"))
            }
            Some(1205) => (ErrorKind::Timeout, Some("a lock on the table was waited for: is it being altered?")),
            Some(1040 | 1203 | 1226) => (ErrorKind::Connect, Some("the server has no connection left")),
            Some(1053 | 1077 | 1079 | 1152 | 1153 | 1158..=1161 | 1927 | 2006 | 2013 | 4031) => {
                (ErrorKind::Connect, None)
            }
            _ => (ErrorKind::Query, None),
        },
        _ => (ErrorKind::Connect, None),
    }
}
