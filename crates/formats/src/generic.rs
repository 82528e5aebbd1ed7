//! Lines of no known format: a time and a level near the beginning, a logger, and what is left is the message.
//!
//! A level counts only where the line's head ends in it or it is marked (`ERROR`, `[error]`, `error:`), never as a word
//! of a sentence. The message is what follows, unaltered.

use crate::crash::crash;
use crate::level::{Marked, is_used_word, level_at, word_level};
use crate::logger::{dotted_logger, is_logger, logger_and_message};
use crate::token::{TOKEN_BYTES, separators, token};
use crosstail_core::model::{Level, Spelled, leading_time};

/// What the head of a line says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Head<'a> {
    /// The time.
    pub time: Option<Spelled>,
    /// The level.
    pub level: Option<Level>,
    /// The logger or module.
    pub logger: Option<&'a str>,
    /// Everything after the head.
    pub message: &'a str,
    /// Whether a date stands in front of a time of day whose spelling is not known: the time is unknown, not one of
    /// another day.
    pub has_unread_date: bool,
}

impl Head<'_> {
    /// Whether the line begins as a record does.
    pub const fn is_found(&self) -> bool {
        self.time.is_some() || self.level.is_some() || self.has_unread_date
    }
}

/// Whether a line begins with a time, which is the quickest sign of a record.
pub fn begins_with_time(line: &str) -> bool {
    time_at(line).is_some()
}

/// Tokens of a head before its level at most.
const TOKENS: usize = 12;
/// Reads the head of a line.
pub fn head(line: &str) -> Head<'_> {
    let text = line.trim_end().trim_start_matches([' ', '\t']);
    if let Some((time, rest)) = time_at(text) {
        return after_time(Some(time), rest);
    }
    if let Some(level) = crash(text) {
        return Head { level: Some(level), message: text, ..Head::default() };
    }
    if let Some(Marked { level, rest, set_apart }) = level_at(text)
        && (set_apart || !is_used_word(text))
    {
        let found = find_time(rest, 3);
        let Some((time, _, rest)) = found else {
            let (logger, message) = logger_and_message(rest);
            return Head { level: Some(level), logger, message, ..Head::default() };
        };
        let (logger, message) = logger_and_message(separators(rest));
        return Head { time: Some(time), level: Some(level), logger, message, ..Head::default() };
    }
    let numbered = text.starts_with(|c: char| c.is_ascii_digit());
    if (text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '[' | '(' | '<')))
        && let Some((time, start, rest)) = find_time(text, 3).filter(|(time, ..)| numbered || !time.lacks_date())
    {
        if time.lacks_date() && has_date(&text[..start]) {
            let level = after_time(None, rest).level;
            return Head { level, message: text, has_unread_date: true, ..Head::default() };
        }
        let found = after_time(Some(time), rest);
        if found.level.is_some() {
            return found;
        }
        let (level, logger) = before_time(text, text.len() - rest.len());
        return Head { level, logger: found.logger.or(logger), ..found };
    }
    untimed(text).unwrap_or(Head { message: text, ..Head::default() })
}

/// Where almost all lines of a stream have their level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Words between the time and the level.
    pub words: usize,
    /// Whether levels are in capitals, so that what is not in capitals is none.
    pub shouted: bool,
}

/// Whether a level in capitals stands directly behind the time.
pub(crate) fn leads_with_level(line: &str) -> bool {
    let behind = time_at(line.trim_start()).map(|(_, rest)| separators(rest));
    let shouted = |text: &&str| text.bytes().take_while(u8::is_ascii_alphabetic).all(|b| b.is_ascii_uppercase());
    behind.filter(shouted).is_some_and(|text| !is_used_word(text) && level_at(text).is_some())
}

