//! The checks of `crosstail doctor` that apply to every kind: is the source reachable, are the credentials accepted, does
//! the schema fit, how much does it hold, is its clock right. The kind adds its own.

use super::Work;
use crate::absent;
use crosstail_core::filter::Field;
use crosstail_core::model::{Clock, Diagnosis, Grade, HealthState, SourceId, Timestamp, Unit};
use crosstail_engine::insight::fit;
use crosstail_source::{Endpoint, ErrorKind, Grouping, Job, Network, PageQuery, Source, SourceError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Time limit for each request to a store.
const TIME_LIMIT: Duration = Duration::from_secs(20);
/// Number of newest activities to inspect.
const SAMPLE: usize = 200;
/// A clock that is off by more than this gets a warning, in seconds.
const MAX_SKEW_S: f64 = 2.0;
/// A consumer group with a larger lag gets a warning, in messages.
const MAX_LAG: f64 = 10_000.0;

/// The findings about a source.
#[derive(Debug, Clone, Default)]
pub struct SourceDiagnosis {
    /// Server and version; `None` if it could not be reached.
    pub server: Option<String>,
    /// The findings, in the order of the checks.
    pub diagnoses: Vec<Diagnosis>,
}

impl SourceDiagnosis {
    /// The worst grade of all findings.
    pub fn worst(&self) -> Grade {
        self.diagnoses.iter().map(|diagnosis| diagnosis.grade).max().unwrap_or(Grade::Ok)
    }
}

/// Examines a source; `network` says how its kind is reached, `endpoints` are its hosts.
pub async fn diagnose(
    (id, source): (SourceId, Arc<dyn Source>),
    network: Option<&Network>,
    endpoints: Vec<Endpoint>,
    clock: &Clock,
) -> SourceDiagnosis {
    let work = Work::command("doctor").within(TIME_LIMIT);
    let mut examined = SourceDiagnosis::default();
    // What an address says of encryption is worth nothing where nobody answers.
    if !address(&endpoints, &mut examined.diagnoses).await {
        return examined;
    }
    if let Some(network) = network {
        encryption(network, &endpoints, &mut examined.diagnoses);
    }
    let began = Instant::now();
    let probe = match source.probe(&work.job(id)).await {
        Ok(probe) => probe,
        Err(error) => {
            examined.diagnoses.push(connect_problem(error));
            return examined;
        }
    };
    examined.server = Some(probe.server.clone());
    let took = Unit::Seconds.text(began.elapsed().as_secs_f64());
    examined.diagnoses.push(if endpoints.is_empty() {
        Diagnosis::ok("address", format!("exists; read within {took}"))
    } else {
        Diagnosis::ok("credentials", format!("accepted; the server answered within {took}"))
    });
    for warning in &probe.warnings {
        // A warning contains its own remedy.
        examined.diagnoses.push(Diagnosis { grade: Grade::Warning, ..Diagnosis::ok("schema", warning.clone()) });
    }
    for missing in &probe.missing {
        examined.diagnoses.push(Diagnosis::problem("missing", absent::said(missing), absent::remedy(missing)));
    }
    if let Some(ahead) = probe.clock_ahead_us {
        examined.diagnoses.push(skew(ahead));
    }
    let now = clock.now();
    if source.capabilities().holds_activities {
        match source.page(&PageQuery::all(SAMPLE), None, &work.job(id)).await {
            Ok(page) => {
                examined.diagnoses.extend(fit(&page.items, &probe.schema));
                let newest = page.items.first().map(|activity| activity.started_at);
                volume(source.as_ref(), &work.job(id), newest, now, &mut examined.diagnoses).await;
            }
            Err(error) => examined.diagnoses.push(connect_problem(error)),
        }
    }
    match source.diagnose(now, &work.job(id)).await {
        Ok(found) => examined.diagnoses.extend(found),
        Err(error) => examined.diagnoses.push(connect_problem(error)),
    }
    match source.vitals(now.plus_ms(-900_000), &work.job(id)).await {
        Ok(vitals) => {
            examined.diagnoses.extend(vitals.checks.iter().map(of_check));
            examined.diagnoses.extend(vitals.metrics.iter().filter(|m| m.name == "lag").map(of_lag));
        }
        Err(error) => examined.diagnoses.push(connect_problem(error)),
    }
    examined
}

fn connect_problem(error: SourceError) -> Diagnosis {
    let topic = match error.kind {
        ErrorKind::Connect | ErrorKind::Timeout => "address",
        ErrorKind::Auth => "credentials",
        ErrorKind::Query | ErrorKind::Decode | ErrorKind::Unsupported | ErrorKind::Cancelled | ErrorKind::Budget => {
            "schema"
        }
    };
    let remedy = error.hint.clone().unwrap_or_else(|| "see the store's own log".to_owned());
    Diagnosis::problem(topic, format!("{}: {}", error.operation, error.cause), remedy)
}

/// Whether any of the hosts accepts a connection. Without hosts (a file), the answer is yes.
async fn address(endpoints: &[Endpoint], diagnoses: &mut Vec<Diagnosis>) -> bool {
    let mut reached = endpoints.is_empty();
    for Endpoint { host, port, .. } in endpoints {
        let place = format!("{host}:{port}");
        let began = Instant::now();
        let found = tokio::time::timeout(Duration::from_secs(5), tokio::net::lookup_host((host.as_str(), *port))).await;
        let addresses: Vec<std::net::SocketAddr> = match found {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(error)) => {
                let remedy = "is the name correct, and does this machine's resolver know it?";
                diagnoses.push(Diagnosis::problem("address", format!("{host}: {error}"), remedy));
                continue;
            }
            Err(_) => {
                diagnoses.push(Diagnosis::problem(
                    "address",
                    format!("{host}: the name was not resolved within 5 s"),
                    "check this machine's DNS resolver",
                ));
                continue;
            }
        };
        let looked_up = began.elapsed();
        let began = Instant::now();
        let connected =
            tokio::time::timeout(Duration::from_secs(5), tokio::net::TcpStream::connect(addresses.as_slice())).await;
        let took = Unit::Seconds.text(began.elapsed().as_secs_f64());
        match connected {
            Ok(Ok(_)) => {
                reached = true;
                let slow = looked_up > Duration::from_millis(500);
                let name = if slow {
                    format!(", name resolved within {}", Unit::Seconds.text(looked_up.as_secs_f64()))
                } else {
                    String::new()
                };
                diagnoses.push(Diagnosis::ok("address", format!("{place} answers within {took}{name}")));
            }
            Ok(Err(error)) => {
                let remedy = "is the server running, does it listen there, and does a firewall allow the connection?";
                diagnoses.push(Diagnosis::problem("address", format!("{place}: {error}"), remedy));
            }
            Err(_) => {
                let remedy = "the host is down, or a firewall drops the packets";
                diagnoses.push(Diagnosis::problem("address", format!("{place}: no answer within 5 s"), remedy));
            }
        }
    }
    reached
}

