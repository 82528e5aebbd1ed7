//! Secrets that a word marks and their form confirms: `spotify_key = …`, `boxSECRET …`, `vault-token-…`. The word alone says
//! little (`order key`, `access denied`), and the form alone says nothing (an id, a hash): both together do.

use super::findings::Findings;
use super::judged::is_basic;
use super::names::{Names, letters_before};
use std::ops::Range;

/// What can stand between the word and the value; `+` is a blank of a form.
const DIVIDERS: &[u8] = b" \t\r\n\"'`\\=:>,.-_([{|?!@+";
/// Longest stretch of these, in bytes.
const LONGEST_DIVIDER: usize = 24;
/// Words that can follow the word: `secret access key code: …`, `token string = …`.
const BETWEEN: &[&str] =
    &["key", "token", "secret", "access", "private", "api", "code", "is", "was", "value", "string", "str"];
/// Those that leave little doubt.
const FIRM: &[&str] = &["key", "token", "secret"];
/// How many of them there are at most.
const MOST_BETWEEN: usize = 4;
/// Shortest value, in bytes.
pub(super) const SHORTEST: usize = 16;
/// The part of a value that is looked at, in bytes.
const LOOKED_AT: usize = 1024;
/// Bits a character that a value has at least.
const LEAST_ENTROPY: f64 = 3.0;

/// The values behind marking words. `places` are where such a word is, in order of their ends.
pub(super) fn marked(text: &str, names: &Names, places: &[Range<usize>], found: &mut Findings<'_>) {
    let mut done = 0;
    for place in places {
        if place.start < done || !names.is_mark(text, place) {
            continue;
        }
        match value_behind(text, place) {
            Some(Ok(value)) => {
                done = value.end;
                found.hide(value, "word");
            }
            // Every word is followed by another; one that is long enough is worth a word of explanation.
            Some(Err(value)) if value.len() >= SHORTEST => {
                found.keep(value, "word", "a word marks it, but it does not look random");
            }
            _ => {}
        }
    }
}

/// Where the last word of a name is, if it is one that marks.
fn last_mark(names: &Names, name: &str) -> Option<Range<usize>> {
    let letters = letters_before(name, name.len());
    let mark =
        names.marks().filter(|mark| letters.to_ascii_lowercase().ends_with(mark.as_str())).max_by_key(|m| m.len());
    mark.map(|mark| name.len() - mark.len()..name.len())
}

/// Whether the last word of a name marks its value: not in that of a key which an engineer follows. `None` where there is no such word.
pub(super) fn mark_of(names: &Names, name: &str) -> Option<bool> {
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    last_mark(names, name).map(|place| names.is_mark(name, &place))
}

/// Whether the value of a field is marked by the last word of its name.
pub(super) fn is_marked(names: &Names, name: &str, value: &str) -> bool {
    let name = name.trim_end_matches(|c: char| !c.is_ascii_alphabetic());
    last_mark(names, name).is_some_and(|place| {
        let is_firm = is_firm(&name[place.clone()]);
        names.is_mark(name, &place) && !value.contains(char::is_whitespace) && is_random(value, is_firm)
    })
}

/// `access` and `private` are words of other things, too: `private subnet-0a1b2c3d4e5f67890`.
fn is_firm(mark: &str) -> bool {
    !mark.eq_ignore_ascii_case("access") && !mark.eq_ignore_ascii_case("private")
}

/// The value that a word marks, as an error if its form does not confirm it.
fn value_behind(text: &str, mark: &Range<usize>) -> Option<Result<Range<usize>, Range<usize>>> {
    let bytes = text.as_bytes();
    let mut is_firm = is_firm(&text[mark.clone()]);
    let mut at = mark.end;
    for _ in 0..=MOST_BETWEEN {
        let divider = bytes[at..].iter().take(LONGEST_DIVIDER).take_while(|b| DIVIDERS.contains(b)).count();
        let opened = (divider > 0).then(|| bytes[at + divider - 1]).filter(|b| matches!(b, b'"' | b'\'' | b'`'));
        at += divider;
        let word = bytes[at..].iter().take(8).take_while(|b| b.is_ascii_alphabetic()).count();
        let between = &text[at..at + word];
        let is_one = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(between));
        if is_one(BETWEEN) && !bytes.get(at + word).is_some_and(u8::is_ascii_alphanumeric) {
            is_firm |= is_one(FIRM);
            at += word;
            continue;
        }
        if divider == 0 {
            return None;
        }
        let is_part = |b: u8| match opened {
            Some(quote) => b.is_ascii_graphic() && b != quote && b != b'\\',
            None => b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'/' | b'.' | b'~' | b'-' | b'='),
        };
        let run = |from: usize, most: usize| bytes[from..].iter().take(most).take_while(|b| is_part(**b)).count();
        let length = run(at, LOOKED_AT);
        let value = text[at..at + length].trim_end_matches(['.', '-', '_', '/']);
        // The user's part of an address, or the scheme of one.
        let goes_on = text[at + length..].starts_with('@') || text[at + length..].starts_with("://");
        // `"auth": "…"` of Docker is what follows `Basic`.
        let is_basic = || text[mark.clone()].eq_ignore_ascii_case("auth") && opened.is_some() && is_basic(value);
        if goes_on || !(is_random(value, is_firm) || is_basic()) {
            return Some(Err(at..at + value.len()));
        }
        let rest = if length == LOOKED_AT { length - value.len() + run(at + length, usize::MAX) } else { 0 };
        return Some(Ok(at..at + value.len() + rest));
    }
    None
}

