//! Whether what stands behind the name of a secret is one: words that only tell of it, numbers, placeholders and code are none.

use std::ops::Range;

/// What can follow the name of a secret without being one.
pub(super) const HARMLESS: &[&str] = &[
    "yes",
    "no",
    "true",
    "false",
    "null",
    "none",
    "nil",
    "nan",
    "undefined",
    "set",
    "unset",
    "reset",
    "empty",
    "required",
    "optional",
    "missing",
    "invalid",
    "expired",
    "valid",
    "wrong",
    "incorrect",
    "rejected",
    "revoked",
    "mismatch",
    "match",
    "must",
    "is",
    "was",
    "are",
    "not",
    "cannot",
    "should",
    "has",
    "have",
    "does",
    "and",
    "or",
    "for",
    "authentication",
    "authorization",
    "error",
    "failed",
    "failure",
    "denied",
    "ok",
    "found",
    "unknown",
    "unauthorized",
    "redacted",
    "filtered",
    "hidden",
    "masked",
    "secret",
    "password",
    "include",
    "same-origin",
    "omit",
];
/// Types that wrap a value where a program prints itself: `password: Some("…")`.
const WRAPPERS: &[&str] =
    &["Some(", "Secret(", "SecretString(", "SecretStr(", "SecretBox(", "Ok(", "Password(", "Token(", "ApiKey("];
/// Where programs read a value from.
const READ_FROM: &[&str] = &["process.env", "os.environ", "System.getenv", "import.meta.env", "secrets."];
/// What begins the name of an algorithm: `signature: RS256`.
const ALGORITHMS: &[&str] = &["rs", "hs", "es", "ps", "sha", "rsa", "ecdsa", "ed", "hmac", "aws", "v"];
/// Longest name of an algorithm, in bytes.
const LONGEST_ALGORITHM: usize = 24;
/// Shortest signature, in bytes: one of 96 bits in Base64.
const SHORTEST_SIGNATURE: usize = 16;

/// Behind the types that wrap a value.
pub(super) fn behind_wrappers(text: &str, mut at: usize) -> usize {
    while let Some(wrapper) = WRAPPERS.iter().find(|wrapper| text[at.min(text.len())..].starts_with(**wrapper)) {
        at += wrapper.len();
    }
    at
}

/// A value, or why it is none. `certain`: what stands before it leaves no doubt that it is a value.
pub(super) fn judged(text: &str, name: &str, value: Range<usize>, certain: bool) -> Result<Range<usize>, Harmless> {
    let why = why_harmless(text, name, value.clone(), certain);
    why.map_or_else(|| Ok(value.clone()), |why| Err(Harmless { range: value.clone(), why }))
}

/// A value that is no secret.
#[derive(Debug)]
pub(super) struct Harmless {
    pub(super) range: Range<usize>,
    /// For people.
    pub(super) why: &'static str,
}

fn why_harmless(text: &str, name: &str, value: Range<usize>, certain: bool) -> Option<&'static str> {
    let Some(shown) = text.get(value) else { return Some("there is no value") };
    let bare = shown.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let lower = name.to_ascii_lowercase();
    if is_placeholder(shown) {
        return Some("it stands for a value: a placeholder, a variable or asterisks");
    }
    if is_code(shown) {
        return Some("it is a piece of a program");
    }
    if bare.is_empty() && !certain {
        return Some("it has neither letters nor digits");
    }
    if let Some(is_one) = form_of(&lower) {
        return (!is_one(shown)).then_some("the name says too little, and the value does not look like one");
    }
    // `unexpected token: identifier`: only a password is made of letters alone.
    let is_password = ["pass", "pwd", "secret"].iter().any(|part| lower.contains(part));
    let is_letters = bare.bytes().all(|b| b.is_ascii_alphabetic());
    let checks = [
        (lower.ends_with("pwd") && shown.starts_with(['/', '~', '$', '.']), "it is a folder"),
        (HARMLESS.iter().any(|word| word.eq_ignore_ascii_case(bare)), "it is a word that only tells of a secret"),
        (!certain && !is_password && bare.len() <= 14 && is_letters, "it is a word of a sentence"),
        // `password: changed by admin`, `secret: created`.
        (
            !certain && bare.len() >= 4 && bare.ends_with("ed") && bare.bytes().all(|b| b.is_ascii_lowercase()),
            "it says what became of a secret",
        ),
        // `Authorization: pending approval by manager`.
        (
            !certain
                && shown.contains(' ')
                && shown.bytes().all(|b| b.is_ascii_lowercase() || matches!(b, b' ' | b',' | b'.')),
            "it is a sentence",
        ),
        (lower.contains("signature") && is_algorithm(bare), "it is the name of an algorithm"),
        (shown.len() < if certain { 1 } else { 3 }, "it is too short"),
        (is_number(&lower, shown, is_password), "it is a count, an address in memory or the number of a session"),
    ];
    checks.into_iter().find_map(|(is_so, why)| is_so.then_some(why))
}

