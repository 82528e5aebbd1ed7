//! The rules of `config/redaction.toml`, and one search for the words of all of them.

use super::findings::Findings;
use super::names::Names;
use super::shown::is_shown;
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::OnceLock;

pub(super) const SHIPPED: &str = include_str!("../../../../../config/redaction.toml");

/// What a user adds to the shipped rules.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RedactionConfig {
    /// Words of names whose values are secret, too.
    pub names: Vec<String>,
    /// Names whose values are not secret.
    pub except: Vec<String>,
    /// Regular expressions for secrets. What the first group captures is hidden, or else all that matches.
    pub patterns: Vec<String>,
    /// Regular expressions for values that are never hidden.
    pub allow: Vec<String>,
    /// Personal data to hide: `email`, `iban`, `ssn`, `ip`. Card numbers are always hidden.
    pub pii: Vec<String>,
    /// What is hidden, or shown, in the records of some sources, or in some of their fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rule: Vec<RedactionRule>,
}

/// What is hidden in the records of some sources, or in some of their fields: as they are read, so that nothing of crosstail has it. Or
/// what is shown there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "json-schema", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct RedactionRule {
    /// Name of the source; `*` stands for any characters. Without one, every source.
    pub source: Option<String>,
    /// Fields and paths of payloads as filters name them: `actor`, `req.body.customer`. Without one, every text of a record.
    pub fields: Vec<String>,
    /// Regular expressions for what is hidden in them: what the first group captures, or else all that matches. Without one, the
    /// fields are hidden as a whole.
    pub patterns: Vec<String>,
    /// Instead of patterns: regular expressions for values in these fields that look like secrets and are none. They are shown.
    pub allow: Vec<String>,
}

impl RedactionConfig {
    /// Adds what another layer of the configuration says.
    pub fn extend(&mut self, more: Self) {
        let lists = [&mut self.names, &mut self.except, &mut self.patterns, &mut self.allow, &mut self.pii];
        let added = [more.names, more.except, more.patterns, more.allow, more.pii];
        for (list, added) in lists.into_iter().zip(added) {
            for entry in added {
                if !list.contains(&entry) {
                    list.push(entry);
                }
            }
        }
        self.rule.extend(more.rule);
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shipped {
    names: Names,
    pub(super) rule: Vec<Rule>,
    pii: Vec<Rule>,
}

/// A rule as it is written.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Rule {
    pub(super) id: String,
    keywords: Vec<String>,
    pub(super) pattern: String,
    #[serde(default)]
    pub(super) entropy: f64,
    #[serde(default)]
    pub(super) digit: bool,
}

impl Rule {
    /// In JSON as text, the letter of an escape stands before what begins a line: `\nghp_…`.
    fn begins_behind_escapes(&mut self) {
        if let Some(rest) = self.pattern.strip_prefix(r"\b") {
            self.pattern = format!(r"(?:\b|\\[nrt]){rest}");
        }
    }
}

/// What a word in a text leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clue {
    Rule(usize),
    /// A part of a name, and how many bytes behind it were looked for, too.
    Name(usize),
    /// A word that may mark what follows.
    Mark,
    /// A scheme of authentication.
    Scheme,
    /// The user's part of a URL may follow.
    Address,
}

/// A rule in use. Most are never looked for, so a shipped one is compiled when the first word leads to it.
struct Compiled {
    id: String,
    text: String,
    pattern: OnceLock<Regex>,
    entropy: f64,
    digit: bool,
}

impl Compiled {
    #[allow(
        clippy::expect_used,
        reason = "a user's pattern was compiled when it was read, the shipped ones in every test run"
    )]
    fn pattern(&self) -> &Regex {
        self.pattern.get_or_init(|| Regex::new(&self.text).expect("a pattern"))
    }
}

/// The rules in use.
pub(super) struct Rules {
    pub(super) names: Names,
    list: Vec<Compiled>,
    /// Rules that no word leads to.
    always: Vec<usize>,
    allow: Vec<Regex>,
    search: AhoCorasick,
    clues: Vec<Clue>,
}

/// What is looked at more closely in a text.
#[derive(Default)]
pub(super) struct Clues {
    rules: Vec<usize>,
    /// Where words of names are.
    pub(super) names: Vec<Range<usize>>,
    /// Where words are that may mark what follows.
    pub(super) marks: Vec<Range<usize>>,
    /// Where schemes of authentication end.
    pub(super) schemes: Vec<usize>,
    /// Where addresses begin, behind `://`.
    pub(super) addresses: Vec<usize>,
}

