//! The syntax tree of a filter.

use super::{Field, ValueType};
use std::ops::Range;

/// A node of the tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Expr {
    /// Matches everything.
    #[default]
    All,
    /// Matches what every part matches.
    And(Vec<Expr>),
    /// Matches what at least one part matches.
    Or(Vec<Expr>),
    /// Matches what the part does not match.
    Not(Box<Expr>),
    /// A comparison.
    Atom(Atom),
    /// Text to find in any of [`Field::SEARCHED`].
    Text(Scalar),
}

impl Expr {
    /// The same tree, wherever it stands in a text.
    #[must_use]
    pub fn without_spans(&self) -> Self {
        match self {
            Self::All => Self::All,
            Self::And(parts) => Self::And(parts.iter().map(Self::without_spans).collect()),
            Self::Or(parts) => Self::Or(parts.iter().map(Self::without_spans).collect()),
            Self::Not(part) => Self::Not(Box::new(part.without_spans())),
            Self::Text(text) => Self::Text(text.without_span()),
            Self::Atom(atom) => Self::Atom(Atom { value: atom.value.without_spans(), span: 0..0, ..atom.clone() }),
        }
    }

    /// Whether it compares a field.
    pub fn names(&self, field: Field) -> bool {
        self.atoms().iter().any(|atom| atom.target == Operand::Field(field))
    }

    /// The same tree, in which comparisons of a field are replaced by what each of them implies; where one is negated, by
    /// what keeps everything. So it keeps at least as much.
    #[must_use]
    pub fn implied(&self, field: Field, by: &Self) -> Self {
        let each = |parts: &[Self]| parts.iter().map(|part| part.implied(field, by)).collect::<Vec<_>>();
        match self {
            Self::And(parts) => {
                let mut parts = each(parts);
                parts.retain(|part| *part != Self::All);
                if parts.is_empty() { Self::All } else { Self::And(parts) }
            }
            Self::Or(parts) => {
                let parts = each(parts);
                if parts.contains(&Self::All) { Self::All } else { Self::Or(parts) }
            }
            Self::Not(part) if part.names(field) => Self::All,
            Self::Atom(atom) if atom.target == Operand::Field(field) => {
                if atom.or_absent {
                    Self::All
                } else {
                    by.clone()
                }
            }
            other => other.clone(),
        }
    }

    /// The first text that is looked for without a field, unless it is negated.
    pub fn plain_text(&self) -> Option<&str> {
        match self {
            Self::Text(scalar) if scalar.form != ScalarForm::Regex => Some(&scalar.text),
            Self::And(parts) | Self::Or(parts) => parts.iter().find_map(Self::plain_text),
            _ => None,
        }
    }

    /// All comparisons, from left to right.
    pub fn atoms(&self) -> Vec<&Atom> {
        match self {
            Self::All | Self::Text(_) => Vec::new(),
            Self::And(parts) | Self::Or(parts) => parts.iter().flat_map(Self::atoms).collect(),
            Self::Not(part) => part.atoms(),
            Self::Atom(atom) => vec![atom],
        }
    }
}

/// `path ["?"] op value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Atom {
    /// The left side.
    pub target: Operand,
    /// Written with `?`: also matches where the field is absent.
    pub or_absent: bool,
    /// The operator.
    pub op: Op,
    /// The right side.
    pub value: Value,
    /// Byte range in the filter's text.
    pub span: Range<usize>,
}

impl Atom {
    /// Whether it names a time relative to now.
    pub fn is_relative(&self) -> bool {
        let Operand::Field(field) = self.target else { return false };
        let relative = |scalar: &Scalar| {
            let dated = scalar.text.len() >= 10 && scalar.text.as_bytes()[4] == b'-';
            !dated && !scalar.text.contains(['T', '@'])
        };
        field.class() == ValueType::Time && self.value.scalars().into_iter().any(relative)
    }
}

/// The left side of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Operand {
    /// A field of the activity.
    Field(Field),
    /// A path into the payload.
    Path(PathRoot, Vec<PathStep>),
}

/// The start of a payload path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PathRoot {
    /// `req.header`
    RequestHeaders,
    /// `req.body`
    RequestBody,
    /// `res.header`
    ResponseHeaders,
    /// `res.body`
    ResponseBody,
    /// `meta`
    Metadata,
    /// `stack`
    Stack,
    /// `raw`
    Raw,
}

/// One step of a payload path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// `.name`
    Name(String),
    /// `[3]`
    Index(usize),
    /// `[*]`
    Each,
}

/// A comparison operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `:` ignores case and knows globs
    Has,
    /// `=`
    Equal,
    /// `!=`
    NotEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterEqual,
    /// `<`
    Less,
    /// `<=`
    LessEqual,
    /// `~`
    Matches,
    /// `!~`
    NotMatches,
}

impl Op {
    /// All operators with their spelling, longest first.
    pub const ALL: &'static [(Self, &'static str)] = &[
        (Self::NotEqual, "!="),
        (Self::GreaterEqual, ">="),
        (Self::LessEqual, "<="),
        (Self::NotMatches, "!~"),
        (Self::Has, ":"),
        (Self::Equal, "="),
        (Self::Greater, ">"),
        (Self::Less, "<"),
        (Self::Matches, "~"),
    ];

    /// Whether it is one of `>`, `>=`, `<` and `<=`.
    pub const fn is_ordering(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterEqual | Self::Less | Self::LessEqual)
    }

    /// Whether it negates the result for a present value: `!=` and `!~`.
    pub const fn is_negated(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotMatches)
    }
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `*`: any present value.
    Any,
    /// One scalar.
    One(Scalar),
    /// `from..to`: both ends are included; either may be open.
    Range(Option<Scalar>, Option<Scalar>),
    /// `(a, b..c)`: any of these, each one scalar or a range.
    List(Vec<Value>),
}

impl Value {
    /// The values of a list, or the value itself.
    pub fn parts(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            other => std::slice::from_ref(other),
        }
    }

    /// Every scalar in it.
    pub fn scalars(&self) -> Vec<&Scalar> {
        match self {
            Self::Any => Vec::new(),
            Self::One(one) => vec![one],
            Self::Range(low, high) => low.iter().chain(high.iter()).collect(),
            Self::List(list) => list.iter().flat_map(Self::scalars).collect(),
        }
    }

    fn without_spans(&self) -> Self {
        let end = |end: &Option<Scalar>| end.as_ref().map(Scalar::without_span);
        match self {
            Self::Any => Self::Any,
            Self::One(one) => Self::One(one.without_span()),
            Self::Range(low, high) => Self::Range(end(low), end(high)),
            Self::List(list) => Self::List(list.iter().map(Self::without_spans).collect()),
        }
    }
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarForm {
    /// A bare word, which may have globs and units.
    Bare,
    /// `"quoted"` or `'quoted'`: literal text.
    Quoted,
    /// `/regex/`
    Regex,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Text without the quotes or slashes.
    pub text: String,
    /// How it was written.
    pub form: ScalarForm,
    /// Byte range in the filter's text.
    pub span: Range<usize>,
}

impl Scalar {
    fn without_span(&self) -> Self {
        Self { span: 0..0, ..self.clone() }
    }
}
