//! A group of failures, with what its user said about it.

use super::repaired;
use crate::pattern::{ANY, Pattern, Trend};
use compact_str::CompactString;
use crosstail_core::filter::quote;
use crosstail_core::mask::id_of;
use crosstail_core::model::{Activity, Locator, Timestamp};

/// What the failures of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint {
    pub system: Option<CompactString>,
    /// The endpoint, or else the operation.
    pub endpoint: Option<CompactString>,
    /// HTTP status, error class, timeout: see [`error_kind`](super::error_kind).
    pub kind: CompactString,
    /// Where in the application they were thrown, of records with a stack: [`Activity::error_at`]. Else, one text that several
    /// places throw is one group.
    pub frame: Option<CompactString>,
    /// What they say.
    pub pattern: Pattern,
}

/// In place of a frame: of any, or none. An earlier version has not kept where failures were thrown.
pub const ANYWHERE: &str = "*";

impl Fingerprint {
    /// Follows from what it is of.
    pub fn id(&self) -> String {
        let text = |text: &Option<CompactString>| text.as_deref().unwrap_or_default().to_owned();
        let all = [&text(&self.system), &text(&self.endpoint), &*self.kind, &self.pattern.text].join("\u{1f}");
        match self.frame.as_deref().filter(|frame| *frame != ANYWHERE) {
            Some(frame) => id_of(&[&all, frame].join("\u{1f}")),
            None => id_of(&all),
        }
    }

    /// The same, wherever they were thrown.
    #[must_use]
    pub fn anywhere(&self) -> Self {
        Self { frame: Some(ANYWHERE.into()), ..self.clone() }
    }

    /// Whether it is of failures of which it was not kept where they were thrown.
    pub fn is_anywhere(&self) -> bool {
        self.frame.as_deref() == Some(ANYWHERE)
    }

    /// Whether it is of the same failures as another: where a word of a pattern has become one of several, the group is the
    /// same.
    pub fn is_same(&self, other: &Self) -> bool {
        let rest = |one: &Self| (one.system.clone(), one.endpoint.clone(), one.kind.clone());
        let words = |one: &Self| one.pattern.text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let is_elsewhere = self.frame != other.frame && !self.is_anywhere() && !other.is_anywhere();
        if is_elsewhere || rest(self) != rest(other) {
            return false;
        }
        let (own, others) = (words(self), words(other));
        let fits = |(own, other): (&String, &String)| own == other || own == ANY || other == ANY;
        own.len() == others.len() && own.iter().zip(&others).all(fits)
    }
}

/// What a group is at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It did not occur in the two weeks before.
    New,
    /// It occurs after a silence of a day or more that is longer than usual for it.
    BackAgain,
    /// It occurs, as it did before.
    Ongoing,
    /// It has been silent for a day.
    Quiet,
}

impl State {
    /// Name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::BackAgain => "back_again",
            Self::Ongoing => "ongoing",
            Self::Quiet => "quiet",
        }
    }

    /// For people.
    pub const fn words(self) -> &'static str {
        match self {
            Self::BackAgain => "back again",
            other => other.name(),
        }
    }
}

/// What a user said about a group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Remark {
    /// A note; may be empty.
    pub note: String,
    pub mute: Option<Mute>,
}

/// A group is muted until it changes: until it comes back after silence, or fails more than twice as often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mute {
    pub at: Timestamp,
    /// Failures in the hour before.
    pub last_hour: u64,
}

/// More failures in an hour than so many are needed to end a mute.
const FEW: u64 = 10;

