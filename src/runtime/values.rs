//! Looks into payloads that are not opened: the values of paths, and which paths occur.

use super::{Runtime, Sources, Work, payloads_of};
use crate::effect::{Effect, PathSample, Placed, Reply, Ticket, ValuesOf, ValuesOfPaths};
use crosstail_core::filter::Operand;
use crosstail_core::model::{Activity, Body, Payload, Timestamp, redact_json};
use crosstail_engine::fields::PathCounts;
use crosstail_source::Priority;
use serde_json::Value;
use std::sync::Arc;

/// Payloads that are looked at together.
const STEP: usize = 64;

/// An activity of which only its places matter.
fn placed(of: Placed) -> Activity {
    let mut activity = Activity::new(of.id, Timestamp(0));
    activity.places = of.places;
    activity
}

impl Runtime {
    /// Starts what is asked about payloads; returns any other effect.
    pub(super) fn run_values(&mut self, effect: Effect) -> Option<Effect> {
        match effect {
            Effect::LoadValues(ticket, asked) => self.load_values(ticket, *asked),
            Effect::SamplePaths(ticket, of) => self.sample_paths(ticket, of),
            other => return Some(other),
        }
        None
    }

    fn load_values(&mut self, ticket: Ticket, ValuesOfPaths { purpose, paths, of }: ValuesOfPaths) {
        let scope = self.cancel.child_token();
        if let Some(older) = self.valuing.insert(purpose, scope.clone()) {
            older.cancel();
        }
        if of.is_empty() {
            return;
        }
        let (sources, work) = (Arc::clone(&self.sources), self.work("values of columns", Priority::View, &scope));
        let names = self.names.clone();
        self.spawn(scope, ticket, async move {
            let all = payloads_of(&sources, &work, of.into_iter().map(placed).collect()).await;
            let values = all.into_iter().map(|(activity, payload, problems)| {
                // What one place lacks another may have; without any, nothing is known.
                let problem = problems.first().filter(|_| payload.raw.is_empty()).map(ToString::to_string);
                let of = |path: &Operand| path.values(&activity, &names, Some(&payload));
                let values = problem.map_or_else(|| Ok(paths.iter().map(of).collect()), Err);
                ValuesOf { id: activity.id, values }
            });
            Reply::PathValues(values.collect())
        });
    }

    fn sample_paths(&mut self, ticket: Ticket, of: Vec<Placed>) {
        let scope = self.restart_scope(|this| &mut this.sampling);
        let (sources, work) = (Arc::clone(&self.sources), self.work("sample payloads", Priority::View, &scope));
        self.spawn(scope, ticket, async move {
            let of = of.into_iter().map(placed).collect();
            Reply::Paths(Box::new(sampled_paths(&sources, &work, of).await))
        });
    }
}

/// The same payload. What is a secret because of what stands beside it, such as the value of an attribute, is none by itself.
fn without_secrets(mut payload: Payload) -> Payload {
    for side in [&mut payload.request, &mut payload.response] {
        side.headers = side.headers.as_ref().map(redact_json);
        side.body = side.body.as_ref().map(|body| Body::from_value(redact_json(body.value())));
    }
    if let Value::Object(metadata) = redact_json(&Value::Object(std::mem::take(&mut payload.metadata))) {
        payload.metadata = metadata;
    }
    payload
}

/// The paths that occur in the payloads of activities.
pub async fn sampled_paths(sources: &Sources, work: &Work, of: Vec<Activity>) -> PathSample {
    let (mut counts, mut problem) = (PathCounts::default(), None);
    for some in of.chunks(STEP) {
        for (_, payload, problems) in payloads_of(sources, work, some.to_vec()).await {
            problem = problem.or_else(|| problems.first().map(ToString::to_string));
            if problems.is_empty() || !payload.raw.is_empty() {
                counts.add(&without_secrets(payload));
            }
        }
    }
    PathSample { found: counts.settle(), problem }
}
