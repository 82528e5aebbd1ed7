//! Two exchanges side by side: their differences, section by section.

use crate::screens::explore::detail::{Detail, Loadable, SideBySide};
use crate::screens::shared::Shared;
use crate::tui::Theme;
use crate::tui::paragraph::paragraph;
use crate::tui::text::{clock, day, duration, fit, fit_difference, glyph, left, put, put_all, safe};
use crosstail_core::model::{Activity, visible_line};
use crosstail_core::number::saturating_u16;
use crosstail_engine::insight::{SectionDiff, status_meaning};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// A row: path, left value, right value. A title has no values.
struct Row {
    path: String,
    sides: Option<[(String, Style); 2]>,
    style: Style,
}

pub(super) fn render(shared: &Shared, detail: &Detail, area: Rect, buf: &mut Buffer, theme: &Theme) {
    let Some(against) = &detail.side_by_side else { return };
    put(buf, area.x + 1, area.y, &safe(&against.why), area.width, theme.dim);
    let (Some(right), compared) = (&against.right, &against.compared) else {
        let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
        let (text, style) = match &against.compared {
            Loadable::Failed(problem) => (safe(problem), theme.warning),
            _ => ("searching the stores".to_owned(), theme.pending),
        };
        paragraph(&[(text, style)], 0, body, buf);
        return;
    };
    let path = (area.width / 4).clamp(12, 34);
    let side = area.width.saturating_sub(path + 4) / 2;
    let columns = [area.x + 1, area.x + 2 + path, area.x + 3 + path + side];
    for (x, activity) in [(columns[1], &against.left), (columns[2], right)] {
        put(buf, x, area.y + 1, &left(&head(shared, activity), side), side, theme.outcome(activity));
    }
    let body = Rect { y: area.y + 2, height: area.height.saturating_sub(2), ..area };
    let rows = match compared {
        Loadable::Loading => {
            put(buf, body.x + 1, body.y, "comparing", body.width, theme.pending);
            return;
        }
        Loadable::Failed(problem) => {
            paragraph(&[(safe(problem), theme.failure)], 0, body, buf);
            return;
        }
        Loadable::Loaded(_) => rows(against, theme),
    };
    let first = detail.scroll.min(rows.len().saturating_sub(body.height as usize));
    for (index, row) in rows.iter().skip(first).take(body.height as usize).enumerate() {
        let y = body.y + saturating_u16(index);
        match &row.sides {
            None => {
                put(buf, columns[0], y, &row.path, body.width.saturating_sub(1), row.style);
            }
            Some([mine, other]) => {
                put(buf, columns[0], y, &fit(&row.path, path), path, row.style);
                let [one, two] = fit_difference([&mine.0, &other.0], side.saturating_sub(1));
                put(buf, columns[1], y, &one, side, mine.1);
                put_all(
                    buf,
                    columns[2].saturating_sub(1),
                    y,
                    side + 1,
                    &[("│", theme.border), (two.as_str(), other.1)],
                );
            }
        }
    }
}

fn head(shared: &Shared, activity: &Activity) -> String {
    let code = activity.http_status.map(|code| format!(" {code} {}", status_meaning(code).0)).unwrap_or_default();
    let outcome = activity.status.map(|status| format!(" {status}")).unwrap_or_default();
    let took = activity.took_us().map(|us| format!(" {}", duration(us))).unwrap_or_default();
    let at = clock(shared.zone, activity.started_at, day(shared.zone, shared.now));
    format!("{} {at}{outcome}{code}{took}", glyph(activity.status, activity.level))
}

fn rows(against: &SideBySide, theme: &Theme) -> Vec<Row> {
    let mut rows = Vec::new();
    let Some(comparison) = against.compared.get() else { return rows };
    for (section, finding) in &comparison.sections {
        let title = |text: String, style: Style| Row { path: text, sides: None, style };
        match finding {
            SectionDiff::Absent => rows.push(title(format!("{}: neither has any", section.name()), theme.dim)),
            SectionDiff::Same => rows.push(title(format!("{}: the same", section.name()), theme.dim)),
            SectionDiff::Differs(list, more) => {
                rows.push(title(section.name().to_owned(), theme.title));
                for difference in list {
                    let dim = difference.volatile;
                    let side = |text: &Option<String>, style: Style| match text {
                        Some(text) => (visible_line(text).into_owned(), if dim { theme.dim } else { style }),
                        None => ("not there".to_owned(), theme.dim),
                    };
                    rows.push(Row {
                        path: format!(" {}", visible_line(&difference.path)),
                        sides: Some([side(&difference.left, theme.text), side(&difference.right, theme.json_text)]),
                        style: if dim { theme.dim } else { theme.json_key },
                    });
                }
                if *more > 0 {
                    rows.push(title(format!(" … {more} more"), theme.warning));
                }
            }
        }
    }
    rows
}
