//! The state of the server: the members of its replica set, their lag, and the time that its oplog covers (engineering
//! logs, monitoring). Without the role `clusterMonitor`, what needs it is left out, and a check says so.

use super::{Asking, Error};
use bson::{Bson, Document, doc};
use crosstail_core::model::{Check, HealthState, Metric, Unit, Vitals};

/// A shorter oplog loses changes while a reader is away, in seconds.
const SHORT_S: f64 = 3600.0;
/// A member with more lag is late, in seconds.
const LATE_S: i64 = 10;

/// Mechanisms by which the driver identifies its user or this machine with what it finds there.
const OF_THE_MACHINE: [&str; 3] = ["MONGODB-AWS", "MONGODB-OIDC", "GSSAPI"];

/// The driver sends a password only where the address names one. Mechanisms that send more are refused.
pub(crate) fn alone(at: &str) -> Result<String, String> {
    let query = at.split_once('?').map_or("", |(_, query)| query);
    for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
        let value = value.to_ascii_uppercase();
        // The driver decodes both; whatever is escaped here says nothing honest.
        let is_plain = |text: &str| !text.contains('%');
        if name.eq_ignore_ascii_case("authMechanism") && (!is_plain(&value) || OF_THE_MACHINE.contains(&value.as_str()))
            || !is_plain(name)
        {
            let own = "put the source into your own configuration";
            return Err(format!("authMechanism={value} identifies you or this machine: {own}"));
        }
    }
    Ok(at.to_owned())
}

pub(super) async fn vitals(database: Asking<'_>) -> Result<Vitals, Error> {
    let mut vitals = Vitals::default();
    if database.set {
        match replica_set(database, &mut vitals).await {
            Err(error) if error.code() == Some(13) => {
                let detail = "its members are not visible without the role clusterMonitor";
                vitals.checks.push(Check::new("replica set", HealthState::Unknown, detail));
            }
            other => other?,
        }
        match oplog(database, &mut vitals).await {
            Err(error) if error.code() == Some(13) => {}
            other => other?,
        }
    }
    match database.handle.run_command(doc! { "serverStatus": 1 }).await.map_err(Error::from) {
        Err(error) if error.code() == Some(13) => {}
        status => {
            let status = status?;
            let connections = status.get_document("connections").ok();
            for name in ["current", "available", "active"] {
                let value = connections.and_then(|c| number(c, name));
                vitals.metrics.push(Metric::new("connections", name, &[], value));
            }
            let of = |name| connections.and_then(|c| number(c, name));
            let in_use = of("current").zip(of("available")).map(|(used, free)| 100.0 * used / (used + free).max(1.0));
            let in_use = Metric::new("connections", "connections in use", &[], in_use);
            vitals.metrics.push(Metric { unit: Unit::Percent, ..in_use });
        }
    }
    Ok(vitals)
}

fn number(of: &Document, name: &str) -> Option<f64> {
    match of.get(name)? {
        Bson::Int32(n) => Some(f64::from(*n)),
        Bson::Int64(n) => Some(*n as f64),
        Bson::Double(n) => Some(*n),
        _ => None,
    }
}

async fn replica_set(database: Asking<'_>, vitals: &mut Vitals) -> Result<(), Error> {
    let admin = database.client.database("admin");
    let status = admin.run_command(doc! { "replSetGetStatus": 1 }).await?;
    let set = status.get_str("set").unwrap_or("?");
    let members: Vec<&Document> =
        status.get_array("members").into_iter().flatten().filter_map(Bson::as_document).collect();
    let newest = members.iter().filter_map(|member| member.get_datetime("optimeDate").ok()).max();
    let (mut primaries, mut wrong) = (0, Vec::new());
    for member in &members {
        let name = member.get_str("name").unwrap_or("?");
        let state = member.get_str("stateStr").unwrap_or("?");
        primaries += usize::from(state == "PRIMARY");
        let behind = newest.zip(member.get_datetime("optimeDate").ok());
        let behind = behind.map(|(newest, own)| (newest.timestamp_millis() - own.timestamp_millis()) / 1000);
        let metric =
            Metric::new("replica set", "behind", &[("member", name), ("state", state)], behind.map(|s| s as f64));
        vitals.metrics.push(Metric { unit: Unit::Seconds, ..metric });
        if !matches!(state, "PRIMARY" | "SECONDARY" | "ARBITER") {
            wrong.push(format!("{name} is {state}"));
        } else if behind.is_some_and(|s| s > LATE_S) {
            wrong.push(format!("{name} is {} s behind", behind.unwrap_or(0)));
        }
    }
    let (state, detail) = if primaries == 0 {
        (HealthState::Down, format!("{set} has no primary: nothing can be written"))
    } else if wrong.is_empty() {
        (
            HealthState::Healthy,
            format!("{set}: {} member{}, one primary", members.len(), if members.len() == 1 { "" } else { "s" }),
        )
    } else {
        (HealthState::Degraded, format!("{set}: {}", wrong.join(", ")))
    };
    vitals.checks.push(Check::new("replica set", state, detail));
    Ok(())
}

async fn oplog(database: Asking<'_>, vitals: &mut Vitals) -> Result<(), Error> {
    let oplog = database.client.database("local").collection::<Document>("oplog.rs");
    let end = |order: i32| oplog.find_one(doc! {}).sort(doc! { "$natural": order }).projection(doc! { "ts": 1 });
    let (first, last) = (end(1).await?, end(-1).await?);
    let seconds = |entry: &Option<Document>| entry.as_ref()?.get_timestamp("ts").ok().map(|at| f64::from(at.time));
    let Some((first, last)) = seconds(&first).zip(seconds(&last)) else { return Ok(()) };
    let window = last - first;
    let metric = Metric::new("replica set", "oplog window", &[], Some(window));
    vitals.metrics.push(Metric { unit: Unit::Seconds, ..metric });
    let stats = database.client.database("local").run_command(doc! { "collStats": "oplog.rs" }).await?;
    let (used, size) = (number(&stats, "size"), number(&stats, "maxSize"));
    // A young oplog is short because nothing has been removed from it yet.
    let full = used.zip(size).is_some_and(|(used, size)| used > 0.9 * size);
    if full && window < SHORT_S {
        let detail = format!("the oplog holds {window:.0} s: a reader that is away for longer loses changes");
        vitals.checks.push(Check::new("oplog", HealthState::Degraded, detail));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::alone;

    #[test]
    fn an_address_that_is_alone_identifies_nobody() {
        for at in ["mongodb://h/x", "mongodb://a:b@h/x?authMechanism=SCRAM-SHA-256&tls=true"] {
            assert_eq!(alone(at).as_deref(), Ok(at));
        }
        for query in ["authMechanism=MONGODB-AWS", "tls=true&authmechanism=mongodb-oidc", "%61uthMechanism=GSSAPI"] {
            alone(&format!("mongodb://evil/x?{query}")).expect_err("refused");
        }
    }
}
