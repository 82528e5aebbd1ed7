//! Mutated inputs for the tests of parsers: whatever comes, reading it ends, does not panic, and takes a time that grows with its
//! length.
//!
//! A test gives what it reads, some inputs that are right, and what separates and begins their parts. `cargo test` tries some
//! thousand mutations; `scripts/fuzz TARGET INPUTS` as many as it says, and then measures how the time grows. The inputs follow
//! from a seed, so that one that fails comes again.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::panic,
    reason = "of tests only: they fail by panicking, with the input"
)]

pub mod speech;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Once;
use std::time::{Duration, Instant};

/// Inputs without `CROSSTAIL_FUZZ_INPUTS`.
const INPUTS: usize = 4000;
/// Longer inputs are cut, in bytes.
const BYTES: usize = 20_000;
/// An input that takes longer hangs.
const HANGS: Duration = Duration::from_secs(1);
/// What takes longer by the clock on the wall is read again, by the time on a core: the machine may have had something else to do.
const SLOW: Duration = Duration::from_millis(50);
/// Four times the length may take this many times as long.
const GROWTH: f64 = 8.0;
/// What seems to grow so much is measured again.
const WORTH_ANOTHER_LOOK: f64 = 6.0;
/// A shorter time is not measured, in seconds.
const SHORTEST: f64 = 0.001;
/// What is tried with every target besides its own.
const BITS: &[&[u8]] = &[
    b"\n",
    b"\t",
    b"\\",
    b"\"",
    b"'",
    b"\x1b[31m",
    b"\xff",
    b"\xc3",
    b"\xe2\x80\x93",
    b"\0",
    b"\r",
    b"0",
    b"-1",
    b"9999999999999999999",
];

/// What is tried.
pub struct Target<'a> {
    /// Its name, for people.
    pub name: &'a str,
    /// Inputs that are right.
    pub corpus: Vec<Vec<u8>>,
    /// What separates and begins their parts.
    pub bits: &'a [&'a str],
    /// The longest input by which the growth is measured, in bytes; what a person types is short.
    pub longest: usize,
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

impl Target<'_> {
    /// Reads many mutations, each with its number, counted from zero.
    ///
    /// # Panics
    /// If reading does, or hangs, or takes a time that grows faster than the length.
    pub fn run(&self, mut read: impl FnMut(usize, &[u8])) {
        let asked = setting("CROSSTAIL_FUZZ_INPUTS").and_then(|count| usize::try_from(count).ok());
        let inputs = asked.unwrap_or(INPUTS);
        let seed = setting("CROSSTAIL_FUZZ_SEED").unwrap_or(7);
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let longest = setting("CROSSTAIL_FUZZ_SECONDS").map_or(Duration::MAX, Duration::from_secs);
        let (begun, mut slowest, mut tried) = (Instant::now(), Duration::ZERO, 0);
        while tried < inputs && begun.elapsed() < longest {
            let (number, input) = (tried, dice.mutate(&self.corpus, self.bits));
            let shown = || format!("{}: input {number} of seed {seed}: {}", self.name, escaped(&input));
            let mut once = || {
                if let Err(panic) = catch_unwind(AssertUnwindSafe(|| read(number, &input))) {
                    println!("{}", shown());
                    resume_unwind(panic);
                }
            };
            let at = Instant::now();
            once();
            let mut took = at.elapsed();
            if took > SLOW {
                let cpu = on_core();
                once();
                took = cpu.zip(on_core()).map_or(took, |(before, now)| now.saturating_sub(before));
            }
            assert!(took < HANGS, "takes {took:?}: {}", shown());
            slowest = slowest.max(took);
            tried += 1;
        }
        let took = begun.elapsed();
        println!(
            "{}: {tried} inputs in {took:.0?}, {:.0} a second, the slowest {slowest:.1?}",
            self.name,
            tried as f64 / took.as_secs_f64().max(1e-9)
        );
        if asked.is_some() {
            let (ratio, input) = self.growth(&mut read);
            println!("{}: four times the length takes at most {ratio:.1} times the time: {input}", self.name);
            assert!(ratio < GROWTH, "the time grows faster than the length");
        }
    }

    /// How much longer an input of four times the length takes at most, and which one.
    fn growth(&self, read: &mut impl FnMut(usize, &[u8])) -> (f64, String) {
        let mut time = |input: &[u8], rounds: usize| {
            let mut best = Duration::MAX;
            for _ in 0..rounds {
                let (begun, cpu) = (Instant::now(), on_core());
                read(0, input);
                let cpu = cpu.zip(on_core()).map(|(before, now)| now.saturating_sub(before));
                best = best.min(cpu.unwrap_or_else(|| begun.elapsed()));
            }
            best.as_secs_f64()
        };
        let mut worst = (0.0, String::new());
        for sample in &self.corpus {
            // In one line, because lines are what most is divided into.
            let bare: Vec<u8> = sample.iter().copied().filter(|b| *b != b'\n').collect();
            let tails = [bare.clone(), b"a".to_vec(), b"a ".to_vec(), b"[\"=:".to_vec()];
            let own = self.bits.iter().map(|bit| bit.as_bytes().to_vec());
            for tail in tails.into_iter().chain(own).filter(|tail| !tail.is_empty()) {
                let long = |length: usize| -> Vec<u8> {
                    bare.iter().chain(tail.iter().cycle().take(length)).copied().collect()
                };
                let mut of =
                    |length: usize, rounds| time(&long(length), rounds) / time(&long(length / 4), rounds).max(SHORTEST);
                let mut ratio = of(self.longest, 3);
                if ratio > WORTH_ANOTHER_LOOK {
                    // The machine may have had something else to do.
                    ratio = ratio.min(of(self.longest, 20));
                }
                if ratio > WORTH_ANOTHER_LOOK {
                    // `regex` changes its engine with the length, which is a step, once; what grows faster does so at every length.
                    ratio = ratio.min(of(4 * self.longest, 3));
                }
                if ratio > worst.0 {
                    worst = (
                        ratio,
                        format!("{} + {}", escaped(&bare[..bare.len().min(80)]), escaped(&tail[..tail.len().min(20)])),
                    );
                }
            }
        }
        worst
    }
}