fn encryption(network: &Network, endpoints: &[Endpoint], diagnoses: &mut Vec<Diagnosis>) {
    let Some(first) = endpoints.first() else { return };
    let local = |host: &str| host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    match first.encrypted {
        Some(true) => diagnoses.push(Diagnosis::ok("tls", "the address asks for an encrypted connection")),
        Some(false) if endpoints.iter().all(|endpoint| local(&endpoint.host)) => {
            diagnoses.push(Diagnosis::ok("tls", "not encrypted, but on this machine"));
        }
        Some(false) => {
            let remedy = network.encrypt;
            diagnoses.push(Diagnosis::warning("tls", "data and password cross the network unencrypted", remedy));
        }
        // The server decides: the kind's own checks report it.
        None => {}
    }
    if first.unverified {
        let text = "the server's certificate is not checked: anyone between here and the server can read the traffic";
        diagnoses.push(Diagnosis::warning("tls", text, network.verify));
    }
}

fn skew(ahead_us: i64) -> Diagnosis {
    let seconds = ahead_us as f64 / 1e6;
    if seconds.abs() < MAX_SKEW_S {
        return Diagnosis::ok(
            "clock",
            format!("within {} of this machine's", Unit::Seconds.text(seconds.abs().max(0.001))),
        );
    }
    let way = if seconds > 0.0 { "ahead of" } else { "behind" };
    let text = format!("{} {way} this machine's: times are off by that much", Unit::Seconds.text(seconds.abs()));
    Diagnosis::warning("clock", text, "synchronise both clocks: timedatectl, chronyc tracking")
}

async fn volume(
    source: &dyn Source,
    job: &Job,
    newest: Option<Timestamp>,
    now: Timestamp,
    diagnoses: &mut Vec<Diagnosis>,
) {
    let day = PageQuery { since: Some(now.plus_ms(-86_400_000)), ..PageQuery::all(1) };
    match source.aggregate(&day, &Grouping::by(Field::System), job).await {
        Ok(groups) => {
            let count: u64 = groups.values().map(|figures| figures.count).sum();
            let rate = count as f64 / 86_400.0;
            let named = groups.keys().filter(|(names, _)| names.iter().any(Option::is_some)).count();
            let systems = match named {
                0 => "no system named".to_owned(),
                1 => "of 1 system".to_owned(),
                many => format!("of {many} systems"),
            };
            let text = format!("{count} activities in the last day, {systems}, {rate:.2} per second");
            diagnoses.push(Diagnosis::ok("volume", text));
        }
        Err(error) => diagnoses.push(connect_problem(error)),
    }
    if let Some(newest) = newest {
        let age = now.since_us(newest) as f64 / 1e6;
        diagnoses.push(if age > 3600.0 {
            let text = format!("the newest activity is {} old", Unit::Seconds.text(age));
            Diagnosis::note("volume", text)
        } else if age < -MAX_SKEW_S {
            let text = format!("the newest activity is {} in the future", Unit::Seconds.text(-age));
            Diagnosis::warning("clock", text, "synchronise the clocks of the machines that write the logs")
        } else {
            Diagnosis::ok("volume", format!("the newest activity is {} old", Unit::Seconds.text(age.max(0.0))))
        });
    }
}

fn of_check(check: &crosstail_core::model::Check) -> Diagnosis {
    let name = check.system.as_ref().map_or_else(|| check.name.clone(), |system| format!("{system}: {}", check.name));
    let text = format!("{name}: {}", check.detail);
    match check.state {
        HealthState::Healthy => Diagnosis::ok("server", text),
        HealthState::Unknown => Diagnosis::note("server", text),
        HealthState::Degraded => Diagnosis::warning("server", text, "see `crosstail health` for the numbers"),
        HealthState::Down => Diagnosis::problem("server", text, "see `crosstail health` for the numbers"),
    }
}

fn of_lag(metric: &crosstail_core::model::Metric) -> Diagnosis {
    let text = format!("{}: {} messages behind", metric.labels_text(), metric.text());
    match metric.value {
        None => Diagnosis::note("lag", format!("{}: the lag is unknown", metric.labels_text())),
        Some(lag) if lag > MAX_LAG => {
            Diagnosis::warning("lag", text, "add consumers to the group, up to one per partition")
        }
        Some(_) => Diagnosis::ok("lag", text),
    }
}
