//! The error of a record whose stack says what was thrown.

use crate::read::{Form, Found, first_line};
use crosstail_core::model::{Level, Thrown, thrown};
use crosstail_core::schema::Schema;

impl Found {
    /// Takes the error from the lines behind the first one of a text, where the record names none itself.
    pub(crate) fn blame_lines(&mut self, text: &str) {
        let (_, rest) = first_line(text);
        if !rest.is_empty() && !matches!(self.form, Form::Json(_) | Form::Broken | Form::Empty) {
            // The message may be what was thrown, and the lines where.
            self.blame(|message| thrown(rest).or_else(|| thrown(&format!("{message}\n{rest}"))));
        }
    }

    /// Takes the error from the stack of a JSON record, where the record names none itself.
    pub(crate) fn blame_stack(&mut self, schema: &Schema, value: &str) {
        // A stack has lines. Few records have any, so the others are not parsed again.
        if memchr::memmem::find(value.as_bytes(), b"\\n").is_some() {
            let stack = || schema.divide(schema.record(value).ok()?).error.stack;
            self.blame(|message| thrown(first_line(message).1).or_else(|| thrown(&stack()?)));
        }
    }

    /// What is thrown and only noted, as debug lines do, is no error.
    fn blame(&mut self, thrown: impl FnOnce(&str) -> Option<Thrown>) {
        let own = &mut self.activity;
        if own.error.is_none()
            && own.level.is_none_or(|level| level >= Level::Warn)
            && let Some(thrown) = thrown(own.message.as_deref().unwrap_or_default())
        {
            own.error = Some(thrown.message.into());
            own.error_type = own.error_type.take().or_else(|| Some(thrown.kind.into()));
        }
    }
}