/// Whether a value looks as if a generator made it: letters and digits mixed, and neither a date, a path, a host, the name of a
/// class or of a resource. `is_firm`: the word before it leaves little doubt, so that a UUID is a secret as well.
pub(super) fn is_random(value: &str, is_firm: bool) -> bool {
    if value.len() == 36 && uuid::Uuid::try_parse(value).is_ok() {
        return is_firm;
    }
    if value.len() < SHORTEST || super::rules::entropy(value) < LEAST_ENTROPY {
        return false;
    }
    let parts = || value.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let is_word = |part: &str| part.len() >= 3 && part.bytes().all(|b| b.is_ascii_alphabetic());
    let is_path = value.split('/').filter(|part| is_word(part)).count() > 1;
    // `orders.json`, `db.example.com`.
    let is_file_or_host = value
        .rsplit_once('.')
        .is_some_and(|(_, last)| (2..=6).contains(&last.len()) && last.bytes().all(|b| b.is_ascii_lowercase()));
    let begins_with_word = parts().next().is_some_and(|part| part.bytes().all(|b| b.is_ascii_alphabetic()));
    let mixed: usize = parts().filter(|part| is_mixed(part)).map(str::len).sum();
    mixed >= SHORTEST && !is_path && !is_file_or_host && (is_firm || !begins_with_word)
}

/// Letters and digits that change often, or many digits: no `OrderCreatedEventV2`, no `20261126T100000Z`.
fn is_mixed(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let is_date =
        digits >= 8 && part.bytes().all(|b| b.is_ascii_digit() || matches!(b.to_ascii_lowercase(), b't' | b'z'));
    // The capital that begins a word of `camelCase` counts once.
    let changes = part.as_bytes().windows(2).filter(|pair| {
        let (a, b) = (pair[0], pair[1]);
        a.is_ascii_digit() != b.is_ascii_digit() || (a.is_ascii_lowercase() && b.is_ascii_uppercase())
    });
    let is_changing = changes.count() * 4 >= part.len();
    let is_one_case = !part.bytes().any(|b| b.is_ascii_lowercase()) || !part.bytes().any(|b| b.is_ascii_uppercase());
    let runs = part.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty()).count();
    let has_enough = digits >= 4 || digits * 3 >= part.len() || is_changing || (is_one_case && runs > 1);
    digits > 0 && digits < part.len() && !is_date && has_enough
}

#[cfg(test)]
mod tests {
    use super::super::{REDACTED, is_secret_field, redact_json, redact_text};
    use serde_json::json;

    #[test]
    fn a_word_and_a_random_value_are_a_secret_wherever_they_stand() {
        let hex = "9f0c2b7e41d85a6630be97c1f24d8a5b";
        let mixed = "q7Rt2mXvB9sLw4Zk0PcN";
        let id = "7b1c93de-40af-4e62-9c15-d08a6f2be371";
        for value in [hex, mixed, id] {
            for place in [
                "spotify_key = §",
                "spotify_key=\"§\"",
                "mapbox-key: '§'",
                "boxSECRET §",
                "adobeKey=§",
                "cloudplanTOKEN-§",
                "fileio.token.§",
                "vultr_SECRET_ACCESS_KEY §",
                "apollo Secret Token: §",
                "zenrows secret key §",
                "the mapquest key is §",
                "System.setProperty(\"GITTER_TOKEN\", \"§\")",
                "val gitterToken: String = \"§\"",
                "{\"newsapi_key\": \"§\"}",
                "{\\\"newsapi_key\\\": \\\"§\\\"}",
                "GET /v1/rates?fixer_key=§&base=EUR HTTP/1.1",
                "X-Rapid-Key: § was refused",
                "https://h/x?note=spotify_key+=+§&a=1",
                "https://h/x?note=zenrows+secret+key+§",
                "export NOTE='uplead_key=§'",
                "visualcrossing\nKEY\n§\n",
                "line one\\nnimble_key=§\\nline three",
            ] {
                let safe = redact_text(&place.replace('§', value)).into_owned();
                assert!(!safe.contains(value) && safe.contains(REDACTED), "{place}: {safe}");
                assert_eq!(redact_text(&safe), safe, "{place}: twice");
            }
            for name in ["spotify_key", "adobeKey", "X-Rapid-Key-2", "clientToken", "vault.secret", "devops_pat"] {
                assert!(is_secret_field(name, value), "{name}");
            }
            let safe = redact_json(&json!({ "deep": [{ "newsapi_key": value, "order_key": value, "id": value }] }));
            assert_eq!(safe, json!({ "deep": [{ "newsapi_key": REDACTED, "order_key": value, "id": value }] }));
        }
        // `access` and `private` are words of sentences: no UUID behind them, and nothing that begins with a word.
        for value in [hex, mixed] {
            let safe = redact_text(&format!("clockify ACCESS {value}, toggl PRIVATE {value}")).into_owned();
            assert!(!safe.contains(value), "{safe}");
        }
    }

