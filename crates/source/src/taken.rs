//! What was read of a database once. It is waited for when it is gone: no other table takes its place.

use std::collections::BTreeSet;

/// The tables of a database that were read, whenever they were looked up.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    first: Option<String>,
    tables: BTreeSet<String>,
}

impl Taken {
    /// Adds the tables that are there now, and the one of them that the first contact chose.
    pub fn add(&mut self, tables: &BTreeSet<String>, first: Option<&String>) {
        self.tables.extend(tables.iter().cloned());
        self.first = first.cloned().or(self.first.take());
    }

    /// The table that the first contact chose. Nothing else is read then.
    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// Whether nothing was read yet.
    pub fn is_empty(&self) -> bool {
        self.tables.is_empty()
    }

    /// The cause and the hint of the error that all of them are gone; `None` where there were none.
    pub fn gone(&self) -> Option<(String, &'static str)> {
        list(self.tables.iter()).map(|list| Self::said_gone(&list))
    }

    /// The cause and the hint of the error that a table is gone.
    pub fn said_gone(table: &str) -> (String, &'static str) {
        (format!("gone: {table}; no other table takes its place"), "crosstail looks for it until it is back")
    }

    /// What of them is not there now.
    pub fn absent(&self, now: &BTreeSet<String>) -> Vec<String> {
        self.tables.difference(now).cloned().collect()
    }

    /// What of them is not there now, for people.
    pub fn missing(&self, now: &BTreeSet<String>) -> Option<String> {
        Some(format!("gone, and read again when there: {}", list(self.absent(now).iter())?))
    }

    /// What has come or gone between two look-ups, for people; `None` where nothing has.
    pub fn changes(before: &BTreeSet<String>, now: &BTreeSet<String>) -> Option<String> {
        let gone = list(before.difference(now)).map(|gone| format!("gone, and read again when there: {gone}"));
        let come = list(now.difference(before)).map(|come| format!("there now, and read: {come}"));
        let said: Vec<String> = gone.into_iter().chain(come).collect();
        (!said.is_empty()).then(|| said.join("; "))
    }
}

/// Names for people; `None` where there are none.
fn list<'a>(names: impl Iterator<Item = &'a String>) -> Option<String> {
    let names: Vec<&str> = names.map(String::as_str).collect();
    (!names.is_empty()).then(|| names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_was_read_is_remembered_and_missed() {
        let mut taken = Taken::default();
        assert!(taken.is_empty() && taken.gone().is_none());
        taken.add(&set(&["calls", "jobs"]), Some(&"calls".to_owned()));
        taken.add(&set(&["jobs"]), None);
        assert_eq!(taken.first(), Some("calls"));
        assert_eq!(taken.missing(&set(&["jobs"])).as_deref(), Some("gone, and read again when there: calls"));
        assert_eq!(taken.missing(&set(&["jobs", "calls"])), None);
    }

    #[test]
    fn what_has_come_and_gone_is_said() {
        let said = Taken::changes(&set(&["a", "b"]), &set(&["b", "c"]));
        assert_eq!(said.as_deref(), Some("gone, and read again when there: a; there now, and read: c"));
        assert_eq!(Taken::changes(&set(&["a"]), &set(&["a"])), None);
    }
}
