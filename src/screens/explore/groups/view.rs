//! How they are drawn: a line a group, and below, what can be pressed.
//!
//! ```text
//!      198  SAP   /invoice/post   TaxCodeNotMapped   16:21:58 – 16:35:35   tax code <*> is not mapped for plant <*>
//!       12  Zoho  /crm/contacts   429                15:02:11 – 16:31:07   rate limit exceeded
//! 2 groups · F tells which are new · esc hides them
//! ```

use super::{Groups, SHOWN};
use crate::action::Action;
use crate::screens::shared::Shared;
use crate::tui::text::{count, day, left, put_all, right, safe, short_clock};
use crate::tui::{Canvas, Spot};
use crosstail_core::number::saturating_usize;

pub(in crate::screens::explore) fn render(groups: &Groups, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 2 {
        return;
    }
    canvas.spots.add(area, Spot::Action(Action::FAILURES));
    let last = area.bottom() - 1;
    let (system, place, kind) = if area.width < 100 { (10, 16, 8) } else { (14, (area.width / 6).min(28), 18) };
    let cell = |text: Option<&str>, columns: u16| left(&text.map_or_else(|| "–".to_owned(), safe), columns);
    let today = day(shared.zone, shared.now);
    for (y, group) in (area.y..last).zip(groups.all().iter().take(SHOWN)) {
        let of = &group.fingerprint;
        let number = right(&count(saturating_usize(group.count)), 8);
        let what = format!(
            "  {} {} {}  ",
            cell(of.system.as_deref(), system),
            cell(of.endpoint.as_deref(), place),
            cell(Some(&of.kind), kind)
        );
        let [from, to] = [group.first, group.last].map(|at| left(&short_clock(shared.zone, at, today), 8));
        let times = format!("{from} – {to}  ");
        let says = match of.pattern.text.as_str() {
            "" => "(no text)".to_owned(),
            text => safe(text),
        };
        let pieces = [
            (number.as_str(), theme.failure),
            (what.as_str(), theme.text),
            (times.as_str(), theme.dim),
            (says.as_str(), theme.text),
        ];
        put_all(canvas.buf, area.x, y, area.width, &pieces);
    }
    let all = format!("{} groups", count(groups.all().len()));
    let keys = [(Action::FAILURES, "tells which are new"), (Action::BACK, "hides them")];
    let room = area.width.saturating_sub(2);
    canvas.put_keys(area.x + 1, last, room, (all.as_str(), &keys), theme.dim);
}
