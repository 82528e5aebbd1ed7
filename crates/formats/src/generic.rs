//! Lines of no known format: a time and a level near the beginning, a logger, and what is left is the message.
//!
//! A level counts only where the line's head ends in it or it is marked (`ERROR`, `[error]`, `error:`), never as a word
//! of a sentence. The message is what follows, unaltered.

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
}

impl Head<'_> {
    /// Whether the line begins as a record does.
    pub const fn is_found(&self) -> bool {
        self.time.is_some() || self.level.is_some()
    }
}

/// Whether a line begins with a time, which is the quickest sign of a record.
pub fn begins_with_time(line: &str) -> bool {
    time_at(line).is_some()
}

/// Tokens of a head before its level at most.
const TOKENS: usize = 6;
/// A longer token is no part of a head, in bytes.
const TOKEN_BYTES: usize = 96;

/// Reads the head of a line.
pub fn head(line: &str) -> Head<'_> {
    let text = line.trim_end().trim_start_matches([' ', '\t']);
    if let Some((time, rest)) = time_at(text) {
        return after_time(Some(time), rest);
    }
    if let Some((level, rest)) = level_at(text, true) {
        let found = find_time(rest, 3);
        let Some((time, rest)) = found else {
            let (logger, message) = logger_and_message(rest);
            return Head { time: None, level: Some(level), logger, message };
        };
        let (logger, message) = logger_and_message(separators(rest));
        return Head { time: Some(time), level: Some(level), logger, message };
    }
    let numbered = text.starts_with(|c: char| c.is_ascii_digit());
    if (text.starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '[' | '(' | '<')))
        && let Some((time, rest)) = find_time(text, 3).filter(|(time, _)| numbered || !time.lacks_date())
    {
        return after_time(Some(time), rest);
    }
    Head { message: text, ..Head::default() }
}

/// The time at the beginning, also in brackets, and what follows it.
fn time_at(text: &str) -> Option<(Spelled, &str)> {
    let bare = text.trim_start_matches(['[', '(', '<', '"', '{', ' ']);
    if text.len() - bare.len() > 2 {
        return None;
    }
    let (time, length) = leading_time(bare)?;
    let written = &bare[..length];
    // Without a date, seconds must be there: `10:30 is too late` is no time of a record.
    if time.lacks_date() && written.matches(':').count() < 2 {
        return None;
    }
    let rest = &bare[length..];
    let ends = rest.is_empty() || !rest.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '.'));
    ends.then_some((time, rest))
}

/// The time behind at most `tokens` tokens.
fn find_time(text: &str, tokens: usize) -> Option<(Spelled, &str)> {
    let mut rest = separators(text);
    for _ in 0..=tokens {
        // A number behind other words is one of many, not a time.
        if let Some(found) = time_at(rest).filter(|(time, _)| !time.is_epoch()) {
            return Some(found);
        }
        let (token, after) = token(rest)?;
        if token.len() > TOKEN_BYTES {
            return None;
        }
        rest = separators(after);
    }
    None
}

fn after_time(time: Option<Spelled>, rest: &str) -> Head<'_> {
    let attached = rest.strip_prefix(':').filter(|rest| rest.starts_with(|c: char| c.is_ascii_alphabetic()));
    let text = separators(attached.unwrap_or(rest));
    let mut at = text;
    let mut logger = None;
    for index in 0..TOKENS {
        if let Some((level, after)) = level_at(at, index == 0) {
            let (found, message) = logger_and_message(after);
            return Head { time, level: Some(level), logger: found.or(logger), message };
        }
        if let Some((level, channel, after)) = channel_and_level(at) {
            return Head { time, level: Some(level), logger: Some(channel), message: after };
        }
        let Some((token, after)) = token(at) else { break };
        if !is_head_token(token, after) {
            break;
        }
        let bare = token.trim_matches(['[', ']', '(', ')', '<', '>']);
        logger = Some(bare).filter(|bare| is_logger(bare)).or(logger);
        at = separators(after);
    }
    let (logger, message) = dotted_logger(text).unwrap_or((None, text));
    Head { time, level: None, logger, message }
}

