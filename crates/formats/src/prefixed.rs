//! JSON records behind words that no format knows: `worker@web-1 >> {"level":"error",…}`.

use crate::objects;
use crate::read::{DEPTH, Form, Found, Surrounding};
use crate::registry::Formats;
use compact_str::CompactString;

/// Words in front of JSON are no longer, in bytes.
const WORDS_BYTES: usize = 128;

impl Formats {
    /// The record of an object that another language printed.
    pub(crate) fn object_record(&self, text: &str, at: &Surrounding<'_>) -> Option<Found> {
        // What has the marks of JSON is broken JSON, and said to be.
        let other = text.trim_start().strip_prefix('{')?.trim_start().starts_with('\'') || text.contains("=>");
        self.json_record(&objects::as_json(text).filter(|_| other)?, at, 0)
    }

    /// The record of JSON that a line has at its end, behind a few words. It says two of when, how bad, and what.
    pub(crate) fn object_behind_words(&self, line: &str, at: &Surrounding<'_>) -> Option<Found> {
        let line = line.trim_end();
        let near = &line[..line.floor_char_boundary(WORDS_BYTES)];
        let start = line.ends_with('}').then(|| near.find("{\""))?.filter(|start| *start > 0)?;
        let (words, value) = line.split_at(start);
        let probe = Surrounding { payload: None, ..at.clone() };
        let says = |found: &Found| {
            let own = &found.activity;
            let what = own.message.as_deref().is_some_and(|text| text != value) || own.url.is_some();
            matches!(found.form, Form::Json(_))
                && [own.exact_start, own.level.is_some(), what].iter().filter(|said| **said).count() >= 2
        };
        let mut found = self.json_record(value, &probe, DEPTH).filter(says)?;
        if at.payload.is_some() {
            found = self.json_record(value, at, DEPTH)?;
        }
        let words = words.trim().trim_end_matches([':', '>', '|', '-', ' ', '=']);
        let bare = words.trim_matches(['[', ']', '(', ')', '<']);
        let named = !bare.is_empty() && !bare.contains(char::is_whitespace);
        if !found.names_service && named {
            found.activity.system = Some(CompactString::from(bare));
            found.names_service = true;
        }
        Some(found)
    }
}
