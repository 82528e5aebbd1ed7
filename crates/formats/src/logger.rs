//! The logger in front of a message, and what stands between them: threads, places in a source, contexts.

use crate::token::{separators, token};
use crosstail_core::model::Level;

/// The logger that stands before the message, set apart by ` - `, ` : `, `: ` or `|`, or in brackets; brackets and numbers
/// before it are the thread and the process.
pub(crate) fn logger_and_message(text: &str) -> (Option<&str>, &str) {
    let mut at = text;
    let mut bracketed = None;
    let mut thread = false;
    // Whether all that was passed says only who wrote the line.
    let mut light = true;
    for _ in 0..5 {
        // Behind what stands in brackets a word of a sentence may follow: `[x] done - not split`.
        let named = at.len() == text.len() || thread || at.starts_with(|c: char| c.is_ascii_uppercase());
        let short = || short_logger(at).filter(|_| named);
        if let Some((logger, message)) = dotted_logger(at).or_else(short).filter(|_| bracketed.is_none()) {
            return (logger, message);
        }
        let Some((token, after)) = token(at) else { break };
        let inside = token.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).map(str::trim_end);
        let is_group = token.starts_with(['[', '(', '<', '{']);
        let number = token.bytes().all(|b| b.is_ascii_digit());
        if !(is_group || number || matches!(token, "---" | "-")) || after.is_empty() {
            break;
        }
        // Words may be a part of the message.
        let is_thread = is_group && is_numbered_thread(&token[1..token.len() - 1]);
        let class = inside.and_then(class_of);
        // JBoss, Elasticsearch and Serilog put the logger into brackets.
        let logger = inside.filter(|name| !is_thread && name.contains('.') && is_logger(name)).or(class);
        if let Some(logger) = logger.filter(|_| bracketed.is_none()) {
            bracketed = Some((logger, if light { behind_thread(separators(after)) } else { text }));
        } else {
            light &= !is_group || is_thread || is_place(token);
        }
        let dashed = after.trim_start_matches(' ').strip_prefix("- ").filter(|_| is_group && light);
        if let Some(message) = dashed.map(str::trim_start) {
            let named = dotted_logger(message).filter(|_| bracketed.is_none());
            return named.unwrap_or((bracketed.map(|(logger, _)| logger), message));
        }
        thread |= inside.is_some_and(|name| name == "main" || name.contains(|c: char| c.is_ascii_digit() || c == '-'));
        at = separators(after);
    }
    if let Some((logger, behind)) = bracketed {
        return (Some(logger), behind);
    }
    // Kafka and ZooKeeper put the class behind the message.
    let behind = text.strip_suffix(')').and_then(|text| text.rsplit_once(" (")).map(|(_, name)| without_place(name));
    (behind.filter(|name| name.contains('.') && is_logger(name)), text)
}

/// What follows the thread that WildFly and Quarkus write in parentheses behind the logger.
fn behind_thread(text: &str) -> &str {
    let found = token(text).filter(|(group, _)| group.starts_with('(') && is_thread(&group[1..group.len() - 1]));
    found.map_or(text, |(_, after)| separators(after))
}

/// Whether a text in brackets is the name of a thread, or nothing.
fn is_thread(inside: &str) -> bool {
    const WORDS: [&str; 10] =
        ["thread", "Thread", "exec", "pool", "worker", "Worker", "dispatcher", "task-", "scheduler", "nio-"];
    let inside = inside.trim();
    inside.is_empty() || inside == "main" || WORDS.iter().any(|word| inside.contains(word))
}

/// Whether it is nothing, the main thread, or one with a number.
fn is_numbered_thread(inside: &str) -> bool {
    let numbered = inside.bytes().any(|b| b.is_ascii_digit()) && !inside.contains(": ");
    is_thread(inside) && (numbered || matches!(inside.trim(), "" | "main"))
}

/// Whether a group is a place in a source: `(Pay.java:41)`.
fn is_place(group: &str) -> bool {
    let inside = &group[1..group.len() - 1];
    let line = inside.rsplit_once(':').filter(|(file, _)| file.contains('.') && !file.contains(' '));
    line.is_some_and(|(_, line)| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()))
}

/// ZooKeeper's class behind the thread, with the line of its source: `main:QuorumPeerConfig@176`.
fn class_of(inside: &str) -> Option<&str> {
    let (name, line) = inside.rsplit_once('@')?;
    let (_, class) = name.rsplit_once(':')?;
    let fits = !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit());
    let named = class.starts_with(|c: char| c.is_ascii_uppercase()) && class.bytes().all(|b| b.is_ascii_alphanumeric());
    (fits && named).then_some(class)
}

/// `Pay - message`: a name of one word, as loggers set it apart behind a level.
fn short_logger(text: &str) -> Option<(Option<&str>, &str)> {
    let (name, message) = text.split_once(" - ")?;
    let name = name.trim_end();
    let is_word = name.len() < 40
        && name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    is_word.then_some((Some(name), message.trim_start()))
}

