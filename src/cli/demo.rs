//! `crosstail demo`.

use super::args::DemoArgs;
use anyhow::Result;

pub(super) async fn run(args: &DemoArgs) -> Result<u8> {
    let _ = args;
    Ok(0)
}
