//! Redacts what looks like a credential: on the screen, in copies, in output, and before anything is written. The rules are
//! data: `config/redaction.toml`, and what a user adds to it.

mod assignment;
mod behind;
mod beside;
mod cards;
mod encoded;
mod explained;
mod findings;
mod ids;
mod judged;
mod marked;
mod names;
#[cfg(any(test, feature = "testing"))]
#[allow(clippy::expect_used, clippy::panic, reason = "tests are made of it")]
pub mod planted;
mod rules;
#[cfg(test)]
mod shapes;
mod shown;

pub use beside::{is_name_field, is_value_field};
pub use explained::{Explained, explained_json, explained_text};
pub use findings::NearMiss;
pub use ids::redact_id;
pub use rules::{RedactionConfig, RedactionRule};
pub use shown::{show_no_value, show_value};

use beside::is_listed_value;
use encoded::Decoded;
use findings::Findings;

use rules::Rules;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, PoisonError, RwLock};

/// The replacement for a secret.
pub const REDACTED: &str = "[REDACTED]";

/// `None` until something is redacted or configured: a program that configures them does not make them twice.
static IN_USE: RwLock<Option<Arc<Rules>>> = RwLock::new(None);

#[allow(clippy::expect_used, reason = "the shipped rules are constant, and read in every test run")]
fn in_use() -> Arc<Rules> {
    if let Some(rules) = &*IN_USE.read().unwrap_or_else(PoisonError::into_inner) {
        return Arc::clone(rules);
    }
    let mut rules = IN_USE.write().unwrap_or_else(PoisonError::into_inner);
    let shipped = || Arc::new(Rules::new(&RedactionConfig::default()).expect("shipped rules"));
    Arc::clone(rules.get_or_insert_with(shipped))
}

/// Adds what a user configures to the shipped rules, for the whole process.
///
/// # Errors
/// An entry is wrong; the text names it. The rules in use stay.
pub fn configure_redaction(config: &RedactionConfig) -> Result<(), String> {
    let rules = Arc::new(Rules::new(config)?);
    *IN_USE.write().unwrap_or_else(PoisonError::into_inner) = Some(rules);
    Ok(())
}

/// Whether a field or header of this name holds a secret. Covers the lists of the documented systems and more.
pub fn is_sensitive_name(name: &str) -> bool {
    in_use().names.is_secret(name)
}

/// Whether the value of a field is a secret by its name: one that says so, or one that only marks it and a value that looks random
/// (`spotify_key`).
pub fn is_secret_field(name: &str, value: &str) -> bool {
    let rules = in_use();
    let is_secret = rules.names.is_secret(name)
        || rules.names.is_secret_by_form(name, value)
        || marked::is_marked(&rules.names, name, value);
    is_secret && !rules.allows(value)
}

/// A credential in a text, and what says that it is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// Its bytes.
    pub range: Range<usize>,
    /// The rule of `config/redaction.toml`; `name` for the value of a name, `word` for one that
    /// a word marks and its form confirms, `scheme` for what follows one of authentication,
    /// `address` for a password in a URL, `card` for a card number.
    pub rule: String,
}

/// The credentials in a text, in order, without the authentication scheme; none overlaps another.
pub fn secrets(text: &str) -> Vec<Secret> {
    let rules = in_use();
    found(&rules, text).into_iter().map(|(range, rule)| Secret { range, rule: rule.to_owned() }).collect()
}

/// What is nearly a credential in a text, in order, and why it is shown. What is hidden by another rule is left out.
pub fn near_misses(text: &str) -> Vec<NearMiss> {
    find_all(text).1
}

/// The credentials in a text, and what is nearly one.
fn find_all(text: &str) -> (Vec<Secret>, Vec<NearMiss>) {
    let rules = in_use();
    let mut findings = Findings { kept: Some(Vec::new()), ..Findings::default() };
    find(&rules, text, &mut findings);
    let hidden = secrets(text);
    let is_shown = |range: &Range<usize>| {
        !hidden.iter().any(|other| range.start < other.range.end && other.range.start < range.end)
    };
    let mut kept = findings.kept.unwrap_or_default();
    kept.retain(|miss| is_shown(&miss.range) && !text[miss.range.clone()].starts_with("[REDACTED"));
    kept.sort_by(|a, b| (a.range.start, b.range.end).cmp(&(b.range.start, a.range.end)));
    kept.dedup_by(|later, first| later.range.start < first.range.end);
    (hidden, kept)
}

