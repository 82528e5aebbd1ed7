//! The HTML page of a report: readable in any browser without a network, in light and dark mode, and on paper.

use super::{Cell, Chart, Report, Table};
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2330; --dim: #667085; --line: #d8dde6; --paper: #fff; --bar: #4c78b8; --bad: #c0392b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e7ec; --dim: #98a2b3; --line: #344054; --paper: #14181f; --bar: #6f9fe0; --bad: #ef6a5b; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 72rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; } h2 { font-size: 1.1rem; margin: 2.5rem 0 .5rem; }
.about { color: var(--dim); margin: 0; } table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--dim); font-weight: 600; } .n { text-align: right; white-space: nowrap; } .bad { color: var(--bad); }
svg { width: 100%; height: auto; margin: .5rem 0 1rem; } svg text { fill: var(--ink); font: 12px system-ui, sans-serif; }
svg .dim { fill: var(--dim); } svg .bar { fill: var(--bar); } svg .part { fill: var(--bad); } footer { color: var(--dim); margin-top: 3rem; }
";

/// Maximum number of bars in a chart.
const BARS: usize = 20;
const WIDTH: f64 = 1000.0;

/// Formats a number with thousands separators and at most two decimals.
fn number(n: f64) -> String {
    crosstail_core::model::Unit::Count.text((n * 100.0).round() / 100.0)
}

fn cell(column: &str, cell: &Cell) -> Markup {
    match cell {
        Cell::None => html! { td.n { "–" } },
        Cell::Text(text) => html! { td { (text) } },
        Cell::Number(n) if column == "failed" && *n > 0.0 => html! { td.n.bad { (number(*n)) } },
        Cell::Number(n) => html! { td.n { (number(*n)) } },
    }
}

pub(super) fn page(report: &Report) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (report.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (report.title) }
                @for line in &report.about { p.about { (line) } }
                @for table in &report.tables { (section(table)) }
                footer { "made by crosstail at " (report.made_at.rfc3339()) }
            }
        }
    };
    page.into_string()
}

fn section(table: &Table) -> Markup {
    let numeric = |index: usize| table.rows.iter().any(|row| matches!(row.get(index), Some(Cell::Number(_))));
    html! {
        h2 { (table.title) }
        @if table.rows.is_empty() {
            p.about { "nothing in this time" }
        } @else {
            @match table.chart {
                Some(Chart::Bars(value, part)) => (bars(table, value, part)),
                Some(Chart::Columns(value, part)) => (columns(table, value, part)),
                None => {},
            }
            table {
                thead { tr {
                    @for (index, column) in table.columns.iter().enumerate() {
                        th.n[numeric(index)] { (column.replace('_', " ")) }
                    }
                } }
                tbody {
                    @for row in &table.rows { tr {
                        @for (column, value) in table.columns.iter().zip(row) { (cell(column, value)) }
                    } }
                }
            }
        }
    }
}

/// The values of a chart: name, number, and the part of it to mark.
fn values(table: &Table, value: &str, part: Option<&str>) -> Vec<(String, f64, f64)> {
    let (Some(value), part) = (table.column(value), part.and_then(|part| table.column(part))) else {
        return Vec::new();
    };
    let name = |row: &[Cell]| {
        let texts = row.iter().map_while(|cell| match cell {
            Cell::Text(text) => Some(text.as_str()),
            Cell::None => Some("–"),
            Cell::Number(_) => None,
        });
        texts.collect::<Vec<_>>().join(" · ")
    };
    let of = |row: &Vec<Cell>| {
        let part = part.and_then(|part| row.get(part)?.number()).unwrap_or(0.0);
        Some((name(row), row.get(value)?.number()?, part))
    };
    table.rows.iter().filter_map(of).collect()
}

fn bars(table: &Table, value: &str, part: Option<&str>) -> Markup {
    let mut values = values(table, value, part);
    values.truncate(BARS);
    let most = values.iter().map(|(_, n, _)| *n).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let width = |n: f64| 620.0 * (n / most).clamp(0.0, 1.0);
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (values.len() * 24 + 8) } role="img" aria-label={ (table.title) " by " (value) } {
            @for (index, (name, n, part)) in values.iter().enumerate() {
                @let y = index * 24 + 4;
                @let short: String = name.chars().take(36).collect();
                text x="250" y=(y + 14) text-anchor="end" { (short) title { (name) } }
                rect.bar x="260" y=(y) width=(format!("{:.1}", width(*n))) height="18" {}
                rect.part x="260" y=(y) width=(format!("{:.1}", width(*part))) height="18" {}
                text.dim x=(format!("{:.1}", 266.0 + width(*n))) y=(y + 14) { (number(*n)) }
            }
        }
    }
}

fn columns(table: &Table, value: &str, part: Option<&str>) -> Markup {
    let values = values(table, value, part);
    let most = values.iter().map(|(_, n, _)| *n).fold(0.0, f64::max).max(f64::MIN_POSITIVE);
    let step = WIDTH / values.len().max(1) as f64;
    let height = |n: f64| 160.0 * (n / most).clamp(0.0, 1.0);
    let bar = |index: usize, n: f64| {
        let (x, y) = (index as f64 * step, 180.0 - height(n));
        (format!("{x:.1}"), format!("{y:.1}"), format!("{:.1}", (step - 1.0).max(0.5)), format!("{:.1}", height(n)))
    };
    html! {
        svg viewBox={ "0 0 " (WIDTH) " 200" } role="img" aria-label={ (table.title) } {
            text.dim x="0" y="12" { (number(most)) }
            @for (index, (name, n, part)) in values.iter().enumerate() {
                @let (x, y, width, height) = bar(index, *n);
                rect.bar x=(x) y=(y) width=(width) height=(height) { title { (name) ": " (number(*n)) } }
                @let (x, y, width, height) = bar(index, *part);
                rect.part x=(x) y=(y) width=(width) height=(height) {}
            }
            @if let (Some(first), Some(last)) = (values.first(), values.last()) {
                text.dim x="0" y="196" { (first.0) }
                text.dim x=(WIDTH) y="196" text-anchor="end" { (last.0) }
            }
        }
    }
}
