//! What tells the failures of a set from the rest of it: values that failures have more often, or more rarely.

use crosstail_core::filter::{Field, quote};

/// How often a value occurs among the failures and among the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// What it is a value of.
    pub field: Field,
    /// The value, for people.
    pub value: String,
    /// The clause that keeps activities with it.
    pub clause: String,
    /// Failures with it.
    pub failed: u64,
    /// Others with it.
    pub rest: u64,
}

impl Tally {
    /// Of a plain value of a field.
    pub fn of(field: Field, value: String, failed: u64, rest: u64) -> Self {
        // A range is written as it is.
        let written = if field == Field::Duration { value.clone() } else { quote(&value) };
        let clause = format!("{}:{written}", field.name());
        Self { field, value, clause, failed, rest }
    }
}

/// A value that tells failures from the rest.
#[derive(Debug, Clone, PartialEq)]
pub struct Distinction {
    /// The value and its counts.
    pub tally: Tally,
    /// Part of the failures that has it, 0 to 1.
    pub of_failed: f64,
    /// Part of the rest that has it, 0 to 1.
    pub of_rest: f64,
}

/// Failures against the rest.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contrast {
    /// Failures in the set.
    pub failed: u64,
    /// Others in the set that have an outcome.
    pub rest: u64,
    /// What tells them apart, the most telling first.
    pub causes: Vec<Distinction>,
    /// What only failures have: error classes, codes. The most frequent first.
    pub symptoms: Vec<Distinction>,
}

/// Differences that chance makes once in a thousand are not told: |z| of the two-proportion z-test (pooled), two-sided.
const Z_THRESHOLD: f64 = 3.29;
/// Values told at most.
const MAX_CAUSES: usize = 60;
const MAX_SYMPTOMS: usize = 12;

/// Fields that say that something failed, and how: what they tell is no cause.
pub const SYMPTOM_FIELDS: &[Field] = &[Field::ErrorType, Field::Http];

impl Contrast {
    /// Ranks tallies of a set with these totals. The order of the tallies does not matter.
    pub fn rank(failed: u64, rest: u64, tallies: impl IntoIterator<Item = Tally>) -> Self {
        let part = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        let (mut telling, mut said) = (Vec::new(), Vec::new());
        for tally in tallies {
            let (of_failed, of_rest) = (part(tally.failed, failed), part(tally.rest, rest));
            let one = Distinction { tally, of_failed, of_rest };
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
        let by_name = |a: &Distinction, b: &Distinction| a.tally.clause.cmp(&b.tally.clause);
        let apart = |one: &Distinction| (one.of_failed - one.of_rest).abs();
        telling.sort_by(|a, b| apart(b).total_cmp(&apart(a)).then_with(|| by_name(a, b)));
        said.sort_by(|a, b| b.tally.failed.cmp(&a.tally.failed).then_with(|| by_name(a, b)));
        telling.truncate(MAX_CAUSES);
        said.truncate(MAX_SYMPTOMS);
        Self { failed, rest, causes: telling, symptoms: said }
    }

    /// The line at `index` over both lists: what tells apart first.
    pub fn line(&self, index: usize) -> Option<&Distinction> {
        self.causes.iter().chain(&self.symptoms).nth(index)
    }

    /// Number of lines.
    pub fn len(&self) -> usize {
        self.causes.len() + self.symptoms.len()
    }

    /// Whether nothing was found.
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
