//! Checks how well a schema fits a source, by its newest activities.

use crosstail_core::model::{Activity, Diagnosis, Grade, Kind, Locator, visible_line};
use crosstail_core::schema::Schema;

/// A diagnosis reports a field that a smaller share of the records has.
const FEW: f64 = 0.05;

/// Diagnoses of a schema from the newest activities.
pub fn fit(newest: &[Activity], schema: &str) -> Vec<Diagnosis> {
    let mut found = Vec::new();
    // What is not read yet at the first contact has none.
    let named = if schema.is_empty() { String::new() } else { format!("{schema}: ") };
    if newest.is_empty() {
        return vec![Diagnosis::note("schema", format!("{named}no records to check"))];
    }
    let count = newest.len();
    let unreadable: Vec<&Activity> = newest.iter().filter(|a| a.kind == Kind::Undecodable).collect();
    if let Some(first) = unreadable.first() {
        let parts = [&first.message, &first.error].into_iter().flatten().map(|text| text.as_str());
        let said = parts.collect::<Vec<_>>().join(": ");
        let text = format!(
            "{} of the {count} newest records could not be read, for example: {}",
            unreadable.len(),
            short(&said)
        );
        let remedy = format!(
            "check that {schema} is the right schema; name another with --schema, or write one (start from: crosstail schema show {schema})"
        );
        found.push(if unreadable.len() * 2 > count {
            Diagnosis::problem("schema", text, remedy)
        } else {
            Diagnosis::warning("schema", text, remedy)
        });
    }
    let readable: Vec<&Activity> = newest.iter().filter(|a| a.kind != Kind::Undecodable).collect();
    if readable.is_empty() {
        return found;
    }
    let part =
        |has: &dyn Fn(&Activity) -> bool| readable.iter().filter(|a| has(a)).count() as f64 / readable.len() as f64;
    let fields: [(&str, f64); 8] = [
        ("system", part(&|a| a.system.is_some())),
        ("status or level", part(&|a| a.status.is_some() || a.level.is_some())),
        (
            "endpoint, operation or message",
            part(&|a| a.endpoint.is_some() || a.operation.is_some() || a.message.is_some()),
        ),
        ("duration", part(&|a| a.took_us().is_some())),
        ("HTTP status", part(&|a| a.http_status.is_some())),
        ("correlation id", part(&|a| a.correlation_id.is_some())),
        ("request id", part(&|a| a.request_id.is_some())),
        ("attempt", part(&|a| a.attempt.is_some())),
    ];
    let said: Vec<String> = fields
        .iter()
        .map(|(name, part)| format!("{:.0} % a {name}", part * 100.0).replace(" a HTTP", " an HTTP"))
        .collect();
    found
        .push(Diagnosis::ok("schema", format!("{named}of the {} newest records, {}", readable.len(), said.join(", "))));
    if let Some(example) = readable.first() {
        found.push(Diagnosis::ok("schema", format!("the newest reads as: {}", described(example))));
    }
    for (name, part) in &fields[..3] {
        if *part < FEW {
            let text = format!("{name}: hardly any record has one; the newest reads as: {}", described(readable[0]));
            // What the first contact drafted, and a file of the user's, have no name that is known.
            let of_file = matches!(readable[0].places.first().map(|place| &place.locator), Some(Locator::Line { .. }));
            let remedy = match Schema::find(schema) {
                None if of_file => {
                    "write a format of your own: crosstail schema draft --from FILE drafts one".to_owned()
                }
                found => {
                    let begin = match found {
                        Some(_) => format!("crosstail schema show {schema}"),
                        None => "crosstail schema draft --from URL".to_owned(),
                    };
                    format!("map it in a schema of your own: {begin} > own.toml, then --schema own.toml")
                }
            };
            let told = Diagnosis::warning("schema", text, remedy);
            // Raw lines never have one.
            let raw = *name == "status or level";
            found.push(if raw { Diagnosis { grade: Grade::Note, ..told } } else { told });
        }
    }
    found
}

fn short(text: &str) -> String {
    visible_line(&crosstail_core::model::redact_text(text)).chars().take(120).collect()
}

fn described(a: &Activity) -> String {
    let text = |t: &Option<compact_str::CompactString>| t.as_deref().map(str::to_owned);
    let parts = [
        Some(a.started_at.rfc3339()),
        a.status.map(|status| status.to_string()).or(a.level.map(|level| level.to_string())),
        text(&a.system),
        text(&a.method),
        text(&a.endpoint).or_else(|| text(&a.operation)),
        text(&a.message).or_else(|| text(&a.error)),
    ];
    short(&parts.into_iter().flatten().collect::<Vec<_>>().join("  "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Status, Timestamp};
    use crosstail_core::number::saturating_i64;

    fn activity(n: usize) -> Activity {
        let mut activity = Activity::new(Id::parse(&format!("a-{n}")), Timestamp(saturating_i64(n)));
        activity.system = Some("SAP".into());
        activity.status = Some(Status::Success);
        activity.message = Some("done".into());
        activity
    }

    #[test]
    fn a_schema_that_fits_and_one_that_does_not() {
        let good: Vec<Activity> = (0..20).map(activity).collect();
        assert!(fit(&good, "x").iter().all(|d| d.grade == Grade::Ok));
        let mut strange = good.clone();
        for activity in &mut strange {
            activity.system = None;
        }
        strange[0].kind = Kind::Undecodable;
        strange[0].error = Some("password=hunter2xx is no JSON".into());
        let found = fit(&strange, "x");
        assert!(found.iter().any(|d| d.grade == Grade::Warning && d.text.starts_with("system: hardly any")));
        let bad = found.iter().find(|d| d.text.starts_with("1 of the 20")).expect("told");
        assert!(bad.text.contains("is no JSON") && !bad.text.contains("hunter2xx"), "{}", bad.text);
        for activity in &mut strange {
            activity.kind = Kind::Undecodable;
        }
        assert!(fit(&strange, "x").iter().any(|d| d.grade == Grade::Problem));
        assert_eq!(fit(&[], "x")[0].grade, Grade::Note);
    }
}
