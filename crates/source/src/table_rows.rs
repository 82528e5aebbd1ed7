//! Rows of the tables of a database that are asked for at once.

use crosstail_core::model::{Id, Locator, Payload};
use std::collections::HashMap;

/// The rows that some activities are, and their payloads as they are found.
#[derive(Debug)]
pub struct TableRows {
    /// By table and key: the places among the activities.
    places: HashMap<(usize, String), Vec<usize>>,
    payloads: Vec<Option<Payload>>,
}

impl TableRows {
    /// The rows of activities; those without a key of a table have no payload.
    pub fn of(activities: &[(Id, Locator)]) -> Self {
        let mut places: HashMap<_, Vec<usize>> = HashMap::new();
        for (place, (_, locator)) in activities.iter().enumerate() {
            if let Some((table, key)) = locator.as_table_key() {
                places.entry((table, key.to_owned())).or_default().push(place);
            }
        }
        Self { places, payloads: vec![None; activities.len()] }
    }

    /// The keys of the rows of a table, each once.
    pub fn keys(&self, table: usize) -> Vec<String> {
        self.places.keys().filter(|(of, _)| *of == table).map(|(_, key)| key.clone()).collect()
    }

    /// What a table has of its keys.
    pub fn found(&mut self, table: usize, rows: Vec<(String, Payload)>) {
        for (key, payload) in rows {
            for place in self.places.get(&(table, key)).into_iter().flatten() {
                self.payloads[*place] = Some(payload.clone());
            }
        }
    }

    /// The payload of each activity, in their order.
    pub fn payloads(self) -> Vec<Option<Payload>> {
        self.payloads
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_activity_has_the_payload_of_its_row() {
        let row = |table, key| (Id::Text(format!("{table}-{key}").into()), Locator::table_key(table, key));
        let asked = [row(0, "1"), row(1, "1"), row(0, "1"), row(0, "2")];
        let mut rows = TableRows::of(&asked);
        let mut keys = rows.keys(0);
        keys.sort();
        assert_eq!((keys, rows.keys(1)), (vec!["1".to_owned(), "2".to_owned()], vec!["1".to_owned()]));
        let payload = |text: &str| Payload {
            metadata: [("text".to_owned(), text.into())].into_iter().collect(),
            ..Payload::default()
        };
        rows.found(0, vec![("1".to_owned(), payload("a")), ("3".to_owned(), payload("nobody asked"))]);
        rows.found(1, vec![("1".to_owned(), payload("b"))]);
        assert_eq!(rows.payloads(), [Some(payload("a")), Some(payload("b")), Some(payload("a")), None]);
    }
}