/// The head of a line whose level stands in the column in which almost all lines of its stream have one: after so many
/// words behind the time.
pub fn head_in(line: &str, column: Option<Column>) -> Head<'_> {
    let found = head(line);
    let Some(column) = column.filter(|_| found.level.is_none() && found.time.is_some()) else { return found };
    let Some((level, after)) = word_in(found.message, column.words) else { return found };
    let word = found.message.bytes().take_while(u8::is_ascii_alphabetic);
    if column.shouted && !word.clone().all(|b| b.is_ascii_uppercase()) {
        return found;
    }
    // One word before the level is the logger. More are nothing that is known: they stay in the message.
    let name = found.message.split([' ', '\t']).next().filter(|name| column.words == 1 && is_name(name));
    let message = if column.words == 0 || name.is_some() { separators(after) } else { found.message };
    Head { level: Some(level), logger: found.logger.or(name), message, ..found }
}

/// Whether a word may be the name of what writes a line.
fn is_name(word: &str) -> bool {
    word.len() <= TOKEN_BYTES
        && word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'/' | b':'))
}

/// Words before a level that a column may have.
pub const COLUMNS: usize = 4;

/// The level in a column, and what follows it.
pub fn word_in(text: &str, column: usize) -> Option<(Level, &str)> {
    let mut rest = text.trim_start();
    for _ in 0..column {
        rest = rest.split_once([' ', '\t'])?.1.trim_start();
    }
    let (word, after) = rest.split_at(rest.find([' ', '\t', ':', '|']).unwrap_or(rest.len()));
    let known = (3..=13).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_alphabetic());
    Some((Level::parse_any(word).filter(|_| known)?, after.strip_prefix(':').unwrap_or(after)))
}

/// Whether a column of a text has a level that no text has for something else: only those make a column one of levels.
pub(crate) fn has_level_in(text: &str, column: usize) -> bool {
    let at = text.split([' ', '\t']).filter(|word| !word.is_empty()).nth(column);
    word_in(text, column).is_some() && !at.is_some_and(is_used_word)
}

/// The head of a line without a time whose level is marked behind a thread, a number or the name of a program:
/// `[main] ERROR a.b.C - …`, `app: error: …`, `main.c:41:5: warning: …`, `(ann@192.0.2.1) [WARNING] …`.
fn untimed(text: &str) -> Option<Head<'_>> {
    if let Some((level, channel, message)) = channel_and_level(text) {
        return Some(Head { level: Some(level), logger: Some(channel), message, ..Head::default() });
    }
    let mut at = text;
    let mut program = false;
    for index in 0..3 {
        let (token, after) = token(at)?;
        let named = token.strip_suffix(':').is_some_and(is_program);
        let group = token.starts_with(['[', '(', '{', '<']);
        let number = token.bytes().all(|b| b.is_ascii_digit());
        // Seconds since the program began.
        let uptime = index == 0
            && token.split_once('.').is_some_and(|parts| {
                [parts.0, parts.1].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
            });
        let address = !(number || uptime)
            && token.bytes().any(|b| b.is_ascii_digit())
            && token.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b'.' | b':'));
        // A host stands only in front of a program with its process.
        let host = index == 0
            && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
            && after.trim_start().split(' ').next().is_some_and(|next| next.ends_with("]:") && next.contains('['));
        if !(named || group || number || host || address || uptime) {
            return None;
        }
        program |= named || host || address || token.starts_with('(');
        at = separators(after);
        if let Some(Marked { level, rest, set_apart }) = level_at(at)
            && (set_apart || (group && !program) || (uptime && !is_used_word(at)))
        {
            if program {
                return Some(Head { level: Some(level), message: text, ..Head::default() });
            }
            let (logger, message) = logger_and_message(rest);
            return Some(Head { level: Some(level), logger, message, ..Head::default() });
        }
    }
    None
}

/// Whether a text in front of `:` may be the name of a program or a place in a source.
fn is_program(name: &str) -> bool {
    name.len() <= TOKEN_BYTES
        && name.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '.'))
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/[]():".contains(&b))
}

