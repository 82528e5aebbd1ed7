//! Which columns leave: fields of the record, and paths of the payload.

use super::Record;
use crosstail_core::filter::{Field, Operand, suggest};
use crosstail_core::model::{Activity, Names, Payload};
use serde_json::{Map, Value};

/// Columns by their names: those of the record, or those that were chosen, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Columns {
    names: Vec<String>,
    /// The columns that are paths of the payload.
    paths: Vec<(String, Operand)>,
    is_chosen: bool,
}

impl Default for Columns {
    fn default() -> Self {
        Self { names: Record::COLUMNS.map(str::to_owned).to_vec(), paths: Vec::new(), is_chosen: false }
    }
}

impl Columns {
    /// The columns that were asked for, each the name of a field in JSON or in filters, or of a path of the payload.
    ///
    /// # Errors
    /// A name is none of these; the text says which could have been meant.
    pub fn of(fields: &[String]) -> Result<Self, String> {
        let mut columns = Self { names: Vec::new(), paths: Vec::new(), is_chosen: true };
        for name in fields.iter().map(|name| name.trim()) {
            let known = || Record::COLUMNS.into_iter().chain(Record::LOOKED_UP);
            let own = known().find(|column| column.eq_ignore_ascii_case(name));
            let of_filter = || {
                let field = Field::parse(name)?;
                known().find(|column| Field::parse(column) == Some(field))
            };
            if let Some(column) = own.or_else(of_filter) {
                columns.names.push(column.to_owned());
                continue;
            }
            let path = Operand::parse(name).filter(Operand::is_of_payload).ok_or_else(|| {
                let hint = suggest(name, known()).map_or_else(
                    || {
                        let fields = known().collect::<Vec<_>>().join(", ");
                        format!("; the fields are {fields}, and paths such as req.body.order.id and meta.tenant")
                    },
                    |near| format!("; did you mean '{near}'?"),
                );
                format!("--fields: no field '{name}'{hint}")
            })?;
            columns.names.push(name.to_owned());
            columns.paths.push((name.to_owned(), path));
        }
        Ok(columns)
    }

    /// Their names, in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether they were asked for.
    pub const fn is_chosen(&self) -> bool {
        self.is_chosen
    }

    /// Whether any is of the payload.
    pub fn needs_payload(&self) -> bool {
        !self.paths.is_empty()
    }

    /// What they have of an activity, without secrets. What is of a payload that is not given is null.
    ///
    /// # Errors
    /// The record cannot be written as JSON.
    pub fn row(
        &self,
        activity: &Activity,
        payload: Option<&Payload>,
        names: &Names,
    ) -> Result<Map<String, Value>, serde_json::Error> {
        let record = serde_json::to_value(Record::new(activity, names))?;
        let Value::Object(mut record) = record else { return Ok(Map::new()) };
        if !self.is_chosen {
            return Ok(record);
        }
        for (name, path) in &self.paths {
            record.insert(name.clone(), payload.map_or(Value::Null, |payload| path.json(payload)));
        }
        Ok(self.names.iter().map(|name| (name.clone(), record.get(name).cloned().unwrap_or(Value::Null))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Timestamp};
    use serde_json::json;

    #[test]
    fn columns_are_of_the_record_and_of_the_payload() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let columns = Columns::of(&words("id corr meta.tenant meta.nothing status")).expect("columns");
        assert_eq!(columns.names(), ["id", "correlation_id", "meta.tenant", "meta.nothing", "status"]);
        let mut payload = Payload::default();
        payload.metadata.insert("tenant".to_owned(), json!("acme"));
        let activity = Activity::new(Id::parse("a"), Timestamp(0));
        let row = columns.row(&activity, Some(&payload), &Names::default()).expect("a row");
        assert_eq!(
            Value::Object(row),
            json!({ "id": "a", "correlation_id": null, "meta.tenant": "acme", "meta.nothing": null, "status": null })
        );
        assert!(columns.needs_payload() && !Columns::default().needs_payload());
        let wrong = Columns::of(&words("id sytem")).expect_err("misspelt");
        assert!(wrong.contains("no field 'sytem'; did you mean 'system'?"), "{wrong}");
    }
}
