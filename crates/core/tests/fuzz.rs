//! Mutated inputs for the parsers of the core: filters, times, schemas, records, and what is a secret.

#![allow(clippy::expect_used, reason = "a test")]

use crosstail_core::filter::{Context, Filter, duration_us, moment, range_end};
use crosstail_core::model::{leading_time, parse_timestamp, redact_json, redact_text, redact_whole, secret_ranges};
use crosstail_core::schema::{Assembler, Schema, json};
use crosstail_fuzz::Target;
use serde_json::{Map, Value};

fn text(input: &[u8]) -> String {
    String::from_utf8_lossy(input).into_owned()
}

fn corpus(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn fuzz_filter() {
    let right = [
        "status:failed system:SAP,Zoho -kind:log",
        "(error:*timeout* OR http:5xx) AND NOT system:\"a b\"",
        "latency:>1.5s since:-2h time:2026-11-20..2026-11-21",
        "req.body.order.lines[0].sku=MAT-4711 meta.tenant:org-1",
        "error:/ECONN(RESET|REFUSED)/i id:7f3a9c21-0000-4abc-8def-0123456789ab",
        "http:500..599 attempt:>=2 'single quotes' plain words",
        "is:failure has:error -is:pending url:\"https://h/p?x=1&y=2\"",
    ];
    let bits = [
        "(", ")", "\"", "'", "/", ":", ":>", "..", ",", " OR ", " AND ", "NOT ", "-", "*", "?", "[", "]", "=", "!",
        "(?", "{9}", "|",
    ];
    let context = Context::default();
    Target { name: "filter", corpus: corpus(&right), bits: &bits, longest: 40_000 }.run(|_, input| {
        let text = text(input);
        if let Ok((filter, _)) = Filter::compile(&text, &context) {
            // What is written is read as it was meant.
            let again = Filter::parse(filter.text()).expect("its own text");
            assert_eq!(again.text(), filter.text());
        }
        let _ = (duration_us(&text), moment(&text, &context), range_end(&text, &context));
    });
}

#[test]
fn fuzz_time() {
    let right = [
        "2026-11-20T10:00:00.123456Z message",
        "20/Nov/2026:10:00:00 +0530",
        "Nov 20 10:00:00 host app[1]: text",
        "1795000000.123",
        "[2026-11-20 10:00:00,123] INFO",
    ];
    let bits = ["T", "Z", "+", "-", ":", ".", ",", "/", "99", " "];
    Target { name: "time", corpus: corpus(&right), bits: &bits, longest: 400_000 }.run(|_, input| {
        let text = text(input);
        let _ = (parse_timestamp(&text), leading_time(&text));
    });
}

#[test]
fn fuzz_schema() {
    let names = ["pino", "log-tracking", "halopsa", "engineering-logs", "prokure"];
    let right: Vec<&str> = names.iter().filter_map(|name| Schema::text(name)).collect();
    assert!(right.len() > 1);
    let bits = [
        "[",
        "]",
        "[[",
        "]]",
        "=",
        "{",
        "}",
        "\"\"\"",
        ",",
        "#",
        ".",
        "true",
        "fields",
        "\n[table]\n",
        "name = 1\n",
        "x = [",
        "x = {a = ",
        "a.a.a.a.",
    ];
    Target { name: "schema", corpus: corpus(&right), bits: &bits, longest: 20_000 }.run(|_, input| {
        let _ = Schema::from_toml(&text(input), "fuzz");
    });
}

#[test]
fn fuzz_record() {
    let right = [
        r#"{"time":"2026-11-20T10:00:00Z","level":"error","msg":"no","err":{"stack":"Error: no\n    at x"}}"#,
        r#"{"timestamp":1795000000,"message":"\u00e9\ud83d\ude00","request":{"headers":{"a":["b",1,null]},"body":"{\"x\":1}"}}"#,
        r#"{"a":[1,2,{"b":[]}],"c":-1.5e10,"d":true,"e":null}"#,
    ];
    let bits = ["{", "}", "[", "]", ":", ",", "\"a\":", "\\u", "\\ud83d", "1e", "null", "{\"a\":", "[["];
    let schemas = Schema::built_in();
    let schema = schemas.iter().find(|schema| schema.name == "pino").expect("pino").clone().for_logs();
    Target { name: "record", corpus: corpus(&right), bits: &bits, longest: 800_000 }.run(|_, input| {
        let text = text(input);
        if let Err(at) = json::scan(&text, schema.tree(), &mut Assembler::default()) {
            assert!(at <= text.len());
            // What the parser reads that builds values, it reads.
            assert!(serde_json::from_str::<Map<String, Value>>(&text).is_err());
        }
    });
}

#[test]
fn fuzz_redaction() {
    let right = [
        "password=hunter2 token: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
        "postgres://me:secret@db:5432/x?sslmode=require&api_key=abcdef0123456789abcdef",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
        "Set-Cookie: session=abc123def456; Path=/ AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        r#"{"dbPassword":"x","nested":"{\"client_secret\":\"y\"}","card":"4111 1111 1111 1111"}"#,
    ];
    let bits = [
        "=",
        ":",
        "\"",
        "\\\"",
        "@",
        "://",
        "Bearer ",
        "password",
        "-----BEGIN ",
        "-----",
        "&",
        ";",
        "key",
        "AKIA",
        "4111",
    ];
    Target { name: "redaction", corpus: corpus(&right), bits: &bits, longest: 400_000 }.run(|number, input| {
        let text = text(input);
        let mut before = 0;
        for range in secret_ranges(&text) {
            assert!(before <= range.start && text.is_char_boundary(range.start) && text.is_char_boundary(range.end));
            before = range.end;
        }
        let _ = redact_text(&text);
        if number % 8 == 1 {
            let _ = redact_whole(&text);
            let _ = redact_json(&serde_json::from_str(&text).unwrap_or(Value::String(text)));
        }
    });
}