/// The time at the beginning, also in brackets, and what follows it.
fn time_at(text: &str) -> Option<(Spelled, &str)> {
    let keyed = || ["time=", "ts=", "timestamp="].iter().find_map(|key| text.strip_prefix(key));
    let text = if text.starts_with('t') { keyed().unwrap_or(text) } else { text };
    let bare = text.trim_start_matches(['[', '(', '<', '"', '{', ' ']);
    if text.len() - bare.len() > 2 {
        return None;
    }
    let (time, length) = leading_time(bare)?;
    let written = &bare[..length];
    // Without a date, seconds must be there: `10:30 is too late` is no time of a record.
    let rest = &bare[length..];
    if time.lacks_date() && written.matches(':').count() < 2 {
        // zerolog's console: `7:08AM ERR …`.
        let level = || rest.strip_prefix(' ').and_then(level_at);
        if !written.ends_with('M') || level().is_none() {
            return None;
        }
    }
    let ends = rest.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.'));
    ends.then_some((time, rest))
}

/// The time behind at most `tokens` tokens, and where it begins.
fn find_time(text: &str, tokens: usize) -> Option<(Spelled, usize, &str)> {
    if !text.bytes().take(4 * TOKEN_BYTES).any(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut rest = separators(text);
    for _ in 0..=tokens {
        // A number behind other words is one of many, not a time.
        if let Some((time, behind)) = time_at(rest).filter(|(time, _)| !time.is_epoch()) {
            return Some((time, text.len() - rest.len(), behind));
        }
        let (token, after) = token(rest)?;
        if token.len() > TOKEN_BYTES {
            return None;
        }
        rest = separators(after);
    }
    None
}

/// Whether a text in front of a time of day has a date: a number of four digits beside a letter that is not ASCII, or three
/// numbers between the same marks.
fn has_date(text: &str) -> bool {
    text.split([' ', '\t']).any(|token| {
        let bare = token.trim_matches(|c: char| !c.is_alphanumeric());
        let of_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let year = bare.split(|c: char| !c.is_ascii_digit()).any(|part| part.len() == 4);
        let marked = |mark| {
            let end = bare.rsplit([':', '[']).next().unwrap_or(bare);
            let parts: Vec<&str> = end.split(mark).collect();
            parts.len() == 3
                && parts.iter().filter(|part| of_digits(part)).count() >= 2
                && (year || parts.iter().all(|part| part.len() <= 2))
        };
        (year && !bare.is_ascii()) || marked('/') || marked('-') || (year && marked('.'))
    })
}

fn after_time(time: Option<Spelled>, rest: &str) -> Head<'_> {
    let attached = rest.strip_prefix(':').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    let text = separators(attached.unwrap_or(rest));
    let arrow = ARROWS.iter().find_map(|arrow| text.strip_prefix(arrow)).map(str::trim_start);
    let text = arrow.filter(|rest| level_at(rest).is_some()).unwrap_or(text);
    let mut at = text;
    let mut logger = None;
    for index in 0..TOKENS {
        if let Some(Marked { level, rest, set_apart }) = level_at(at) {
            // `HTTP server starts`, `FAIL over to bank two`: a word that begins the message stays in it.
            if !set_apart && is_used_word(at) {
                break;
            }
            let (found, message) = logger_and_message(rest);
            return Head { time, level: Some(level), logger: found.or(logger), message, ..Head::default() };
        }
        if let Some((level, found, message)) = letter_at(at).filter(|_| index == 0) {
            return Head { time, level: Some(level), logger: found, message, ..Head::default() };
        }
        if let Some((level, channel, after)) = channel_and_level(at) {
            return Head { time, level: Some(level), logger: Some(channel), message: after, ..Head::default() };
        }
        let Some((token, after)) = token(at) else { break };
        if !is_head_token(token, after) {
            break;
        }
        let bare = token.trim_matches(['[', ']', '(', ')', '<', '>']);
        logger = Some(bare).filter(|bare| is_logger(bare)).or(logger);
        at = separators(after);
    }
    // `category: error: …`, `HORDE [error] …`: the mark says that it is a level, and what stands before it stays.
    if let Some((token, after)) = token(text)
        && (token.strip_suffix(':').is_some_and(is_program) || after.trim_start().starts_with('['))
        && token.bytes().all(|b| !matches!(b, b'"' | b'\'' | b','))
        && let Some(Marked { level, set_apart: true, .. }) = level_at(separators(after))
    {
        return Head { time, level: Some(level), message: text, ..Head::default() };
    }
    let (logger, message) = dotted_logger(text).unwrap_or((None, text));
    Head { time, logger, message, ..Head::default() }
}

