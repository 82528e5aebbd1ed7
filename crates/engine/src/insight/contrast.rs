//! Contrast: the values that one set of activities has more often, or more rarely, than another. The failures and the rest, or
//! any two.

use crosstail_core::filter::{Field, Operand, quote};

/// What a value is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A field, or a path of payloads.
    Of(Operand),
    /// What activities say, without what varies.
    Pattern,
}

impl Subject {
    /// Its name, as filters write it.
    pub fn name(&self) -> String {
        match self {
            Self::Of(operand) => operand.to_string(),
            Self::Pattern => "pattern".to_owned(),
        }
    }

    /// Whether it is this field.
    pub fn is(&self, field: Field) -> bool {
        matches!(self, Self::Of(Operand::Field(of)) if *of == field)
    }
}

/// The number of occurrences of a value in two sets.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    pub subject: Subject,
    /// The value, for people.
    pub value: String,
    /// The filter clause for activities with the value.
    pub clause: String,
    /// Number of those in the one set that have the value: of the failures, or of these.
    pub these: u64,
    /// Number of those in the other set that have it.
    pub others: u64,
}

impl Tally {
    /// For a single value of a field.
    pub fn of(field: Field, value: String, these: u64, others: u64) -> Self {
        // A range is not quoted.
        let written = if field == Field::Duration { value.clone() } else { quote(&value) };
        let clause = format!("{}:{written}", field.name());
        Self { subject: Subject::Of(Operand::Field(field)), value, clause, these, others }
    }
}

/// A value that distinguishes the one set from the other.
#[derive(Debug, Clone, PartialEq)]
pub struct Distinction {
    pub tally: Tally,
    /// Share of these that have the value, 0 to 1.
    pub of_these: f64,
    /// Share of the others that have it, 0 to 1.
    pub of_others: f64,
    /// Whether only a part of the sets was counted for it.
    pub is_part: bool,
}

/// Two sets of activities, compared by the values that they have.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Contrast {
    /// Number of activities in the one set: of failures, where they are compared with the rest.
    pub these: u64,
    /// Number in the other set: of the rest that has an outcome.
    pub others: u64,
    /// Possible causes, the strongest difference first.
    pub causes: Vec<Distinction>,
    /// Values that describe the one set, the most frequent first; see [`SYMPTOM_FIELDS`].
    pub symptoms: Vec<Distinction>,
}

/// Minimum |z| of the pooled, two-sided two-proportion z-test: chance exceeds it once in a thousand cases.
const Z_THRESHOLD: f64 = 3.29;
/// Maximum number of causes.
const MAX_CAUSES: usize = 60;
const MAX_SYMPTOMS: usize = 12;

/// Fields that describe a failure: where failures are compared with the rest, their values are not causes.
pub const SYMPTOM_FIELDS: &[Field] = &[Field::ErrorType, Field::Http];

impl Contrast {
    /// Ranks the tallies of two sets with these totals, in any order. Values of `symptoms` are no causes.
    pub fn rank(these: u64, others: u64, tallies: impl IntoIterator<Item = Tally>, symptoms: &[Field]) -> Self {
        if these == 0 || others == 0 {
            return Self { these, others, ..Self::default() };
        }
        let part = |n: u64, of: u64| if of == 0 { 0.0 } else { n as f64 / of as f64 };
        let (mut telling, mut said) = (Vec::new(), Vec::new());
        for tally in tallies {
            let (of_these, of_others) = (part(tally.these, these), part(tally.others, others));
            let one = Distinction { tally, of_these, of_others, is_part: false };
            if symptoms.iter().any(|field| one.tally.subject.is(*field)) {
                if one.tally.these > 0 {
                    said.push(one);
                }
                continue;
            }
            let pooled = part(one.tally.these + one.tally.others, these + others);
            let spread = (pooled * (1.0 - pooled) * (1.0 / these.max(1) as f64 + 1.0 / others.max(1) as f64)).sqrt();
            let z = if spread > 0.0 { (of_these - of_others) / spread } else { 0.0 };
            if z.abs() >= Z_THRESHOLD && (of_these - of_others).abs() >= 0.02 {
                telling.push(one);
            }
        }
        let mut ranked = Self { these, others, causes: telling, symptoms: said };
        ranked.sort();
        ranked
    }

    /// Joins what was counted of only a part of the sets.
    pub fn join_part(&mut self, part: Self) {
        let marked = |list: Vec<Distinction>| list.into_iter().map(|one| Distinction { is_part: true, ..one });
        self.causes.extend(marked(part.causes));
        self.symptoms.extend(marked(part.symptoms));
        self.sort();
    }

    fn sort(&mut self) {
        let by_name = |a: &Distinction, b: &Distinction| a.tally.clause.cmp(&b.tally.clause);
        let apart = |one: &Distinction| (one.of_these - one.of_others).abs();
        self.causes.sort_by(|a, b| apart(b).total_cmp(&apart(a)).then_with(|| by_name(a, b)));
        self.symptoms.sort_by(|a, b| b.tally.these.cmp(&a.tally.these).then_with(|| by_name(a, b)));
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
        let tally = |value: &str, these, others| Tally::of(Field::Organization, value.to_owned(), these, others);
        let contrast = Contrast::rank(
            100,
            9900,
            [
                tally("org-1", 90, 1000),
                tally("org-2", 2, 300),
                tally("org-3", 0, 6000),
                Tally::of(Field::ErrorType, "ETIMEDOUT".to_owned(), 60, 0),
            ],
            SYMPTOM_FIELDS,
        );
        let told: Vec<&str> = contrast.causes.iter().map(|t| t.tally.value.as_str()).collect();
        assert_eq!(told, ["org-1", "org-3"]);
        assert_eq!(contrast.causes[0].tally.clause, "org:org-1");
        assert_eq!(contrast.symptoms[0].tally.value, "ETIMEDOUT");
        assert!((contrast.causes[0].of_these - 0.9).abs() < 1e-9);
        assert!(Contrast::rank(0, 10, [tally("a", 0, 10)], &[]).is_empty());
    }
}