/// Byte ranges of the credentials in a text, in order, without the authentication scheme.
pub fn secret_ranges(text: &str) -> Vec<Range<usize>> {
    if text.len() < SHORTEST_TEXT {
        return Vec::new();
    }
    let rules = in_use();
    found(&rules, text).into_iter().map(|(range, _)| range).collect()
}

/// Shortest text in which a credential with what says so can be, in bytes: `pw=abc`.
const SHORTEST_TEXT: usize = 6;

fn found<'r>(rules: &'r Rules, text: &str) -> Vec<(Range<usize>, &'r str)> {
    if text.len() < SHORTEST_TEXT {
        return Vec::new();
    }
    let mut found = Findings::default();
    find(rules, text, &mut found);
    find_in_form(rules, text, &mut found);
    let mut found = found.hidden;
    let (mut copies, mut text): (Vec<Decoded>, _) = (Vec::new(), text);
    let mut decoded = Findings::default();
    for _ in 0..encoded::DEEPEST {
        let Some(copy) = Decoded::of(text) else { break };
        find(rules, &copy.text, &mut decoded);
        find_in_form(rules, &copy.text, &mut decoded);
        copies.push(copy);
        let place = |range: Range<usize>| copies.iter().rev().fold(range, |range, copy| copy.range(&range));
        found.extend(decoded.hidden.drain(..).map(|(range, rule)| (place(range), rule)));
        text = copies.last().map_or("", |copy| &copy.text);
    }
    found.sort_by(|(a, _), (b, _)| (a.start, b.end).cmp(&(b.start, a.end)));
    let mut apart: Vec<(Range<usize>, &str)> = Vec::with_capacity(found.len());
    for (range, rule) in found {
        match apart.last_mut() {
            Some((last, _)) if range.start < last.end => last.end = last.end.max(range.end),
            _ => apart.push((range, rule)),
        }
    }
    apart
}

/// What is secret in the query of an address or in a form, where a plus stands for a blank: `?note=the+code+is+…`.
fn find_in_form<'r>(rules: &'r Rules, text: &str, found: &mut Findings<'r>) {
    let bytes = text.as_bytes();
    // What is Base64 has a plus and fills up with `=`; a form names something before its first plus.
    let Some(plus) = memchr::memchr(b'+', bytes) else { return };
    let Some(begins) = memchr::memrchr2(b'=', b'?', &bytes[..plus]) else { return };
    let blank: String = text[begins..].chars().map(|c| if c == '+' { ' ' } else { c }).collect();
    let mut inside = Findings::default();
    find(rules, &blank, &mut inside);
    let place = |range: Range<usize>| range.start + begins..range.end + begins;
    found.hidden.extend(inside.hidden.into_iter().map(|(range, rule)| (place(range), rule)));
}

/// What is secret in a text as it is spelled.
fn find<'r>(rules: &'r Rules, text: &str, found: &mut Findings<'r>) {
    let clues = rules.clues(text);
    assignment::named(text, &rules.names, &clues.names, found);
    behind::behind_schemes(text, &rules.names, &clues.schemes, found);
    behind::in_addresses(text, &clues.addresses, found);
    marked::marked(text, &rules.names, &clues.marks, found);
    rules.matches(text, &clues, found);
    cards::cards(text, found);
    let Findings { hidden, kept } = found;
    hidden.retain(|(range, rule)| {
        let value = &text[range.clone()];
        let is_allowed = rules.allows(value);
        if let (true, Some(kept)) = (is_allowed, kept.as_mut()) {
            kept.push(NearMiss { range: range.clone(), rule: (*rule).to_owned(), why: "`allow` matches it" });
        }
        !is_allowed && !value.starts_with("[REDACTED")
    });
}

/// Redacts the credentials in a text; an authentication scheme stays (`Bearer [REDACTED]`).
pub fn redact_text(text: &str) -> Cow<'_, str> {
    let ranges = secret_ranges(text);
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for range in ranges {
        out.push_str(&text[at..range.start]);
        out.push_str(REDACTED);
        at = range.end;
    }
    out.push_str(&text[at..]);
    Cow::Owned(out)
}

