//! Contrast: the values that failures of a set have more often, or more rarely, than the rest.

use crosstail_core::filter::{Field, quote};

/// The number of occurrences of a value among the failures and among the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    pub field: Field,
    /// The value, for people.
    pub value: String,
    /// The filter clause for activities with the value.
    pub clause: String,
    /// Number of failures with the value.
    pub failed: u64,
    /// Number of other activities with it.
    pub rest: u64,
}

impl Tally {
    /// For a single value of a field.
    pub fn of(field: Field, value: String, failed: u64, rest: u64) -> Self {
        // A range is not quoted.
        let written = if field == Field::Duration { value.clone() } else { quote(&value) };
        let clause = format!("{}:{written}", field.name());
        Self { field, value, clause, failed, rest }
    }
}

/// A value that distinguishes failures from the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Distinction {
    pub tally: Tally,
    /// Share of the failures that have the value, 0 to 1.
    pub of_failed: f64,
    /// Share of the rest that have it, 0 to 1.
    pub of_rest: f64,
    /// Whether only a part of the set was counted for it.
    pub is_part: bool,
}

/// The failures of a set compared with the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contrast {
    /// Number of failures.
    pub failed: u64,
    /// Number of other activities with an outcome.
    pub rest: u64,
    /// Possible causes, the strongest difference first.
    pub causes: Vec<Distinction>,
    /// Values of [`SYMPTOM_FIELDS`], the most frequent first.
    pub symptoms: Vec<Distinction>,
}

/// Minimum |z| of the pooled, two-sided two-proportion z-test: chance exceeds it once in a thousand cases.
const Z_THRESHOLD: f64 = 3.29;
/// Maximum number of causes.
const MAX_CAUSES: usize = 60;
const MAX_SYMPTOMS: usize = 12;

/// Fields that describe a failure; their values are not causes.
pub const SYMPTOM_FIELDS: &[Field] = &[Field::ErrorType, Field::Http];

impl Contrast {
    /// Ranks the tallies of a set with these totals, in any order.
    pub fn rank(failed: u64, rest: u64, tallies: impl IntoIterator<Item = Tally>) -> Self {
        let part = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        let (mut telling, mut said) = (Vec::new(), Vec::new());
        for tally in tallies {
            let (of_failed, of_rest) = (part(tally.failed, failed), part(tally.rest, rest));
            let one = Distinction { tally, of_failed, of_rest, is_part: false };
            if SYMPTOM_FIELDS.contains(&one.tally.field) {
                if one.tally.failed > 0 {
                    said.push(one);
                }
                continue;
            }
            let pooled = part(one.tally.failed + one.tally.rest, failed + rest);
            let spread = (pooled * (1.0 - pooled) * (1.0 / failed.max(1) as f64 + 1.0 / rest.max(1) as f64)).sqrt();
            let z = if spread > 0.0 { (of_failed - of_rest) / spread } else { 0.0 };
            if failed > 0 && rest > 0 && z.abs() >= Z_THRESHOLD && (of_failed - of_rest).abs() >= 0.02 {
                telling.push(one);
            }
        }
        let mut ranked = Self { failed, rest, causes: telling, symptoms: said };
        ranked.sort();
        ranked
    }

    /// Joins what was counted of only a part of the set.
    pub fn join_part(&mut self, part: Self) {
        let marked = |list: Vec<Distinction>| list.into_iter().map(|one| Distinction { is_part: true, ..one });
        self.causes.extend(marked(part.causes));
        self.symptoms.extend(marked(part.symptoms));
        self.sort();
    }

    fn sort(&mut self) {
        let by_name = |a: &Distinction, b: &Distinction| a.tally.clause.cmp(&b.tally.clause);
        let apart = |one: &Distinction| (one.of_failed - one.of_rest).abs();
        self.causes.sort_by(|a, b| apart(b).total_cmp(&apart(a)).then_with(|| by_name(a, b)));
        self.symptoms.sort_by(|a, b| b.tally.failed.cmp(&a.tally.failed).then_with(|| by_name(a, b)));
        self.causes.truncate(MAX_CAUSES);
        self.symptoms.truncate(MAX_SYMPTOMS);
    }

    /// The entry at `index` of both lists together, causes first.
    pub fn line(&self, index: usize) -> Option<&Distinction> {
        self.causes.iter().chain(&self.symptoms).nth(index)
    }

    /// Number of entries in both lists.
    pub fn len(&self) -> usize {
        self.causes.len() + self.symptoms.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chance_makes_is_not_told() {
        let tally = |value: &str, failed, rest| Tally::of(Field::Organization, value.to_owned(), failed, rest);
        let contrast = Contrast::rank(
            100,
            9900,
            [
                tally("org-1", 90, 1000),
                tally("org-2", 2, 300),
                tally("org-3", 0, 6000),
                Tally::of(Field::ErrorType, "ETIMEDOUT".to_owned(), 60, 0),
            ],
        );
        let told: Vec<&str> = contrast.causes.iter().map(|t| t.tally.value.as_str()).collect();
        assert_eq!(told, ["org-1", "org-3"]);
        assert_eq!(contrast.causes[0].tally.clause, "org:org-1");
        assert_eq!(contrast.symptoms[0].tally.value, "ETIMEDOUT");
        assert!((contrast.causes[0].of_failed - 0.9).abs() < 1e-9);
        assert!(Contrast::rank(0, 10, [tally("a", 0, 10)]).is_empty());
    }
}
