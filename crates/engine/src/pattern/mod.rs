//! Patterns of texts: what many messages have in common, and where they differ.
//!
//! A word that varies by its form (a number, an id, an address) is masked first. Masked texts that differ in one word, of
//! which there are at least [`SEVERAL`], vary there, too: so `session closed for user cyrus` and five more become
//! `session closed for user <*>`. Which do is a property of the set of texts, not of the order in which they come, as it is in
//! Drain (P. He et al., "Drain: An Online Log Parsing Approach with Fixed Depth Tree", 2017), which grows a tree.
//! docs/performance.md compares the groupings.

mod found;
mod gaps;
mod trend;

pub use crosstail_core::mask::ANY;
pub use found::{FoundPattern, FoundPatterns, PatternCounts, PatternTally, Sampled};
pub use gaps::{GapCounts, GapValues, value_clause};
pub use trend::Trend;

use crosstail_core::mask::{self, id_of};
use crosstail_core::number::saturating_u32;
use foldhash::fast::FixedState;
use std::collections::{HashMap, HashSet};
use std::hash::BuildHasher as _;

/// So many words at one place, everything else being equal, make the place vary.
pub const SEVERAL: usize = 6;
/// Places that vary can make others vary, so often.
const ROUNDS: usize = 4;
/// The number of [`ANY`] among the words.
const VARIES: u32 = 0;

/// Number of a masked text.
pub type Masked = u32;

/// Words of a masked text, by number.
type Words = Box<[u32]>;

/// Texts, masked, and the patterns that they have together.
#[derive(Debug)]
pub struct Patterns {
    words: HashMap<Box<str>, u32>,
    names: Vec<Box<str>>,
    masked: Vec<Words>,
    numbers: HashMap<Words, Masked>,
    /// The words of the text that is being added.
    scratch: Vec<u32>,
}

impl Default for Patterns {
    fn default() -> Self {
        let (words, names) = (HashMap::from([(ANY.into(), VARIES)]), vec![ANY.into()]);
        Self { words, names, masked: Vec::new(), numbers: HashMap::new(), scratch: Vec::new() }
    }
}

impl Patterns {
    /// Adds a text; returns the number of its masked form, which stays.
    pub fn add(&mut self, text: &str) -> Masked {
        let Self { words, names, masked, numbers, scratch } = self;
        scratch.clear();
        mask::words(text, |word| {
            let number = words.get(word).copied().unwrap_or_else(|| {
                let number = saturating_u32(names.len());
                names.push(word.into());
                words.insert(word.into(), number);
                number
            });
            scratch.push(number);
        });
        if let Some(known) = numbers.get(scratch.as_slice()) {
            return *known;
        }
        let number = saturating_u32(masked.len());
        masked.push(scratch.as_slice().into());
        numbers.insert(scratch.as_slice().into(), number);
        number
    }

    /// A masked text, by its number.
    pub fn masked(&self, number: Masked) -> String {
        self.joined(&self.masked[number as usize])
    }

    /// Number of masked texts.
    pub fn len(&self) -> usize {
        self.masked.len()
    }

    /// Whether no text was added.
    pub fn is_empty(&self) -> bool {
        self.masked.is_empty()
    }

    /// The pattern of each masked text, by its number.
    pub fn settle(&self) -> Vec<Pattern> {
        let mut now = self.masked.clone();
        for _ in 0..ROUNDS {
            let texts: HashSet<&Words> = now.iter().collect();
            let varying = Varying::of(&texts);
            let widened: Vec<Words> = now.iter().map(|text| varying.widen(text)).collect();
            if widened == now {
                break;
            }
            now = widened;
        }
        now.iter().map(|words| self.pattern(words)).collect()
    }

    fn pattern(&self, words: &[u32]) -> Pattern {
        let text = self.joined(words);
        Pattern { id: id_of(&text), text }
    }

    fn joined(&self, words: &[u32]) -> String {
        let names: Vec<&str> = words.iter().map(|word| &*self.names[*word as usize]).collect();
        names.join(" ")
    }
}

