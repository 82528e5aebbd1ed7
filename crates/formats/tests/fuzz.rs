//! Mutated samples of all formats, and mutated formats.

#![allow(clippy::expect_used, reason = "a test")]

use crosstail_core::model::{Id, Locator, NameId, Place, SourceId, Surroundings, parse_timestamp};
use crosstail_formats::{Format, Formats, Frames, Reader, Surrounding};
use crosstail_fuzz::Target;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is inserted: what separates and begins the parts of records.
const BITS: &[&str] = &[
    "[",
    "]",
    "\"",
    "{",
    "}",
    ": ",
    "=",
    "  ",
    "\n",
    "\t",
    "\\",
    "-",
    "|",
    "@",
    "\x1b[31m",
    "–",
    "ERROR",
    "2024-05-06 07:08:00",
    "<",
    "::",
    "\0",
    "\r",
    "' panicked at ",
];

fn surrounding() -> Surrounding<'static> {
    let written = parse_timestamp("2024-06-01T00:00:00Z").expect("a time");
    let place = Place::new(SourceId(0), Locator::Line { file: NameId(0), offset: 0, length: 1 });
    Surrounding::new(Id::Line { file: 1, offset: 0 }, place, written, Surroundings::before(written))
}

/// Reads a text.
fn read(reader: &Reader, text: &[u8], payloads: bool) {
    let (at, mut frames, mut found, mut columns) = (surrounding(), Frames::default(), Vec::new(), None);
    let mut each = |_, frame: &[u8]| {
        reader.read(frame, &at, &mut columns, None, &mut found);
        if payloads {
            reader.payload(frame, 0, &at);
        }
    };
    frames.push(reader, text, &mut each);
    frames.finish(reader, &mut each);
}

fn corpus(formats: &Formats) -> Vec<Vec<u8>> {
    let samples = formats.texts().iter().flat_map(|format| &format.samples);
    let mut all: Vec<Vec<u8>> = samples.map(|sample| sample.text.clone().into_bytes()).collect();
    all.extend(
        [
            r#"{"time":"2024-05-06T07:08:00Z","level":"error","msg":"no","err":{"stack":"Error: no\n    at x"}}"#,
            r#"{"log":"2024-05-06 07:08:00 ERROR no\n","stream":"stderr","time":"2024-05-06T07:08:00.1Z"}"#,
            "2024-05-06 07:08:00 ERROR no\njava.lang.X: no\n\tat a.B.c(B.java:1)\nCaused by: a.B: no",
            "Traceback (most recent call last):\n  File \"x\", line 1\nValueError: no",
            "@40000000663881db1b2e0200 error: no",
            "#Fields: date time cs-method cs-uri-stem sc-status\n2024-05-06 07:08:00 GET /x 200",
            "time,level,message\n2024-05-06T07:08:00Z,error,\"a, b\"",
        ]
        .map(|text| text.as_bytes().to_vec()),
    );
    all
}

fn readers(formats: &Arc<Formats>, corpus: &[Vec<u8>]) -> [Reader; 3] {
    let some = |count: usize| corpus.iter().take(count).flat_map(|text| [text.as_slice(), b"\n"].concat()).collect();
    [usize::MAX, 9, 0].map(|count| {
        let head: Vec<u8> = some(count);
        Reader::of(formats, None, &head)
    })
}

#[test]
fn fuzz_log() {
    let formats = Formats::built_in().expect("formats");
    let corpus = corpus(&formats);
    let readers = readers(&formats, &corpus);
    Target { name: "log", corpus, bits: BITS, longest: 800_000 }.run(|number, input| {
        read(&readers[number % readers.len()], input, number % 16 == 1);
        if number % 500 == 1 {
            // As the whole of a file.
            read(&Reader::of(&formats, None, input), input, false);
        }
    });
}

#[test]
fn fuzz_format() {
    let right = [
        "name = \"shop\"\ntitle = \"Shop\"\npattern = '^(?<started_at>\\d{4}-\\d\\d-\\d\\d \\S+) (?<level>[A-Z]+) (?<message>.*)$'\n[[samples]]\ntext = \"2026-11-20 10:00:00 INFO x\"\n",
        "name = \"a\"\npatterns = ['^(?<system>[a-z]{1,9}): (?:x|y)+?(?<rest>.*)$']\ncontinues = '^\\s'\nkind = \"api_call\"\n",
    ];
    let bits =
        ["(", ")", "[", "]", "{9}", "{999}", "*", "+?", "|", "(?<a>", "\\p{L}", "(?i)", "'", "=", "[[", ".*", "\\d+"];
    let corpus = right.iter().map(|text| text.as_bytes().to_vec()).collect();
    let vocabulary = BTreeMap::new();
    Target { name: "format", corpus, bits: &bits, longest: 2_000 }.run(|_, input| {
        let _ = Format::from_toml(&String::from_utf8_lossy(input), &vocabulary, "fuzz");
    });
}