/// Failures that have a fingerprint in common.
#[derive(Debug, Clone, PartialEq)]
pub struct FailureGroup {
    pub fingerprint: Fingerprint,
    pub state: State,
    /// Number of failures in the range.
    pub count: u64,
    /// Number of them in its last hour.
    pub last_hour: u64,
    /// Start of the first and of the last of them.
    pub first: Timestamp,
    pub last: Timestamp,
    /// Since when it occurs: for what is new or back again, within the time that is looked at for that.
    pub began: Timestamp,
    /// The last one before that; `None` where none is known.
    pub before: Option<Timestamp>,
    /// The last of them.
    pub example: Box<Activity>,
    /// Number of different entities and organisations.
    pub entities: usize,
    pub organizations: usize,
    /// Failures by what became of them, in the order of [`crosstail_core::model::FinalOutcome::NAMES`].
    pub outcomes: [u64; 5],
    pub trend: Trend,
    pub remark: Remark,
}

impl FailureGroup {
    /// Of the failures of which it is known: the share that succeeded at a later try, and how many they are.
    pub fn repair(&self) -> Option<(f64, u64)> {
        let (recovered, known) = repaired(self.outcomes);
        (known > 0).then(|| (recovered as f64 / known as f64, known))
    }

    /// Whether it is known when it began: it is new, or back again.
    pub const fn has_begun(&self) -> bool {
        matches!(self.state, State::New | State::BackAgain)
    }

    /// Whether its user does not want to see it for now.
    pub fn is_muted(&self) -> bool {
        let Some(mute) = self.remark.mute else { return false };
        let is_back = matches!(self.state, State::New | State::BackAgain) && self.began > mute.at;
        let has_grown = self.last_hour > FEW.max(2 * mute.last_hour);
        !is_back && !has_grown
    }

    /// The filter for its failures.
    pub fn filter(&self) -> String {
        self.clauses().join(" ")
    }

    /// The clauses of that.
    pub fn clauses(&self) -> Vec<String> {
        clauses(&self.fingerprint, &self.example)
    }
}

/// The clauses of the filter for the failures of a group, one of which is known.
pub(super) fn clauses(of: &Fingerprint, example: &Activity) -> Vec<String> {
    let Fingerprint { system, endpoint, frame, pattern, .. } = of;
    let (_, kind) = super::error_kind(example.status, example.http_status, example.error_type.as_deref());
    let of = |name: &str, text: &Option<CompactString>| match text {
        Some(text) => format!("{name}:{}", quote(text)),
        None => format!("-{name}:*"),
    };
    let place = match (&example.endpoint, endpoint) {
        (Some(_), _) => of("endpoint", endpoint),
        (None, Some(_)) => format!("-endpoint:* {}", of("operation", endpoint)),
        (None, None) => "-endpoint:* -operation:*".to_owned(),
    };
    let said = match pattern.text.as_str() {
        // Of nothing, and of an empty text.
        "" => "(-pattern:* OR pattern:\"\")".to_owned(),
        _ => pattern.clause(),
    };
    // Only lines and messages have stacks that are read.
    let may_have_frame =
        example.places.iter().any(|place| matches!(place.locator, Locator::Line { .. } | Locator::Message { .. }));
    let frame = (frame.is_some() || may_have_frame).then(|| of("error.at", frame));
    ["is:failure".to_owned(), kind, of("system", system), place].into_iter().chain(frame).chain([said]).collect()
}

/// What is new first, the largest first; what is muted last.
pub(super) fn sort(groups: &mut [FailureGroup]) {
    groups.sort_by(|a, b| {
        let of = |group: &FailureGroup| (group.is_muted(), group.state, std::cmp::Reverse(group.count));
        of(a).cmp(&of(b)).then_with(|| a.fingerprint.cmp(&b.fingerprint))
    });
}

/// Joins groups with what was said about them, and puts what is muted last.
pub fn remark(groups: &mut [FailureGroup], remarks: &[(Fingerprint, Remark)]) {
    for group in groups.iter_mut() {
        let exact = remarks.iter().find(|(of, _)| *of == group.fingerprint);
        let known = exact.or_else(|| remarks.iter().find(|(of, _)| group.fingerprint.is_same(of)));
        group.remark = known.map(|(_, remark)| remark.clone()).unwrap_or_default();
    }
    sort(groups);
}
