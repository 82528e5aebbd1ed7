//! Keys that related activities share.

use crosstail_core::model::Activity;

/// A key that related activities share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RelatedKey {
    /// The same correlation id.
    Correlation(String),
    /// The activity is this request, or this request is its parent.
    Request(String),
}

impl RelatedKey {
    /// The keys by which to find what belongs to an activity: its request, its trace, its parent.
    pub fn of(activity: &Activity) -> Vec<Self> {
        let mut keys = vec![Self::Request(activity.request_key().to_string())];
        keys.extend(activity.correlation_id.as_ref().map(|id| Self::Correlation(id.to_string())));
        keys.extend(activity.parent_request_id.as_ref().map(|id| Self::Request(id.to_string())));
        keys
    }

    /// Whether an activity has the key.
    pub fn matches(&self, activity: &Activity) -> bool {
        match self {
            Self::Correlation(id) => activity.correlation_id.as_deref() == Some(id),
            Self::Request(id) => {
                let own = activity.request_id.as_ref().is_some_and(|request| request.to_string() == *id);
                own || activity.id.to_string() == *id || activity.parent_request_id.as_deref() == Some(id)
            }
        }
    }
}