/// Skips what separates the parts of a head: spaces, a closing bracket, `|`, `,`, and `-` or `:` before a space.
fn separators(text: &str) -> &str {
    let mut rest = text;
    loop {
        let before = rest.len();
        rest = rest.trim_start_matches([' ', '\t']);
        for mark in ["]", ")", ">", "\"", "|", ","] {
            if before == rest.len() || mark == "|" {
                rest = rest.strip_prefix(mark).unwrap_or(rest);
            }
        }
        for mark in ["-", ":", "–", "•"] {
            if let Some(after) = rest.strip_prefix(mark)
                && (after.starts_with([' ', '\t']))
            {
                rest = after;
            }
        }
        if rest.len() == before {
            return rest;
        }
    }
}

/// The first token: a group in brackets, or what ends at a space or `|`.
fn token(text: &str) -> Option<(&str, &str)> {
    let close = match text.as_bytes().first()? {
        b'[' => ']',
        b'(' => ')',
        b'{' => '}',
        b'<' => '>',
        _ => {
            let end = text.find([' ', '\t', '|']).unwrap_or(text.len());
            return (end > 0).then(|| text.split_at(end));
        }
    };
    let limit = text.floor_char_boundary(TOKEN_BYTES);
    let end = text[..limit].find(close)?;
    Some(text.split_at(end + 1))
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
        || token.bytes().all(|b| b.is_ascii_digit())
        || (token.contains(['.', '/', '_', '#', '$', '=', '@']) || token.contains("::"))
        || token
            .split_once('[')
            .is_some_and(|(_, process)| process.trim_end_matches([']', ':']).bytes().all(|b| b.is_ascii_digit()))
        || apart.starts_with("- ")
        || apart.starts_with('|')
}

/// The level at the beginning, and what follows it.
fn level_at(text: &str, first: bool) -> Option<(Level, &str)> {
    if text.starts_with(['[', '(', '<']) {
        let (group, after) = token(text)?;
        let inside = group[1..group.len() - 1].trim();
        // Apache's module, Celery's process: `core:error`, `ERROR/MainProcess`.
        let word = inside.rsplit(':').next().unwrap_or(inside);
        let word = word.split(['/', ' ']).next().unwrap_or(word);
        let level = Level::parse_any(word).filter(|_| !word.bytes().all(|b| b.is_ascii_digit()))?;
        if word.len() == 1 && !word.bytes().all(|b| b.is_ascii_uppercase()) {
            return None;
        }
        return Some((level, separators(after)));
    }
    let length = text.bytes().take_while(|b| b.is_ascii_alphabetic()).count();
    let (word, rest) = text.split_at(length);
    let level = word_level(word)?;
    let shouted = word.bytes().all(|b| b.is_ascii_uppercase());
    let capital = word.as_bytes()[0].is_ascii_uppercase();
    let marked = rest.starts_with([':', '|', ']', '\t', ')', '>'])
        || rest.starts_with("  ")
        || rest.starts_with(" |")
        || rest.starts_with(" - ");
    let ends = rest.is_empty() || rest.starts_with([' ', ',', '/', '\u{b7}']) || marked;
    // `info vpxd[45715] …`, `warn [pay] …`: what follows is a head too.
    let next = rest.trim_start_matches(' ').split([' ', '\t']).next().unwrap_or_default();
    let followed = next.starts_with(['[', '(']) || (next.ends_with(']') && next.contains('['));
    let fits = ends && (shouted || (marked && (first || capital)) || (followed && first));
    if !fits {
        return None;
    }
    let rest = match rest.strip_prefix('/') {
        Some(process) => process.find([' ', ']']).map_or("", |end| &process[end..]),
        None => rest,
    };
    let rest = rest.strip_prefix(':').unwrap_or(rest);
    Some((level, separators(rest)))
}

/// `channel.LEVEL: message`, as Monolog writes it.
fn channel_and_level(text: &str) -> Option<(Level, &str, &str)> {
    let (name, after) = text.split_once(": ").or_else(|| text.strip_suffix(':').map(|name| (name, "")))?;
    let (channel, word) = name.rsplit_once('.')?;
    let fits = !channel.is_empty()
        && channel.len() < TOKEN_BYTES
        && !channel.contains(char::is_whitespace)
        && word.bytes().all(|b| b.is_ascii_uppercase());
    Some((word_level(word).filter(|_| fits)?, channel, after))
}

