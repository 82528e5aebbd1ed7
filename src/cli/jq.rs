//! `crosstail evaluate-jq EXPRESSION`: the process in which the explorer evaluates an expression. Reads JSON, writes one
//! result a line.

use super::UsageError;
use anyhow::Result;
use std::io::{Read as _, Write as _};

pub(super) fn run(expression: &str) -> Result<u8> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let results = crosstail_engine::insight::jq(expression, &input).map_err(UsageError)?;
    let mut out = std::io::stdout().lock();
    for result in results {
        writeln!(out, "{result}")?;
    }
    Ok(super::exit::OK)
}
