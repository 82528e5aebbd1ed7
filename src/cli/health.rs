//! `crosstail health`: the health of systems and sources; the exit code reports it to scripts.

use super::args::{HealthArgs, HealthFormat};
use super::output::{aligned, print_error};
use super::{exit, progress, sources};
use crate::config::{Config, Overrides};
use crate::runtime::{MergedHistory, Work, standing};
use anyhow::Result;
use crosstail_core::filter::Context;
use crosstail_core::model::{Check, Clock, HealthState, Metric, SourceId, Vitals, redact_text, visible_line};
use crosstail_core::number::saturating_i64;
use crosstail_engine::insight::alerting::length;
use crosstail_engine::insight::objective::{Burn, Objective, Standing, percent};
use crosstail_engine::insight::{Health, SystemHealth};
use crosstail_export::{Exposition, safe_json};
use crosstail_source::pump::VITALS_SPAN_US;
use crosstail_source::{Job, Kind, PageQuery, Priority, Source};
use serde_json::{Map, Value, json};
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// A source that does not answer within this time is unknown.
const PATIENCE: Duration = Duration::from_secs(20);
/// Pause between two probes: a counter's rate needs two values.
const BETWEEN: Duration = Duration::from_secs(1);
/// Probes of an endpoint that does not answer: this many failures mean down.
const PROBES: usize = 3;

/// What one source reports.
struct SourceReport {
    name: String,
    kind: &'static Kind,
    /// The server, or why it could not be reached.
    server: Result<String, String>,
    vitals: Vitals,
}

struct HealthReport {
    /// By name: how it stands, or why that is not known.
    objectives: Vec<(Objective, Result<Standing, String>)>,
    systems: Vec<SystemHealth>,
    told: Vec<SourceReport>,
}

pub(super) async fn run(args: &HealthArgs, choice: &Overrides) -> Result<u8> {
    let config = super::configuration(choice)?;
    let context = sources::context(&args.source, &config)?;
    let opened = sources::open_named(&args.source, &config)?;
    opened.wait_for_streams();
    let asked = opened.sources.iter().zip(&opened.kinds).map(|((id, source), kind)| {
        let (name, kind, source) = (opened.names.source_name(*id).to_string(), *kind, Arc::clone(source));
        tokio::spawn(async move { query_source(name, kind, source.as_ref()).await })
    });
    let mut told = Vec::new();
    for task in asked.collect::<Vec<_>>() {
        told.push(task.await?);
    }
    let reachable: Vec<(SourceId, Arc<dyn Source>)> =
        opened.sources.iter().zip(&told).filter(|(_, told)| told.server.is_ok()).map(|(s, _)| s.clone()).collect();
    let window_us = saturating_i64(args.window.as_micros());
    let mut health = systems(&reachable, &opened.names, context, window_us).await?;
    health.apply_checks(told.iter().flat_map(|told| &told.vitals.checks));
    let work = Work::command("health");
    let mut objectives = Vec::new();
    for objective in config_objectives(&config)? {
        let known =
            progress::shown(&work, async { anyhow::Ok(standing(&reachable, &work, context, &objective).await) })
                .await?;
        objectives.push((objective, known));
    }
    let report = HealthReport { objectives, systems: health.systems, told };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match args.output {
        HealthFormat::Table => table(&report, &mut out)?,
        HealthFormat::Json => lines(&report, &mut out)?,
        HealthFormat::Prometheus => exposition(&report, &mut out)?,
    }
    out.flush()?;
    if report.systems.is_empty() && report.objectives.is_empty() && report.checks().next().is_none() {
        let minutes = args.window.as_secs().div_ceil(60);
        print_error(&format!(
            "no activity in the last {minutes} minutes, and no check: nothing to judge; --window 1h looks further back"
        ));
    }
    Ok(report.exit_code())
}

fn config_objectives(config: &Config) -> Result<Vec<Objective>> {
    let (objectives, problems) = config.objectives();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(objectives)
}

