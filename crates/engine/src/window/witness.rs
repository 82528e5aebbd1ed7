//! What a source can be asked for alone, where several sources have records of one request.
//!
//! A filter is defined on the joined activity: the records are joined first, then the filter decides. A joined value comes
//! from one of the records (`model/merge.rs`), or is absent because all records lack it. So for *one* clause, an activity
//! that it keeps has a record that it keeps, its witness. For two clauses that is not so: each may have another witness,
//! whose other value loses when the records are joined. Therefore a source is asked for one clause of every AND; what it
//! finds is completed from the other sources by id, joined, and judged by the whole filter.

use crosstail_core::filter::{Atom, Expr, Field, Op, Operand, Scalar, ScalarForm, Value};

/// A filter for single records such that every activity that `filter` keeps has a record that it keeps. Times are left
/// out: they are asked for as a range. [`Expr::All`] where there is none that is worth it: what keeps almost everything is
/// read whole, instead of being completed id by id.
pub fn witness(filter: &Expr) -> Expr {
    choose(filter).filter(|(rank, _)| *rank < MOST).map_or(Expr::All, |(_, expr)| expr)
}

/// The rank of what keeps almost everything.
const MOST: u8 = 9;

/// The part of an expression to ask for, and how few records it is likely to find: the lower, the fewer.
fn choose(expr: &Expr) -> Option<(u8, Expr)> {
    match expr {
        Expr::All => None,
        Expr::And(parts) => parts.iter().filter_map(choose).min_by_key(|(rank, _)| *rank),
        Expr::Or(parts) => {
            let chosen = parts.iter().map(choose).collect::<Option<Vec<_>>>()?;
            let rank = chosen.iter().map(|(rank, _)| *rank).max()?;
            Some((rank, Expr::Or(chosen.into_iter().map(|(_, expr)| expr).collect())))
        }
        // Of a NOT over several clauses, or over text in several fields, no single record need be a witness.
        Expr::Not(part) => match &**part {
            Expr::Atom(atom) => rank(atom, true).map(|rank| (rank, expr.clone())),
            _ => None,
        },
        Expr::Atom(atom) => rank(atom, false).map(|rank| (rank, expr.clone())),
        Expr::Text(_) => Some((5, expr.clone())),
    }
}

fn rank(atom: &Atom, negated: bool) -> Option<u8> {
    let negated = negated || atom.op.is_negated() || atom.or_absent;
    let field = match &atom.target {
        // Bodies of several records are merged: a value that one lacks may be in another.
        Operand::Path(..) => return (!negated).then_some(4),
        Operand::Field(field) => *field,
    };
    match field {
        // Computed of the start of one record and the end of another.
        Field::Duration => None,
        // Of the range that is asked for.
        Field::Time => None,
        // A set of all records.
        Field::Source if negated => None,
        _ if negated => Some(MOST),
        Field::Error | Field::ErrorType | Field::NextRetry | Field::Parent if atom.value == Value::Any => Some(6),
        _ if atom.value == Value::Any => Some(MOST),
        Field::Id | Field::Request if is_whole(atom) => Some(0),
        Field::Correlation | Field::Parent if is_whole(atom) => Some(1),
        Field::Id | Field::Request | Field::Correlation | Field::Parent => Some(2),
        Field::Entity | Field::Operation | Field::Url | Field::Actor => Some(3),
        Field::Error | Field::ErrorType | Field::ErrorAt | Field::Message | Field::NextRetry | Field::Completed => {
            Some(5)
        }
        Field::Status | Field::Is | Field::Http | Field::Attempt | Field::Level => Some(6),
        Field::Endpoint | Field::Organization | Field::Tags => Some(7),
        _ => Some(8),
    }
}

/// Whether an id is likely to be whole, so that an index finds it.
fn is_whole(atom: &Atom) -> bool {
    let whole = |scalar: &Scalar| scalar.form != ScalarForm::Regex && (atom.op == Op::Equal || scalar.text.len() >= 32);
    match &atom.value {
        Value::One(one) => whole(one),
        Value::List(list) => list.iter().all(|one| matches!(one, Value::One(one) if whole(one))),
        Value::Any | Value::Range(..) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crosstail_core::filter::Filter;

    #[test]
    fn one_clause_of_every_and_is_asked_for() {
        for (filter, asked) in [
            ("", ""),
            ("status:failed system:SAP", "status:failed"),
            ("status:failed id=abc system:SAP", "id=abc"),
            ("system:SAP time:-15m", "system:SAP"),
            ("time:-15m", ""),
            ("latency>1s", ""),
            ("latency>1s http:5xx", "http:5xx"),
            ("(corr:abcd system:SAP) OR status:failed", "corr:abcd OR status:failed"),
            ("latency>1s OR status:failed", ""),
            ("-status:failed", ""),
            ("-status:failed OR system:SAP", ""),
            ("error:* actor:*", "error:*"),
            ("-(status:failed system:SAP)", ""),
            ("-timeout status:failed", "status:failed"),
            ("-timeout", ""),
            ("req.body.order:7 status:failed", "req.body.order:7"),
            ("-req.body.order:7", ""),
            ("-source:a", ""),
            ("system!=SAP kind:webhook", "kind:webhook"),
        ] {
            let of = |text: &str| Filter::parse(text).expect(text).expr().without_spans();
            assert_eq!(witness(Filter::parse(filter).expect(filter).expr()).without_spans(), of(asked), "{filter}");
        }
    }
}
