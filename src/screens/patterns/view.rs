//! How it is drawn: a line a pattern; or a line a value of what varies in one.

use super::{PatternsScreen, Values};
use crate::screens::shared::Shared;
use crate::tui::text::{count, day, fit, left, put, put_all, right, safe, short_clock, spark};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::mask::ANY;
use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_u16, saturating_usize, truncated_usize};
use crosstail_engine::pattern::{FoundPattern, FoundPatterns};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines for the selected pattern.
const SAYS: u16 = 4;

pub(super) fn render(screen: &PatternsScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 4 {
        return;
    }
    if let Some(values) = &screen.values {
        return render_values(values, canvas);
    }
    let Some(found) = canvas.answered(screen.answer.last()) else { return };
    let asking = if screen.answer.is_asked() { " · the stores are asked …" } else { "" };
    let without = match found.without_text {
        0 => String::new(),
        n => format!(" · {} without a message", count(saturating_usize(n))),
    };
    let patterns = if found.patterns.len() == 1 { "pattern" } else { "patterns" };
    let all =
        format!(" {} {patterns} of {} activities", count(found.patterns.len()), count(saturating_usize(found.total())));
    let clock = |at: Timestamp| shared.local(at).format("%m-%d %H:%M").to_string();
    let sampled = found.sampled.map_or_else(String::new, |sampled| {
        format!(" · before {} only {} were read", clock(sampled.until), count(saturating_usize(sampled.read)))
    });
    let head =
        [(all.as_str(), theme.text), (sampled.as_str(), theme.dim), (without.as_str(), theme.dim), (asking, theme.dim)];
    put_all(canvas.buf, area.x, area.y, area.width, &head);
    if found.patterns.is_empty() {
        put(canvas.buf, area.x + 2, area.y + 2, "no message and no error in this view", area.width, theme.dim);
        return;
    }
    let says = if area.height >= 14 { SAYS } else { 0 };
    let columns = Columns::of(area.width);
    put(canvas.buf, area.x, area.y + 1, &columns.titles(), area.width, theme.dim);
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + says), ..area };
    let first = (screen.line.0 + 1).saturating_sub(usize::from(list.height.max(1)));
    for (y, (index, one)) in (list.y..list.bottom()).zip(found.patterns.iter().enumerate().skip(first)) {
        let line = Rect { y, height: 1, ..list };
        row(one, &columns, (shared, found), line, canvas);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
    if let Some(one) = screen.current().filter(|_| says > 0) {
        about(one, Rect { y: area.bottom() - says, height: says, ..area }, canvas);
    }
}

/// Widths of the columns; 0 leaves one out.
struct Columns {
    share: u16,
    times: u16,
    trend: u16,
    id: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let wide = |from: u16, columns: u16| if width >= from { columns } else { 0 };
        Self { share: 8, times: wide(100, 9), trend: wide(90, 17), id: wide(120, 9) }
    }

    fn titles(&self) -> String {
        let title = |name: &str, columns: u16| {
            if columns > 0 { format!(" {}", left(name, columns - 1)) } else { String::new() }
        };
        [
            format!(" {}", right("count", 8)),
            right("share", self.share),
            right("failed", 8),
            title(" first", self.times),
            title(" last", self.times),
            title(" trend", self.trend),
            title(" id", self.id),
            "  pattern".to_owned(),
        ]
        .concat()
    }
}

