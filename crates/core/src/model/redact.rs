//! Redacts what looks like a credential: on the screen, in copies, in output, and before anything is written.

use regex::Regex;
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::LazyLock;

/// The replacement for a secret.
pub const REDACTED: &str = "[REDACTED]";

/// Names whose values are secret. Comparison ignores case, `-`, `_` and spaces.
const NAMES: &[&str] = &[
    "authorization",
    "proxyauthorization",
    "cookie",
    "setcookie",
    "xapikey",
    "apikey",
    "apisecret",
    "password",
    "passwd",
    "pwd",
    "passphrase",
    "secret",
    "clientsecret",
    "token",
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "authtoken",
    "xauthtoken",
    "xcsrftoken",
    "bearer",
    "privatekey",
    "secretkey",
    "accesskey",
    "sessionid",
    "sessiontoken",
    "signature",
    "xsignature",
    "xhubsignature",
    "xhubsignature256",
    "credential",
    "credentials",
    "key",
    "cvv",
    "cardnumber",
    "pan",
    "ssn",
];

/// Whether a field or header of this name holds a secret. Covers the lists of the documented systems and more.
pub fn is_sensitive_name(name: &str) -> bool {
    let folded: String =
        name.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).map(|c| c.to_ascii_lowercase()).collect();
    NAMES.contains(&folded.as_str())
}

#[allow(clippy::expect_used, reason = "the pattern is a constant, compiled in every test run")]
static SECRETS: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?P<scheme>(?i:\b(?:bearer|basic|token|digest|apikey)\s+))(?P<cred>[A-Za-z0-9._~+/=-]{8,})",
        r"|(?P<jwt>\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*)",
        r"|(?P<named>(?i:\b(?:password|passwd|pwd|secret|client_secret|api[_-]?key|access[_-]?token|refresh[_-]?token|token|sig|signature)[\x22']?\s*[=:]\s*[\x22']?(?:(?:bearer|basic|token|digest|apikey)\s+)?))(?P<value>[^\s&,;'\x22\]}\[]{3,})",
        r"|(?P<userinfo>://[^/\s:@]+:)(?P<pass>[^/\s@]+)@",
        r"|(?P<vendor>\b(?:sk|pk|rk)_(?:live|test)_[A-Za-z0-9]{8,}|\bxox[abprs]-[A-Za-z0-9-]{8,}|\bgh[pousr]_[A-Za-z0-9]{20,}|\bAKIA[0-9A-Z]{16}\b)",
        r"|(?P<card>\b(?:\d[ -]?){12,18}\d\b)",
    ))
    .expect("constant pattern")
});

fn is_card_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().filter_map(|c| c.to_digit(10)).collect();
    // Luhn, ISO/IEC 7812-1 annex B; a first digit 3–6 and 13–19 digits keep order numbers and epochs out.
    (13..=19).contains(&digits.len())
        && matches!(digits.first(), Some(3..=6))
        && digits
            .iter()
            .rev()
            .enumerate()
            .map(|(i, d)| if i % 2 == 1 { if d * 2 > 9 { d * 2 - 9 } else { d * 2 } } else { *d })
            .sum::<u32>()
            .is_multiple_of(10)
}

/// Byte ranges of the credentials in a text, in order, without the authentication scheme.
pub fn secret_ranges(text: &str) -> Vec<Range<usize>> {
    if text.len() < 6 {
        return Vec::new();
    }
    let hidden = |found: regex::Captures<'_>| {
        let group = ["cred", "value", "pass"].iter().find_map(|name| found.name(name)).or(found.get(0))?;
        let harmless = match found.name("card") {
            Some(card) => !is_card_number(card.as_str()),
            None => {
                group.as_str().starts_with("[REDACTED")
                    || found.name("named").is_some_and(|name| is_harmless(name.as_str(), group.as_str()))
            }
        };
        (!harmless).then(|| group.range())
    };
    SECRETS.captures_iter(text).filter_map(hidden).collect()
}

/// Whether the value behind a name says only whether there is a secret (`using password: YES`), or is a folder
/// (`PWD=/home/ann`).
fn is_harmless(name: &str, value: &str) -> bool {
    const WORDS: &[&str] =
        &["yes", "no", "true", "false", "null", "none", "nil", "set", "unset", "empty", "required", "missing"];
    let folder = name.to_ascii_lowercase().starts_with("pwd") && value.starts_with(['/', '~', '$']);
    let bare = value.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
    folder || WORDS.iter().any(|word| word.eq_ignore_ascii_case(bare))
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
        Value::Null => Value::Null,
        Value::Array(items) => Value::Array(items.iter().map(redact_named).collect()),
        _ => Value::String(REDACTED.to_owned()),
    }
}

/// Redacts JSON by the names of fields and by the form of values.
pub fn redact_json(value: &Value) -> Value {
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, field)| {
                    let safe = if is_sensitive_name(name) { redact_named(field) } else { redact_json(field) };
                    (name.clone(), safe)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(redact_json).collect()),
        Value::String(text) => Value::String(redact_text(text).into_owned()),
        other => other.clone(),
    }
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
    fn redacting_twice_changes_nothing() {
        let once = redact_text("password=abc123 Bearer zzzzzzzzzz sk_live_12345678").into_owned();
        assert_eq!(redact_text(&once), once);
    }
}
