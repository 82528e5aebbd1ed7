//! Activities over time, failures at the foot of each column.

use super::Histogram;
use crate::screens::shared::Shared;
use crate::tui::Theme;
use crate::tui::text::{duration, put, right, width};
use crosstail_core::number::{saturating_i64, saturating_u16, saturating_u32, saturating_u64};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};

const EIGHTHS: [&str; 9] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

pub(in crate::screens::explore) fn render(
    panel: &Histogram,
    focused: bool,
    shared: &Shared,
    area: Rect,
    buf: &mut Buffer,
    theme: &Theme,
) {
    if area.height < 2 {
        return;
    }
    let data = &panel.data;
    let rows = area.height - 1;
    let full = u32::from(rows) * 8;
    let most = data.buckets.iter().map(|bucket| bucket.total).max().unwrap_or(0).max(1);
    let chosen = |column: usize| {
        focused
            && panel.mark.map_or(column == panel.cursor, |mark| {
                (mark.min(panel.cursor)..=mark.max(panel.cursor)).contains(&column)
            })
    };
    let without_colours = theme.bar_failure.fg.is_none_or(|colour| colour == Color::Reset);
    for (column, bucket) in data.buckets.iter().enumerate() {
        let scaled =
            |n: u32| if n == 0 { 0 } else { saturating_u32((u64::from(n) * u64::from(full) / u64::from(most)).max(1)) };
        let total = scaled(bucket.total);
        let failed = scaled(bucket.failed).min(total);
        let bar = if chosen(column) { theme.bar_chosen } else { theme.bar };
        let x = area.x + 1 + saturating_u16(column);
        for row in 0..rows {
            let base = u32::from(rows - 1 - row) * 8;
            let (t, f) = (total.saturating_sub(base).min(8) as usize, failed.saturating_sub(base).min(8) as usize);
            let foreground = |style: Style| Style { bg: None, ..style };
            let (symbol, style) = match (t, f) {
                (0, _) if panel.unknown.get(column) == Some(&true) => ("░", theme.border),
                (0, _) => (if chosen(column) && row == rows - 1 { "▁" } else { " " }, foreground(theme.bar_chosen)),
                (t, 0) => (EIGHTHS[t], foreground(bar)),
                (t, f) if f >= t => (if without_colours { "▒" } else { EIGHTHS[f] }, foreground(theme.bar_failure)),
                // The failures end in this cell: the total is its background.
                (_, f) => (EIGHTHS[f], Style { bg: bar.bg, ..theme.bar_failure }),
            };
            put(buf, x, area.y + row, symbol, 1, style);
        }
    }
    axis(panel, focused, shared, area, buf, theme);
}

fn axis(panel: &Histogram, focused: bool, shared: &Shared, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let data = &panel.data;
    let y = area.bottom() - 1;
    if data.buckets.is_empty() {
        put(buf, area.x + 1, y, "no activity yet", area.width, theme.dim);
        return;
    }
    let line = "─".repeat(area.width.saturating_sub(2) as usize);
    put(buf, area.x + 1, y, &line, area.width, theme.border);
    let columns = data.buckets.len();
    let long = data.width_us * saturating_i64(columns) > 36 * 3_600_000_000;
    let format = if long {
        " %m-%d %H:%M "
    } else if data.width_us < 1_000_000 {
        " %H:%M:%S "
    } else {
        " %H:%M "
    };
    let step = (columns / 6).max(16);
    for column in (step..columns.saturating_sub(12)).step_by(step) {
        let at = data.start.plus_us(data.width_us * saturating_i64(column)).utc().with_timezone(&shared.zone);
        put(buf, area.x + 1 + saturating_u16(column), y, &at.format(format).to_string(), 14, theme.dim);
    }
    let note = if focused {
        let bucket = data.buckets.get(panel.cursor).copied().unwrap_or_default();
        let at = data.start.plus_us(data.width_us * saturating_i64(panel.cursor)).utc().with_timezone(&shared.zone);
        let hint = if panel.mark.is_some() { "⏎ narrows" } else { "⏎ range" };
        format!(" {} · {} of {} failed · {hint} ", at.format("%m-%d %H:%M:%S"), bucket.failed, bucket.total)
    } else {
        format!(" {} a column ", duration(saturating_u64(data.width_us)))
    };
    let room = width(&note);
    put(
        buf,
        area.right().saturating_sub(room + 1),
        y,
        &right(&note, room),
        room,
        if focused { theme.accent } else { theme.dim },
    );
}
