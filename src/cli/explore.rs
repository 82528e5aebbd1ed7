//! `crosstail [SOURCE…]`.

use super::args::ExploreArgs;
use anyhow::Result;

pub(super) async fn run(args: &ExploreArgs) -> Result<u8> {
    let _ = args;
    Ok(0)
}