async fn query_source(name: String, kind: &'static Kind, source: &dyn Source) -> SourceReport {
    let job = Job::new("health", Priority::Asked);
    let unknown =
        |error: String| SourceReport { name: name.clone(), kind, server: Err(error), vitals: Vitals::default() };
    let looking = async {
        let server = source.probe(&job).await.map_err(|error| error.to_string())?.server;
        let look = || source.vitals(Clock::system().now().plus_us(-VITALS_SPAN_US), &job);
        let mut vitals = look().await.map_err(|error| error.to_string())?;
        for _ in 1..PROBES {
            let silent = vitals.checks.iter().any(|check| check.state == HealthState::Unknown);
            let grows = vitals.metrics.iter().any(|metric| metric.kind == crosstail_core::model::MetricKind::Counter);
            let known = vitals.metrics.iter().any(|metric| metric.rate.is_some());
            if !kind.holds_activities && silent || grows && !known {
                tokio::time::sleep(BETWEEN).await;
                vitals = look().await.map_err(|error| error.to_string())?;
            }
        }
        Ok::<_, String>((server, vitals))
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok((server, vitals))) => SourceReport { name: name.clone(), kind, server: Ok(server), vitals },
        Ok(Err(error)) => unknown(error),
        Err(_) => unknown(format!("no answer in {} s", PATIENCE.as_secs())),
    }
}

/// The health of the systems by their activities in the window, compared with the window before.
async fn systems(
    sources: &[(SourceId, Arc<dyn Source>)],
    names: &crosstail_core::model::Names,
    context: Context,
    window_us: i64,
) -> Result<Health> {
    let now = context.now;
    let since = Some(now.plus_us(-2 * window_us));
    let query = PageQuery { context, since, ..PageQuery::all(5000) };
    let mut activities = Vec::new();
    if !sources.is_empty() {
        let work = Work::command("health");
        let mut joined = MergedHistory::new(sources, &work, names, query).partial();
        let reading = async {
            while let Some(activity) = joined.next().await? {
                activities.push(activity);
            }
            anyhow::Ok(())
        };
        progress::shown(&work, reading).await?;
        for problem in joined.problems() {
            print_error(&problem.to_string());
        }
    }
    Ok(Health::of_activities(now, window_us, activities.iter()))
}

impl HealthReport {
    fn checks(&self) -> impl Iterator<Item = (&SourceReport, &Check)> {
        self.told.iter().flat_map(|told| told.vitals.checks.iter().map(move |check| (told, check)))
    }

    fn metrics(&self) -> impl Iterator<Item = (&SourceReport, &Metric)> {
        self.told.iter().flat_map(|told| told.vitals.metrics.iter().map(move |metric| (told, metric)))
    }

    /// 1: something is degraded or down. 2: a source or a check is unknown, or nothing is known at all.
    fn exit_code(&self) -> u8 {
        let objectives = || self.objectives.iter().map(|(_, standing)| state(standing));
        let systems = || self.systems.iter().map(|s| s.state);
        let states = || objectives().chain(systems()).chain(self.checks().map(|(_, check)| check.state));
        if states().any(|state| matches!(state, HealthState::Down | HealthState::Degraded)) {
            return exit::DEGRADED;
        }
        let silent = self.told.iter().any(|told| told.server.is_err());
        let unknown =
            self.checks().map(|(_, check)| check.state).chain(objectives()).any(|state| state == HealthState::Unknown);
        if silent || unknown || states().all(|state| state == HealthState::Unknown) { exit::UNKNOWN } else { exit::OK }
    }
}

/// An objective whose budget is spent too fast is missed soon.
fn state(standing: &Result<Standing, String>) -> HealthState {
    match standing {
        Ok(standing) if standing.is_burning() => HealthState::Degraded,
        Ok(_) => HealthState::Healthy,
        Err(_) => HealthState::Unknown,
    }
}

fn safe(text: &str) -> String {
    visible_line(&redact_text(text)).into_owned()
}

fn round(n: f64) -> f64 {
    (n * 100.0).round() / 100.0
}