impl Pattern {
    /// The filter for the texts that have it. Always in quotes, since its gaps are no wildcards.
    pub fn clause(&self) -> String {
        format!("pattern:\"{}\"", self.text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// More siblings than so many are not excluded by name.
const SIBLINGS: usize = 24;

impl Pattern {
    /// The clauses for the texts that have it and none of the others that its gaps would also stand for: `event <*>` stands for
    /// `event lost`, too, which is a pattern of its own where few words are there.
    pub fn clauses_among<'a>(&self, others: impl Iterator<Item = &'a Self>) -> Vec<String> {
        let regex = |of: &Self| regex::Regex::new(&mask::template(&of.text)).ok();
        // Without gaps it stands for itself; and a first word is no gap.
        let gaps = self.text.contains(ANY);
        let words = |of: &Self| of.text.split(' ').count();
        let first = |of: &Self| of.text.split(' ').next().map(str::to_owned);
        let (own, own_first, own_words) = (regex(self).filter(|_| gaps), first(self), words(self));
        let is_within = |other: &&Self| {
            let fits =
                |regex: &Option<regex::Regex>, text: &str| regex.as_ref().is_some_and(|regex| regex.is_match(text));
            let is_alike = own.is_some() && first(other) == own_first && words(other) == own_words;
            is_alike && other.text != self.text && fits(&own, &other.text) && !fits(&regex(other), &self.text)
        };
        let siblings = others.filter(is_within).take(SIBLINGS).map(|other| format!("-{}", other.clause()));
        std::iter::once(self.clause()).chain(siblings).collect()
    }
}

/// A pattern.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pattern {
    /// Follows from the text, so that it is the same everywhere and always.
    pub id: String,
    /// Its words; [`ANY`] stands for what varies.
    pub text: String,
}

/// At which places of a set of texts words vary.
struct Varying {
    /// By the hash of a text without one word, and of that word's place: the words that are there, [`SEVERAL`] at most.
    at: HashMap<u64, Vec<u32>>,
    hasher: FixedState,
}

impl Varying {
    fn of(texts: &HashSet<&Words>) -> Self {
        let mut all = Self { at: HashMap::new(), hasher: FixedState::default() };
        for text in texts {
            for (place, word) in text.iter().enumerate().skip(1).filter(|(_, word)| **word != VARIES) {
                let known = all.at.entry(all.key(text, place)).or_default();
                if known.len() < SEVERAL && !known.contains(word) {
                    known.push(*word);
                }
            }
        }
        all
    }

    /// The hash of a text without the word at a place.
    fn key(&self, text: &[u32], place: usize) -> u64 {
        self.hasher.hash_one((place, &text[..place], &text[place + 1..]))
    }

    /// The text, with the words that vary masked. The first word never does: it is what a sentence is about.
    fn widen(&self, text: &Words) -> Words {
        let varies = |place: usize| self.at.get(&self.key(text, place)).is_some_and(|words| words.len() >= SEVERAL);
        let word = |(place, word): (usize, &u32)| {
            if place > 0 && *word != VARIES && varies(place) { VARIES } else { *word }
        };
        text.iter().enumerate().map(word).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn patterns(texts: &[String]) -> Vec<(String, Pattern)> {
        let mut all = Patterns::default();
        let numbers: Vec<Masked> = texts.iter().map(|text| all.add(text)).collect();
        let settled = all.settle();
        texts.iter().cloned().zip(numbers.into_iter().map(|number| settled[number as usize].clone())).collect()
    }

    #[test]
    fn several_words_at_one_place_make_it_vary() {
        let users = ["ann", "bob", "cyrus", "dora", "emil", "fritz"];
        let text = |user: &&str| format!("session closed for user {user} after 12 s");
        let some = patterns(&users[..SEVERAL - 1].iter().map(text).collect::<Vec<_>>());
        assert_eq!(some[0].1.text, "session closed for user ann after <*> s");
        let all = patterns(&users.iter().map(text).collect::<Vec<_>>());
        assert!(all.iter().all(|(_, pattern)| pattern.text == "session closed for user <*> after <*> s"), "{all:?}");
        assert_eq!(all[0].1.id.len(), 8);
        assert_eq!(id_of("session closed for user <*> after <*> s"), all[0].1.id);
        // What a sentence is about does not vary: six kinds of events stay six.
        let verbs = ["created", "paid", "sent", "returned", "refunded", "lost"].map(|verb| format!("{verb} order 1"));
        let kept: HashSet<String> = patterns(&verbs).into_iter().map(|(_, pattern)| pattern.text).collect();
        assert_eq!(kept.len(), 6);
    }

    #[test]
    fn the_clauses_of_a_pattern_leave_out_its_siblings() {
        let of = |text: &str| Pattern { id: id_of(text), text: text.to_owned() };
        let all = [of("event <*> of <*>"), of("event lost of <*>"), of("event <*>"), of("other <*> of <*>")];
        assert_eq!(
            all[0].clauses_among(all.iter()),
            ["pattern:\"event <*> of <*>\"", "-pattern:\"event lost of <*>\""]
        );
        assert_eq!(all[1].clauses_among(all.iter()), ["pattern:\"event lost of <*>\""]);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_changes_no_pattern(
            texts in prop::collection::vec("(get|put|del) (a|b|c|d|e|f|g|h) (to|from) (x|y|z|u|v|w|q) ?[0-9]{0,2}", 1..60),
            seed in any::<u64>(),
        ) {
            let mut expected = patterns(&texts);
            let mut shuffled = texts.clone();
            let mut rng = fastrand::Rng::with_seed(seed);
            rng.shuffle(&mut shuffled);
            let mut found = patterns(&shuffled);
            expected.sort();
            found.sort();
            prop_assert_eq!(&found, &expected);
            // Nor does hearing everything twice.
            let mut twice = patterns(&[texts.clone(), texts].concat());
            twice.sort();
            twice.dedup();
            expected.dedup();
            prop_assert_eq!(twice, expected);
        }
    }
}