fn row(
    one: &FoundPattern,
    columns: &Columns,
    (shared, found): (&Shared, &FoundPatterns),
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    let theme = &canvas.look.theme;
    let (tally, today) = (&one.tally, day(shared.zone, shared.now));
    let clock = |at: Timestamp| match columns.times {
        0 => String::new(),
        wide => format!(" {}", left(&short_clock(shared.zone, at, today), wide - 1)),
    };
    let share = 100.0 * tally.count as f64 / found.total().max(1) as f64;
    let numbers = format!(
        " {}{}",
        right(&count(saturating_usize(tally.count)), 8),
        right(&format!("{share:.1} %"), columns.share)
    );
    let failed = match tally.failed {
        0 => right("–", 8),
        n => right(&format!("{}✗", count(saturating_usize(n))), 8),
    };
    let bounds = shared.bounds();
    let (from, to) = found.span.unwrap_or_default();
    let (from, to) = (bounds.since.unwrap_or(from), bounds.until.unwrap_or(shared.now.max(to)));
    let trend = match columns.trend {
        0 => String::new(),
        wide => format!(" {}", left(&spark(&tally.trend.columns(from, to, usize::from(wide - 1))), wide - 1)),
    };
    let id =
        if columns.id > 0 { format!(" {}", left(one.id().unwrap_or("–"), columns.id - 1)) } else { String::new() };
    let text = format!("  {}", safe(&one.pattern.text));
    let times = format!("{}{}", clock(tally.first), clock(tally.last));
    let pieces = [
        (numbers.as_str(), theme.text),
        (failed.as_str(), if tally.failed > 0 { theme.failure } else { theme.dim }),
        (times.as_str(), theme.dim),
        (trend.as_str(), theme.accent),
        (id.as_str(), theme.dim),
        (text.as_str(), theme.text),
    ];
    put_all(canvas.buf, area.x, area.y, area.width, &pieces);
}

/// The selected pattern whole, with an example.
fn about(one: &FoundPattern, area: Rect, canvas: &mut Canvas<'_>) {
    let theme = &canvas.look.theme;
    let rule = "─".repeat(usize::from(area.width));
    put(canvas.buf, area.x, area.y, &rule, area.width, theme.dim);
    let example = one.tally.example.said().map(safe).unwrap_or_default();
    let texts: [(String, Style); 2] =
        [(safe(&one.pattern.text), theme.title), (format!("for example {example}"), theme.dim)];
    for (index, (text, style)) in texts.iter().enumerate() {
        let y = area.y + 1 + saturating_u16(index);
        put(canvas.buf, area.x + 1, y, &fit(text, area.width.saturating_sub(2)), area.width.saturating_sub(2), *style);
    }
}

/// The values of one gap, the most frequent first.
fn render_values(values: &Values, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    // The gap that is shown stands out among the words.
    let (mut x, mut number) = (area.x + 1, 0);
    for word in values.of.pattern.text.split(' ') {
        let is_gap = word.contains(ANY);
        let style = if is_gap && number == values.gap { theme.selected } else { theme.title };
        number += usize::from(is_gap);
        let text = format!("{} ", safe(word));
        x = put(canvas.buf, x, area.y, &text, area.right().saturating_sub(x), style);
    }
    let gap = match &values.found {
        None => Err("the stores are asked …".to_owned()),
        Some(Err(problem)) => Err(safe(problem)),
        Some(Ok(_)) => values.gap().ok_or_else(|| "nothing varies in it".to_owned()),
    };
    let gap = match gap {
        Ok(gap) => gap,
        Err(text) => {
            put(canvas.buf, area.x + 1, area.y + 2, &fit(&text, area.width), area.width, theme.dim);
            return;
        }
    };
    let of = format!(
        " {}{} values of {} activities · gap {} of {}",
        count(gap.values.len()),
        if gap.is_cut { "+" } else { "" },
        count(saturating_usize(gap.count)),
        values.gap + 1,
        values.gaps().len()
    );
    put(canvas.buf, area.x, area.y + 1, &of, area.width, theme.dim);
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let first = (values.line.0 + 1).saturating_sub(usize::from(list.height.max(1)));
    let most = gap.values.first().map_or(1, |(_, n)| *n).max(1);
    for (y, (index, (value, n))) in (list.y..list.bottom()).zip(gap.values.iter().enumerate().skip(first)) {
        let share = 100.0 * *n as f64 / gap.count.max(1) as f64;
        let bar = "█".repeat(truncated_usize(16.0 * *n as f64 / most as f64));
        let numbers = format!(" {}{} ", right(&count(saturating_usize(*n)), 8), right(&format!("{share:.1} %"), 8));
        let value = format!(" {}", safe(value));
        let pieces = [(numbers.as_str(), theme.text), (&*left(&bar, 16), theme.accent), (&*value, theme.text)];
        put_all(canvas.buf, area.x, y, area.width, &pieces);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == values.line.0);
    }
}
