//! The kinds of source in this build. Everything that lists kinds iterates over [`ALL`].

use crosstail_source::Kinds;

/// In the order in which they are listed and asked for a path; files accept every path, so they come last.
pub const ALL: Kinds = Kinds(&[
    #[cfg(feature = "postgres")]
    &crosstail_postgres::KIND,
    #[cfg(feature = "mysql")]
    &crosstail_mysql::KIND,
    #[cfg(feature = "mongodb")]
    &crosstail_mongodb::KIND,
    #[cfg(feature = "elasticsearch")]
    &crosstail_elasticsearch::KIND,
    #[cfg(feature = "kafka")]
    &crosstail_kafka::KIND,
    #[cfg(feature = "command")]
    &crosstail_command::KIND,
    #[cfg(feature = "sqlite")]
    &crosstail_sqlite::KIND,
    #[cfg(feature = "prometheus")]
    &crosstail_prometheus::KIND,
    #[cfg(feature = "receiver")]
    &crosstail_receiver::KIND,
    #[cfg(feature = "traces")]
    &crosstail_traces::KIND,
    #[cfg(feature = "file")]
    &crosstail_file::KIND,
]);

#[cfg(all(test, feature = "postgres", feature = "mongodb", feature = "elasticsearch", feature = "prometheus"))]
mod tests {
    use super::ALL;

    #[test]
    fn addresses_tell_where_they_are() {
        let of = |at: &str| -> Vec<(String, u16, Option<bool>)> {
            ALL.endpoints(at).into_iter().map(|e| (e.host, e.port, e.encrypted)).collect()
        };
        assert_eq!(of("postgres://me:x@db/prokure"), [("db".to_owned(), 5432, None)]);
        assert_eq!(
            of("mongodb://a:1,b/logs?tls=true"),
            [("a".to_owned(), 1, Some(true)), ("b".to_owned(), 27017, Some(true))]
        );
        assert_eq!(of("es+http://[::1]:9201/x"), [("::1".to_owned(), 9201, Some(false))]);
        assert_eq!(of("health+https://app/health"), [("app".to_owned(), 443, Some(true))]);
        assert!(of("logs/*.log").is_empty() && of("mongodb+srv://x.example/y").is_empty());
        assert!(ALL.endpoints("postgres://me:x@db/y?sslmode=require").iter().all(|e| e.unverified));
        assert!(ALL.endpoints("postgres://me@db/y?sslmode=verify-full").iter().all(|e| !e.unverified));
        for at in [
            "postgres://me:x@db/y",
            "otlp+http://0.0.0.0:4318?token=x",
            "http-in://:x@0.0.0.0:8088",
            "es+http://h/i?api_key=x",
        ] {
            assert!(ALL.tells_a_secret(at), "{at}");
        }
        for at in ["postgres://me@db/y?sslmode=require", "otlp+http://0.0.0.0:4318?token=", "logs/a:b@c?token=x.log"] {
            assert!(!ALL.tells_a_secret(at), "{at}");
        }
    }

    #[test]
    fn names_and_schemes_are_told_apart_and_examples_are_understood() {
        let mut schemes: Vec<&str> = ALL.iter().flat_map(|kind| kind.schemes.iter().copied()).collect();
        let count = schemes.len();
        schemes.sort_unstable();
        schemes.dedup();
        assert_eq!(schemes.len(), count, "a scheme belongs to one kind");
        for kind in ALL.iter() {
            let found = ALL.of(kind.example).expect("a kind");
            assert_eq!(found.store.name, kind.store.name, "{}", kind.example);
        }
    }
}