/// Whether a token may stand between the time and the level: a number, a group in brackets, a name with marks, or a
/// word that is set apart.
fn is_head_token(token: &str, after: &str) -> bool {
    if token.len() > TOKEN_BYTES {
        return false;
    }
    let apart = after.trim_start_matches(' ');
    token.starts_with(['[', '(', '{', '<'])
        || token == "-"
        || token == "---"
        || (token.bytes().all(|b| b.is_ascii_hexdigit()) && token.bytes().any(|b| b.is_ascii_digit()))
        || (token.contains(['.', '/', '_', '#', '$', '=', '@']) || token.contains("::"))
        || token.split_once('[').is_some_and(|(_, process)| {
            process.trim_end_matches([']', ':']).bytes().all(|b| b.is_ascii_digit() || b == b':')
        })
        || apart.starts_with("- ")
        || apart.starts_with('|')
        || is_before_process(token, apart)
}

/// Whether the name of a program stands apart from its process, as in a column: `fail2ban        [12]: …`.
fn is_before_process(name: &str, next: &str) -> bool {
    let process = next.strip_prefix('[').and_then(|rest| rest.split_once("]:"));
    is_program(name) && process.is_some_and(|(id, _)| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
}

/// What stands before a time that is not at the beginning: a level that capitals or marks set apart, and a logger.
fn before_time(text: &str, length: usize) -> (Option<Level>, Option<&str>) {
    let (mut level, mut logger) = (None, None);
    let mut at = separators(text);
    while text.len() - at.len() < length {
        if level.is_none()
            && let Some(Marked { level: found, set_apart, .. }) = level_at(at)
            && (set_apart || !is_used_word(at))
        {
            level = Some(found);
        }
        let Some((token, after)) = token(at) else { break };
        logger = logger.or(Some(token).filter(|token| is_logger(token)));
        at = separators(after);
    }
    (level, logger)
}

/// Marks that some write in front of the level.
const ARROWS: [&str; 5] = ["-> ", "=> ", "▶ ", "» ", "› "];

/// A level of one letter, where a logger follows: `E a.b.C: …`, `W/Tag: …`, `W/Tag(12): …`.
fn letter_at(text: &str) -> Option<(Level, Option<&str>, &str)> {
    // Only capnslog writes `C` and `N`, and `|` behind them.
    let capnslog = || text.get(1..).is_some_and(|rest| rest.starts_with(" | "));
    let letter = text.as_bytes().first()?;
    if !(b"VDIWEFT".contains(letter) || (b"CN".contains(letter) && capnslog())) {
        return None;
    }
    let level = Level::parse_any(&text[..1]).filter(|_| letter.is_ascii())?;
    let rest = &text[1..];
    if let Some(tag) = rest.strip_prefix('/') {
        let end = tag.find([':', '(', ' '])?;
        let (tag, after) = tag.split_at(end);
        let after = if after.starts_with('(') { token(after)?.1 } else { after };
        let message = after.trim_start().strip_prefix(':')?;
        return (!tag.is_empty()).then_some((level, Some(tag), message.trim_start()));
    }
    // Telegraf: `E! [outputs.file] …`.
    if let Some(message) = rest.strip_prefix("! ") {
        return Some((level, None, message));
    }
    let rest = rest.strip_prefix(' ')?;
    if rest.starts_with('[') && token(rest).is_some() {
        return Some((level, None, rest));
    }
    // etcd's old log: `W | etcdserver: …`.
    if let Some(message) = rest.strip_prefix("| ") {
        return Some((level, None, message));
    }
    let (logger, message) = dotted_logger(rest)?;
    Some((level, Some(logger?), message))
}

/// `channel.LEVEL: message`, as Monolog writes it.
fn channel_and_level(text: &str) -> Option<(Level, &str, &str)> {
    let near = &text[..text.floor_char_boundary(2 * TOKEN_BYTES)];
    let spaced = |at: &usize| near.as_bytes().get(at + 1) == Some(&b' ');
    let end = memchr::memchr_iter(b':', near.as_bytes()).find(spaced);
    let end = end.or_else(|| near.ends_with(':').then(|| near.len() - 1))?;
    let (name, after) = (&text[..end], text[end + 1..].strip_prefix(' ').unwrap_or(&text[end + 1..]));
    let (channel, word) = name.rsplit_once('.')?;
    let fits = !channel.is_empty()
        && channel.len() < TOKEN_BYTES
        && !channel.contains(char::is_whitespace)
        && word.bytes().all(|b| b.is_ascii_uppercase());
    Some((word_level(word).filter(|_| fits)?, channel, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (bool, Option<Level>, Option<&str>, &str) {
        let found = head(line);
        (found.time.is_some(), found.level, found.logger, found.message)
    }

    #[test]
    fn levels_that_are_no_words_of_a_sentence() {
        use Level::{Debug, Error, Info, Warn};
        for (line, level, logger, message) in [
            ("2024-05-06 07:08:00 E a.b.C: no route", Some(Error), Some("a.b.C"), "no route"),
            ("2024-05-06 07:08:00 W/Pay( 12): slow", Some(Warn), Some("Pay"), "slow"),
            ("2024-05-06 07:08:00.000000 W | etcd: slow", Some(Warn), None, "etcd: slow"),
            ("2024-05-06T07:08:00Z E! [out] slow", Some(Error), None, "[out] slow"),
            ("[1714979280] unbound[12:0] info: begins", Some(Info), None, "begins"),
            ("7:08AM ERR no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 level=error no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 pid=12 severity=\"WARN\" slow", Some(Warn), None, "slow"),
            ("2024-05-06 07:08:00 [level: error] no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 [ERROR|main] no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00;WARN;slow", Some(Warn), None, "slow"),
            ("2024-05-06 07:08:00 **ERROR** no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 DEBUG2 more", Some(Debug), None, "more"),
            ("2024-05-06 07:08:00 ERROR(main) no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 NOTICE[566]: slow", Some(Info), None, "slow"),
            ("2024-05-06 07:08:00 a.b.C - error: no route", Some(Error), Some("a.b.C"), "no route"),
            ("2024-05-06 07:08:00 [a.b.C] warn: slow", Some(Warn), Some("a.b.C"), "slow"),
            ("2024-05-06 07:08:00 12345 7f00aa WARNING slow", Some(Warn), None, "slow"),
            ("2024-05-06T07:08:00.1234567Z ##[error]no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00,123 WARN  [org.example.X] (task-1) slow", Some(Warn), Some("org.example.X"), "slow"),
            ("2024-05-06 07:08:00 [core:error] AH00037: no link", Some(Error), None, "AH00037: no link"),
            ("INFO[2024-05-06T07:08:00Z] begins", Some(Info), None, "begins"),
            ("2024-05-06 07:08:00 security: error: denied", Some(Error), None, "security: error: denied"),
            ("2024-05-06 07:08:00 SHOP [error] denied", Some(Error), None, "SHOP [error] denied"),
            ("[2024-05-06 07:08:00] \"quoted\" words", None, None, "\"quoted\" words"),
            ("\"2024-05-06 07:08:00\" INFO begins", Some(Info), None, "begins"),
            ("2024-05-06 07:08:00 [info desk] opens", None, None, "[info desk] opens"),
            ("2024-05-06 07:08:00 an ERROR was found", None, None, "an ERROR was found"),
            ("2024-05-06 07:08:00 Fatal flaw", None, None, "Fatal flaw"),
            ("2024-05-06 07:08:00 warning lights on", None, None, "warning lights on"),
            ("2024-05-06 07:08:00 E is a letter", None, None, "E is a letter"),
            ("2024-05-06 07:08:00 HTTP server starts", None, None, "HTTP server starts"),
            ("2024-05-06 07:08:00 HTTP/2 stream closed", None, None, "HTTP/2 stream closed"),
            ("2024-05-06 07:08:00 [pid 13] [ann] FAIL UPLOAD", None, None, "[pid 13] [ann] FAIL UPLOAD"),
            ("2024-05-06 07:08:00 FAIL: order 7", Some(Error), None, "order 7"),
            ("2024-05-06 07:08:00 INFO [main] db - reads", Some(Info), Some("db"), "reads"),
            ("2024-05-06 07:08:00 INFO [x] done - not split", Some(Info), None, "[x] done - not split"),
            ("2024-05-06 07:08:00.000000 N | etcd: serving", Some(Info), None, "etcd: serving"),
            ("2024-05-06 07:08:00.000000 C | etcd: no room", Some(Level::Fatal), None, "etcd: no room"),
            ("2024-05-06 07:08:00 C is a letter", None, None, "C is a letter"),
            ("2024-05-06 07:08:00,000 fail2ban        [12]: ERROR   no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 [authz_core:trace2] asks", Some(Level::Trace), None, "asks"),
            ("shop.pay INFO 2024-05-06 07:08:00,123 begins", Some(Info), Some("shop.pay"), "begins"),
            ("[main] ERROR 2024-05-06T07:08:00Z no route", Some(Error), None, "no route"),
            ("Mon May  6 07:08:00 2024 -> ERROR: no route", Some(Error), None, "no route"),
            ("Mon May  6 07:08:00 2024 -> +++ begins", None, None, "-> +++ begins"),
            ("[PAY] 2024/05/06 - 07:08:00.123 ▶ ERROR no route", Some(Error), None, "no route"),
            ("2024-05-06 07:08:00 lmtp(12): Warning: slow", Some(Warn), None, "lmtp(12): Warning: slow"),
            ("2024-05-06 07:08:00 W (tungsten) is heavy", None, None, "W (tungsten) is heavy"),
            ("2024-05-06 07:08:00 I am here", None, None, "I am here"),
            ("2024-05-06 07:08:00 order 7: error code 5", None, None, "order 7: error code 5"),
            ("2024-05-06 07:08:00 (see ERROR list)", None, None, "(see ERROR list)"),
        ] {
            assert_eq!(read(line), (true, level, logger, message), "{line}");
        }
    }

    #[test]
    fn a_clock_behind_a_date_that_is_not_known_is_no_time() {
        for line in [
            "6-quintus-2024 07:08:00 ERROR no route",
            "6.quintus.2024 07:08:00 ERROR no route",
            "2024-05-06Q 07:08:00 ERROR no route",
            "2024ﾎ5 07:08:00 ERROR no route",
        ] {
            let found = head(line);
            assert!(found.time.is_none() && found.is_found(), "{line}: {found:?}");
            assert_eq!((found.level, found.message), (Some(Level::Error), line));
        }
        for line in ["12 07:08:00 ERROR no route", "10.0.0.7 07:08:00 ERROR no route", "12345 07:08:00 ERROR no route"]
        {
            assert!(head(line).time.is_some(), "{line}");
        }
    }

    #[test]
    fn a_column_of_levels_needs_no_marks() {
        use Level::{Info, Warn};
        for (line, words, level, message) in [
            ("2024-05-06 07:08:00 info begins", 0, Some(Info), "begins"),
            ("2024-05-06 07:08:00 Warning slow", 0, Some(Warn), "slow"),
            ("2024-05-06 07:08:00 worker WARN slow", 1, Some(Warn), "slow"),
            ("2024-05-06 07:08:00 my worker WARN slow", 2, Some(Warn), "my worker WARN slow"),
            ("2024-05-06 07:08:00 nothing begins", 0, None, "nothing begins"),
            ("2024-05-06 07:08:00 success begins", 0, Some(Info), "begins"),
            ("no time info", 2, None, "no time info"),
        ] {
            let found = head_in(line, Some(Column { words, shouted: false }));
            assert_eq!((found.level, found.message), (level, message), "{line}");
        }
        let worker = head_in("2024-05-06 07:08:00 worker WARN slow", Some(Column { words: 1, shouted: false }));
        assert_eq!(worker.logger, Some("worker"));
    }

    #[test]
    fn a_column_of_shouted_levels_has_no_other_words() {
        let column = Some(Column { words: 0, shouted: true });
        let found = |line| head_in(line, column).level;
        assert_eq!(found("2024-05-06 07:08:00 CONFIG is read"), Some(Level::Debug));
        assert_eq!(found("2024-05-06 07:08:00 Error while reading"), None);
        assert!(leads_with_level("2024-05-06 07:08:00 INFO begins"));
        assert!(!leads_with_level("2024-05-06 07:08:00 HTTP begins"));
        assert!(!leads_with_level("2024-05-06 07:08:00 [main] INFO begins"));
    }

    #[test]
    fn heads_of_many_loggers() {
        use Level::{Debug, Error, Fatal, Info, Trace, Warn};
        for (line, level, logger, message) in [
            ("2024-05-06 07:08:00 INFO one", Some(Info), None, "one"),
            (
                "2024-05-06 07:08:00,123 INFO  [main] com.example.shop.App - started",
                Some(Info),
                Some("com.example.shop.App"),
                "started",
            ),
            (
                "2024-05-06T09:08:01.456+02:00 ERROR 12 --- [shop] [nio-1] c.example.Pay     : charge failed",
                Some(Error),
                Some("c.example.Pay"),
                "charge failed",
            ),
            ("2024-05-06T07:08:00.123456Z  INFO shop::pay: begins", Some(Info), Some("shop::pay"), "begins"),
            (
                "2024-05-06 07:08:00,123 - shop.pay - ERROR - charge failed",
                Some(Error),
                Some("shop.pay"),
                "charge failed",
            ),
            ("2024-05-06 07:08:00.1234|INFO|Shop.Order|order placed", Some(Info), Some("Shop.Order"), "order placed"),
            (
                "[2024-05-06 07:08:01.456][shop::pay][ERROR] charge failed",
                Some(Error),
                Some("shop::pay"),
                "charge failed",
            ),
            ("[2024-05-06T07:08:00] app.INFO: order placed {}", Some(Info), Some("app"), "order placed {}"),
            ("[2024-05-06 07:08:00,123: INFO/MainProcess] worker is up.", Some(Info), None, "worker is up."),
            ("[2024-05-06, 07:08:00 UTC] {taskinstance.py:1300} INFO - try 1", Some(Info), None, "try 1"),
            ("[Mon May 06 07:08:00.123456 2024] [mpm_event:notice] [pid 12] x", Some(Info), None, "[pid 12] x"),
            ("[07:08:02 VRB] details", Some(Trace), None, "details"),
            (
                "[2024-05-06 07:08:01,000] WARN no leader (org.example.Client)",
                Some(Warn),
                Some("org.example.Client"),
                "no leader (org.example.Client)",
            ),
            (
                "2024-05-06 07:08:00 [info     ] order placed     order=4711",
                Some(Info),
                None,
                "order placed     order=4711",
            ),
            ("07:08:00.123 [main] INFO  com.example.App - started", Some(Info), Some("com.example.App"), "started"),
            ("24/05/06 07:08:01 WARN TaskSetManager: task 7", Some(Warn), Some("TaskSetManager"), "task 7"),
            ("240506 070800 143 INFO dfs.DataNode: takes block 7", Some(Info), Some("dfs.DataNode"), "takes block 7"),
            ("2024-05-06 07:08:01, Info                  CBS    Warning: odd", Some(Info), None, "CBS    Warning: odd"),
            ("2024/05/06 07:08:03 pay.go:43:charge() [D] details", Some(Debug), None, "details"),
            ("INFO  [main] 2024-05-06 07:08:00,123 Storage.java:10 - node ready", Some(Info), None, "node ready"),
            ("2024-05-06T07:08:00.123Z info: begins", Some(Info), None, "begins"),
            ("2024-05-06 07:08:00 INFO -- done --", Some(Info), None, "-- done --"),
            ("2024-05-06 07:08:00 -5 degrees at the door", None, None, "-5 degrees at the door"),
            ("2024-05-06 07:08:01 ::1 has left", None, None, "::1 has left"),
            ("2024-05-06 07:08:02 --> POST /pay", None, None, "--> POST /pay"),
            ("2024-05-06 07:08:03 [1/3] fetch", None, None, "[1/3] fetch"),
            ("2024-05-06 07:08:05 http: server closed", None, None, "http: server closed"),
            ("2024-05-06 07:08:05 the error was found", None, None, "the error was found"),
            ("2024-05-06 07:08:05 got ERROR from bank", None, None, "got ERROR from bank"),
            ("@40000000663881db1b2e0200 error: charge failed", Some(Error), None, "charge failed"),
            (
                "[2024-05-06T07:08:00,123][WARN ][o.e.n.Node               ] [node-1] slow",
                Some(Warn),
                Some("o.e.n.Node"),
                "[node-1] slow",
            ),
        ] {
            assert_eq!(read(line), (true, level, logger, message), "{line}");
        }
        for (line, level, message) in [
            ("INFO one", Some(Info), "one"),
            ("INFO:     process [12] begins", Some(Info), "process [12] begins"),
            ("[error] disk full", Some(Error), "disk full"),
            ("error: disk full", Some(Error), "disk full"),
            ("CRITICAL gives up", Some(Fatal), "gives up"),
            ("app[12]: error: disk full", Some(Error), "app[12]: error: disk full"),
            ("main.c:41:5: warning: not used", Some(Warn), "main.c:41:5: warning: not used"),
            ("(ann@192.0.2.1) [WARNING] no", Some(Warn), "(ann@192.0.2.1) [WARNING] no"),
            ("web-1 sshd[12]: error: no", Some(Error), "web-1 sshd[12]: error: no"),
            ("[main] ERROR no route", Some(Error), "no route"),
            ("12 [main] WARN slow", Some(Warn), "slow"),
            ("::error file=a.js,line=1::no", Some(Error), "no"),
            ("WARN[0012] slow", Some(Warn), "slow"),
            ("192.0.2.1:80 WARNING: slow", Some(Warn), "192.0.2.1:80 WARNING: slow"),
            ("error,relay=x: no", Some(Error), "relay=x: no"),
            ("ann: ERROR codes are fine", None, "ann: ERROR codes are fine"),
            ("ALERT exits with [1]", Some(Fatal), "exits with [1]"),
            ("ALL CAPS HERE", None, "ALL CAPS HERE"),
            ("the error was found", None, "the error was found"),
            ("Error while reading", None, "Error while reading"),
            ("10:30 is too late", None, "10:30 is too late"),
            ("10:30AM is too late", None, "10:30AM is too late"),
            ("I am here", None, "I am here"),
        ] {
            assert_eq!(read(line), (false, level, None, message), "{line}");
        }
    }
}
