//! The error of a record whose stack says what was thrown, and where.

use crate::read::{Form, Found, Surrounding, first_line};
use crosstail_core::model::{Level, Thrown, place_of, redact_text, thrown};
use crosstail_core::schema::Schema;

/// What a text says was thrown: a stack, also behind the mark that JBoss puts in front, or behind the message of its record.
fn thrown_in(text: &str) -> Option<Thrown> {
    thrown(text.trim_start_matches([':', ' '])).or_else(|| thrown(first_line(text).1))
}

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
        // A stack has lines, or frames that number theirs. Few records have any, so the others are not parsed again.
        let has = |part: &[u8]| memchr::memmem::find(value.as_bytes(), part).is_some();
        let error = self.activity.error.as_deref();
        let has_frames = || error.is_some_and(|error| error.starts_with('{') || has(b"\"line"));
        if !self.is_told() || !(has(b"\\n") || has_frames()) {
            return;
        }
        if self.blame_error() {
            return;
        }
        let message = self.activity.message.clone().unwrap_or_default();
        if let Some(thrown) = thrown(first_line(&message).1).or_else(|| thrown(&message)) {
            return self.blame(thrown, &message);
        }
        let record = schema.record(value).ok();
        let Some(stack) = record.and_then(|record| schema.divide(record).error.stack) else { return };
        match thrown_in(&stack) {
            Some(thrown) => self.blame(thrown, &stack),
            None => self.place(&stack),
        }
    }

    /// Takes what was thrown from an error whose text is the whole stack; returns whether it is one.
    pub(crate) fn blame_error(&mut self) -> bool {
        let error = self.activity.error.clone().filter(|error| error.contains('\n'));
        let thrown = error.and_then(|stack| thrown_in(&stack).map(|thrown| (thrown, stack)));
        let Some((thrown, stack)) = thrown else { return false };
        self.activity.error = None;
        self.blame(thrown, &stack);
        true
    }

    /// Keeps a message that is a stack as the stack of the record, where it has no other.
    pub(crate) fn keep_thrown(&self, at: &Surrounding<'_>) {
        let Some(payload) = at.payload else { return };
        let message = self.activity.message.as_deref().unwrap_or_default();
        let is_stack = || thrown(first_line(message).1).or_else(|| thrown(message)).is_some();
        if payload.borrow().error.stack.is_none() && is_stack() {
            payload.borrow_mut().error.stack = Some(message.to_owned());
        }
    }

    /// Whether what it throws is an error: what is only noted, as debug lines do, is none.
    fn is_told(&self) -> bool {
        self.activity.level.is_none_or(|level| level >= Level::Warn)
    }

    fn blame(&mut self, thrown: Thrown, stack: &str) {
        let own = &mut self.activity;
        // An object in the place of an error says nothing here, or its words would stand there.
        let known = own.error.take().filter(|error| !error.starts_with('{'));
        if known.as_deref().is_none_or(|error| thrown.message.starts_with(error)) {
            own.error_type = own.error_type.take().or_else(|| Some(thrown.kind.into()));
        }
        own.error = known.or_else(|| Some(thrown.message.into()));
        self.place(stack);
    }

    fn place(&mut self, stack: &str) {
        if self.activity.error_at.is_none() {
            self.activity.error_at = place_of(stack).map(|place| redact_text(&place).into_owned().into());
        }
    }
}
