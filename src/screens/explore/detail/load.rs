//! What a detail needs from memory and from the stores: asked for when it opens, and kept up to date.

use super::looked::Looked;
use super::{Detail, Jq, Loadable, Room};
use crate::effect::{Effect, ExplainRequest, PayloadSection, Reply, Ticket};
use crate::ingest::{Batch, News};
use crate::screens::request::Tab;
use crate::screens::shared::Shared;
use crosstail_core::model::{Activity, Latencies};
use crosstail_engine::insight::expression;
use crosstail_engine::outline::Outline;
use crosstail_engine::store::Row;
use crosstail_source::RelatedKey;
use std::sync::Arc;

/// Typical latency is that of activities started within this time before or after, in microseconds.
const USUAL_US: i64 = 24 * 3_600_000_000;
/// Interval between two computations of the typical latency, in microseconds.
const USUAL_EVERY_US: i64 = 3_000_000;
/// A larger batch is history: it is looked through only if the activity itself is in it.
const MANY: usize = 2000;

impl Detail {
    /// Opens an activity; returns the effects that load it. Without a row, it is not in memory and comes from its store.
    pub fn open(row: Option<Row>, activity: Activity, tab: Tab, shared: &mut Shared) -> (Self, Vec<Effect>) {
        let mut detail = Self::new(row, activity, tab);
        (detail.payload_ticket, detail.related_ticket) = (shared.ticket(), shared.ticket());
        let activity = &detail.activity;
        let request = activity.request_key().to_string();
        let mut rows = shared.store.children(&request);
        if let Some(correlation) = &activity.correlation_id {
            rows.extend(shared.store.of_correlation(correlation));
        }
        rows.sort_unstable();
        rows.dedup();
        let related = rows.into_iter().filter(|other| Some(*other) != row).map(|other| shared.store.get(other));
        let effects = vec![
            Effect::LoadPayload(detail.payload_ticket, activity.id.clone(), activity.places.clone()),
            Effect::LoadRelated(detail.related_ticket, RelatedKey::of(activity)),
        ];
        detail.related = related.map(|activity| (activity.id.clone(), activity)).collect();
        (detail.typical_latency, detail.usual_at) = (usual(shared, &detail.activity), shared.now);
        detail.set_related();
        (detail, effects)
    }

    /// Takes what a source delivered.
    pub fn news(&mut self, news: &News, shared: &mut Shared) -> Vec<Effect> {
        match news {
            News::Catalogue => self.explain(shared),
            News::Batch(Batch { delta, .. }) => {
                // An activity that was opened from its store may now be in memory.
                self.row = self.row.or_else(|| shared.store.find(&self.activity.id));
                let own = self.row.is_some_and(|row| delta.rows.contains(&row));
                if own || delta.rows.len() < MANY { self.refresh(&delta.rows, shared) } else { Vec::new() }
            }
            News::Quiet | News::Lost(_) | News::Back(_) | News::Follows | News::Said(..) => Vec::new(),
        }
    }

    /// Updates the activity, its retry chain and its trace from new or changed rows.
    fn refresh(&mut self, rows: &[Row], shared: &mut Shared) -> Vec<Effect> {
        let mut changed = false;
        let own = self.activity.request_key().to_string();
        for row in rows {
            let activity = shared.store.get(*row);
            if Some(*row) == self.row || activity.id == self.activity.id {
                self.row = Some(*row);
                self.activity = activity;
                changed = true;
                continue;
            }
            let related = (activity.correlation_id.is_some()
                && activity.correlation_id == self.activity.correlation_id)
                || activity.parent_request_id.as_deref() == Some(own.as_str())
                || self.related.contains_key(&activity.id);
            if related {
                self.related.insert(activity.id.clone(), activity);
                changed = true;
            }
        }
        if !changed {
            return Vec::new();
        }
        self.set_related();
        self.compare_tries(shared)
    }

