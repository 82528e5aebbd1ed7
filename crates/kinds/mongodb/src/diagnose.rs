//! What `doctor` checks in MongoDB: privileges, indexes, the TTL, and how changes are noticed.

use super::{Asking, Error};
use bson::{Bson, Document, doc};
use crosstail_core::model::{Diagnosis, Grade, RETENTION_DAYS};
use crosstail_core::number::saturating_i64;

/// A collection with fewer documents needs no index.
const SMALL: i64 = 10_000;
/// Actions that write.
const WRITES: [&str; 8] =
    ["insert", "update", "remove", "dropCollection", "createIndex", "collMod", "dropDatabase", "createCollection"];

pub(super) async fn diagnose(database: Asking<'_>) -> Result<Vec<Diagnosis>, Error> {
    let mut diagnoses = Vec::new();
    rights(database, &mut diagnoses).await?;
    for mapping in &database.mappings {
        let name = &mapping.table.name;
        let collection = database.handle.collection::<Document>(name);
        let mut indexes = Vec::new();
        match collection.list_indexes().await {
            Ok(mut cursor) => {
                while cursor.advance().await? {
                    indexes.push(cursor.deserialize_current()?);
                }
            }
            Err(_) if !mapping.is_streamed => {
                diagnoses
                    .push(Diagnosis::note("indexes", format!("{name} is a view: the indexes of its origin count")));
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let count = saturating_i64(collection.estimated_document_count().await?);
        let first = |index: &mongodb::IndexModel| index.keys.keys().next().cloned().unwrap_or_default();
        let fields = &mapping.schema.definition().fields;
        let time = &mapping.table.time;
        let mut wanted = vec![("following and paging need", time.clone())];
        for (why, field) in [
            ("finding traces needs", "correlation_id"),
            ("finding requests needs", "request_id"),
            ("finding retries needs", "parent_request_id"),
            ("finding failures needs", "status"),
            ("finding failures needs", "http_status"),
            ("one system alone needs", "system"),
        ] {
            let paths = fields.get(field).and_then(|paths| paths.list().first().cloned());
            wanted.extend(paths.map(|path| (why, path)));
        }
        let mut missing = 0;
        for (why, path) in wanted {
            if path == "_id" || indexes.iter().any(|index| first(index) == path) {
                continue;
            }
            missing += 1;
            // What many documents share is read in the order of time.
            let keys = match path.as_str() {
                path if path == time => format!("\"{path}\": -1"),
                path if why.ends_with("alone needs") || why.starts_with("finding failures") => {
                    format!("\"{path}\": 1, \"{time}\": -1")
                }
                path => format!("\"{path}\": 1"),
            };
            let statement = format!("db.{name}.createIndex({{ {keys} }})");
            let found = Diagnosis::warning("indexes", format!("{name}: no index on {path}; {why} one"), statement);
            diagnoses.push(if count < SMALL { Diagnosis { grade: Grade::Note, ..found } } else { found });
        }
        if missing == 0 {
            diagnoses.push(Diagnosis::ok("indexes", format!("{name}: every field that queries use is indexed")));
        }
        diagnoses.push(ttl(name, &mapping.table.time, &indexes));
        diagnoses.push(Diagnosis::ok("volume", format!("{name}: about {count} documents")));
    }
    diagnoses.push(if database.pushes {
        Diagnosis::ok("live", "a change stream reports each write")
    } else {
        Diagnosis::note(
            "live",
            "a standalone server has no change streams: it is polled twice a second, less often for older documents",
        )
    });
    Ok(diagnoses)
}

fn ttl(name: &str, time: &str, indexes: &[mongodb::IndexModel]) -> Diagnosis {
    let wanted = RETENTION_DAYS * 86_400;
    let expires = indexes.iter().find_map(|index| {
        let after = index.options.as_ref()?.expire_after?;
        Some((index.keys.keys().next()?.clone(), saturating_i64(after.as_secs())))
    });
    match expires {
        Some((field, after)) if after == wanted => {
            Diagnosis::ok("retention", format!("{name}: documents are deleted {RETENTION_DAYS} days after {field}"))
        }
        Some((field, after)) => Diagnosis::note(
            "retention",
            format!(
                "{name}: documents are deleted {:.1} days after {field}, not {RETENTION_DAYS}",
                after as f64 / 86_400.0
            ),
        ),
        None => Diagnosis::warning(
            "retention",
            format!("{name}: nothing is ever deleted, because there is no TTL index"),
            format!(
                "db.{name}.createIndex({{ \"{}\": 1 }}, {{ expireAfterSeconds: {wanted} }})",
                if time == "started_at" { "created_at" } else { time }
            ),
        ),
    }
}

async fn rights(database: Asking<'_>, diagnoses: &mut Vec<Diagnosis>) -> Result<(), Error> {
    let own = format!(
        "use a separate read-only user: db.createUser({{ user: \"crosstail\", pwd: passwordPrompt(), roles: [{{ role: \"read\", db: \"{}\" }}] }})",
        database.handle.name()
    );
    let status = database.handle.run_command(doc! { "connectionStatus": 1, "showPrivileges": true }).await?;
    let auth = status.get_document("authInfo").ok();
    let list = |name: &str| auth.and_then(|auth| auth.get_array(name).ok()).map(Vec::as_slice).unwrap_or_default();
    let user =
        list("authenticatedUsers").first().and_then(Bson::as_document).and_then(|user| user.get_str("user").ok());
    let Some(user) = user else {
        let text = "the server requires no login: anyone who can reach it may write";
        diagnoses.push(Diagnosis::warning(
            "permissions",
            text,
            format!("enable access control (security.authorization), then {own}"),
        ));
        return Ok(());
    };
    let mut may: Vec<&str> = Vec::new();
    for privilege in list("authenticatedUserPrivileges").iter().filter_map(Bson::as_document) {
        let resource = privilege.get_document("resource").ok();
        let own = resource.is_some_and(|resource| {
            let db = resource.get_str("db").unwrap_or_default();
            resource.get_bool("anyResource").unwrap_or(false)
                || resource.contains_key("db") && (db.is_empty() || db == database.handle.name())
        });
        let actions = privilege.get_array("actions").into_iter().flatten().filter_map(Bson::as_str);
        may.extend(actions.filter(|action| own && WRITES.contains(action)));
    }
    may.sort_unstable();
    may.dedup();
    diagnoses.push(if may.is_empty() {
        Diagnosis::ok("permissions", format!("{user} may read and not write"))
    } else {
        Diagnosis::warning("permissions", format!("{user} may {}, but only needs to read", may.join(", ")), own)
    });
    Ok(())
}