/// What stands for a value: asterisks, `?` and `$1` of a statement, `%s`, `$NAME`, `${NAME}`, `{{name}}`, `<name>`.
fn is_placeholder(shown: &str) -> bool {
    let is_variable = |name: &str| {
        let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let says = name.to_ascii_lowercase();
        let is_upper = !name.bytes().any(|b| b.is_ascii_lowercase()) && name.len() > 1;
        is_name && (is_upper || ["pass", "pwd", "token", "secret", "key"].iter().any(|word| says.contains(word)))
    };
    shown.starts_with("[REDACTED")
        || shown.starts_with("${")
        || shown.starts_with("$(")
        || shown.starts_with("{{")
        || shown.starts_with('<')
        || shown.chars().all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '•' | '?'))
        || matches!(shown, "%s" | "%v" | "%q" | "%d" | "%@" | "{}" | "{0}")
        || shown.strip_prefix("%(").is_some_and(|rest| rest.ends_with([')', 's']) || is_variable(rest))
        || shown.strip_prefix('$').is_some_and(|name| name.bytes().all(|b| b.is_ascii_digit()) || is_variable(name))
}

/// A piece of a program: `getPassword(`, `process.env.DB_PASSWORD`, `os.environ[`.
fn is_code(shown: &str) -> bool {
    let call = shown.strip_suffix('(').or_else(|| shown.strip_suffix('['));
    let is_path = |path: &str| {
        path.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && path.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b':' | b'-'))
    };
    call.is_some_and(is_path) || READ_FROM.iter().any(|from| shown.starts_with(from))
}

/// A count, an address in memory, the number of a session: `token=0`, `sessionid: 0x14ede63a5a70002`.
fn is_number(lower_name: &str, shown: &str, is_password: bool) -> bool {
    let is_hex =
        shown.strip_prefix("0x").is_some_and(|hex| hex.len() <= 16 && hex.bytes().all(|b| b.is_ascii_hexdigit()));
    let is_code = is_password || ["otp", "cvv", "cvc", "code", "ssn"].iter().any(|word| lower_name.contains(word));
    let is_count = shown.len() <= 6 && shown.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    is_hex || (!is_code && is_count)
}

fn is_algorithm(bare: &str) -> bool {
    let lower = bare.to_ascii_lowercase();
    bare.len() <= LONGEST_ALGORITHM
        && bare.bytes().filter(u8::is_ascii_digit).count() <= 4
        && ALGORITHMS.iter().any(|name| {
            lower.strip_prefix(name).is_some_and(|rest| {
                let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | '_'));
                rest.is_empty() || rest.starts_with("with") || rest.starts_with("sha")
            })
        })
}

/// What the value of a short name has to look like to be a secret: the name alone says too little. `None` for other names.
pub(super) fn form_of(lower_name: &str) -> Option<fn(&str) -> bool> {
    match lower_name {
        "pass" => Some(is_like_password),
        "pin" => Some(is_pin),
        "sig" => Some(is_signature),
        "auth" => Some(is_basic),
        _ => None,
    }
}

/// Letters with digits, signs or capitals among them; no count with its unit: `pass=12ms`.
fn is_like_password(value: &str) -> bool {
    let unit = value.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, '.' | ',' | '/' | ' '));
    let has_letter = value.bytes().any(|b| b.is_ascii_alphabetic());
    let is_mixed = value.bytes().skip(1).any(|b| !b.is_ascii_lowercase() && b != b' ');
    value.len() >= 6 && has_letter && is_mixed && unit.len() > 3 && !value.contains(' ')
}

fn is_pin(value: &str) -> bool {
    (4..=8).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_digit())
}

fn is_signature(value: &str) -> bool {
    let has = |is: fn(&u8) -> bool| value.bytes().any(|b| is(&b));
    value.len() >= SHORTEST_SIGNATURE && has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !value.contains(' ')
}

/// A name and a password in Base64 (RFC 7617, section 2). One that was cut is one, too.
pub(super) fn is_basic(value: &str) -> bool {
    use base64::Engine as _;
    use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        GeneralPurposeConfig::new()
            .with_decode_padding_mode(DecodePaddingMode::Indifferent)
            .with_decode_allow_trailing_bits(true),
    );
    let digits = value.trim_end_matches('=');
    // One digit alone says nothing.
    let whole = digits.len() - usize::from(digits.len() % 4 == 1);
    let Some(digits) = digits.get(..whole).filter(|digits| digits.len() >= 6) else { return false };
    let Ok(bytes) = LENIENT.decode(digits) else { return false };
    let is_text = bytes.iter().all(|b| *b >= b' ' && *b != 0x7f) || std::str::from_utf8(&bytes).is_ok();
    is_text && bytes.contains(&b':') && bytes.iter().filter(|b| b.is_ascii_graphic()).count() * 4 >= bytes.len() * 3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_a_password_are_told_from_words() {
        for credential in ["YW5uOldpbnRlcjIwMjYh", "YW5uOnB3MTIzNDU=", "YW5uOnB3", "dXNlcjpw"] {
            assert!(is_basic(credential), "{credential}");
        }
        for word in
            ["authentication", "configuration", "2026plan1", "settings2", "oauth2", "verified", "kerberos5", "", "a"]
        {
            assert!(!is_basic(word), "{word}");
        }
    }
}