    #[test]
    fn what_an_engineer_follows_stays() {
        let harmless = [
            // Keys of records, stores and messages.
            "primary key 9f0c2b7e41d85a6630be97c1f24d8a5b is there already",
            "foreign key order_id 9f0c2b7e41d85a6630be97c1f24d8a5b violates",
            "partition key: 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "partition_key=7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "idempotency key 7b1c93de-40af-4e62-9c15-d08a6f2be371 was used",
            "Idempotency-Key: 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "cache key q7Rt2mXvB9sLw4Zk0PcN missed",
            "cacheKey=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "routing_key=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "object key: 2026/11/26/9f0c2b7e41d85a6630be97c1f24d8a5b.json",
            "s3 key exports/2026/orders-9f0c2b7e41d85a66.parquet",
            "https://h/x?note=partition+key+9f0c2b7e41d85a6630be97c1f24d8a5b",
            "sort_key=CUST#20261126T101500Z#a1b2c3d4e5f6",
            "row key 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "message key 7b1c93de-40af-4e62-9c15-d08a6f2be371 offset 42",
            "message_key=ORD2026A1B2C3D4E5F6",
            "kafka key: 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "dedup key 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "deduplication_key=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "lookup key 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "public key 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "registry key q7Rt2mXvB9sLw4Zk0PcN not found",
            "map key q7Rt2mXvB9sLw4Zk0PcN",
            "shard key 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "order key ORD20261126A1B2C3D4",
            "customer_key=7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "duplicate key value 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "record with key 7b1c93de-40af-4e62-9c15-d08a6f2be371 was skipped",
            "no value for key 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "key=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "key: 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "{\"note\":\"a\\nkey 9f0c2b7e41d85a6630be97c1f24d8a5b\"}",
            // Ids and hashes.
            "request id 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "requestId=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "trace id 9f0c2b7e41d85a6630be97c1f24d8a5b span a1b2c3d4e5f60718",
            "traceparent: 00-9f0c2b7e41d85a6630be97c1f24d8a5b-a1b2c3d4e5f60718-01",
            "correlation id q7Rt2mXvB9sLw4Zk0PcN",
            "correlation_key=7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "commit 9f0c2b7e41d85a6630be97c1f24d8a5b9f0c2b7e",
            "sha256:9f0c2b7e41d85a6630be97c1f24d8a5b9f0c2b7e41d85a6630be97c1f24d8a5b",
            "sha 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "etag \"9f0c2b7e41d85a6630be97c1f24d8a5b\"",
            "checksum=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "md5 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "fingerprint SHA256:q7Rt2mXvB9sLw4Zk0PcNq7Rt2mXvB9sLw4Zk0PcN",
            "image api@sha256:9f0c2b7e41d85a6630be97c1f24d8a5b",
            "digest: 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "stripe 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "chartmogul 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "invoice q7Rt2mXvB9sLw4Zk0PcN was sent",
            "key_id=9f0c2b7e41d85a6630be97c1f24d8a5b",
            "token_id: 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "access key id 4f5a",
            // Words with such a word in them, and what follows them in sentences.
            "monkey 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "keyboard 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "secretary 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "tokenizer q7Rt2mXvB9sLw4Zk0PcN",
            "accessory q7Rt2mXvB9sLw4Zk0PcN",
            "author 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "access 7b1c93de-40af-4e62-9c15-d08a6f2be371",
            "access denied for 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "access log 9f0c2b7e41d85a6630be97c1f24d8a5b",
            "private subnet-0a1b2c3d4e5f67890",
            "last access: 2026-11-26T10:15:00.000Z",
            "last access 20261126T101500Z",
            "unexpected token OrderCreatedEventHandlerV2",
            "unexpected token q7Rt2mXvB9sLw4Zk0PcN",
            "next page token q7Rt2mXvB9sLw4Zk0PcN",
            "secret service-account-eu-west-1-2026 not found",
            "secret my-app-7d9f8b6c5d-x2v4q",
            "token for pod payments-7d9f8b6c5d-x2v4q",
            "private key file key.pem",
            "auth service auth-7d9f8b6c5d-x2v4q is ready",
            "secret db.prod1.eu2.s3cluster9.example.com",
            "spotify_key was rotated",
            "spotify_key = ${SPOTIFY_KEY_FROM_VAULT_2026}",
        ];
        let hidden: Vec<_> = harmless.into_iter().filter(|text| redact_text(text) != *text).collect();
        assert!(hidden.is_empty(), "{hidden:#?}");
    }
}
