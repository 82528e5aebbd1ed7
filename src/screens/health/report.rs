//! The reports of the systems' health, and of one system.

use super::HealthScreen;
use super::system::{Section, SystemView};
use crate::screens::ReportPart;
use crate::screens::shared::Shared;
use crosstail_core::model::Figures;
use crosstail_core::number::saturating_i64;
use crosstail_engine::insight::SystemHealth;
use crosstail_export::{Cell, Chart, Table};

pub(super) fn of(screen: &HealthScreen, shared: &Shared) -> ReportPart {
    let from = shared.now.plus_us(-screen.figures.window_us());
    let about = vec![format!("time: {} … {}", from.rfc3339(), shared.now.rfc3339())];
    match &screen.system {
        Some(view) => {
            let tables = system(view, screen.figures.window_us());
            ReportPart { title: format!("Health of {}", view.system), about, tables, range: None }
        }
        None => {
            ReportPart { title: "Health of the systems".to_owned(), about, tables: vec![systems(screen)], range: None }
        }
    }
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|name| (*name).to_owned()).collect()
}

fn systems(screen: &HealthScreen) -> Table {
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
    let systems = screen.figures.health.iter().flat_map(|health| &health.systems);
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

fn system(view: &SystemView, window: i64) -> Vec<Table> {
    let section = |section: Section, name: &str, title: &str, field: &str, chart: Chart| {
        let keyed: Vec<(Vec<Option<String>>, &Figures)> =
            view.of(section).map(|(_, entry)| (vec![Some(entry.name.clone())], &entry.figures)).collect();
        let groups = keyed.iter().map(|(key, figures)| (key.as_slice(), *figures));
        Table::of_figures((name, title), &names(&[field]), groups, Some(chart))
    };
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
