//! How it is drawn.

use super::FirstRun;
use crate::screens::shared::Shared;
use crate::tui::text::{left, put, put_all, safe};
use crate::tui::{Canvas, Part, Spot};
use crosstail_core::number::saturating_u16;
use ratatui::style::Style;

/// Commands that are for everybody.
const TRY: &[(&str, &str)] = &[
    ("crosstail demo", "live simulated traffic, nothing needed"),
    ("crosstail 'logs/*.log'", "log files, as they grow and rotate"),
    ("crosstail postgres://host/db", "a database; also MySQL, MongoDB, Elasticsearch, Kafka, SQLite"),
    ("crosstail docker:", "containers; also podman:, k8s:NAMESPACE, journald:, ssh:HOST:/PATH"),
    ("crosstail help sources", "everything that a source can be"),
];

/// With fewer columns, the texts are shorter.
const NARROW: u16 = 70;

enum Row<'a> {
    Text(&'a str, Style),
    Try(&'a str, &'a str),
    Offer(usize),
}

pub(super) fn render(screen: &FirstRun, shared: &Shared, canvas: &mut Canvas<'_>) {
    let (area, theme) = (canvas.area, canvas.look.theme);
    let file = shared.settings.config_path.as_deref().unwrap_or("~/.config/crosstail/config.toml");
    let (config, config_file) = ("c writes a commented configuration file:", format!("  {file}"));
    let offers = &shared.settings.offers;
    let is_narrow = area.width < NARROW;
    let words = |all: &'static str, few: &'static str| if is_narrow { few } else { all };
    let what = words(
        "One screen over every store that your integrations log into.",
        "One screen over the logs of your integrations.",
    );
    let mut rows = vec![Row::Text(what, theme.title)];
    let heading = |rows: &mut Vec<Row<'_>>, text: &'static str| {
        rows.extend([Row::Text("", theme.text), Row::Text(text, theme.text), Row::Text("", theme.text)]);
    };
    if !offers.is_empty() {
        heading(
            &mut rows,
            words("On this machine; nothing of it is read before you open it:", "Here; not read before you open it:"),
        );
        rows.extend((0..offers.len()).map(Row::Offer));
    }
    heading(
        &mut rows,
        if offers.is_empty() { "No source is configured. Try one of these:" } else { "Or, from the shell:" },
    );
    // What can be opened here is not said twice.
    let is_offered = |command: &str| offers.iter().any(|offer| offer.named == command);
    rows.extend(TRY.iter().filter(|(command, _)| !is_offered(command)).map(|(command, what)| Row::Try(command, what)));
    rows.extend([Row::Text("", theme.text), Row::Text(config, theme.dim), Row::Text(&config_file, theme.dim)]);
    // What does not fit is left out at the end; the blank lines go first.
    let room = usize::from(area.height);
    if rows.len() > room {
        rows.retain(|row| !matches!(row, Row::Text("", _)));
    }
    let top = area.y + area.height.saturating_sub(saturating_u16(rows.len())) / 3;
    let (x, width) = (area.x + 4, area.width.saturating_sub(5));
    let named = offers.iter().map(|offer| offer.named.as_str()).chain(TRY.iter().map(|(command, _)| *command));
    let longest = named.map(|name| saturating_u16(name.chars().count())).max().unwrap_or(0);
    let column = longest.min(width / 2) + 2;
    for (row, y) in rows.iter().take(room).zip(top..) {
        match row {
            Row::Text(text, style) => {
                put(canvas.buf, x, y, text, width, *style);
            }
            Row::Try(command, what) => {
                let pieces = [("  ", theme.text), (&*left(command, column), theme.accent), (*what, theme.dim)];
                put_all(canvas.buf, x, y, width, &pieces);
            }
            Row::Offer(index) => {
                let offer = &offers[*index];
                let is_chosen = *index == screen.line.0;
                let (named, what) = (left(&safe(&offer.named), column), safe(&offer.what));
                let sign = if is_chosen { "▸ " } else { "  " };
                put_all(canvas.buf, x, y, width, &[(sign, theme.accent), (&named, theme.accent), (&what, theme.text)]);
                canvas.choice(y, Spot::Part(Part::LINE, *index), is_chosen);
            }
        }
    }
}
