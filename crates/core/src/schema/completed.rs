//! A definition with what it takes from the schema that it extends, and what follows from both.

use super::{Definition, DurationUnit, Rule, Schema, SchemaError};

/// A whole definition. Of the built-in schemas, whose usual names take megabytes, few are ever completed.
#[derive(Debug, Clone)]
pub(super) struct Completed {
    pub(super) definition: Definition,
    /// The unit of the duration at each of its paths.
    pub(super) duration_units: Vec<DurationUnit>,
    pub(super) rules: Vec<Rule>,
}

impl Completed {
    /// Completes a definition as it was written.
    pub(super) fn of(mut definition: Definition, origin: &str) -> Result<Self, SchemaError> {
        let base = match definition.extends.as_deref() {
            Some(name) if name != definition.name => Some(Schema::find(name).ok_or_else(|| {
                let message = format!("extends = \"{name}\": no built-in schema has that name");
                SchemaError { origin: origin.to_owned(), message }
            })?),
            _ => None,
        };
        definition.complete(base.as_ref().map(Schema::definition));
        definition.take_named_unit();
        Ok(Self { rules: definition.rules(origin)?, duration_units: definition.duration_units(), definition })
    }

    /// As it was written, where nothing can be made of it: only of built-in schemas, which a test completes.
    pub(super) fn as_written(definition: &Definition) -> Self {
        Self { rules: Vec::new(), duration_units: definition.duration_units(), definition: definition.clone() }
    }
}
