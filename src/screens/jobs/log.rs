//! What the program did since it was started: the lines that contain what is searched for, the newest at the bottom.

use crate::action::Action;
use crate::log::{Log, LogLine};
use crate::screens::lines::Lines;
use crate::tui::TextField;
use tracing::Level;

/// The log, with the cursor on a line.
#[derive(Default)]
pub(super) struct LogPanel {
    lines: Vec<LogLine>,
    line: Lines,
    /// What is searched for.
    pub(super) field: TextField,
    /// Whether keys are text for the field.
    pub(super) is_typing: bool,
    /// Whether every query is listed, too, and not only what a person was told.
    pub(super) is_whole: bool,
    /// How many lines are left out.
    pub(super) left_out: usize,
}

impl LogPanel {
    /// Reads the log again. A cursor on the last line stays on the last line, another one on its own.
    pub(super) fn read(&mut self, log: &Log) {
        let at_end = self.line.0 + 1 >= self.lines.len();
        let before = self.current().cloned();
        let wanted = self.field.text().to_lowercase();
        self.lines = log.lines();
        let all = self.lines.len();
        match wanted.as_str() {
            // What is searched for is searched in everything.
            "" if !self.is_whole => self.lines.retain(|line| line.level < Level::DEBUG || line.is_notice()),
            "" => {}
            wanted => self.lines.retain(|line| line.to_string().to_lowercase().contains(wanted)),
        }
        self.left_out = all - self.lines.len();
        let last = self.lines.len().saturating_sub(1);
        let kept = before.filter(|_| !at_end).and_then(|line| self.lines.iter().position(|other| *other == line));
        self.line = Lines(kept.unwrap_or(last));
    }

    /// The lines, the oldest first.
    pub(super) fn lines(&self) -> &[LogLine] {
        &self.lines
    }

    /// The position of the cursor.
    pub(super) const fn cursor(&self) -> usize {
        self.line.0
    }

    /// The line under the cursor.
    pub(super) fn current(&self) -> Option<&LogLine> {
        self.lines.get(self.line.0)
    }

    /// Puts the cursor on a line, if there is one with this index.
    pub(super) const fn select(&mut self, index: usize) {
        if index < self.lines.len() {
            self.line = Lines(index);
        }
    }

    /// Moves the cursor; returns whether the action moves.
    pub(super) fn moved(&mut self, action: Action) -> bool {
        self.line.moved(action, self.lines.len())
    }

    /// Every line that is listed, as text.
    pub(super) fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::model::Timestamp;

    fn add(log: &Log, text: &str) {
        log.add(LogLine { at: Timestamp(0), level: tracing::Level::INFO, text: text.to_owned() });
    }

    #[test]
    fn the_cursor_stays_at_the_end_or_on_its_line() {
        let (log, mut panel) = (Log::default(), LogPanel::default());
        for text in ["one", "Two", "three"] {
            add(&log, text);
        }
        panel.read(&log);
        assert_eq!(panel.current().map(|line| line.text.as_str()), Some("three"));
        panel.moved(Action::UP);
        add(&log, "four");
        panel.read(&log);
        assert_eq!(panel.current().map(|line| line.text.as_str()), Some("Two"));
        panel.field.set("two", 3);
        panel.read(&log);
        assert_eq!((panel.lines().len(), panel.cursor()), (1, 0));
        assert!(panel.text().ends_with("Two\n"));
    }
}