/// `a.b.C - message`: the logger and the message; a place in source code (`Pay.java:41 - …`) is no logger.
pub(crate) fn dotted_logger(text: &str) -> Option<(Option<&str>, &str)> {
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
        let after = ["- ", "-- ", ": "].iter().find_map(|mark| trimmed.strip_prefix(mark).filter(|_| spaced));
        let is_class = || spaced && name.contains('.') && is_logger(without_place(name));
        let after = after.or_else(|| behind_context(trimmed).filter(|_| is_class()));
        // Python's logger, with a context in brackets behind it.
        if after.is_none() && spaced && trimmed.starts_with('[') && name.matches('.').count() >= 2 && is_logger(name) {
            return Some((Some(name), trimmed));
        }
        after.or_else(|| trimmed.strip_prefix('|'))?.trim_start()
    };
    // `192.0.2.1:80 - …` is no place in a source.
    let class = without_place(bare);
    if class.len() < bare.len() && bare.contains('.') && !bare.starts_with(|c: char| c.is_ascii_digit()) {
        return Some((Some(class).filter(|class| is_logger(class)), message));
    }
    is_logger(bare).then_some((Some(bare), message))
}

/// The message behind a logger's context in brackets: `[] - begins`, `[order=7] <shop> - begins`.
fn behind_context(text: &str) -> Option<&str> {
    let mut at = text;
    for _ in 0..3 {
        if !at.starts_with(['[', '<', '(']) {
            return None;
        }
        let (group, behind) = token(at)?;
        // Anything else may be a part of the message.
        let inside = group[1..group.len() - 1].trim();
        if !(inside.is_empty() || inside == "(null)" || inside.contains('=')) {
            return None;
        }
        at = behind.trim_start_matches(' ');
        if let Some(message) = ["- ", ": "].iter().find_map(|mark| at.strip_prefix(mark)) {
            return Some(message);
        }
    }
    None
}

/// A class without the line of its source: `Sender:673`.
fn without_place(name: &str) -> &str {
    let line = name.rsplit_once(':').filter(|(_, line)| !line.is_empty() && line.bytes().all(|b| b.is_ascii_digit()));
    line.map_or(name, |(class, _)| class)
}

/// Whether a name is that of a class, a module or a package.
pub(crate) fn is_logger(name: &str) -> bool {
    // Jenkins writes the method behind the class.
    let class = name.split('#').next().unwrap_or(name);
    let failure = class.ends_with("Error") || class.ends_with("Exception");
    let letters =
        name.bytes().any(|b| b.is_ascii_alphabetic()) && !name.contains(|c: char| c.is_whitespace() || c == '=');
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let dotted = (name.contains('.') || name.contains("::")) && !name.ends_with('.') && !name.contains("//");
    // A place in source code is none: `pay.go`, `Pay.java:41`.
    let source = name.rsplit_once('.').is_some_and(|(_, end)| {
        let end = end.split(':').next().unwrap_or(end);
        matches!(
            end,
            "py" | "go"
                | "rs"
                | "js"
                | "ts"
                | "java"
                | "rb"
                | "php"
                | "c"
                | "cpp"
                | "cc"
                | "cs"
                | "swift"
                | "kt"
                | "dart"
                | "lua"
                | "pl"
                | "pm"
                | "erl"
        )
    });
    let humps = name.bytes().filter(u8::is_ascii_uppercase).count();
    let camel = humps >= 2
        && name.bytes().any(|b| b.is_ascii_lowercase())
        && name.len() > humps + 2
        && name.bytes().all(|b| b.is_ascii_alphanumeric())
        && name.as_bytes()[0].is_ascii_uppercase();
    letters && starts && !failure && !source && (dotted || camel) && Level::parse_any(name).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loggers_threads_and_contexts_are_no_message() {
        for (text, logger, message) in [
            ("[org.jboss.as] (MSC service thread 1-2) begins", Some("org.jboss.as"), "begins"),
            ("[io.quarkus] (main) begins", Some("io.quarkus"), "begins"),
            ("[Shop.Stock] low stock for {\"Sku\": \"A1\"}", Some("Shop.Stock"), "low stock for {\"Sku\": \"A1\"}"),
            ("[a.b.C] (sic) [1/3] fetch", Some("a.b.C"), "(sic) [1/3] fetch"),
            ("[o.e.n.Node          ] [node-1] begins", Some("o.e.n.Node"), "[node-1] begins"),
            ("[http-nio-8080-exec-3] [a.b.C] begins", Some("a.b.C"), "begins"),
            ("[order 7] [a.b.C] begins", Some("a.b.C"), "[order 7] [a.b.C] begins"),
            (
                "[akka.Slf4jLogger] [shop-akka.actor.default-dispatcher-3] [] - begins",
                Some("akka.Slf4jLogger"),
                "begins",
            ),
            ("[main:QuorumPeerConfig@176] - begins", Some("QuorumPeerConfig"), "begins"),
            ("[pool-2-thread-1] (Pay.java:41) - begins", None, "begins"),
            ("[main] - a.b.C - begins", Some("a.b.C"), "begins"),
            ("[order-7] - is paid", None, "[order-7] - is paid"),
            ("a.b.C [] - begins", Some("a.b.C"), "begins"),
            ("a.b.C:118 [traceId=4bf9, spanId=00f0] - begins", Some("a.b.C"), "begins"),
            ("Shop.Pay [(null)] <(null)> - begins", Some("Shop.Pay"), "begins"),
            ("a.b.pay [ctx] begins", Some("a.b.pay"), "[ctx] begins"),
            ("h.i.Handler#handleException: begins", Some("h.i.Handler#handleException"), "begins"),
            ("java.io.IOException: no route", None, "java.io.IOException: no route"),
            ("Pay.java:41 - begins", None, "begins"),
            ("192.0.2.1:80 - begins", None, "192.0.2.1:80 - begins"),
            ("begins (a.b.C)", Some("a.b.C"), "begins (a.b.C)"),
        ] {
            assert_eq!(logger_and_message(text), (logger, message), "{text}");
        }
    }
}
