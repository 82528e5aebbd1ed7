//! When rate, failures and latency of the systems changed, over all sources.

use super::{Work, figures};
use anyhow::Result;
use crosstail_core::filter::Field;
use crosstail_core::model::{Names, SourceId, Timestamp};
use crosstail_engine::change::{
    FoundChanges, MARKERS, SOON_US, Shift, Window, shifts, shifts_at, shortest_us, window_at,
};
use crosstail_source::{Grouping, Groups, PageQuery, Source, SourceError};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Buckets that a range is divided into, at most: a change is known as exactly as one is long.
const BUCKETS: i64 = 720;
/// That activities begin late in the range, or end early, is said if it is more than so many buckets.
const TOLD: i64 = 3;
const DAY_US: i64 = 86_400_000_000;

/// The changes of what matches a query, by some fields, and what changed when something was marked: of systems, by endpoint. Without a
/// start, from the first activity on; that the activities of all groups begin or end within the range is told once. With `problems`,
/// counting goes on without the sources that fail.
pub async fn changes(
    sources: &[(SourceId, Arc<dyn Source>)],
    work: &Work,
    names: &Names,
    query: PageQuery,
    (by, markers): (&[Field], &[Timestamp]),
    mut problems: Option<&mut Vec<SourceError>>,
) -> Result<FoundChanges> {
    let bounds = query.filter.predicate(&query.context).time_bounds().unwrap_or_default();
    let now = query.context.now;
    let until = [query.until, bounds.1].into_iter().flatten().min().unwrap_or(now);
    let (from, until) = match query.since.max(bounds.0) {
        Some(since) => (since, until),
        None => {
            let by_day = Grouping { by: Vec::new(), bucket_us: Some(DAY_US), ..Grouping::default() };
            let some = problems.as_deref_mut();
            let days = figures(sources, work, names, query.clone(), &by_day, some).await?;
            let day = || days.keys().filter_map(|(_, at)| *at).filter(|at| at.0 > 0);
            let last = day().max().map_or(until, |last| last.plus_us(DAY_US));
            (day().min().unwrap_or(until), until.min(last))
        }
    };
    let asked = Window::of(from, until, BUCKETS);
    let (mut window, mut is_finer) = (asked, false);
    let groups: Groups = loop {
        let grouping = Grouping { by: by.to_vec(), bucket_us: Some(window.bucket_us), ..Grouping::default() };
        let query = PageQuery { since: Some(window.from), until: Some(window.to), ..query.clone() };
        let groups = figures(sources, work, names, query, &grouping, problems.as_deref_mut()).await?;
        let full = window.of_activity(&groups);
        let finer = Window::of(full.from, full.to, BUCKETS);
        if is_finer || finer.bucket_us >= window.bucket_us {
            window = full;
            break groups;
        }
        // What fills a small part of the range is looked at in finer buckets, once.
        (window, is_finer) = (finer, true);
    };
    let is_told = |gap_us: i64| gap_us > TOLD * asked.bucket_us;
    let begins = query.since.is_some() && is_told(window.from.since_us(asked.from));
    let ends = is_told(asked.to.since_us(window.to));
    let (mut found, shortest_us) = (shifts(&groups, window), shortest_us(&groups, window));
    let within = |marker: &Timestamp| (window.from..until).contains(marker);
    let mut markers: Vec<Timestamp> = markers.iter().copied().filter(within).collect();
    markers.sort_unstable_by(|a, b| b.cmp(a));
    markers.dedup();
    let finer = fields_at_markers(by);
    for marker in markers.into_iter().take(MARKERS) {
        let around = window_at(marker, window, until);
        let grouping = Grouping { by: finer.clone(), bucket_us: Some(around.bucket_us), ..Grouping::default() };
        let query = PageQuery { since: Some(around.from), until: Some(around.to), ..query.clone() };
        let groups = figures(sources, work, names, query, &grouping, problems.as_deref_mut()).await?;
        let parts = |of: &[Option<String>]| {
            groups.keys().map(|(group, _)| group).filter(|one| one.starts_with(of)).collect::<BTreeSet<_>>().len()
        };
        for shift in shifts_at(&groups, around, marker) {
            let of = &shift.group[..by.len()];
            if !found.iter().any(|other| is_the_same(other, &shift, window, parts(of) == 1)) {
                found.push(shift);
            }
        }
    }
    found.sort_by(|a, b| (a.at, &a.group, a.measure).cmp(&(b.at, &b.group, b.measure)));
    Ok(FoundChanges { window, shifts: found, begins, ends, shortest_us, problem: None })
}

/// By what changes at markers are told, where others are by these fields: a deploy may break one endpoint of a system.
pub fn fields_at_markers(by: &[Field]) -> Vec<Field> {
    if by == [Field::System] { vec![Field::System, Field::Endpoint] } else { by.to_vec() }
}

/// Whether a change at a marker is told already: as one of the same group, or of the system whose only endpoint it is, or that went
/// from the same level to the same.
fn is_the_same(told: &Shift, at_marker: &Shift, window: Window, is_only_part: bool) -> bool {
    let near = told.at.since_us(at_marker.at).abs() <= SOON_US.max(TOLD * window.bucket_us);
    let levels = [(told.before, at_marker.before), (told.after, at_marker.after)];
    let alike = || levels.iter().all(|(one, other)| !told.measure.is_told(*one, *other));
    near && told.measure == at_marker.measure
        && at_marker.group.starts_with(&told.group)
        && (told.group.len() == at_marker.group.len() || is_only_part || alike())
}
