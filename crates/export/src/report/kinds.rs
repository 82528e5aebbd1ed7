//! The reports that the documented systems ask for: what they count, how it is grouped and sorted.

use super::{Chart, Table};
use crosstail_core::filter::Field;
use crosstail_core::model::{Figures, Tz};
use crosstail_source::{GroupKey, Groups};

/// How rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Failed,
    Count,
    Slowest,
    Time,
}

/// A built-in report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kind {
    /// Name on the command line.
    pub name: &'static str,
    /// Title for people.
    pub title: &'static str,
    /// Filter in addition to the user's.
    pub filter: &'static str,
    /// Fields to group by.
    pub by: &'static [Field],
    /// Length of the periods to group by, in microseconds.
    pub bucket_us: Option<i64>,
    order: Order,
    chart: Chart,
}

const DAY_US: i64 = 86_400_000_000;
/// Maximum number of rows in a ranked report.
const RANKED: usize = 50;
/// Groups with fewer latencies are not ranked.
const ENOUGH: u64 = 5;

impl Kind {
    /// All built-in reports.
    pub const ALL: &'static [Self] = &[
        Self {
            name: "failed_by_type",
            title: "Failed activities by type",
            filter: "is:failure",
            by: &[Field::Operation],
            bucket_us: None,
            order: Order::Failed,
            chart: Chart::Bars("failed", None),
        },
        Self {
            name: "success_by_system",
            title: "Success rate by system",
            filter: "",
            by: &[Field::System],
            bucket_us: None,
            order: Order::Count,
            chart: Chart::Bars("count", Some("failed")),
        },
        Self {
            name: "most_active",
            title: "Most active integrations",
            filter: "",
            by: &[Field::System, Field::Operation],
            bucket_us: None,
            order: Order::Count,
            chart: Chart::Bars("count", Some("failed")),
        },
        Self {
            name: "slowest_endpoints",
            title: "Slowest endpoints",
            filter: "",
            by: &[Field::System, Field::Endpoint],
            bucket_us: None,
            order: Order::Slowest,
            chart: Chart::Bars("p95_ms", None),
        },
        Self {
            name: "volume_by_day",
            title: "Volume and retention by source and day",
            filter: "",
            by: &[Field::Source],
            bucket_us: Some(DAY_US),
            order: Order::Time,
            chart: Chart::Columns("count", Some("failed")),
        },
    ];

    /// The report with a name.
    pub fn find(name: &str) -> Option<&'static Self> {
        Self::ALL.iter().find(|kind| kind.name == name)
    }

    /// The table for figures by group; days are those of a zone.
    pub fn table(&self, groups: Groups, zone: Tz) -> Table {
        let mut rows: Vec<(GroupKey, Figures)> = groups.into_iter().collect();
        let p95 = |figures: &Figures| figures.latencies.quantile_ms(0.95).unwrap_or(0.0);
        match self.order {
            Order::Failed => rows.sort_by(|a, b| b.1.failed.cmp(&a.1.failed).then_with(|| a.0.cmp(&b.0))),
            Order::Count => rows.sort_by(|a, b| b.1.count.cmp(&a.1.count).then_with(|| a.0.cmp(&b.0))),
            Order::Slowest => {
                rows.retain(|(_, figures)| figures.latencies.count() >= ENOUGH);
                rows.sort_by(|a, b| p95(&b.1).total_cmp(&p95(&a.1)).then_with(|| a.0.cmp(&b.0)));
            }
            Order::Time => rows.sort_by(|a, b| (a.0.1, &a.0.0).cmp(&(b.0.1, &b.0.0))),
        }
        if self.order != Order::Time {
            rows.truncate(RANKED);
        }
        let mut fields: Vec<String> = self.by.iter().map(|field| field.name().to_owned()).collect();
        if self.bucket_us.is_some() {
            fields.insert(0, "day".to_owned());
        }
        let keyed = rows.into_iter().map(|((mut key, at), figures)| {
            key.splice(0..0, at.map(|at| Some(at.utc().with_timezone(&zone).format("%Y-%m-%d").to_string())));
            (key, figures)
        });
        let keyed: Vec<(Vec<Option<String>>, Figures)> = keyed.collect();
        let groups = keyed.iter().map(|(key, figures)| (key.as_slice(), figures));
        Table::of_figures((self.name, self.title), &fields, groups, Some(self.chart))
    }
}
