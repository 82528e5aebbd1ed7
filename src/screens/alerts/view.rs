//! Alerts of rules and of stores in one list, with the details of the selected one below.

use super::Alerts;
use crate::screens::shared::{AlertLine, AlertOrigin, LineState, Shared};
use crate::tui::Theme;
use crate::tui::paragraph::{paragraph, rows};
use crate::tui::text::{ago, count, full_time, left, put, put_all, right, safe};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::alerting::Severity;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines for the details of the selected alert, where each text is one.
const SAYS: u16 = 6;
/// Columns below which the sign alone says the state.
const NARROW: u16 = 80;

pub(super) fn render(screen: &Alerts, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let buf = &mut *canvas.buf;
    let lines = &shared.alerts.lines;
    let of = |shown: LineState| lines.iter().filter(|line| line.state == shown).count();
    let rules = shared.alerts.alerting.rules.len();
    let head = [
        (
            format!(" {} firing", count(of(LineState::Firing))),
            if of(LineState::Firing) > 0 { theme.failure } else { theme.dim },
        ),
        (format!(" · {} pending · {} acknowledged", of(LineState::Pending), of(LineState::Acknowledged)), theme.dim),
        (format!(" · {} resolved · {rules} rules every 10 s", of(LineState::Resolved)), theme.dim),
    ];
    let head: Vec<(&str, Style)> = head.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    put_all(buf, area.x, area.y, area.width, &head);
    if lines.is_empty() {
        let none = if shared.alerts.alerting.has_started() {
            "no alerts, neither from rules nor in stores"
        } else {
            "the rules are not evaluated yet: the newest activities are being read"
        };
        put(buf, area.x + 2, area.y + 2, none, area.width, theme.dim);
        return;
    }
    let told = lines.get(screen.line.0).filter(|_| area.height >= 14).map(|line| about(shared, line, theme));
    let needed = told.iter().flatten().map(|(text, _)| rows(text, area.width)).sum::<u16>() + 1;
    let says = if told.is_some() { needed.clamp(SAYS, area.height / 2) } else { 0 };
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + says), ..area };
    // Rules do not escalate, some stores' alerts do.
    let escalates = lines.iter().any(|line| line.escalation > 0);
    let titles = format!(
        " {} {} {} {}{}  {}",
        left("  severity", 11),
        left("state", if area.width < NARROW { 0 } else { 13 }),
        right("age", 7),
        if escalates { right("esc ", 5) } else { String::new() },
        left(" of", of_columns(area.width) + 1),
        "what"
    );
    put(buf, area.x, area.y + 1, &titles, area.width, theme.dim);
    let height = list.height.max(1) as usize;
    let first = (screen.line.0 + 1).saturating_sub(height);
    for (index, line) in lines.iter().enumerate().skip(first).take(height) {
        let y = list.y + saturating_u16(index - first);
        row(shared, line, escalates, Rect { y, height: 1, ..list }, canvas.buf, theme);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
    if let Some(told) = told {
        let rule = "─".repeat(area.width as usize);
        put(canvas.buf, area.x, area.bottom() - says, &rule, area.width, theme.dim);
        let below = Rect { y: area.bottom() - says + 1, height: says - 1, ..area };
        paragraph(&told, 0, below, canvas.buf);
    }
}

/// Columns for what an alert is about.
const fn of_columns(width: u16) -> u16 {
    if width < 120 { 15 } else { 28 }
}

fn style_of(line: &AlertLine, theme: &Theme) -> (&'static str, Style) {
    match (line.state, line.severity) {
        (LineState::Resolved, _) => ("✓", theme.dim),
        (LineState::Acknowledged, _) => ("◌", theme.dim),
        (LineState::Pending, _) => ("…", theme.pending),
        (LineState::Firing, Severity::Critical) => ("✗", theme.failure),
        (LineState::Firing, Severity::Warning) => ("▲", theme.warning),
        (LineState::Firing, Severity::Info) => ("·", theme.text),
    }
}

fn row(shared: &Shared, line: &AlertLine, escalates: bool, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let (glyph, style) = style_of(line, theme);
    let shown = if line.silenced { "silenced" } else { line.state.as_str() };
    let text = if line.state == LineState::Resolved { theme.dim } else { theme.text };
    let escalation = match line.escalation {
        _ if !escalates => String::new(),
        0 => right("", 5),
        level => right(&format!("{level} "), 5),
    };
    let until = line.ended.unwrap_or(shared.now);
    let what = match &line.origin {
        AlertOrigin::Rule(_) => safe(&line.reason),
        AlertOrigin::Stored(_) => safe(&line.title),
    };
    let state = left(shown, if area.width < NARROW { 0 } else { 13 });
    let pieces = [
        (format!(" {glyph} {} {state} ", left(line.severity_word, 9)), style),
        (format!("{} {escalation}", right(&ago(until.since_us(line.since)), 7)), theme.dim),
        (format!(" {} ", left(&safe(&line.group), of_columns(area.width))), text),
        (what, text),
    ];
    let pieces: Vec<(&str, Style)> = pieces.iter().map(|(text, style)| (text.as_str(), *style)).collect();
    put_all(buf, area.x, area.y, area.width, &pieces);
}

/// The details of an alert.
fn about(shared: &Shared, line: &AlertLine, theme: &Theme) -> [(String, Style); 4] {
    let from = match &line.origin {
        AlertOrigin::Rule(rule) => format!("rule {rule}"),
        AlertOrigin::Stored(alert) => {
            let places: Vec<String> = alert.places.iter().map(|place| place.label(shared.store.names())).collect();
            format!("in {}", safe(&places.join(", ")))
        }
    };
    let until = line.ended.map(|at| format!(" … {}", full_time(shared.zone, at))).unwrap_or_default();
    let who = line.who.as_deref().map(|who| format!(" · acknowledged by {}", safe(who))).unwrap_or_default();
    [
        (format!("{} · {}", safe(&line.title), from), theme.title),
        (safe(&line.reason), theme.text),
        (format!("{}{until}{who}", full_time(shared.zone, line.since)), theme.dim),
        (format!("shows {}", safe(&line.filter)), theme.dim),
    ]
}
