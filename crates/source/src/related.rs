//! Keys that related activities share.

use crosstail_core::model::{Activity, Timestamp};

/// An id that related activities share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SharedId {
    /// The same correlation id.
    Correlation(String),
    /// The activity is this request, or this request is its parent.
    Request(String),
}

/// By what related activities are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelatedKey {
    /// What they share.
    pub id: SharedId,
    /// When the activity began whose relatives are wanted. A store without an index looks around this time only.
    pub around: Option<Timestamp>,
}

/// What a source found.
#[derive(Debug, Clone, Default)]
pub struct Related {
    /// The activities, in order of start.
    pub activities: Vec<Activity>,
    /// Where the source did not look, for people; `None` where it looked everywhere.
    pub bounds: Option<String>,
}

impl From<Vec<Activity>> for Related {
    fn from(activities: Vec<Activity>) -> Self {
        Self { activities, bounds: None }
    }
}

impl RelatedKey {
    /// The same correlation id, at any time.
    pub fn correlation(id: impl Into<String>) -> Self {
        Self { id: SharedId::Correlation(id.into()), around: None }
    }

    /// The same request, at any time.
    pub fn request(id: impl Into<String>) -> Self {
        Self { id: SharedId::Request(id.into()), around: None }
    }

    /// The keys by which to find what belongs to an activity: its request, its trace, its parent.
    pub fn of(activity: &Activity) -> Vec<Self> {
        let mut keys = vec![Self::request(activity.request_key().to_string())];
        keys.extend(activity.correlation_id.as_ref().map(|id| Self::correlation(id.as_str())));
        keys.extend(activity.parent_request_id.as_ref().map(|id| Self::request(id.as_str())));
        for key in &mut keys {
            key.around = Some(activity.started_at);
        }
        keys
    }

    /// Whether an activity has the key.
    pub fn matches(&self, activity: &Activity) -> bool {
        match &self.id {
            SharedId::Correlation(id) => activity.correlation_id.as_deref() == Some(id),
            SharedId::Request(id) => {
                let own = activity.request_id.as_ref().is_some_and(|request| request.to_string() == *id);
                own || activity.id.to_string() == *id || activity.parent_request_id.as_deref() == Some(id)
            }
        }
    }
}