    /// Requests what the stores' configuration says about the activity, once its payload is loaded.
    fn explain(&mut self, shared: &mut Shared) -> Vec<Effect> {
        let ticket = shared.ticket();
        let holds_mappings = shared.sources.iter().any(|source| !source.catalogue.entries.is_empty());
        let Loadable::Loaded(opened) = &self.opened else { return Vec::new() };
        if !holds_mappings {
            return Vec::new();
        }
        let entry = shared.endpoint_entry(&self.activity);
        let sides = [(PayloadSection::Request, "request_transform"), (PayloadSection::Response, "response_transform")];
        let transforms = sides
            .into_iter()
            .filter(|(part, _)| opened.body(*part).is_some())
            .filter_map(|(part, fact)| Some((part, expression(entry?.facts.get(fact)?))))
            .collect();
        let ask = ExplainRequest { activity: self.activity.clone(), opened: opened.clone(), transforms };
        self.explained_ticket = ticket;
        vec![Effect::Explain(ticket, Box::new(ask))]
    }

    /// Recomputes the typical latency, which changes while history loads, and slowly afterwards.
    pub fn refresh_usual(&mut self, shared: &Shared) {
        if shared.now.since_us(self.usual_at) > USUAL_EVERY_US {
            (self.typical_latency, self.usual_at) = (usual(shared, &self.activity), shared.now);
        }
    }

    /// Takes the reply to its own query; gives back any other. A reply to an older one is dropped.
    pub fn reply(
        &mut self,
        ticket: Ticket,
        reply: Reply,
        room: Room,
        shared: &mut Shared,
    ) -> Result<Vec<Effect>, Reply> {
        match reply {
            Reply::Payload(result) if self.payload_ticket == ticket => {
                match result {
                    Ok(opened) => self.take(opened, room),
                    Err(problem) => self.opened = Loadable::Failed(problem),
                }
                return Ok(self.explain(shared));
            }
            Reply::Explained(explained) if self.explained_ticket == ticket => self.set_explanation(*explained),
            Reply::Related { activities, is_partial } if self.related_ticket == ticket => {
                for activity in activities {
                    self.related.entry(activity.id.clone()).or_insert(activity);
                }
                self.looked = if is_partial { Looked::Partly } else { Looked::Everywhere };
                self.set_related();
                return Ok(self.compare_tries(shared));
            }
            Reply::Compared(result) => {
                let (mut right, compared) = match result {
                    Ok(found) => {
                        let (right, comparison) = *found;
                        (Some(right), Loadable::Loaded(Arc::new(comparison)))
                    }
                    Err(problem) => (None, Loadable::Failed(problem)),
                };
                for against in [&mut self.side_by_side, &mut self.attempt_diff].into_iter().flatten() {
                    if against.ticket == ticket {
                        against.right = right.take().or(against.right.take());
                        against.compared = compared.clone();
                    }
                }
            }
            Reply::Jq(result) => {
                if let Some(jq) = self.jq.as_mut().filter(|jq| jq.ticket == ticket) {
                    jq.take(result, room);
                }
            }
            other => return Err(other),
        }
        Ok(Vec::new())
    }
}

impl Jq {
    /// Sets the results, as JSON texts.
    fn take(&mut self, result: Result<Vec<String>, String>, room: Room) {
        self.result = match result {
            Ok(texts) => {
                let mut outline = Outline::of_results(&texts, room.width);
                outline.scroll_to_selection(room.height);
                Loadable::Loaded(outline)
            }
            Err(problem) => Loadable::Failed(problem),
        };
    }
}

/// Latencies of the same endpoint's activities in memory.
fn usual(shared: &Shared, activity: &Activity) -> Latencies {
    let store = &shared.store;
    let mut latencies = Latencies::default();
    let symbol = |text: &Option<compact_str::CompactString>| store.symbols().find(text.as_deref()?);
    let (Some(system), Some(endpoint)) = (symbol(&activity.system), symbol(&activity.endpoint)) else {
        return latencies;
    };
    let rows = store.all_rows();
    let at = activity.started_at;
    let from = rows.partition_point(|row| store.started(*row) < at.plus_us(-USUAL_US));
    let upto = rows.partition_point(|row| store.started(*row) <= at.plus_us(USUAL_US));
    for row in &rows[from..upto] {
        if store.system(*row) == system && store.endpoint(*row) == endpoint {
            store.took_us(*row).into_iter().for_each(|us| latencies.add(us));
        }
    }
    latencies
}
