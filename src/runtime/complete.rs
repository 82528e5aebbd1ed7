//! What sources have of requests, by id.

use crosstail_core::filter::{Atom, Expr, Field, Filter, Op, Operand, Scalar, ScalarForm, Value};
use crosstail_core::model::{Activity, Id, SourceId};
use crosstail_source::{Job, PageQuery, Source, SourceError, for_each};

/// Ids per question.
pub(super) const IDS: usize = 500;

/// A filter that keeps the activities with these ids.
pub(super) fn with_ids(ids: &[Id]) -> Expr {
    let one = |id: &Id| Value::One(Scalar { text: id.to_string(), form: ScalarForm::Quoted, span: 0..0 });
    Expr::Atom(Atom {
        target: Operand::Field(Field::Id),
        or_absent: false,
        op: Op::Equal,
        value: Value::List(ids.iter().map(one).collect()),
        span: 0..0,
    })
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
            let read = for_each(source, &query, &job, |activity| {
                found.push(activity);
                true
            });
            if let Err(error) = read.await {
                return (id, Err(error));
            }
        }
        (id, Ok(found))
    });
    futures_util::future::join_all(asked).await
}
