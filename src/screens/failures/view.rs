//! How it is drawn: a line a group, what is new first; below, the selected one in words.

use super::FailuresScreen;
use crate::config::marker_before;
use crate::screens::shared::Shared;
use crate::tui::paragraph::{paragraph, rows};
use crate::tui::text::{count, day, duration, fit, left, put, put_all, right, safe, short_clock, spark};
use crate::tui::{Canvas, Part, Spot, Theme};
use crosstail_core::model::Timestamp;
use crosstail_core::number::{saturating_u64, saturating_usize};
use crosstail_engine::failure::{FailureGroup, FoundFailures, State};
use ratatui::layout::Rect;
use ratatui::style::Style;

/// Lines for the selected group, where each text is one.
const SAYS: u16 = 7;

pub(super) fn render(screen: &FailuresScreen, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    if area.height < 3 {
        return;
    }
    let Some(found) = canvas.answered(screen.answer.last()) else { return };
    head(found, screen.answer.is_asked(), shared, canvas);
    if found.groups.is_empty() {
        put(canvas.buf, area.x + 2, area.y + 2, "nothing in this view has failed", area.width, theme.dim);
        return;
    }
    let told = screen.current().filter(|_| area.height >= 16).map(|group| about(group, shared, theme));
    let needed = told.iter().flatten().map(|(text, _)| rows(text, area.width)).sum::<u16>() + 1;
    let says = if told.is_some() { needed.clamp(SAYS, area.height / 2) } else { 0 };
    let columns = Columns::of(area.width, &found.groups);
    put(canvas.buf, area.x, area.y + 1, &columns.titles(), area.width, theme.dim);
    let list = Rect { y: area.y + 2, height: area.height.saturating_sub(2 + says), ..area };
    let first = (screen.line.0 + 1).saturating_sub(usize::from(list.height.max(1)));
    let span = shared.bounds();
    let (from, to) = found.span.unwrap_or_default();
    let span = (span.since.unwrap_or(from), span.until.unwrap_or(shared.now.max(to)));
    for (y, (index, group)) in (list.y..list.bottom()).zip(found.groups.iter().enumerate().skip(first)) {
        row(group, &columns, (shared, span), Rect { y, height: 1, ..list }, canvas);
        canvas.choice(y, Spot::Part(Part::LINE, index), index == screen.line.0);
    }
    if let Some(told) = told {
        let rule = "─".repeat(usize::from(area.width));
        put(canvas.buf, area.x, area.bottom() - says, &rule, area.width, theme.dim);
        paragraph(&told, 0, Rect { y: area.bottom() - says + 1, height: says - 1, ..area }, canvas.buf);
    }
}

/// How many groups and failures there are, and how far it is known what has failed before.
fn head(found: &FoundFailures, is_asking: bool, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, &canvas.look.theme);
    let of = |state: State| found.groups.iter().filter(|group| group.state == state && !group.is_muted()).count();
    let muted = found.groups.iter().filter(|group| group.is_muted()).count();
    let groups = if found.groups.len() == 1 { "group" } else { "groups" };
    let all = format!(" {} {groups} of {} failures", count(found.groups.len()), count(saturating_usize(found.count)));
    let new = format!(" · {} new", count(of(State::New)));
    let muted = if muted > 0 { format!(" · {} muted", count(muted)) } else { String::new() };
    let back = match of(State::BackAgain) {
        0 => muted,
        back => format!(" · {} back again{muted}", count(back)),
    };
    let clock = |at: Timestamp| shared.local(at).format("%m-%d %H:%M").to_string();
    let known = match found.begins {
        _ if found.is_growing => " · the past is still being written: more seems new than is".to_owned(),
        Some(begins) => format!(" · new: not before {}; the store begins {}", clock(found.fresh), clock(begins)),
        None => format!(" · new: not since {}", shared.local(found.known_from).format("%Y-%m-%d")),
    };
    let asking = if is_asking { " · the stores are asked …" } else { "" };
    let pieces = [
        (all.as_str(), theme.text),
        (new.as_str(), if of(State::New) > 0 { theme.failure } else { theme.dim }),
        (back.as_str(), theme.dim),
        (known.as_str(), theme.dim),
        (asking, theme.dim),
    ];
    put_all(canvas.buf, area.x, area.y, area.width, &pieces);
}

