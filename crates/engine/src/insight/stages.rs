//! The stages of a record in a flow: which places it has reached and when, and which it has not.

use crosstail_core::model::{Activity, Names, Timestamp};
use std::sync::Arc;

/// One stage of a flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// The table, index or topic. A stage that has not been reached has the name in the flow.
    pub name: String,
    /// The source; `None` where the stage has not been reached.
    pub source: Option<Arc<str>>,
    /// When the record reached the stage.
    pub at: Option<Timestamp>,
    /// Microseconds since the previous stage.
    pub after_us: Option<i64>,
}

/// The stages of an activity: first those that it has reached, in order of time, then those of its flow that a source
/// reads but that it has not reached. Empty where no place has a time and every stage has been reached.
pub fn stages(activity: &Activity, names: &Names) -> Vec<Stage> {
    let (flows, read) = (names.flows(), names.tables());
    let fits = |pattern: &str, table: &str| glob::Pattern::new(pattern).is_ok_and(|glob| glob.matches(table));
    let mut passed: Vec<Stage> = Vec::new();
    for place in &activity.places {
        let source = names.source_name(place.source);
        let name = place.table(names).unwrap_or_else(|| Arc::clone(&source)).to_string();
        // The first of several records in one place counts.
        match passed.iter_mut().find(|stage| stage.name == name && stage.source.as_ref() == Some(&source)) {
            Some(stage) => stage.at = [stage.at, place.at].into_iter().flatten().min(),
            None => passed.push(Stage { name, source: Some(source), at: place.at, after_us: None }),
        }
    }
    let on_the_way = |flow: &&Vec<String>| passed.iter().any(|stage| flow.iter().any(|p| fits(p, &stage.name)));
    let flow = flows.iter().find(on_the_way);
    let rank = |name: &str| flow.and_then(|flow| flow.iter().position(|pattern| fits(pattern, name)));
    passed.sort_by_key(|stage| (stage.at.is_none(), stage.at, rank(&stage.name)));
    let mut before = None;
    for stage in &mut passed {
        stage.after_us = before.zip(stage.at).map(|(before, at): (Timestamp, Timestamp)| at.since_us(before));
        before = stage.at.or(before);
    }
    let awaited = flow.into_iter().flatten().filter(|pattern| {
        let is_read = read.iter().any(|table| **table == ***pattern || fits(pattern, table));
        is_read && !passed.iter().any(|stage| fits(pattern, &stage.name) || stage.name == ***pattern)
    });
    let awaited: Vec<Stage> =
        awaited.map(|name| Stage { name: name.clone(), source: None, at: None, after_us: None }).collect();
    if awaited.is_empty() && passed.iter().all(|stage| stage.at.is_none()) {
        return Vec::new();
    }
    passed.extend(awaited);
    passed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Locator, Place};

    #[test]
    fn where_a_record_is_stuck_is_the_last_stage_before_those_awaited() {
        let names = Names::default();
        let (kafka, es) = (names.add_source("kafka"), names.add_source("es"));
        names.table(es, "engineering_logs*");
        let message = |topic: &str, ms: i64| Place {
            at: Some(Timestamp::from_millis(ms)),
            ..Place::new(kafka, Locator::Message { topic: names.place(topic), partition: 0, offset: 1 })
        };
        names.table(kafka, "log-ingestion");
        names.table(kafka, "log-processing");
        names.add_flow(&["log-ingestion", "log-processing", "engineering_logs*", "log_entries"].map(str::to_owned));
        let mut activity = Activity::new(Id::Text("l1".into()), Timestamp(0));
        activity.places = vec![message("log-processing", 1120), message("log-ingestion", 1000)];
        let of = |activity: &Activity| -> Vec<(String, Option<i64>, bool)> {
            let stages = stages(activity, &names);
            stages.into_iter().map(|s| (s.name, s.after_us, s.source.is_some())).collect()
        };
        let stuck = [
            ("log-ingestion".to_owned(), None, true),
            ("log-processing".to_owned(), Some(120_000), true),
            ("engineering_logs*".to_owned(), None, false),
        ];
        assert_eq!(of(&activity), stuck, "log_entries is not read, so it is not awaited");
        let indexed = Place::new(es, Locator::table_key(0, "engineering_logs-1/x"));
        activity.places.push(Place { at: Some(Timestamp::from_millis(2500)), ..indexed });
        assert_eq!(of(&activity)[2], ("engineering_logs*".to_owned(), Some(1_380_000), true));
        let mut elsewhere = Activity::new(Id::Text("x".into()), Timestamp(0));
        elsewhere.places = vec![Place::new(es, Locator::Row(1))];
        assert!(stages(&elsewhere, &names).is_empty());
    }
}
