//! Which names say that their value is secret.

use super::judged::form_of;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::ops::Range;

/// Longest name that is looked at, in bytes.
pub(super) const LONGEST_NAME: usize = 80;

/// Longest name that says too little alone, in bytes.
pub(super) const LONGEST_SHORT: usize = 4;

/// The words of names, as `config/redaction.toml` lists and explains them.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Names {
    words: Vec<String>,
    within: Vec<String>,
    last: Vec<String>,
    whole: Vec<String>,
    keys: Vec<String>,
    /// Words before `code` that make it one of a secret.
    codes: Vec<String>,
    about: Vec<String>,
    /// Words of which one marks what follows, if that looks random.
    marks: Vec<String>,
    /// Words before `key` that name no secret.
    plain_keys: Vec<String>,
    /// Words before `token` that name no secret.
    plain_tokens: Vec<String>,
    /// What a user adds: words or whole names.
    #[serde(skip)]
    own: Vec<String>,
    /// Names that hold no secret whatever their words are, folded.
    #[serde(skip)]
    except: Vec<String>,
}

impl Names {
    /// Adds what a user configures.
    pub(super) fn configure(&mut self, names: &[String], except: &[String]) {
        self.own = names.to_vec();
        self.except = except.iter().map(|name| fold(name)).collect();
    }

    /// Whether a field, header, parameter or setting of this name holds a secret.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        let folded = fold(name);
        if self.except.contains(&folded) {
            return false;
        }
        self.whole.contains(&folded) || self.is_own(&folded) || self.says_secret(name, &folded)
    }

    /// Whether a value is secret by its short name and its own form: `pass`, `pin`.
    pub(super) fn is_secret_by_form(&self, name: &str, value: &str) -> bool {
        let is_short = name.len() <= LONGEST_SHORT;
        let form = is_short.then(|| form_of(&name.to_ascii_lowercase())).flatten();
        form.is_some_and(|is_one| is_one(value)) && !self.except.contains(&fold(name))
    }

    /// The same for a name in a text, where short names are often something else: `duplicate key: 5`. What stands behind one is
    /// judged by its form, too.
    pub(super) fn is_secret_in_text(&self, name: &str) -> bool {
        let folded = fold(name);
        if self.except.contains(&folded) {
            return false;
        }
        matches!(folded.as_str(), "pw" | "connectsid")
            || form_of(&folded).is_some()
            || self.is_own(&folded)
            || self.says_secret(name, &folded)
    }

    /// Whether a user excepts a name.
    pub(super) fn is_excepted(&self, name: &str) -> bool {
        !self.except.is_empty() && self.except.contains(&fold(name))
    }

    /// Whether a name has the word of a secret, and ends in one that only tells about it: `password_changed_at`.
    pub(super) fn is_about(&self, name: &str) -> bool {
        let words = words(name);
        let has = |list: &[String], word: &String| list.contains(word);
        let ends = words.len() > 1 && words.last().is_some_and(|last| has(&self.about, last));
        ends && words.iter().any(|word| has(&self.words, word))
    }

    fn is_own(&self, folded: &str) -> bool {
        self.own.iter().any(|own| folded.contains(&fold(own)))
    }

    fn says_secret(&self, name: &str, folded: &str) -> bool {
        let words = words(name);
        let Some(last) = words.last() else { return false };
        let has = |list: &[String], word: &str| list.iter().any(|known| known == word);
        if has(&self.about, last) && words.len() > 1 {
            return false;
        }
        let behind = |list: &[String]| words.len() > 1 && has(list, &words[words.len() - 2]);
        words.iter().any(|word| has(&self.words, word))
            || self.within.iter().any(|known| folded.contains(known.as_str()))
            || (has(&self.last, last) && (words.len() > 1 || last != "pass"))
            || (last == "key" && behind(&self.keys))
            || (last == "code" && behind(&self.codes))
    }

    /// Whether a word in a text marks what follows it: `spotify_key`, `boxSECRET`; not `keyboard`, `primary key`, `key` alone.
    pub(super) fn is_mark(&self, text: &str, word: &Range<usize>) -> bool {
        let bytes = text.as_bytes();
        let (last, next) = (bytes[word.end - 1], bytes.get(word.end).copied().unwrap_or(b' '));
        let goes_on = next.is_ascii_alphabetic() && last.is_ascii_lowercase() == next.is_ascii_lowercase();
        let found = &text[word.clone()];
        let is_key = found.eq_ignore_ascii_case("key");
        // A word within a word, unless case divides them: `boxSECRET`, `adobeKey`. A vendor's name is often glued to `key`.
        if goes_on || self.except.contains(&fold(&text[name_start(text, word.start)..word.end])) {
            return false;
        }
        let plain = match () {
            () if is_key => &self.plain_keys,
            () if found.eq_ignore_ascii_case("token") => &self.plain_tokens,
            () => return true,
        };
        let before = words(letters_before(text, word.start)).pop();
        before.map_or(!is_key, |before| !plain.contains(&before))
    }

    /// Words that mark what follows them.
    pub(super) fn marks(&self) -> impl Iterator<Item = &String> {
        self.marks.iter()
    }

    /// The texts of which one is in every such name, each once.
    pub(super) fn keywords(&self) -> BTreeSet<String> {
        // `pin` is a part of many words; what divides it from its value is not.
        let short = ["key", "sig", "pw", "connect.sid", "pin=", "pin:", "pin\"", "pin\\"];
        let own = self.own.iter().filter_map(|name| words(name).into_iter().max_by_key(String::len));
        let listed = self.words.iter().chain(&self.last).chain(&self.codes).cloned();
        listed.chain(short.map(str::to_owned)).chain(own).collect()
    }
}

