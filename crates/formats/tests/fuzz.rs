//! Mutated samples of all formats: whatever a file holds, reading it ends, does not panic, and takes a time that grows with
//! its length.
//!
//! `cargo test` tries a few thousand. `CROSSTAIL_FUZZ_INPUTS=10000000 cargo test --release -p crosstail-formats --test fuzz`
//! tries as many as it says, another seed with `CROSSTAIL_FUZZ_SEED`, and then measures how the time grows.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test")]

use crosstail_core::model::{Id, Locator, NameId, Place, SourceId, Surroundings, parse_timestamp};
use crosstail_formats::{Formats, Frames, Reader, Surrounding};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Inputs without the variable.
const INPUTS: usize = 4000;
/// Longer inputs are cut, in bytes.
const BYTES: usize = 20_000;
/// A line that seems to take so much longer than a quarter of it is measured again.
const WORTH_ANOTHER_LOOK: f64 = 6.0;
/// What is inserted: what separates and begins the parts of records.
const BITS: &[&[u8]] = &[
    b"[",
    b"]",
    b"\"",
    b"{",
    b"}",
    b": ",
    b"=",
    b"  ",
    b"\n",
    b"\t",
    b"\\",
    b"-",
    b"|",
    b"@",
    b"\x1b[31m",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\x93",
    b"ERROR",
    b"2024-05-06 07:08:00",
    b"<",
    b"::",
    b"\0",
    b"\r",
    b"' panicked at ",
];

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// Xorshift: the same inputs for the same seed.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(limit.max(1)).expect("small")).expect("small")
    }

    fn mutate(&mut self, corpus: &[Vec<u8>]) -> Vec<u8> {
        let mut line = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(line.len() + 1);
            let bit = BITS[self.below(BITS.len())];
            match self.below(6) {
                0 if at < line.len() => line[at] = self.next().to_le_bytes()[0],
                1 => {
                    let to = at + self.below(line.len() - at + 1);
                    line.drain(at..to);
                }
                2 => {
                    let other = &corpus[self.below(corpus.len())];
                    line.truncate(at);
                    line.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
                3 => {
                    let part = line[at..(at + self.below(20)).min(line.len())].to_vec();
                    for _ in 0..=self.below(8) {
                        line.splice(at..at, part.iter().copied());
                    }
                }
                4 => line.truncate(at),
                _ => {
                    line.splice(at..at, bit.iter().copied());
                }
            }
        }
        line.truncate(BYTES);
        line
    }
}

fn surrounding() -> Surrounding<'static> {
    let written = parse_timestamp("2024-06-01T00:00:00Z").expect("a time");
    let place = Place::new(SourceId(0), Locator::Line { file: NameId(0), offset: 0, length: 1 });
    Surrounding::new(Id::Line { file: 1, offset: 0 }, place, written, Surroundings::before(written))
}

/// Reads a text; returns how many records it has.
fn read(reader: &Reader, text: &[u8], payloads: bool) -> usize {
    let (at, mut frames, mut found, mut columns) = (surrounding(), Frames::default(), Vec::new(), None);
    let mut each = |_, frame: &[u8]| {
        reader.read(frame, &at, &mut columns, None, &mut found);
        if payloads {
            reader.payload(frame, 0, &at);
        }
    };
    frames.push(reader, text, &mut each);
    frames.finish(reader, &mut each);
    found.len()
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
fn whatever_a_file_holds_it_is_read() {
    let formats = Formats::built_in().expect("formats");
    let corpus = corpus(&formats);
    let readers = readers(&formats, &corpus);
    let asked = setting("CROSSTAIL_FUZZ_INPUTS").and_then(|count| usize::try_from(count).ok());
    let mut dice = Dice(setting("CROSSTAIL_FUZZ_SEED").unwrap_or(7).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut records = 0;
    for input in 0..asked.unwrap_or(INPUTS) {
        let line = dice.mutate(&corpus);
        records += read(&readers[input % readers.len()], &line, input % 16 == 0);
        if input % 500 == 0 {
            // As the whole of a file.
            read(&Reader::of(&formats, None, &line), &line, false);
        }
    }
    println!("{} inputs, {records} records", asked.unwrap_or(INPUTS));
    if asked.is_some() {
        let (ratio, line) = growth(&readers[0], &corpus);
        println!("four times the length takes at most {ratio:.1} times the time: {line}");
        assert!(ratio < 8.0, "the time of a line grows faster than its length");
    }
}

/// The time that the thread has had on a core (proc_pid_schedstat(5)): a long line is interrupted more often than a short one.
fn on_core() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// How much longer a line of four times the length takes at most, and which one.
fn growth(reader: &Reader, corpus: &[Vec<u8>]) -> (f64, String) {
    let time = |line: &[u8], rounds: usize| {
        let mut best = Duration::MAX;
        for _ in 0..rounds {
            let (begun, cpu) = (Instant::now(), on_core());
            read(reader, line, false);
            let cpu = cpu.zip(on_core()).map(|(before, now)| now.saturating_sub(before));
            best = best.min(cpu.unwrap_or_else(|| begun.elapsed()));
        }
        best.as_secs_f64()
    };
    let mut worst = (0.0, String::new());
    for sample in corpus {
        let bare: Vec<u8> = sample.iter().copied().filter(|b| *b != b'\n').collect();
        for tail in [bare.as_slice(), b"a", b"a ", b"[\"=:"] {
            let line =
                |length: usize| -> Vec<u8> { bare.iter().chain(tail.iter().cycle().take(length)).copied().collect() };
            let of = |rounds| time(&line(800_000), rounds) / time(&line(200_000), rounds).max(0.001);
            let mut ratio = of(3);
            if ratio > WORTH_ANOTHER_LOOK {
                // The machine may have had something else to do.
                ratio = ratio.min(of(20));
            }
            if ratio > WORTH_ANOTHER_LOOK {
                // `regex` changes its engine with the length, which is a step, once; what grows faster does so at every length.
                ratio = ratio.min(time(&line(3_200_000), 3) / time(&line(800_000), 3).max(0.001));
            }
            if ratio > worst.0 {
                let beginning = String::from_utf8_lossy(&bare[..bare.len().min(80)]).into_owned();
                worst = (ratio, format!("{beginning} + {}", String::from_utf8_lossy(&tail[..tail.len().min(4)])));
            }
        }
    }
    worst
}
