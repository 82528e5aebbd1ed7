//! The moments of times, by what is known of the place in which they stand.

use crate::read::Surrounding;
use crosstail_core::model::{Spelled, Timestamp, spelled_time};
use crosstail_core::schema::{Assembler, Scalar, Target};
use std::borrow::Cow;

impl Surrounding<'_> {
    /// The moment of a time.
    pub(crate) fn moment(&self, time: Spelled) -> Timestamp {
        if let Some(noted) = self.noted.filter(|_| time.order().is_some()) {
            noted.borrow_mut().dates.push(time);
        }
        time.resolve(self.around)
    }

    /// Reads a time that names no zone as one of the source's zone, completes one without a year, and one without a date by
    /// the `day` that stands in a field of its own.
    pub(crate) fn place_time<'d>(&self, fields: &mut Assembler<'_>, day: impl FnOnce() -> Option<Cow<'d, str>>) {
        if let Some(end) = fields.raw(Target::CompletedAt).as_deref().and_then(date_of_net) {
            fields.replace(Target::CompletedAt, Scalar::Time(end));
        }
        let Some(text) = fields.raw(Target::StartedAt) else { return };
        let bytes = text.as_bytes();
        let number = bytes.iter().all(|b| b.is_ascii_digit() || *b == b'.');
        let whole = bytes.get(4) == Some(&b'-') && bytes.len() >= 16;
        if number || (whole && self.around.zone.is_none()) {
            return;
        }
        if let Some(time) = date_of_net(&text) {
            return fields.replace(Target::StartedAt, Scalar::Time(time));
        }
        let Some(time) = spelled_time(&text) else {
            let Some(time) = day().filter(|day| **day != *text).and_then(|day| spelled_time(&format!("{day} {text}")))
            else {
                return;
            };
            return fields.replace(Target::StartedAt, Scalar::Time(self.moment(time)));
        };
        let time = if time.lacks_date() {
            day().and_then(|day| spelled_time(&format!("{day} {text}"))).unwrap_or(time)
        } else {
            time
        };
        fields.replace(Target::StartedAt, Scalar::Time(self.moment(time)));
    }
}

/// A date as ASP.NET and OData write it in JSON, in milliseconds: `/Date(1714979280123)/`. The offset that may follow is that
/// of whoever wrote it: the number is in UTC.
fn date_of_net(text: &str) -> Option<Timestamp> {
    let inside = text.strip_prefix("/Date(")?.strip_suffix(")/")?;
    let digits = inside.find(['+', '-']).filter(|at| *at > 0).map_or(inside, |at| &inside[..at]);
    Some(Timestamp(digits.parse::<i64>().ok()?.checked_mul(1000)?))
}