/// Widths of the columns; 0 leaves one out.
struct Columns {
    system: u16,
    place: u16,
    kind: u16,
    last: u16,
    entities: u16,
    organizations: u16,
    /// With little room, the endpoint says more.
    repaired: u16,
    trend: u16,
}

impl Columns {
    fn of(width: u16, groups: &[FailureGroup]) -> Self {
        let wide = |from: u16, columns: u16| if width >= from { columns } else { 0 };
        let has = |count: fn(&FailureGroup) -> usize| groups.iter().any(|group| count(group) > 0);
        Self {
            system: if width < 100 { 10 } else { 14 },
            place: wide(72, (width / 6).clamp(14, 28)),
            kind: if width < 100 { wide(72, 8) } else { 11 },
            last: wide(140, 9),
            entities: if has(|group| group.entities) { wide(130, 9) } else { 0 },
            organizations: if has(|group| group.organizations) { wide(150, 6) } else { 0 },
            repaired: if (72..100).contains(&width) { 0 } else { 9 },
            trend: wide(140, 13),
        }
    }

    fn titles(&self) -> String {
        let title =
            |name: &str, columns: u16| if columns > 0 { format!(" {}", left(name, columns)) } else { String::new() };
        let number = |name: &str, columns: u16| if columns > 0 { right(name, columns) } else { String::new() };
        [
            format!(" {} {}", left("state", 12), right("count", 7)),
            title("system", self.system),
            title("what", self.place),
            title("kind", self.kind),
            format!(" {}", left("since", 8)),
            title("last", self.last.saturating_sub(1)),
            number("entities", self.entities),
            number("orgs", self.organizations),
            number("repaired", self.repaired),
            title("trend", self.trend.saturating_sub(1)),
            "  says".to_owned(),
        ]
        .concat()
    }
}

/// A sign, so that a state is not told by its colour alone, and the style.
fn sign(group: &FailureGroup, theme: &Theme) -> (&'static str, Style) {
    match group.state {
        _ if group.is_muted() => ("–", theme.dim),
        State::New => ("+", theme.failure),
        State::BackAgain => ("↺", theme.warning),
        State::Ongoing => ("·", theme.text),
        State::Quiet => ("✓", theme.dim),
    }
}

fn row(
    group: &FailureGroup,
    columns: &Columns,
    (shared, span): (&Shared, (Timestamp, Timestamp)),
    area: Rect,
    canvas: &mut Canvas<'_>,
) {
    let theme = &canvas.look.theme;
    let (sign, style) = sign(group, theme);
    let text = if group.is_muted() { theme.dim } else { theme.text };
    let today = day(shared.zone, shared.now);
    let of = &group.fingerprint;
    let cell = |text: Option<&str>, columns: u16| match columns {
        0 => String::new(),
        columns => format!(" {}", left(&fit(&text.map_or_else(|| "–".to_owned(), safe), columns), columns)),
    };
    let number = |n: usize, columns: u16| match (columns, n) {
        (0, _) => String::new(),
        (columns, 0) => right("–", columns),
        (columns, n) => right(&count(n), columns),
    };
    let clock = |at: Timestamp| short_clock(shared.zone, at, today);
    let state = if group.is_muted() { "muted" } else { group.state.words() };
    let middle = [
        format!(" {}", right(&count(saturating_usize(group.count)), 7)),
        cell(of.system.as_deref(), columns.system),
        cell(of.endpoint.as_deref(), columns.place),
        cell(Some(&of.kind), columns.kind),
        format!(" {}", left(&clock(group.began), 8)),
        if columns.last > 0 { format!(" {}", left(&clock(group.last), 8)) } else { String::new() },
        number(group.entities, columns.entities),
        number(group.organizations, columns.organizations),
        match columns.repaired {
            0 => String::new(),
            wide => right(
                &group.repair().map_or_else(|| "–".to_owned(), |(share, _)| format!("{:.0} %", 100.0 * share)),
                wide,
            ),
        },
    ]
    .concat();
    let trend = match columns.trend {
        0 => String::new(),
        wide => format!(" {}", left(&spark(&group.trend.columns(span.0, span.1, usize::from(wide - 1))), wide - 1)),
    };
    let note = if group.remark.note.is_empty() { String::new() } else { format!("  # {}", safe(&group.remark.note)) };
    let said = format!("  {}", said(group));
    let state = format!(" {sign} {}", left(state, 10));
    let pieces = [
        (state.as_str(), style),
        (middle.as_str(), text),
        (trend.as_str(), theme.accent),
        (said.as_str(), text),
        (note.as_str(), theme.accent),
    ];
    put_all(canvas.buf, area.x, area.y, area.width, &pieces);
}