fn table(report: &HealthReport, out: &mut impl Write) -> Result<()> {
    let dash = || "–".to_owned();
    let number = |n: Option<f64>| n.map_or_else(dash, |n| round(n).to_string());
    let mut printed = false;
    let mut between = |out: &mut dyn Write| -> Result<()> {
        if std::mem::replace(&mut printed, true) {
            writeln!(out)?;
        }
        Ok(())
    };
    if !report.systems.is_empty() {
        between(out)?;
        let rows: Vec<[String; 9]> = report
            .systems
            .iter()
            .map(|system| {
                let latency = |q| number(system.figures.latencies.quantile_ms(q));
                [
                    safe(&system.system),
                    system.state.to_string(),
                    system.figures.count.to_string(),
                    system.figures.failed.to_string(),
                    number(system.success()),
                    latency(0.5),
                    latency(0.95),
                    latency(0.99),
                    safe(&system.reason),
                ]
            })
            .collect();
        aligned(out, &["system", "state", "count", "failed", "success %", "p50_ms", "p95_ms", "p99_ms", "why"], &rows)?;
    }
    if !report.objectives.is_empty() {
        between(out)?;
        let rows: Vec<[String; 8]> = report.objectives.iter().map(objective_row).collect();
        let header = ["objective", "state", "good", "target", "budget left", "window", "burns", "why"];
        aligned(out, &header, &rows)?;
    }
    let mut rows: Vec<[String; 5]> = Vec::new();
    for told in &report.told {
        if let Err(error) = &told.server {
            rows.push([safe(&told.name), "source".to_owned(), "unknown".to_owned(), safe(error), dash()]);
        }
    }
    rows.extend(report.checks().map(|(told, check)| {
        let took = check.took_us.map_or_else(dash, |us| (us / 1000).to_string());
        [safe(&told.name), safe(&check.name), check.state.to_string(), safe(&check.detail), took]
    }));
    if !rows.is_empty() {
        between(out)?;
        aligned(out, &["source", "check", "state", "detail", "took_ms"], &rows)?;
    }
    let rows: Vec<[String; 5]> = report
        .metrics()
        .map(|(told, metric)| {
            [
                safe(&told.name),
                safe(&metric.group),
                safe(&metric.name),
                safe(&metric.text()),
                safe(&metric.labels_text()),
            ]
        })
        .collect();
    if !rows.is_empty() {
        between(out)?;
        aligned(out, &["source", "group", "metric", "value", "labels"], &rows)?;
    }
    Ok(())
}

fn objective_row((objective, standing): &(Objective, Result<Standing, String>)) -> [String; 8] {
    let dash = || "–".to_owned();
    let known = standing.as_ref().ok();
    let rate = |burn: &Burn| format!("{:.1}× in {}", burn.long, length(burn.long_us));
    [
        safe(&objective.name),
        state(standing).to_string(),
        known.and_then(Standing::share).map_or_else(dash, |share| percent(share, objective.target)),
        percent(objective.target, objective.target),
        known.map_or_else(dash, |standing| format!("{:.0} %", 100.0 * standing.budget().max(0.0))),
        length(objective.window_us),
        known.map_or_else(dash, |standing| standing.burns.iter().map(rate).collect::<Vec<_>>().join(", ")),
        standing.as_ref().err().map(|error| safe(error)).unwrap_or_default(),
    ]
}

fn objective_line((objective, standing): &(Objective, Result<Standing, String>)) -> Value {
    let known = standing.as_ref().ok();
    let burn = |burn: &Burn| {
        json!({
            "limit": burn.limit, "long_s": burn.long_us / 1_000_000, "short_s": burn.short_us / 1_000_000,
            "long": round(burn.long), "short": round(burn.short), "burning": burn.is_beyond(burn.limit),
        })
    };
    json!({
        "type": "objective", "objective": safe(&objective.name), "state": state(standing),
        "target": objective.target, "window_s": objective.window_us / 1_000_000,
        "count": known.map(|standing| standing.count.total), "bad": known.map(|standing| standing.count.bad()),
        "share": known.and_then(Standing::share), "budget_left": known.map(Standing::budget),
        "burn": known.map(|standing| standing.burns.iter().map(burn).collect::<Vec<_>>()),
        "filter": safe(objective.bad()), "error": standing.as_ref().err().map(|error| safe(error)),
    })
}

fn lines(report: &HealthReport, out: &mut impl Write) -> Result<()> {
    for system in &report.systems {
        let latency = |q| system.figures.latencies.quantile_ms(q).map(round);
        let line = json!({
            "type": "system", "system": safe(&system.system), "state": system.state, "reason": safe(&system.reason),
            "count": system.figures.count, "failed": system.figures.failed, "in_progress": system.figures.open,
            "success_rate": system.success().map(round), "rate_per_second": round(system.rate),
            "p50_ms": latency(0.5), "p95_ms": latency(0.95), "p99_ms": latency(0.99),
            "last_failure": system.last_failure.map(|at| at.rfc3339()), "last_success": system.last_success.map(|at| at.rfc3339()),
        });
        writeln!(out, "{}", safe_json(&line)?)?;
    }
    for one in &report.objectives {
        writeln!(out, "{}", safe_json(&objective_line(one))?)?;
    }
    for told in &report.told {
        let line = json!({
            "type": "source", "source": safe(&told.name), "kind": told.kind.store.name,
            "state": if told.server.is_ok() { HealthState::Healthy } else { HealthState::Unknown },
            "server": told.server.as_deref().ok().map(safe), "error": told.server.as_ref().err().map(|error| safe(error)),
        });
        writeln!(out, "{}", safe_json(&line)?)?;
    }
    for (told, check) in report.checks() {
        let line = json!({
            "type": "check", "source": safe(&told.name), "system": check.system.as_deref().map(safe), "name": safe(&check.name),
            "state": check.state, "detail": safe(&check.detail), "took_ms": check.took_us.map(|us| us as f64 / 1e3),
        });
        writeln!(out, "{}", safe_json(&line)?)?;
    }
    for (told, metric) in report.metrics() {
        let labels: Map<String, Value> =
            metric.labels.iter().map(|(name, value)| (safe(name), Value::String(safe(value)))).collect();
        let [p50, p95, p99] = metric.quantiles.map_or([None; 3], |quantiles| quantiles.map(Some));
        let line = json!({
            "type": "metric", "source": safe(&told.name), "system": metric.system.as_deref().map(safe), "group": safe(&metric.group),
            "name": safe(&metric.name), "kind": metric.kind.as_str(), "unit": metric.unit.as_str(), "labels": labels,
            "value": metric.value, "rate_per_second": metric.rate, "p50": p50, "p95": p95, "p99": p99,
        });
        writeln!(out, "{}", safe_json(&line)?)?;
    }
    Ok(())
}

