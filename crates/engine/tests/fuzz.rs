//! Mutated inputs for what is made of payloads and pasted texts: bodies, outlines, stacks, ids.

#![allow(clippy::expect_used, reason = "a test")]

use crosstail_core::model::{Body, frames, place_of};
use crosstail_engine::insight::{candidates, format_body, may_open, open_string};
use crosstail_engine::outline::{Document, Outline};
use crosstail_fuzz::Target;
use std::sync::Arc;

fn corpus(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}

#[test]
fn fuzz_body() {
    let right = [
        r#"{"order":1,"lines":[{"sku":"MAT-1","qty":2}],"inner":"{\"a\":1}"}"#,
        "<order a=\"1\"><line>MAT &amp; 1</line><![CDATA[x]]><!-- c --></order>",
        "a=1&b=%20x&c[]=2&password=x",
        "--b\r\nContent-Disposition: form-data; name=\"f\"\r\n\r\nv\r\n--b--\r\n",
        "{\"a\":1}\n{\"a\":2}\n",
        "H4sIAAAAAAAAA6tWSlSyUjCsBQCmLzI1CQAAAA==",
    ];
    let bits = ["<", ">", "</", "<a>", "&", "&#x1;", "%", "=", "{", "[", "--b", "\r\n", "<![CDATA[", "]]>", "\"{\\\""];
    let types = [
        "application/json",
        "text/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "text/plain",
    ];
    Target { name: "body", corpus: corpus(&right), bits: &bits, longest: 200_000 }.run(|number, input| {
        let text = String::from_utf8_lossy(input).into_owned();
        let body = Body::from_text(text.as_str());
        format_body(&body, Some(types[number % types.len()]));
        format_body(&body, None);
        if may_open(&text) {
            open_string(&text);
        }
    });
}

#[test]
fn fuzz_outline() {
    let right = [
        r#"{"order":1,"lines":[{"sku":"MAT-1","qty":2}],"inner":"{\"a\":[1,2]}","token":"abc"}"#,
        r#"[1,"two",null,[],{},{"a":{"b":{"c":"a long text with 漢字 in it"}}}]"#,
        "a text\nof lines\twith tabs",
    ];
    let bits = ["{", "}", "[", "]", ":", ",", "\"a\":", "\\\"", "漢", "{\"a\":", "[["];
    Target { name: "outline", corpus: corpus(&right), bits: &bits, longest: 200_000 }.run(|number, input| {
        let text = Arc::new(String::from_utf8_lossy(input).into_owned());
        let document = |is_json| Document {
            path: "res.body".to_owned(),
            title: "response".to_owned(),
            about: String::new(),
            text: Arc::clone(&text),
            is_json,
            has_paths: true,
        };
        let is_json = serde_json::from_str::<serde_json::Value>(&text).is_ok();
        let mut outline = Outline::new(vec![document(is_json), document(false)], 20 + number % 100);
        for index in 0..outline.len().min(200) {
            let _ = (outline.line(index), outline.path(index), outline.clause(index));
        }
        if number % 8 == 1 {
            outline.toggle(number % outline.len().max(1));
            outline.search("a", 1);
        }
    });
}

#[test]
fn fuzz_stack() {
    let right = [
        "Error: no\n    at f (/app/src/a.js:1:2)\n    at node:internal/x:3:4",
        "java.lang.X: no\n\tat a.B.c(B.java:1)\nCaused by: a.B: no\n\t... 3 more",
        "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    g()\nValueError: no",
        "goroutine 1 [running]:\nmain.f(0x1)\n\t/app/main.go:1 +0x2",
    ];
    let bits = ["at ", "(", ")", ":", "\n    at ", "File \"", "\", line ", "Caused by: ", "\n\t", "."];
    Target { name: "stack", corpus: corpus(&right), bits: &bits, longest: 200_000 }.run(|_, input| {
        let _ = frames(&String::from_utf8_lossy(input));
        let _ = place_of(&String::from_utf8_lossy(input));
    });
}

#[test]
fn fuzz_pasted() {
    let right = [
        "req_8812345 failed at 10:00",
        "traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        r#"{"requestId":"7f3a9c21-0000-4abc-8def-0123456789ab","message":"\"quoted\""}"#,
        "curl -X POST 'https://h/p?x=1' -H 'X-Request-Id: abc-123'",
    ];
    let bits = ["-", ":", "=", "\"", "{", "id", "00-", " ", "requestId", "/"];
    Target { name: "pasted", corpus: corpus(&right), bits: &bits, longest: 200_000 }.run(|_, input| {
        let _ = candidates(&String::from_utf8_lossy(input));
    });
}
