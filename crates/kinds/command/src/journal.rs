//! The journal of systemd, by `journalctl`: as JSON, from a cursor on.

use crate::child::Invocation;
use crate::feed::{Feed, HISTORY_LINES, Origin, refusal};
use crate::stream::Form;
use async_trait::async_trait;
use crosstail_core::model::Clock;
use crosstail_files::Failure;
use crosstail_source::ErrorKind;
use std::sync::Arc;

/// The field of an entry that says its place.
const CURSOR: &str = "__CURSOR";

pub(crate) struct Journal {
    /// Of all units where there is none.
    pub(crate) units: Vec<String>,
}

impl Journal {
    fn invocation(&self, more: &[String]) -> Invocation {
        let fixed = ["--output=json", "--no-pager", "--all"].map(str::to_owned);
        let units = self.units.iter().map(|unit| format!("--unit={unit}"));
        Invocation::new("journalctl", fixed.into_iter().chain(units).chain(more.iter().cloned()))
    }
}

#[async_trait]
impl Origin for Journal {
    fn told_by_content(&self) -> bool {
        true
    }

    fn program(&self) -> &'static str {
        "journalctl"
    }

    fn limits(&self) -> &'static str {
        "it begins with the last 100,000 entries, whichever range is asked for, and is read whole for each search"
    }

    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure> {
        let shown = if self.units.is_empty() { "journal".to_owned() } else { self.units.join(", ") };
        let stream = feed.stream("journal", &shown, || Form::Entries)?;
        let mut warnings = Vec::new();
        let mut lines = 0;
        let begun = Clock::system().now();
        if !stream.has_lines() {
            let ran = feed.run(&stream, &self.invocation(&[format!("--lines={HISTORY_LINES}")]), None).await?;
            if ran.code != 0 {
                return Err(refusal(ran.said));
            }
            lines = ran.lines;
            if ran.said.contains("not seeing messages from other users") {
                warnings.push(
                    "shows your own messages only; become a member of the group systemd-journal to read all".to_owned(),
                );
            }
        }
        if !self.units.is_empty() && !stream.has_lines() {
            warnings.push(format!("the journal has no entry of {shown} yet; systemctl list-units names the units"));
        }
        feed.reached(format!("the journal, {shown}"), warnings);
        feed.tell_history(&shown, lines);
        feed.loaded();
        feed.followed().await;
        let from = match stream.last_field(CURSOR) {
            Some(cursor) => vec![format!("--after-cursor={cursor}"), "--no-tail".to_owned()],
            // There was none: all that is newer than the question is new.
            None => vec![format!("--since=@{}", begun.0 / 1_000_000), "--no-tail".to_owned()],
        };
        let follow = [vec!["--follow".to_owned()], from].concat();
        let mut ran = feed.run(&stream, &self.invocation(&follow), None).await?;
        // Its files were rotated away, or it was vacuumed. Entries of one time come again, and are the same ones.
        if ran.code != 0
            && ran.lines == 0
            && ran.said.to_ascii_lowercase().contains("cursor")
            && let Some(time) = stream.last_time(feed.formats())
        {
            feed.notice("the journal has its last entry no more: it goes on by time".to_owned());
            let since = format!("--since=@{}", time.0 / 1_000_000);
            let follow = ["--follow".to_owned(), since, "--no-tail".to_owned()];
            ran = feed.run(&stream, &self.invocation(&follow), None).await?;
        }
        Err(Failure::new(ErrorKind::Connect, format!("journalctl: {}", ran.said)))
    }
}
