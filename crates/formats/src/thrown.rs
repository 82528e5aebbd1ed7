//! The error of a record whose stack says what was thrown, and where.

use crate::read::{Form, Found, first_line};
use crosstail_core::model::{Level, Thrown, place_of, redact_text, thrown};
use crosstail_core::schema::Schema;

impl Found {
    /// Takes the error from the lines behind the first one of a text, where the record names none itself.
    pub(crate) fn blame_lines(&mut self, text: &str) {
        let (_, rest) = first_line(text);
        if rest.is_empty() || !self.is_told() || matches!(self.form, Form::Json(_) | Form::Broken | Form::Empty) {
            return;
        }
        if let Some(thrown) = thrown(rest) {
            return self.blame(thrown, rest);
        }
        // The message may be what was thrown, and the lines where.
        let all = format!("{}\n{rest}", self.activity.message.as_deref().unwrap_or_default());
        if let Some(thrown) = thrown(&all) {
            self.blame(thrown, &all);
        }
    }

    /// Takes the error from the stack of a JSON record, where the record names none itself.
    pub(crate) fn blame_stack(&mut self, schema: &Schema, value: &str) {
        // A stack has lines. Few records have any, so the others are not parsed again.
        if memchr::memmem::find(value.as_bytes(), b"\\n").is_none() || !self.is_told() {
            return;
        }
        let message = self.activity.message.clone().unwrap_or_default();
        let (_, rest) = first_line(&message);
        if let Some(thrown) = thrown(rest) {
            return self.blame(thrown, rest);
        }
        let record = schema.record(value).ok();
        let Some(stack) = record.and_then(|record| schema.divide(record).error.stack) else { return };
        match thrown(&stack) {
            Some(thrown) => self.blame(thrown, &stack),
            None => self.place(&stack),
        }
    }

    /// Whether what it throws is an error: what is only noted, as debug lines do, is none.
    fn is_told(&self) -> bool {
        self.activity.level.is_none_or(|level| level >= Level::Warn)
    }

    fn blame(&mut self, thrown: Thrown, stack: &str) {
        let own = &mut self.activity;
        if own.error.is_none() {
            own.error = Some(thrown.message.into());
            own.error_type = own.error_type.take().or_else(|| Some(thrown.kind.into()));
        }
        self.place(stack);
    }

    fn place(&mut self, stack: &str) {
        if self.activity.error_at.is_none() {
            self.activity.error_at = place_of(stack).map(|place| redact_text(&place).into_owned().into());
        }
    }
}
