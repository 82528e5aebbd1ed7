//! Why the list is empty, and what to press.

use crate::absent;
use crate::action::Action;
use crate::ingest::SourceStatus;
use crate::screens::explore::Explore;
use crate::screens::global;
use crate::screens::shared::{Shared, failing};
use crate::tui::paragraph::paragraph;
use crate::tui::text::{count, safe};
use crate::tui::{Canvas, Context, Theme};
use crosstail_core::number::saturating_usize;
use crosstail_source::pump::SourceState as Source;
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines, each in its style; they wrap.
type Lines = Vec<(String, Style)>;

pub(super) fn render(explore: &Explore, shared: &Shared, area: Rect, canvas: &mut Canvas<'_>) {
    let mut lines = why(explore, shared, canvas);
    if global::leads_to_first_page(shared) {
        let back = canvas.look.keymap.first_key(Context::GLOBAL, Action::BACK);
        lines.push((format!("{back} goes back to the first page"), canvas.look.theme.dim));
    }
    let area = Rect { x: area.x + 1, y: area.y + 1, width: area.width.saturating_sub(1), ..area };
    paragraph(&lines, 0, Rect { height: area.height.saturating_sub(1), ..area }, canvas.buf);
}

/// What to press where a filter keeps nothing.
fn change_filter(key: impl Fn(Action) -> String) -> String {
    let (back, all) = (key(Action::VIEW_BACK), key(Action::CLEAR_FILTER));
    format!("{back} goes back, {all} shows everything, {} changes the filter", key(Action::FILTER))
}

/// What may be there and cannot be found.
fn limits(source: &SourceStatus) -> Option<String> {
    Some(format!("{}: {}", safe(&source.name), safe(source.probe.as_ref()?.limits.as_ref()?)))
}

fn why(explore: &Explore, shared: &Shared, canvas: &Canvas<'_>) -> Lines {
    let (sources, theme) = (&shared.sources, &canvas.look.theme);
    let key = |action| canvas.look.keymap.first_key(Context::GLOBAL, action);
    let dim = |text: String| (text, theme.dim);
    let more = dim(format!("{}: more about the sources", key(Action::SOURCES)));
    if SourceStatus::any_busy(sources) {
        return sources.iter().flat_map(|source| doing(source, shared, theme)).collect();
    }
    let failed = sources.iter().filter(|source| failing(source, shared.now).is_some());
    let mut lines: Lines = failed.flat_map(|source| doing(source, shared, theme)).collect();
    if !lines.is_empty() {
        if sources.len() > 1 {
            lines.push(dim("what was read of the other sources holds nothing here".to_owned()));
        }
        lines.push(more);
    } else if explore.is_searching() {
        lines.push(dim(format!("searching the stores; {} ends it", key(Action::BACK))));
    } else if let Some(text) = explore.beyond(shared) {
        lines.push(dim(text));
        let (range, longer) = (key(Action::RANGE), key(Action::ZOOM_OUT));
        lines.push(dim(format!("{range} chooses another range, {longer} a longer one")));
        if !shared.filter.is_all() {
            lines.push(dim(change_filter(key)));
        }
        lines.extend(sources.iter().filter_map(limits).map(dim));
    } else if shared.store.is_empty() {
        lines.extend(nothing_yet(sources, theme));
        lines.push(more);
    } else {
        lines.push(("nothing matches this filter".to_owned(), theme.text));
        if let Some(text) = shared.filter.plain_text() {
            let open = key(Action::OPEN);
            lines
                .push(dim(format!("stacks and payloads were not searched; {open} searches them for '{}'", safe(text))));
        }
        lines.push(dim(change_filter(key)));
        lines.extend(sources.iter().filter_map(limits).map(dim));
    }
    lines
}

/// What a source is doing; of one that fails, why, and when it is tried again.
fn doing(source: &SourceStatus, shared: &Shared, theme: &Theme) -> Lines {
    let said = |text: &str| vec![(format!("{}: {text}", safe(&source.name)), theme.dim)];
    match &source.state {
        Source::Connecting => said("connecting"),
        Source::Loading => said(&format!("loading, {} so far", count(saturating_usize(source.received)))),
        Source::Live => said("live"),
        Source::Ended => said("ended"),
        Source::Waiting { .. } | Source::Failed { .. } => {
            let Some(failing) = failing(source, shared.now) else { return Vec::new() };
            let named = format!("{}: {}", safe(&source.name), failing.why);
            let then = [failing.next, failing.help].into_iter().flatten().collect::<Vec<_>>().join(" · ");
            let then = (!then.is_empty()).then_some((then, theme.dim));
            [(named, theme.failure)].into_iter().chain(then).collect()
        }
    }
}

/// Where nothing has come yet: what is not there, or what is waited for.
fn nothing_yet(sources: &[SourceStatus], theme: &Theme) -> Lines {
    let missing = sources.iter().flat_map(SourceStatus::missing);
    let mut lines: Lines = missing.map(|missing| (safe(&absent::said(missing)), theme.warning)).collect();
    lines.push(match lines.len() {
        0 => ("nothing yet; activities appear here as they arrive".to_owned(), theme.dim),
        1 => ("it is read as soon as it is there".to_owned(), theme.dim),
        _ => ("they are read as soon as they are there".to_owned(), theme.dim),
    });
    let probed =
        |source: &SourceStatus| Some(format!("{}: {}", safe(&source.name), safe(&source.probe.as_ref()?.server)));
    let there = sources.iter().filter(|source| source.missing().is_empty()).filter_map(probed);
    lines.extend(there.chain(sources.iter().filter_map(limits)).map(|text| (text, theme.dim)));
    lines
}