thread_local! {
    /// The libraries whose panics are forgiven now, and the file of the last panic.
    static FORGIVEN: RefCell<(Vec<String>, String)> = RefCell::default();
}

/// Reads with a driver that panics over what it does not expect, which costs a source one error: `None`. A panic that comes from
/// elsewhere is passed on. `libraries` are parts of the paths of the driver's files, and of those that it reads bytes with.
///
/// # Panics
/// If reading does, elsewhere.
pub fn forgiving<T>(libraries: &[&str], read: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let file = panic.location().map_or("", |location| location.file()).to_owned();
            let is_said = FORGIVEN.with_borrow_mut(|(libraries, last)| {
                let is_said = !libraries.iter().any(|library| file.contains(library.as_str()));
                *last = file;
                is_said
            });
            if is_said {
                before(panic);
            }
        }));
    });
    let before = FORGIVEN.with_borrow_mut(|(forgiven, _)| {
        let before = forgiven.len();
        forgiven.extend(libraries.iter().map(|library| (*library).to_owned()));
        before
    });
    let done = catch_unwind(AssertUnwindSafe(read));
    let file = FORGIVEN.with_borrow_mut(|(forgiven, last)| {
        forgiven.truncate(before);
        std::mem::take(last)
    });
    match done {
        Ok(read) => Some(read),
        Err(_) if libraries.iter().any(|library| file.contains(library)) => None,
        Err(panic) => resume_unwind(panic),
    }
}

/// The time that the thread has had on a core (proc_pid_schedstat(5)): a long line is interrupted more often than a short one.
fn on_core() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// Bytes as a literal of Rust would have them.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::from("b\"");
    for byte in bytes {
        write!(text, "{}", byte.escape_ascii()).expect("written");
    }
    text + "\""
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

    fn mutate(&mut self, corpus: &[Vec<u8>], bits: &[&str]) -> Vec<u8> {
        let mut input = corpus[self.below(corpus.len())].clone();
        for _ in 0..=self.below(6) {
            let at = self.below(input.len() + 1);
            match self.below(7) {
                0 if at < input.len() => input[at] = self.next().to_le_bytes()[0],
                1 => {
                    let to = at + self.below(input.len() - at + 1);
                    input.drain(at..to);
                }
                2 => {
                    let other = &corpus[self.below(corpus.len())];
                    input.truncate(at);
                    input.extend_from_slice(&other[self.below(other.len() + 1)..]);
                }
                3 => {
                    // Mostly a few times, now and then very deep.
                    let part = input[at..(at + self.below(20)).min(input.len())].to_vec();
                    let times = if self.below(40) == 0 { self.below(2000) } else { self.below(8) };
                    input.splice(at..at, part.iter().copied().cycle().take(part.len() * (times + 1)));
                }
                4 => input.truncate(at),
                5 => {
                    let bit = BITS[self.below(BITS.len())];
                    input.splice(at..at, bit.iter().copied());
                }
                _ => {
                    let bit = bits.get(self.below(bits.len())).map_or(&b" "[..], |bit| bit.as_bytes());
                    input.splice(at..at, bit.iter().copied());
                }
            }
        }
        input.truncate(BYTES);
        input
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target<'_> {
        Target { name, corpus: vec![b"one two".to_vec()], bits: &["="], longest: 1000 }
    }

    #[test]
    fn the_same_seed_gives_the_same_inputs() {
        let inputs = || {
            let mut found = Vec::new();
            target("same").run(|_, input| found.push(input.to_vec()));
            found
        };
        let first = inputs();
        assert_eq!(first.len(), INPUTS);
        assert_eq!(first, inputs());
        assert!(first.iter().any(|input| input.contains(&b'=')));
    }

    #[test]
    fn a_panic_of_a_library_is_forgiven() {
        assert_eq!(forgiving(&["somewhere"], || 7), Some(7));
        let here = file!();
        let short: &[u8] = &[1];
        assert_eq!(forgiving(&[here], || short[short.len()]), None);
        let passed_on = catch_unwind(|| forgiving(&["somewhere"], || short[short.len()]));
        assert!(passed_on.is_err(), "it is not of that library");
    }

    #[test]
    #[should_panic(expected = "found it")]
    fn a_panic_is_passed_on() {
        target("panic").run(|_, input| assert!(!input.contains(&0xff), "found it"));
    }
}
