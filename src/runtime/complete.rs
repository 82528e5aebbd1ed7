//! What sources have of requests, by id.

use crosstail_core::filter::{Atom, Expr, Field, Filter, Op, Operand, Scalar, ScalarForm, Value};
use crosstail_core::model::{Activity, Id, SourceId};
use crosstail_source::{Job, PageQuery, Source, SourceError, for_all};

/// Ids per question.
pub(super) const IDS: usize = 500;

/// A filter that keeps the activities of which a field has one of these values.
pub(super) fn one_of(field: Field, values: impl Iterator<Item = String>) -> Expr {
    let one = |text: String| Value::One(Scalar { text, form: ScalarForm::Quoted, span: 0..0 });
    let value = Value::List(values.map(one).collect());
    Expr::Atom(Atom { target: Operand::Field(field), or_absent: false, op: Op::Equal, value, span: 0..0 })
}

/// A filter that keeps the activities with these ids.
pub(super) fn with_ids(ids: &[Id]) -> Expr {
    one_of(Field::Id, ids.iter().map(ToString::to_string))
}

/// The records that sources have of requests, each source by itself. `within`: the time that they may be from.
pub(super) async fn by_ids<'a>(
    sources: impl IntoIterator<Item = (SourceId, &'a dyn Source, Job)>,
    ids: &[Id],
    within: &PageQuery,
) -> Vec<(SourceId, Result<Vec<Activity>, SourceError>)> {
    let asked = sources.into_iter().map(|(id, source, job)| async move {
        let mut found = Vec::new();
        for some in ids.chunks(IDS) {
            let query = PageQuery { filter: Filter::of(with_ids(some)), ..within.clone() };
            if let Err(error) = for_all(source, &query, &job, |activity| found.push(activity)).await {
                return (id, Err(error));
            }
        }
        (id, Ok(found))
    });
    futures_util::future::join_all(asked).await
}