/// Prometheus' text format, for the node exporter's textfile collector or a push gateway.
fn exposition(report: &HealthReport, out: &mut impl Write) -> Result<()> {
    let states = [HealthState::Healthy, HealthState::Degraded, HealthState::Down, HealthState::Unknown];
    let mut page = Exposition::default();
    page.family("crosstail_system_health", "gauge", "1 for the current state of a system, otherwise 0.");
    for system in &report.systems {
        for state in states {
            let labels = [("system", system.system.as_str()), ("state", state.as_str())];
            page.sample("crosstail_system_health", &labels, f64::from(u8::from(system.state == state)));
        }
    }
    page.family("crosstail_system_success_ratio", "gauge", "Share of finished activities that did not fail.");
    for system in &report.systems {
        if let Some(percent) = system.success() {
            page.sample("crosstail_system_success_ratio", &[("system", &system.system)], percent / 100.0);
        }
    }
    page.family("crosstail_system_latency_seconds", "gauge", "Latency of activities in the window.");
    for system in &report.systems {
        for (q, name) in [(0.5, "0.5"), (0.95, "0.95"), (0.99, "0.99")] {
            if let Some(ms) = system.figures.latencies.quantile_ms(q) {
                let labels = [("system", system.system.as_str()), ("quantile", name)];
                page.sample("crosstail_system_latency_seconds", &labels, ms / 1e3);
            }
        }
    }
    page.family("crosstail_objective_budget_ratio", "gauge", "Share of the error budget of an objective that is left.");
    for standing in report.objectives.iter().filter_map(|(_, standing)| standing.as_ref().ok()) {
        page.sample("crosstail_objective_budget_ratio", &[("objective", &standing.name)], standing.budget());
    }
    page.family(
        "crosstail_objective_burn_rate",
        "gauge",
        "How many times faster than it lasts an error budget is spent.",
    );
    for standing in report.objectives.iter().filter_map(|(_, standing)| standing.as_ref().ok()) {
        for (us, rate) in
            standing.burns.iter().flat_map(|burn| [(burn.long_us, burn.long), (burn.short_us, burn.short)])
        {
            let over = length(us);
            page.sample("crosstail_objective_burn_rate", &[("objective", &standing.name), ("over", &over)], rate);
        }
    }
    page.family("crosstail_source_up", "gauge", "Whether a source could be queried.");
    for told in &report.told {
        page.sample("crosstail_source_up", &[("source", &told.name)], f64::from(u8::from(told.server.is_ok())));
    }
    page.family("crosstail_check_health", "gauge", "1 for the state that a check found, otherwise 0.");
    for (told, check) in report.checks() {
        for state in states {
            let system = check.system.as_deref().unwrap_or("");
            let labels = [
                ("source", told.name.as_str()),
                ("check", check.name.as_str()),
                ("system", system),
                ("state", state.as_str()),
            ];
            page.sample("crosstail_check_health", &labels, f64::from(u8::from(check.state == state)));
        }
    }
    page.family("crosstail_metric", "gauge", "Measurements reported by sources, in the unit of the label.");
    for (told, metric) in report.metrics() {
        let Some(value) = metric.display_value().or(metric.value) else { continue };
        let of = metric.labels_text();
        let labels = [
            ("source", told.name.as_str()),
            ("group", metric.group.as_str()),
            ("name", metric.name.as_str()),
            ("unit", metric.unit.as_str()),
            ("labels", of.as_str()),
        ];
        page.sample("crosstail_metric", &labels, value);
    }
    out.write_all(page.text().as_bytes())?;
    Ok(())
}
