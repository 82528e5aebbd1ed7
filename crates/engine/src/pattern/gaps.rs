//! The values of what varies in a pattern.

use crosstail_core::mask::{ANY, masked, pieces};
use crosstail_core::model::{Activity, redact_text};
use std::collections::HashMap;

/// More different values of a gap are not told apart.
const KNOWN: usize = 20_000;
/// More are not shown.
const SHOWN: usize = 500;

/// The values of one gap.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GapValues {
    /// Each value with the number of activities that have it, the most frequent first.
    pub values: Vec<(String, u64)>,
    /// Number of activities.
    pub count: u64,
    /// Whether there are more values.
    pub is_cut: bool,
}

/// Counts the values of each gap of a template.
#[derive(Debug)]
pub struct GapCounts {
    template: String,
    counts: Vec<(HashMap<String, u64>, bool)>,
    count: u64,
}

impl GapCounts {
    pub fn new(template: &str) -> Self {
        Self { template: template.to_owned(), counts: Vec::new(), count: 0 }
    }

    /// Counts what an activity says, if it fits the template. Secrets are no values.
    pub fn add(&mut self, activity: &Activity) {
        let text = redact_text(activity.said().unwrap_or_default());
        let Some(values) = gaps(&text, &self.template) else { return };
        self.count += 1;
        self.counts.resize_with(values.len(), Default::default);
        for ((counts, is_cut), value) in self.counts.iter_mut().zip(values) {
            if let Some(count) = counts.get_mut(value) {
                *count += 1;
            } else if counts.len() < KNOWN {
                counts.insert(value.to_owned(), 1);
            } else {
                *is_cut = true;
            }
        }
    }

    /// The values, gap by gap.
    pub fn settle(self) -> Vec<GapValues> {
        let gap = |(counts, is_cut): (HashMap<String, u64>, bool)| {
            let mut values: Vec<(String, u64)> = counts.into_iter().collect();
            values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
            let is_cut = is_cut || values.len() > SHOWN;
            values.truncate(SHOWN);
            GapValues { values, count: self.count, is_cut }
        };
        self.counts.into_iter().map(gap).collect()
    }
}

/// The values of the gaps of a template in a text; `None` where the text does not fit. Several variable words in a row are one value.
fn gaps<'a>(text: &'a str, template: &str) -> Option<Vec<&'a str>> {
    let mut words: Vec<(String, &str)> = Vec::new();
    for word in pieces(text) {
        let masked = masked(word);
        match words.last_mut() {
            Some((last, value)) if masked == ANY && last == ANY => {
                let from = value.as_ptr().addr() - text.as_ptr().addr();
                let to = word.as_ptr().addr() - text.as_ptr().addr() + word.len();
                *value = &text[from..to];
            }
            _ => words.push((masked, word)),
        }
    }
    let mut template = template.split(' ').enumerate();
    let mut values = Vec::new();
    for (masked, word) in &words {
        let (place, wanted) = template.next()?;
        let is_gap = wanted == ANY && (place > 0 || masked == ANY);
        if !is_gap && wanted != masked {
            return None;
        }
        if let Some((before, _)) = wanted.split_once(ANY) {
            let value = word.strip_prefix(before).unwrap_or(word);
            let edge = |c: char| c.is_ascii_punctuation() && !"/-_*$#%".contains(c);
            values.push(value.trim_matches(edge));
        }
    }
    template.next().is_none().then_some(values)
}

/// The clause for what says a value in one gap of a template, by its number, in a field.
pub fn value_clause(template: &str, gap: usize, value: &str, field: &str) -> String {
    let value = value.split_whitespace().map(regex::escape).collect::<Vec<_>>().join(r"\s+");
    let mut number = 0;
    let word = |word: &str| {
        let Some((before, _)) = word.split_once(ANY) else { return regex::escape(word) };
        let is_chosen = number == gap;
        number += 1;
        let before = regex::escape(before);
        match (is_chosen, before.is_empty()) {
            (true, _) => format!(r"{before}\W*{value}\W*"),
            (false, true) => r"\S.*?".to_owned(),
            (false, false) => format!(r"{before}\S.*?"),
        }
    };
    let words: Vec<String> = template.split(' ').map(word).collect();
    format!("{field}:/^{}$/", words.join(r"\s+").replace('/', r"\/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::{Id, Timestamp};

    #[test]
    fn gaps_have_the_values_of_a_text() {
        let of = |text: &'static str, template: &str| gaps(text, template);
        let template = "order <*> of <*> refused, uid=<*>";
        assert_eq!(of("order 17 of 'ACME' refused, uid=0", template), Some(vec!["17", "ACME", "0"]));
        let template = "from <*> port <*> closed";
        assert_eq!(of("from 10.0.0.1 port 80 closed", template), Some(vec!["10.0.0.1", "80"]));
        assert_eq!(of("on Fri Jul 1 gone", "on <*> gone"), Some(vec!["Fri Jul 1"]), "in a row, one value");
        assert_eq!(of("session of ann closed", "session of <*> closed"), Some(vec!["ann"]));
        assert_eq!(of("session of ann open", "session of <*> closed"), None);
        assert_eq!(of("session of", "session of <*>"), None);
        assert_eq!(of("refused", "<*>"), None);
    }

    #[test]
    fn the_clause_of_a_value_is_of_its_gap_alone() {
        use crosstail_core::filter::{Context, Filter, NamedRecord};
        use crosstail_core::model::Names;
        let template = "order <*> of <*> refused: uid=<*>";
        let texts =
            ["order 1 of 17 refused: uid=0", "order 17 of 'ACME/x' refused: uid=1,", "order 2 of ACME refused: uid=1"];
        let kept = |gap: usize, value: &str| {
            let clause = value_clause(template, gap, value, "message");
            let (_, predicate) = Filter::compile(&clause, &Context::default()).expect("a filter");
            let names = Names::default();
            let keeps = |text: &&str| {
                let mut activity = Activity::new(Id::Uuid(1), Timestamp(0));
                activity.message = Some((*text).into());
                predicate.keeps(&NamedRecord { activity: &activity, names: &names, payload: None })
            };
            (0..texts.len()).filter(|at| keeps(&texts[*at])).collect::<Vec<_>>()
        };
        assert_eq!(kept(0, "1"), [0], "1 is also a part of 17, and of the third gap");
        assert_eq!(kept(0, "17"), [1]);
        assert_eq!(kept(1, "17"), [0]);
        assert_eq!(kept(1, "ACME/x"), [1]);
        assert_eq!(kept(2, "1"), [1, 2]);
    }

    #[test]
    fn values_are_counted_gap_by_gap() {
        let mut counts = GapCounts::new("order <*> of <*> refused: uid=<*>");
        let texts = [
            "order 17 of ACME refused: uid=0",
            "order 17 of Initech refused: uid=1,",
            "order (18) of ACME refused: uid=0",
            "order 17 of ACME lost: uid=0",
        ];
        for text in texts {
            let mut activity = Activity::new(Id::Uuid(1), Timestamp(0));
            activity.message = Some(text.into());
            counts.add(&activity);
        }
        let found = counts.settle();
        let of = |gap: usize| found[gap].values.iter().map(|(value, n)| (value.as_str(), *n)).collect::<Vec<_>>();
        assert_eq!(of(0), [("17", 2), ("18", 1)]);
        assert_eq!(of(1), [("ACME", 2), ("Initech", 1)]);
        assert_eq!(of(2), [("0", 2), ("1", 1)]);
        assert!(found.iter().all(|gap| gap.count == 3 && !gap.is_cut));
    }
}