fn said(group: &FailureGroup) -> String {
    match group.fingerprint.pattern.text.as_str() {
        "" => "(no text)".to_owned(),
        text => safe(text),
    }
}

/// What was marked shortly before a group began.
fn marked(group: &FailureGroup, shared: &Shared) -> String {
    let marker = group.has_begun().then(|| marker_before(&shared.markers, group.began, 0)).flatten();
    marker.map_or_else(String::new, |marker| {
        let after = duration(saturating_u64(group.began.since_us(marker.at)));
        format!("began {after} after ◆ {} · ", safe(&marker.text))
    })
}

/// The selected group in words.
fn about(group: &FailureGroup, shared: &Shared, theme: &Theme) -> [(String, Style); 5] {
    let today = day(shared.zone, shared.now);
    let clock = |at: Timestamp| short_clock(shared.zone, at, today);
    let since = match (group.state, group.before) {
        (State::New, _) => format!("new since {}", clock(group.began)),
        (State::BackAgain, Some(before)) => {
            format!("back again since {}, silent since {}", clock(group.began), clock(before))
        }
        (State::Quiet, _) => format!("quiet since {}", clock(group.last)),
        _ => format!("ongoing, here since {}", clock(group.began)),
    };
    let some = |n: usize, one: &str, several: &str| match n {
        0 => String::new(),
        1 => format!(" · 1 {one}"),
        n => format!(" · {} {several}", count(n)),
    };
    let many = format!(
        "{}{}{} · last {}",
        some(saturating_usize(group.count), "failure", "failures").trim_start_matches(" · "),
        some(group.entities, "entity", "entities"),
        some(group.organizations, "organisation", "organisations"),
        clock(group.last),
    );
    let repair = match group.repair() {
        None => "no retry is known".to_owned(),
        Some((0.0, known)) => format!("retries repaired none of {}", count(saturating_usize(known))),
        Some((share, known)) => {
            format!("retries repaired {:.0} % of {}", 100.0 * share, count(saturating_usize(known)))
        }
    };
    let [_, _, waiting, running, unknown] = group.outcomes.map(saturating_usize);
    let of_some = |number: usize, what: &str| match number {
        0 => String::new(),
        number => format!(" · {} {what}", count(number)),
    };
    let waiting = of_some(waiting + running, "waiting for one") + &of_some(unknown, "not known");
    let of = &group.fingerprint;
    let place = [of.system.as_deref(), of.endpoint.as_deref(), Some(of.kind.as_str()), of.frame.as_deref()];
    let place = place.into_iter().flatten().map(safe).collect::<Vec<_>>().join(" · ");
    let example = group.example.said().map(safe).unwrap_or_default();
    let note = match group.remark.note.as_str() {
        "" => format!("group {}", of.id()),
        note => format!("# {}", safe(note)),
    };
    [
        (format!("{}   {place}", said(group)), theme.title),
        (format!("{since} · {many}"), theme.text),
        (format!("{}{repair}{waiting}", marked(group, shared)), theme.text),
        (format!("for example {example}"), theme.dim),
        (note, theme.accent),
    ]
}
