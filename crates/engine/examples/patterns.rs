//! Reads messages, one a line, and prints the id of the pattern of each; on standard error, how many a second were added when
//! they were new, and again when they were known. `scripts/measure-patterns` compares the groups with those of people.

use crosstail_engine::pattern::Patterns;
use std::io::{BufWriter, Read as _, Write as _};
use std::time::Instant;

fn main() -> std::io::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Patterns::default();
    let mut rates = Vec::new();
    let mut numbers = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        numbers = lines.iter().map(|line| all.add(line)).collect();
        rates.push(lines.len() as f64 / begun.elapsed().as_secs_f64());
    }
    let begun = Instant::now();
    let settled = all.settle();
    let took = begun.elapsed();
    let mut err = std::io::stderr().lock();
    writeln!(
        err,
        "{} texts, {} masked, new {:.0}/s, known {:.0}/s, settled in {took:?}",
        lines.len(),
        all.len(),
        rates[0],
        rates[1]
    )?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    for number in numbers {
        writeln!(out, "{}", settled[number as usize].id)?;
    }
    out.flush()
}
