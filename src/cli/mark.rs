//! `crosstail mark`: marks a moment, such as a deploy.

use super::UsageError;
use super::args::MarkArgs;
use super::output::print_error;
use super::sources::{self, OpenSources};
use crate::config::{self, Config, Marker, Overrides};
use crate::runtime::{MarkerQuery, Work, marked};
use anyhow::{Context as _, Result};
use crosstail_core::filter::Context;
use crosstail_core::model::{Clock, visible_line};
use crosstail_engine::window::Bounds;
use std::io::Write as _;

/// What is rather meant as a command.
const NO_MOMENTS: [&str; 6] = ["list", "ls", "show", "rm", "remove", "delete"];

pub(super) fn run(args: &MarkArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let zone = config.time_zone.as_deref().unwrap_or("UTC");
    let zone = config::zone(zone).map_err(|error| UsageError(error.to_string()))?;
    let context = Context { now: Clock::system().now(), zone };
    let path = config::marker_file().context("cannot determine the folder for state")?;
    let text = args.text.join(" ").trim().to_owned();
    if NO_MOMENTS.contains(&text.to_lowercase().as_str()) {
        let file = path.display();
        return Err(UsageError(format!(
            "'{text}' alone is no moment: crosstail mark lists what was marked, each a line of {file}; write more to mark one"
        ))
        .into());
    }
    if !text.is_empty() {
        let at = sources::moment(args.at.as_deref(), &context)?.unwrap_or(context.now);
        config::add_marker(&path, &Marker { at, text })?;
        return Ok(super::exit::OK);
    }
    if args.at.is_some() {
        return Err(UsageError("say what happened then: crosstail mark --at 09:00 'deployed 1.4.3'".to_owned()).into());
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    for marker in config::markers(&path)? {
        writeln!(out, "{}  {}", marker.at.rfc3339_in(context.zone), visible_line(&marker.text))?;
    }
    out.flush()?;
    Ok(super::exit::OK)
}

/// What was marked: in the file of the user, and where the configuration says. What cannot be read is said, and left out.
pub(super) async fn known_markers(
    opened: &OpenSources,
    config: &Config,
    work: &Work,
    context: Context,
    bounds: Bounds,
) -> Vec<Marker> {
    let own = match config::marker_file().map(|path| config::markers(&path)) {
        Some(Ok(markers)) => markers,
        Some(Err(error)) => {
            print_error(&format!("{error:#}"));
            Vec::new()
        }
        None => Vec::new(),
    };
    let asked = MarkerQuery { entries: config.markers.clone(), context, bounds };
    let (more, wrong) = marked(&opened.sources, work, &opened.names, &asked).await;
    for problem in wrong {
        print_error(&problem);
    }
    config::joined_markers([own, more].concat())
}