impl Rules {
    /// The shipped rules and a user's; an error says which entry is wrong.
    pub(super) fn new(config: &RedactionConfig) -> Result<Self, String> {
        let shipped: Shipped = toml::from_str(SHIPPED).map_err(|error| format!("config/redaction.toml: {error}"))?;
        let Shipped { mut names, mut rule, pii } = shipped;
        for rule in &mut rule {
            rule.begins_behind_escapes();
        }
        names.configure(&config.names, &config.except);
        for wanted in config.pii.iter().filter(|wanted| *wanted != "card") {
            let found = pii.iter().find(|rule| rule.id == *wanted).ok_or_else(|| {
                let known: Vec<&str> = pii.iter().map(|rule| rule.id.as_str()).collect();
                format!("[redaction] pii = \"{wanted}\": it is one of {}, card", known.join(", "))
            })?;
            rule.push(found.clone());
        }
        for (number, pattern) in config.patterns.iter().enumerate() {
            let id = format!("patterns[{number}]");
            rule.push(Rule { id, keywords: Vec::new(), pattern: pattern.clone(), entropy: 0.0, digit: false });
        }
        let regex = |text: &str, of: &str| {
            Regex::new(text).map_err(|error| format!("[redaction] {of}: '{text}' is no regular expression: {error}"))
        };
        let allow = config.allow.iter().map(|text| regex(text, "allow")).collect::<Result<_, _>>()?;
        let (mut words, mut clues, mut always) = (Vec::new(), Vec::new(), Vec::new());
        let own = rule.len() - config.patterns.len();
        let mut list = Vec::new();
        for (index, rule) in rule.into_iter().enumerate() {
            if rule.keywords.is_empty() {
                always.push(index);
            }
            clues.extend(rule.keywords.iter().map(|_| Clue::Rule(index)));
            words.extend(rule.keywords);
            let Rule { id, entropy, digit, pattern: text, .. } = rule;
            let pattern = OnceLock::new();
            if index >= own {
                let _ = pattern.set(regex(&text, &id)?);
            }
            list.push(Compiled { id, text, pattern, entropy, digit });
        }
        let mut add = |word: &str, clue: Clue| {
            words.push(word.to_owned());
            clues.push(clue);
        };
        for word in names.keywords() {
            let name = word.trim_end_matches(|c: char| c.is_ascii_punctuation());
            add(&word, Clue::Name(word.len() - name.len()));
        }
        for word in names.marks() {
            add(word, Clue::Mark);
        }
        for scheme in super::behind::SCHEMES {
            add(&format!("{scheme} "), Clue::Scheme);
            add(&format!("{scheme}+"), Clue::Scheme);
        }
        add("://", Clue::Address);
        let search = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(&words)
            .map_err(|error| format!("[redaction]: {error}"))?;
        Ok(Self { names, list, always, allow, search, clues })
    }

    /// Reads a text once, for all words.
    pub(super) fn clues(&self, text: &str) -> Clues {
        let mut found = Clues::default();
        for word in self.search.find_overlapping_iter(text) {
            match self.clues[word.pattern().as_usize()] {
                Clue::Rule(index) if !found.rules.contains(&index) => found.rules.push(index),
                Clue::Rule(_) => {}
                Clue::Name(more) => found.names.push(word.start()..word.end() - more),
                Clue::Mark => found.marks.push(word.range()),
                Clue::Scheme => found.schemes.push(word.end()),
                Clue::Address => found.addresses.push(word.end()),
            }
        }
        found
    }

    /// What the rules find, each with the rule.
    pub(super) fn matches<'r>(&'r self, text: &str, clues: &Clues, found: &mut Findings<'r>) {
        // Most texts are too short for a rule that no word leads to: the pattern knows how long its shortest match is.
        let always = self.always.iter().filter(|index| self.list[**index].pattern().is_match(text));
        for rule in clues.rules.iter().chain(always).map(|index| &self.list[*index]) {
            for captured in rule.pattern().captures_iter(text) {
                let group = captured.iter().skip(1).flatten().next();
                let Some(secret) = group.or(captured.get(0)) else { continue };
                let has_digit = || secret.as_str().bytes().any(|b| b.is_ascii_digit());
                if entropy(secret.as_str()) < rule.entropy {
                    found.keep(secret.range(), &rule.id, "it has the form, but too few different characters");
                } else if rule.digit && !has_digit() {
                    found.keep(secret.range(), &rule.id, "it has the form, but no digit");
                } else {
                    found.hide(secret.range(), &rule.id);
                }
            }
        }
    }

    /// Whether a user allows a value, everywhere or in a source.
    pub(super) fn allows(&self, value: &str) -> bool {
        self.allow.iter().any(|allowed| allowed.is_match(value)) || is_shown(value)
    }
}

/// Bits a character (C. E. Shannon, A Mathematical Theory of Communication, 1948).
pub(super) fn entropy(text: &str) -> f64 {
    let mut counts = [0_u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let all: u32 = counts.iter().sum();
    let share = |count: &u32| f64::from(*count) / f64::from(all);
    counts.iter().filter(|count| **count > 0).map(|count| -share(count) * share(count).log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::planted::{Planted, planted};
    use super::super::{REDACTED, redact_json, redact_text};
    use super::*;
    use serde_json::json;

    #[test]
    fn every_shipped_rule_compiles() {
        let pii = ["email", "iban", "ssn", "ip"].map(str::to_owned).to_vec();
        let rules = Rules::new(&RedactionConfig { pii, ..RedactionConfig::default() }).expect("rules");
        assert!(rules.list.iter().all(|rule| rule.pattern().captures_len() > 0));
    }

    #[test]
    fn a_secret_of_every_rule_is_hidden_wherever_it_stands() {
        for Planted { rule, text: near, secret } in planted(8) {
            for place in
                ["@", "call failed: @ was refused", "GET /x?a=1&b=@ HTTP/1.1", "{\"note\": \"@\", \"n\": 1}", "a\n@\nb"]
            {
                let safe = redact_text(&place.replace('@', &near)).into_owned();
                assert!(!safe.contains(&secret) && safe.contains(REDACTED), "{rule} in {place}: {secret}: {safe}");
                assert_eq!(redact_text(&safe), safe, "{rule}: twice");
            }
            let safe = redact_json(&json!({ "deep": [{ "note": near }] })).to_string();
            assert!(!safe.contains(&secret), "{rule}: {safe}");
        }
    }
}
