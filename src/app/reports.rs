//! Reports of the current screen.

use super::health::reading;
use super::{AlertOrigin, AppState, Screen, Section};
use crosstail_core::filter::Filter;
use crosstail_core::model::{Figures, Timestamp};
use crosstail_core::number::saturating_i64;
use crosstail_engine::insight::{HealthFigures, SystemHealth};
use crosstail_export::{Cell, Chart, Report, ReportKind, Table};
use crosstail_source::Groups;
use std::collections::BTreeMap;

/// The report of the current screen.
pub(super) fn of_screen(state: &AppState) -> Report {
    let (title, tables) = match state.screen {
        Screen::Health => ("Health of the systems".to_owned(), vec![health(state)]),
        Screen::System => {
            let name = state.system.as_ref().map(|view| view.system.clone()).unwrap_or_default();
            (format!("Health of {name}"), system(state))
        }
        Screen::Alerts => ("Alerts".to_owned(), vec![alerts(state)]),
        _ => ("Integration activity".to_owned(), activity(state)),
    };
    let sources: Vec<&str> = state.sources.iter().map(|source| source.name.as_str()).collect();
    let mut about = vec![format!("sources: {}", sources.join(", "))];
    match state.screen {
        Screen::Health | Screen::System => {
            let from = state.now.plus_us(-state.health.window_us());
            about.push(format!("time: {} … {}", from.rfc3339(), state.now.rfc3339()));
        }
        Screen::Alerts => {}
        _ => {
            let rows = state.store.rows();
            let at = |row: Option<&u32>| row.map(|row| state.store.started(*row).rfc3339()).unwrap_or_default();
            let filter = state.filter.applied.text();
            about.push(format!("filter: {}", if filter.is_empty() { "everything" } else { filter }));
            about.push(format!("time: {} … {}", at(rows.first()), at(rows.last())));
        }
    }
    let about = about
        .iter()
        .map(|line| crosstail_core::model::visible_line(&crosstail_core::model::redact_text(line)).into_owned());
    Report { title, about: about.collect(), made_at: state.now, tables }
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|name| (*name).to_owned()).collect()
}

fn health(state: &AppState) -> Table {
    let row = |system: &SystemHealth| {
        let q = |q| Cell::from(system.figures.latencies.quantile_ms(q));
        let errors: Vec<String> = system.errors.iter().map(|(kind, n)| format!("{kind} ×{n}")).collect();
        vec![
            Cell::text(&system.system),
            Cell::text(system.state.as_str()),
            Cell::text(&system.reason),
            Cell::count(system.figures.count),
            Cell::count(system.figures.failed),
            Cell::count(system.figures.open),
            Cell::from(system.success()),
            Cell::from(system.success_before),
            Cell::Number(system.rate),
            q(0.5),
            q(0.95),
            q(0.99),
            Cell::text(&errors.join(", ")),
            Cell::count(system.pending),
            Cell::from(system.oldest_pending),
            Cell::from(system.last_success),
            Cell::from(system.last_failure),
        ]
    };
    let systems = state.health.health.iter().flat_map(|health| &health.systems);
    Table {
        name: "systems".to_owned(),
        title: "Systems, worst first".to_owned(),
        columns: names(&[
            "system",
            "state",
            "reason",
            "count",
            "failed",
            "in_progress",
            "success_rate",
            "success_rate_before",
            "rate_per_second",
            "p50_ms",
            "p95_ms",
            "p99_ms",
            "errors",
            "pending_retries",
            "oldest_pending",
            "last_success",
            "last_failure",
        ]),
        rows: systems.map(row).collect(),
        chart: Some(Chart::Bars("count", Some("failed"))),
    }
}

fn system(state: &AppState) -> Vec<Table> {
    let Some(view) = &state.system else { return Vec::new() };
    let section = |section: Section, name: &str, title: &str, field: &str, chart: Chart| {
        let keyed: Vec<(Vec<Option<String>>, &Figures)> =
            view.of(section).map(|(_, entry)| (vec![Some(entry.name.clone())], &entry.figures)).collect();
        let groups = keyed.iter().map(|(key, figures)| (key.as_slice(), *figures));
        Table::of_figures((name, title), &names(&[field]), groups, Some(chart))
    };
    let window = state.health.window_us();
    let columns = saturating_i64(view.trend.len().max(1));
    let trend = view.trend.iter().enumerate().map(|(index, (count, finished, failed))| {
        let at = view.since.plus_us(window * saturating_i64(index) / columns);
        let share = (*finished > 0).then(|| 100.0 * *failed as f64 / *finished as f64);
        vec![Cell::from(Some(at)), Cell::count(*count), Cell::count(*failed), Cell::from(share)]
    });
    vec![
        section(Section::Endpoints, "endpoints", "Endpoints", "endpoint", Chart::Bars("count", Some("failed"))),
        section(Section::Errors, "errors", "Errors by kind", "error", Chart::Bars("count", None)),
        section(Section::Spans, "response_times", "Response times", "span", Chart::Bars("count", None)),
        section(Section::Active, "most_active", "Most active", "operation", Chart::Bars("count", Some("failed"))),
        Table {
            name: "error_trend".to_owned(),
            title: "Throughput and errors over time".to_owned(),
            columns: names(&["time", "count", "failed", "error_rate"]),
            rows: trend.collect(),
            chart: Some(Chart::Columns("count", Some("failed"))),
        },
    ]
}

fn alerts(state: &AppState) -> Table {
    let rows = state.alert_lines.iter().map(|line| {
        let from = match &line.origin {
            AlertOrigin::Rule(rule) => format!("rule {rule}"),
            AlertOrigin::Stored(alert) => {
                alert.places.first().map(|p| p.label(state.store.names())).unwrap_or_default()
            }
        };
        vec![
            Cell::text(line.severity_word),
            Cell::text(line.state.as_str()),
            Cell::text(&line.title),
            Cell::text(&line.group),
            Cell::text(&line.reason),
            Cell::count(u64::from(line.escalation)),
            Cell::from(Some(line.since)),
            Cell::from(line.ended),
            line.who.as_deref().map_or(Cell::None, Cell::text),
            Cell::text(&from),
        ]
    });
    Table {
        name: "alerts".to_owned(),
        title: "Alerts, the most urgent first".to_owned(),
        columns: names(&[
            "severity",
            "state",
            "title",
            "of",
            "reason",
            "escalation",
            "since",
            "resolved",
            "who",
            "from",
        ]),
        rows: rows.collect(),
        chart: None,
    }
}

/// The predefined reports, over the current view.
fn activity(state: &AppState) -> Vec<Table> {
    let store = &state.store;
    let context = state.context();
    let of = |kind: &ReportKind| {
        let rows = match Filter::parse(kind.filter) {
            Ok(filter) => store.matching(store.rows(), filter.predicate(&context)),
            Err(_) => Vec::new(),
        };
        let mut groups = Groups::new();
        for (values, rows) in store.partition(kind.by, &rows) {
            let values: Vec<Option<String>> = values.into_iter().map(Some).collect();
            let mut parts: BTreeMap<Option<Timestamp>, HealthFigures> = BTreeMap::new();
            for row in rows {
                let at = kind.bucket_us.map(|us| Timestamp(store.started(row).0.div_euclid(us) * us));
                parts.entry(at).or_default().add(&reading(store, row));
            }
            groups.extend(parts.into_iter().map(|(at, part)| ((values.clone(), at), part.figures)));
        }
        kind.table(groups)
    };
    ReportKind::ALL.iter().map(of).collect()
}