/// Redacts a text whose name is that of a secret; only an authentication scheme stays.
pub fn redact_whole(text: &str) -> String {
    let known = |scheme: &str| ["bearer", "basic", "digest", "token"].contains(&scheme.to_ascii_lowercase().as_str());
    let scheme = text.split_once(' ').filter(|(scheme, _)| known(scheme));
    scheme.map_or_else(|| REDACTED.to_owned(), |(scheme, _)| format!("{scheme} {REDACTED}"))
}

fn redact_named(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(redact_whole(text)),
        // Whether there is one is no secret.
        Value::Null | Value::Bool(_) => value.clone(),
        Value::Array(items) => Value::Array(items.iter().map(redact_named).collect()),
        _ => Value::String(REDACTED.to_owned()),
    }
}

/// Redacts JSON by the names of fields, by what stands beside a value (`{"name": "X-Api-Key", "value": …}`,
/// `["X-Api-Key", …]`), and by the form of values.
pub fn redact_json(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let beside = name_beside(fields);
            let safe = |(name, field): (&String, &Value)| {
                let is_secret = is_secret_entry(beside, name, field);
                (name.clone(), if is_secret { redact_named(field) } else { redact_json(field) })
            };
            Value::Object(fields.iter().map(safe).collect())
        }
        Value::Array(items) => {
            let is_secret = |index: usize| is_secret_item(|at| items.get(at).and_then(Value::as_str), index);
            let safe = |(index, item)| if is_secret(index) { redact_named(item) } else { redact_json(item) };
            Value::Array(items.iter().enumerate().map(safe).collect())
        }
        Value::String(text) => Value::String(redact_text(text).into_owned()),
        other => other.clone(),
    }
}

/// The name that an object gives to what another field of it holds: `X-Api-Key` in `{"name": "X-Api-Key", "value": …}`.
pub fn name_beside(fields: &serde_json::Map<String, Value>) -> Option<&str> {
    let name = fields.iter().find(|(name, field)| is_name_field(name) && field.is_string());
    name.and_then(|(_, field)| field.as_str()).filter(|name| name.len() <= names::LONGEST_NAME)
}

/// Whether a field of an object holds a secret, by its own name or by the one that stands [beside](name_beside) it.
pub fn is_secret_entry(beside: Option<&str>, name: &str, value: &Value) -> bool {
    is_secret_value(name, value)
        || (is_value_field(name) && beside.is_some_and(|beside| is_secret_value(beside, value)))
}

fn is_secret_value(name: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => is_secret_field(name, text),
        Value::Number(number) if name.len() <= names::LONGEST_SHORT => is_secret_field(name, &number.to_string()),
        _ => is_sensitive_name(name),
    }
}