/// The level of a word that texts use for nothing else.
fn word_level(word: &str) -> Option<Level> {
    if !(3..=13).contains(&word.len()) {
        return None;
    }
    let used = ["http", "all", "config", "log", "note", "success", "fail", "alert"];
    let level = Level::parse_any(word)?;
    let shouted = word.bytes().all(|b| b.is_ascii_uppercase());
    (shouted || !used.iter().any(|other| other.eq_ignore_ascii_case(word))).then_some(level)
}

/// The logger that stands before the message, set apart by ` - `, ` : `, `: ` or `|`; brackets and numbers before it
/// are the thread and the process.
fn logger_and_message(text: &str) -> (Option<&str>, &str) {
    let mut at = text;
    for _ in 0..5 {
        if let Some(found) = dotted_logger(at) {
            return found;
        }
        let Some((token, after)) = token(at) else { break };
        let skipped = token.starts_with(['[', '(', '<', '{'])
            || matches!(token, "---" | "-")
            || token.bytes().all(|b| b.is_ascii_digit());
        if !skipped || after.is_empty() {
            break;
        }
        at = separators(after);
    }
    // Kafka and ZooKeeper put the class behind the message.
    let behind = text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")).map(|(_, name)| name);
    (behind.filter(|name| name.contains('.') && is_logger(name)), text)
}

/// `a.b.C - message`: the logger and the message; a place in source code (`Pay.java:41 - …`) is no logger.
fn dotted_logger(text: &str) -> Option<(Option<&str>, &str)> {
    let end = text
        .bytes()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b':' | b'/' | b'@' | b'-' | b'#'))
        .count();
    let (name, rest) = text.split_at(end);
    let colon = name.ends_with(':') && rest.starts_with([' ', '\t']);
    let bare = name.trim_end_matches(':');
    let message = if colon {
        rest.trim_start()
    } else {
        let trimmed = rest.trim_start_matches([' ', '\t']);
        let spaced = trimmed.len() < rest.len();
        let after = ["- ", ": "].iter().find_map(|mark| trimmed.strip_prefix(mark).filter(|_| spaced));
        // Python's logger, with a context in brackets behind it.
        if after.is_none() && spaced && trimmed.starts_with('[') && name.matches('.').count() >= 2 && is_logger(name) {
            return Some((Some(name), trimmed));
        }
        after.or_else(|| trimmed.strip_prefix('|'))?.trim_start()
    };
    let place =
        bare.rsplit_once(':').is_some_and(|(_, line)| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()));
    if place && bare.contains('.') {
        return Some((None, message));
    }
    is_logger(bare).then_some((Some(bare), message))
}

/// Whether a name is that of a class, a module or a package.
fn is_logger(name: &str) -> bool {
    let failure = name.ends_with("Error") || name.ends_with("Exception");
    let letters = name.bytes().any(|b| b.is_ascii_alphabetic()) && !name.contains(char::is_whitespace);
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let dotted = (name.contains('.') || name.contains("::")) && !name.ends_with('.') && !name.contains("//");
    // A place in source code is none: `pay.go`, `Pay.java:41`.
    let source = name.rsplit_once('.').is_some_and(|(_, end)| {
        let end = end.split(':').next().unwrap_or(end);
        matches!(end, "py" | "go" | "rs" | "js" | "ts" | "java" | "rb" | "php" | "c" | "cpp" | "cs")
    });
    let humps = name.bytes().filter(u8::is_ascii_uppercase).count();
    let camel = humps >= 2
        && name.len() > humps + 2
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && name.as_bytes()[0].is_ascii_uppercase();
    letters && starts && !failure && !source && (dotted || camel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> (bool, Option<Level>, Option<&str>, &str) {
        let found = head(line);
        (found.time.is_some(), found.level, found.logger, found.message)
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
                None,
                "[o.e.n.Node               ] [node-1] slow",
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
            ("the error was found", None, "the error was found"),
            ("Error while reading", None, "Error while reading"),
            ("10:30 is too late", None, "10:30 is too late"),
            ("I am here", None, "I am here"),
        ] {
            assert_eq!(read(line), (false, level, None, message), "{line}");
        }
    }
}
