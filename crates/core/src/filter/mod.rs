//! The filter language: text → syntax tree → predicate. The predicate is the definition of every answer;
//! what a source translates to its own query language must agree with it.
//!
//! ```text
//! query = or ;  or = and { ("OR"|"||") and } ;  and = not { ["AND"|"&&"] not } ;  not = ["NOT"|"!"|"-"] atom
//! atom  = "(" query ")" | path ["?"] op value | text
//! op    = ":" "=" "!=" ">" ">=" "<" "<=" "~" "!~"
//! value = "*" | scalar | scalar ".." [scalar] | ".." scalar | "(" scalar {"," scalar} ")"
//! ```

mod ast;
mod compile;
mod complete;
mod fields;
mod parse;
mod predicate;
mod record;
mod scalar;

pub use ast::{Atom, Expr, Op, Operand, PathRoot, PathStep, Scalar, ScalarForm, Value};
pub use complete::{Completion, Vocabulary, complete};
pub use fields::{Field, ValueType, quote, suggest};
pub use parse::ParseError;
pub use predicate::combine;
pub use predicate::{
    Comparator, GlobPiece, Interval, JsonTest, Matcher, Pattern, Predicate, TimeRange, Truth, resolve_path,
};
pub use record::outcome;
pub use record::{NamedRecord, Record, value_text};
pub use scalar::Context;

/// A filter that parsed: its text and its tree.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    text: String,
    expr: Expr,
}

/// Length of a text such as `1.5s` or `250ms` in microseconds; a unit is needed.
pub fn duration_us(text: &str) -> Option<f64> {
    scalar::duration_us(text.trim(), None)
}

/// A moment as filters write it: `-15m`, `2026-11-20`, `2026-11-20T09:00`, `09:20`; of a span its beginning.
pub fn moment(text: &str, context: &Context) -> Result<crate::model::Timestamp, ParseError> {
    let scalar = Scalar { text: text.to_owned(), form: ScalarForm::Bare, span: 0..text.len() };
    scalar::moment(&scalar, context, None).map(|span| span.start)
}

impl Filter {
    /// Parses a filter. Empty text is the filter that keeps everything.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let expr = parse::parse(text)?;
        // Values are read here once, so that an error in one is an error of the text.
        compile::compile(&expr, &Context::default())?;
        Ok(Self { text: text.to_owned(), expr })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its tree.
    pub fn expr(&self) -> &Expr {
        &self.expr
    }

    /// Whether it keeps everything.
    pub fn is_all(&self) -> bool {
        matches!(self.expr, Expr::All)
    }

    /// The number of clauses joined by AND at the top.
    pub fn clauses(&self) -> Vec<&Expr> {
        match &self.expr {
            Expr::All => Vec::new(),
            Expr::And(parts) => parts.iter().collect(),
            other => vec![other],
        }
    }

    /// Whether its answer depends on the present moment.
    pub fn is_relative(&self) -> bool {
        self.expr.atoms().iter().any(|atom| atom.is_relative())
    }

    /// The filter ready to test records, at a moment.
    pub fn predicate(&self, context: &Context) -> Predicate {
        compile::compile(&self.expr, context).unwrap_or(Predicate::All)
    }
}