/// Whether an item of a list is the value of the name before it; `text` is an item's, if it is one.
pub fn is_secret_item<'a>(text: impl Fn(usize) -> Option<&'a str>, index: usize) -> bool {
    let Some(before) = index.checked_sub(1).filter(|before| before.is_multiple_of(2)) else { return false };
    let (Some(name), Some(value)) = (text(before), text(index)) else { return false };
    name.len() <= names::LONGEST_NAME && is_listed_value(value) && !name.contains(' ') && is_secret_field(name, value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_scheme_stays_and_the_secret_goes() {
        let safe = redact_json(&json!({
            "Authorization": "Bearer abc.def.ghi", "X-Api-Key": "k-123456", "note": "token=abcdef123 ok",
            "nested": [{"password": 7, "name": "Anna"}], "card": "4111 1111 1111 1111", "order": "1732186951000",
        }));
        assert_eq!(
            safe,
            json!({
                "Authorization": "Bearer [REDACTED]", "X-Api-Key": "[REDACTED]", "note": "token=[REDACTED] ok",
                "nested": [{"password": "[REDACTED]", "name": "Anna"}], "card": "[REDACTED]", "order": "1732186951000",
            })
        );
    }

    #[test]
    fn any_character_may_stand_before_a_scheme() {
        for before in ["é", "–", "漢", "\u{fffd}", "👍 "] {
            let text = redact_text(&format!("{before}Bearer abc.def123.ghi")).into_owned();
            assert!(!text.contains("abc.def123"), "{text}");
            // A word that only ends so.
            redact_text(&format!("{before}JBearer abc.def123.ghi"));
        }
    }

    #[test]
    fn text_and_addresses() {
        assert_eq!(redact_text("postgres://bob:hunter2@db/x"), "postgres://bob:[REDACTED]@db/x");
        assert_eq!(redact_text("GET /a?api_key=s3cr3t99&x=1"), "GET /a?api_key=[REDACTED]&x=1");
        assert_eq!(redact_text("jwt eyJhbGciOi.eyJzdWIiOi.abc_def"), "jwt [REDACTED]");
        assert_eq!(redact_text("Authorization: Bearer [REDACTED]"), "Authorization: Bearer [REDACTED]");
        assert_eq!(redact_text("call took 1234567890123 ns"), "call took 1234567890123 ns");
        assert_eq!(redact_text("token = 'Bearer abcdefgh1' AND x"), "token = 'Bearer [REDACTED]' AND x");
        for harmless in [
            "(using password: YES)",
            "(using password: NO)",
            "TTY=pts/0 ; PWD=/home/ann ; USER=root",
            "password authentication failed",
        ] {
            assert_eq!(redact_text(harmless), harmless);
        }
        assert_eq!(redact_text(r#"sent {"password": "hunter2"}"#), r#"sent {"password": "[REDACTED]"}"#);
    }

    #[test]
    fn values_of_names_in_every_spelling() {
        for secret in [
            "dbPassword=§",
            "smtp_password: §",
            "DB_PASSWORD=§",
            "aws_secret_access_key=§",
            "session_token=§",
            "redis://:§@h:6379/0",
            "amqp://app:§@broker/vhost",
            "X-Api-Key-2: §",
            "curl -H 'Authorization: Token §' https://h",
            "--api-key § --verbose",
            "<wsse:Password>§</wsse:Password>",
            "user[password]=§&x=1",
            "GET /cb?access_token=§&state=1 HTTP/1.1",
            "api_key => §",
            "Server=db;Password=§;Timeout=5",
            "AccountKey=§;EndpointSuffix=core",
            "{\"client_secret\":\"§\"}",
            "connect.sid=§",
            "{\\\"password\\\": \\\"§\\\", \\\"user\\\": \\\"ann\\\"}",
            "Cookie: a=§; theme=dark",
            "SMTP_PASS='§'",
            "passphrase := `§`",
            "mysql --password=§ -u root",
            "\"passwords\": [\"§\"]",
            "?X-Amz-Signature=§&a=1",
            "digest §",
            "x-hub-signature-256: §",
            "DB_PASSWORD ?= \"§\"",
            "DB_PASSWORD ::= §",
            "$dbPassword .= '§'",
            "var dbToken string = \"§\"",
            "char password[25] = \"§\";",
            "password = @\"§\";",
            "password = @\\\"§\\\";",
            "if (api_key == \"§\") {",
            "if ('§' !== password) {",
            "if (\\\"§\\\" == password) {",
            "cloudant_pw='§'",
            "Jenkins-Crumb:§",
            "{\"a\":\"x\\npassword=§\\ny\"}",
        ] {
            let value = "Hunter2.9x";
            let safe = redact_text(&secret.replace('§', value)).into_owned();
            assert!(!safe.contains(value) && safe.contains(REDACTED), "{secret}: {safe}");
            assert_eq!(redact_text(&safe), safe, "{secret}");
        }
        let odd = redact_text("postgres://ann:p@ss/w0rd@db:5432/x failed").into_owned();
        assert_eq!(odd, "postgres://ann:[REDACTED]@db:5432/x failed");
    }

    #[test]
    fn words_that_only_tell_of_secrets_stay() {
        for harmless in [
            "refresh token rejected",
            "Invalid token supplied",
            "Unexpected token: identifier at line 4",
            "basic authentication is required",
            "token: expired",
            "max_tokens=4096 total_tokens: 812",
            "token_type=bearer expires_in=3600",
            "password_changed_at: 2026-11-20",
            "duplicate key value violates unique constraint: key (id)=(5) key=orders-17",
            "secretary: Ann",
            "author: Ann, keyboard: de, monkey: 3",
            "http://localhost:8080/users/@me",
            "https://example.com:443/a@b.example",
            "signature mismatch",
            "PRIMARY KEY (id)",
            "partition_key: 12 primary_key=9",
            "password: ******",
            "token=${TOKEN}",
            "order 4111-1111-2222 card ending 1111",
            "sk-learn 1.5 installed; pat-a-cake",
            "commit 2fd4e1c67a2d28fced849ee1bb76e7391b93eb12",
            "id 43981948-2218-3508-c848-544993883693",
            "card-4111 is no card",
            "id 550e8400-e29b-41d4-a716-446655440000",
            "Received block blk_-6952295868487656571 of size 67108864",
            "channels 1 2 3 4 5 6 7 8 9 10 11 12 13 36 40 44 48 52 56 60 64 100 104",
            "REPORT : 7024 5015 150454 240",
            "Fan speeds ( 3552 3534 3375 4530 3515 3479 )",
            "sessionid: 0x14ede63a5a70002",
            "if (token == expected) {",
        ] {
            assert_eq!(redact_text(harmless), harmless);
        }
    }

    #[test]
    fn a_plus_of_a_form_is_a_blank() {
        for (text, safe) in [
            ("/x?note=your+verification+code+is+482913&a=1", "/x?note=your+verification+code+is+[REDACTED]&a=1"),
            ("/x?a=1&note=the+password+was+Winter71", "/x?a=1&note=the+password+was+[REDACTED]"),
            ("n=a%20b+SECRET_KEY+=+'django-insecure-9k2x'", "n=a%20b+SECRET_KEY+=+'[REDACTED]'"),
        ] {
            assert_eq!(redact_text(text), safe);
            assert_eq!(redact_text(safe), safe, "twice");
        }
        for harmless in ["a+b=c", "x=1+2+3", "/search?q=order+refused+in+C", "C++ password=?"] {
            assert_eq!(redact_text(harmless), harmless);
        }
    }

    #[test]
    fn a_user_adds_and_excepts() {
        let list = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();
        let config = RedactionConfig {
            names: list(&["geheimnis"]),
            except: list(&["idToken"]),
            patterns: list(&[r"\bACME-(\d{6})\b"]),
            allow: list(&["^test-"]),
            pii: list(&["email", "iban"]),
            rule: Vec::new(),
        };
        let rules = Rules::new(&config).expect("rules");
        let hidden = |text: &str| -> Vec<String> {
            found(&rules, text).into_iter().map(|(range, rule)| format!("{} {rule}", &text[range])).collect()
        };
        assert_eq!(hidden("mein-geheimnis=abc id_token=xyz1 ACME-123456"), ["abc name", "123456 patterns[0]"]);
        assert_eq!(hidden("password=test-1 mail ann@example.com"), ["ann@example.com email"]);
        assert_eq!(hidden("to DE89 3704 0044 0532 0130 00 now"), ["DE89 3704 0044 0532 0130 00 iban"]);
        for (wrong, said) in [("(", "no regular expression"), ("", "")] {
            let config = RedactionConfig { allow: list(&[wrong]), ..RedactionConfig::default() };
            assert_eq!(Rules::new(&config).err().is_some_and(|error| error.contains(said)), !said.is_empty());
        }
        let config = RedactionConfig { pii: list(&["shoe-size"]), ..RedactionConfig::default() };
        assert!(Rules::new(&config).err().expect("wrong").contains("email, iban"));
    }

    #[test]
    fn hostile_text_takes_no_longer_than_other_text() {
        // Each of these took minutes where a loop was in a loop; together they take a moment.
        let long = |part: &str| part.repeat(400_000 / part.len());
        for part in [
            "token",
            "\\",
            "password=\"\\",
            "1 ",
            "4111111111111111-",
            "://",
            "basic ",
            "key-",
            "password=[",
            "Cookie: ",
            "eyJ",
            "<password>",
            "ü token=",
            "-----BEGIN PRIVATE KEY-----",
            "@:@:",
            "aws ",
            "curl -u ",
            "password \"",
            "key ",
            "SECRET key token ",
            "spotify_key=a1",
            "\"a\" == password ",
            "password ==== ",
            "password aaa",
            "$6$a$",
            "MTAx.",
            "curl -u a",
            "login_with_api_key \"",
        ] {
            for text in [long(part), format!("password=\"{}", long(part)), format!("x://{}@h", long(part))] {
                let safe = redact_text(&text);
                assert!(safe.len() <= text.len() * 12, "{part}");
            }
        }
    }

    #[test]
    fn redacting_twice_changes_nothing() {
        let once = redact_text("password=abc123 Bearer zzzzzzzzzz sk_live_12345678").into_owned();
        assert_eq!(redact_text(&once), once);
    }
}