/// Where the name begins that a place is in or behind.
fn name_start(text: &str, at: usize) -> usize {
    let is_name = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    at - text.as_bytes()[..at].iter().rev().take(LONGEST_NAME).take_while(is_name).count()
}

/// The letters of the word before a place, behind what divides them: `spotify` in `spotify_key`, `orders` in `orders 2 key`.
pub(super) fn letters_before(text: &str, at: usize) -> &str {
    let bytes = &text.as_bytes()[..at];
    let divides = |b: &&u8| b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b' ' | b'+' | b'\t' | b'\n');
    let end = at - bytes.iter().rev().take(LONGEST_NAME).take_while(divides).count();
    let length = bytes[..end].iter().rev().take(LONGEST_NAME).take_while(|b| b.is_ascii_alphabetic()).count();
    // `\nkey` in JSON as text.
    let is_escape = length == 1 && bytes[..end - 1].last() == Some(&b'\\');
    if is_escape { "" } else { &text[end - length..end] }
}

/// A name without what divides its words, in lower case.
fn fold(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '.')).map(|c| c.to_ascii_lowercase()).collect()
}

/// The words of a name, in lower case, without numbers: `X-Api-Key-2` and `xApiKey2` are x, api, key.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut is_open = false;
    let mut before = ' ';
    let letters: Vec<char> = name.chars().collect();
    for (index, c) in letters.iter().copied().enumerate() {
        if c.is_alphabetic() {
            // `APIKey`: the last capital before a small letter begins a word.
            let ends = before.is_uppercase() && letters.get(index + 1).is_some_and(|next| next.is_lowercase());
            let begins = c.is_uppercase() && (!before.is_uppercase() || ends);
            match words.last_mut() {
                Some(word) if is_open && !begins => word.extend(c.to_lowercase()),
                _ => words.push(c.to_lowercase().collect()),
            }
            is_open = true;
        } else {
            is_open = false;
        }
        before = c;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_divided_into_words() {
        for (name, expected) in [
            ("dbPassword", "db password"),
            ("X-Api-Key-2", "x api key"),
            ("SMTP_PASS", "smtp pass"),
            ("xAPIKeyOld", "x api key old"),
            ("aws.secret_access_key", "aws secret access key"),
            ("42", ""),
        ] {
            assert_eq!(words(name).join(" "), expected, "{name}");
        }
    }
}
