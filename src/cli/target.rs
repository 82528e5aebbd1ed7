//! Addresses of stores to write to.

use super::UsageError;
use crate::kinds;
use crosstail_source::Kind;

/// The capability that `wanted` picks from the kind of an address.
pub(super) fn of<T>(to: &str, wanted: impl Fn(&'static Kind) -> Option<T>) -> Result<T, UsageError> {
    let kind = kinds::ALL.of(to).filter(|_| to.contains("://"));
    kind.and_then(&wanted).ok_or_else(|| refused(to, |kind| wanted(kind).is_some()))
}

/// The error for an address that cannot be written to; names the schemes that can.
pub(super) fn refused(to: &str, can: impl Fn(&'static Kind) -> bool) -> UsageError {
    let scheme = to.split_once("://").map_or(to, |(scheme, _)| scheme);
    let known: Vec<String> =
        kinds::ALL.iter().filter(|kind| can(kind)).map(|kind| format!("{}://", kind.schemes[0])).collect();
    let known = match known.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => "nothing in this build".to_owned(),
    };
    UsageError(format!("--to accepts {known} here, not {scheme}"))
}
