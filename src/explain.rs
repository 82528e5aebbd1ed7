//! The codes of errors. Each message of `docs/troubleshooting.md` has one; what is printed is recognised by its words, so that
//! nothing in the program has to name a code. `crosstail help E042` says why, and what to do.

use std::sync::LazyLock;

const PAGE: &str = include_str!("../docs/troubleshooting.md");
/// Stands for what differs between messages of one kind.
const DIFFERS: char = '…';
/// A message with fewer characters that are always the same is told by none of them.
const FEWEST: usize = 5;
/// What stands between a message and another that it is the cause or the remedy of, or the place that it is about.
const BEFORE: [&str; 5] = [": ", "; ", "\n", "(", "^ "];

/// A message of the program, with its cause and its remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// `E042`.
    pub code: &'static str,
    /// The message; `…` stands for what differs.
    pub message: String,
    /// Why it is said.
    pub why: String,
    /// What to do.
    pub remedy: String,
}

/// The messages of the troubleshooting page, in its order.
pub fn entries() -> impl Iterator<Item = Entry> {
    PAGE.lines().filter_map(entry)
}

/// A row of the page: code, message, why, what to do.
fn entry(line: &'static str) -> Option<Entry> {
    let (code, row) = line.strip_prefix("| <a id=\"")?.split_once("\"></a>")?;
    let row = row.strip_prefix(code)?.trim_start().strip_prefix('|')?;
    // What is escaped does not end a cell.
    let row = row.replace("\\|", "\u{0}");
    let mut cells = row.trim().trim_end_matches('|').split(" | ").map(|cell| cell.trim().replace('\u{0}', "|"));
    let message = cells.next()?.trim_matches('`').trim().to_owned();
    Some(Entry { code, message, why: cells.next()?, remedy: cells.next()? })
}

/// How many characters of a message are always the same, if a text is such a message; it may stand behind others.
fn fits(message: &str, text: &str) -> Option<usize> {
    let (mut from, mut length) = (0, 0);
    for (index, part) in message.split(DIFFERS).map(str::trim).enumerate().filter(|(_, part)| !part.is_empty()) {
        let rest = text.get(from..)?;
        let at =
            if index == 0 { BEFORE.iter().find_map(|before| begins(rest, before, part))? } else { rest.find(part)? };
        from += at + part.len();
        length += part.chars().count();
    }
    (length >= FEWEST).then_some(length)
}

/// Where a part stands behind another, or at the very beginning.
fn begins(text: &str, before: &str, part: &str) -> Option<usize> {
    if text.starts_with(part) {
        return Some(0);
    }
    text.find(&format!("{before}{part}")).map(|at| at + before.len())
}

/// The code of an error: that of the message with the most words in it.
pub fn code_of(text: &str) -> Option<&'static str> {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| entries().collect());
    let found = ENTRIES.iter().filter_map(|entry| Some((fits(&entry.message, text)?, entry.code)));
    // Of equals, the first.
    found.min_by_key(|(length, _)| usize::MAX - length).map(|(_, code)| code)
}

/// Whether a word is written as codes are.
pub fn is_code(word: &str) -> bool {
    let digits = word.strip_prefix(['E', 'e']).unwrap_or_default();
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
