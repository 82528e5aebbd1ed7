//! What the screen asks of payloads that are not opened.

use crosstail_core::filter::Operand;
use crosstail_core::model::{Activity, Id, Place};
use crosstail_engine::fields::FoundPaths;

/// An activity whose payload is asked for, and where it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    pub id: Id,
    pub places: Vec<Place>,
}

impl Placed {
    /// Where an activity is.
    pub fn of(activity: &Activity) -> Self {
        Self { id: activity.id.clone(), places: activity.places.clone() }
    }
}

/// What values are loaded for. A newer question of the same purpose ends the older one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathsFor {
    /// Columns of the list, and facets.
    Columns,
    /// What the selected activity has in common with others around it.
    Around,
    /// Links and commands.
    Tools,
}

/// A question for the values of paths.
#[derive(Debug, Clone, PartialEq)]
pub struct ValuesOfPaths {
    pub purpose: PathsFor,
    pub paths: Vec<Operand>,
    pub of: Vec<Placed>,
}

/// The values that the payload of an activity has at each path that was asked for, without secrets; or why it could not be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValuesOf {
    pub id: Id,
    pub values: Result<Vec<Vec<String>>, String>,
}

/// What occurs in a sample.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PathSample {
    pub found: FoundPaths,
    /// Why some payloads could not be loaded.
    pub problem: Option<String>,
}
