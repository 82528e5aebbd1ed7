//! Secrets that are told by a sign before them: a scheme of authentication (`Bearer …`), `://` of an address.

use super::findings::Findings;
use super::judged::{HARMLESS, is_basic};
use super::marked;
use super::names::Names;

/// Schemes of authentication (RFC 9110, section 11.1) and words that are used like one.
pub(super) const SCHEMES: &[&str] = &["bearer", "basic", "token", "digest", "apikey", "negotiate", "ssws"];
/// Longest address that is looked at, in bytes.
const LONGEST_ADDRESS: usize = 2048;
/// What no word of a sentence is as long as, in bytes.
const LONGER_THAN_A_WORD: usize = 24;

/// Behind a scheme of authentication, which stays. `+` is a blank of a form.
pub(super) fn behind_scheme(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at.min(text.len())..];
    let is_one = |scheme: &&&str| {
        rest.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme.as_bytes()))
            && matches!(rest.get(scheme.len()), Some(b' ' | b'+'))
    };
    at + SCHEMES.iter().find(is_one).map_or(0, |scheme| scheme.len() + 1)
}

/// What follows schemes of authentication, given where each ends behind its blank, if it looks like a credential.
pub(super) fn behind_schemes(text: &str, names: &Names, ends: &[usize], found: &mut Findings<'_>) {
    for at in ends {
        let word_end = at - 1;
        let letters = text.as_bytes()[..word_end].iter().rev().take_while(|b| b.is_ascii_alphabetic()).count();
        let scheme = &text[word_end - letters..word_end];
        let is = |one: &str| scheme.eq_ignore_ascii_case(one);
        if !SCHEMES.iter().any(|scheme| is(scheme)) {
            continue;
        }
        // `unexpected token …` names no secret.
        if is("token") && !names.is_mark(text, &(word_end - letters..word_end)) {
            continue;
        }
        let rest = &text[*at..];
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '~' | '+' | '/' | '=' | '-');
        let length = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
        let value = rest[..length].trim_end_matches('.');
        if looks_like_one(scheme, value) {
            found.hide(*at..*at + value.len(), "scheme");
        } else if value.len() >= 8 {
            found.keep(*at..*at + value.len(), "scheme", "behind a scheme of authentication, but a word of a sentence");
        }
    }
}

/// Whether a value is no word of a sentence: `could not negotiate encryption`, `Digest verified`, `radio bearer established`.
fn looks_like_one(scheme: &str, value: &str) -> bool {
    let has_digit = value.bytes().any(|b| b.is_ascii_digit());
    let has_letter = value.bytes().any(|b| b.is_ascii_alphabetic());
    let is_mixed =
        value.bytes().skip(1).any(|b| b.is_ascii_uppercase()) && value.bytes().any(|b| b.is_ascii_lowercase());
    // `=` fills up at the end; elsewhere it divides a name from its value.
    let is_padded = value.ends_with('=');
    let is_pair = value.trim_end_matches('=').contains('=');
    let is_web_token = value.matches('.').count() == 2;
    let sure = has_digit || is_mixed || is_padded || is_web_token || value.len() >= LONGER_THAN_A_WORD;
    // A date and a count follow words of sentences, too.
    let is_plain = !has_letter && value.len() < LONGER_THAN_A_WORD && !scheme.eq_ignore_ascii_case("bearer");
    // `basic plan2026`.
    let is_no_basic = scheme.eq_ignore_ascii_case("basic") && value.len() < LONGER_THAN_A_WORD && !is_basic(value);
    value.len() >= 8
        && sure
        && !is_pair
        && !is_plain
        && !is_no_basic
        && !value.contains("://")
        && !HARMLESS.iter().any(|word| word.eq_ignore_ascii_case(value))
}

/// Passwords in addresses, given where each begins behind `://`; on the web, a token that is the user.
pub(super) fn in_addresses(text: &str, begins: &[usize], found: &mut Findings<'_>) {
    for at in begins {
        let rest = &text[*at..];
        let rest = &rest[..rest.floor_char_boundary(LONGEST_ADDRESS)];
        if memchr::memchr(b'@', rest.as_bytes()).is_none() {
            continue;
        }
        let ends = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>' | '`');
        let whole = &rest[..rest.find(ends).unwrap_or(rest.len())];
        let authority = &whole[..whole.find(['?', '#']).unwrap_or(whole.len())];
        // On the web, `@` may be in the path; in addresses of stores, a password may have `@` and `/`.
        let scheme = text[..*at - 3].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let is_web = ["http", "https", "ws", "wss", "ftp"].iter().any(|web| web.eq_ignore_ascii_case(scheme));
        let plain = authority.find('/').unwrap_or(authority.len());
        let host = if is_web { authority[..plain].rfind('@') } else { authority.rfind('@') };
        let Some(host) = host else { continue };
        let colon = authority[..host].find(':');
        let user = &authority[..colon.unwrap_or(host)];
        let is_alone = colon.is_none_or(|colon| colon + 1 == host);
        if is_web && is_alone && marked::is_random(user, true) {
            found.hide(*at..*at + user.len(), "address");
        }
        let Some(colon) = colon else { continue };
        let is_path = authority[..colon].contains('/') || authority[colon + 1..host].starts_with("//");
        let is_port = authority[colon + 1..host].split('/').next().is_some_and(|port| {
            port.len() <= 5 && !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) && plain < host
        });
        let value = at + colon + 1..at + host;
        if !is_path && !is_port && !value.is_empty() && !text[value.clone()].starts_with("[REDACTED") {
            found.hide(value, "address");
        }
    }
}
