//! The syntax tree of a filter.

use super::{Field, ValueType};
use std::ops::Range;

/// A filter's tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Expr {
    /// Keeps everything.
    #[default]
    All,
    /// Every part.
    And(Vec<Expr>),
    /// Any part.
    Or(Vec<Expr>),
    /// Not the part.
    Not(Box<Expr>),
    /// A comparison.
    Atom(Atom),
    /// Text to find in any of the searched fields.
    Text(Scalar),
}

impl Expr {
    /// Every comparison in it.
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
    /// What is compared.
    pub target: Operand,
    /// `?`: also matches where the field is absent.
    pub or_absent: bool,
    /// How.
    pub op: Op,
    /// With what.
    pub value: Value,
    /// Where it stands in the text, in bytes.
    pub span: Range<usize>,
}

impl Atom {
    /// Whether it names a moment relative to now.
    pub fn is_relative(&self) -> bool {
        let Operand::Field(field) = self.target else { return false };
        let relative = |scalar: &Scalar| {
            let dated = scalar.text.len() >= 10 && scalar.text.as_bytes()[4] == b'-';
            !dated && !scalar.text.contains('T')
        };
        field.class() == ValueType::Time
            && match &self.value {
                Value::Any => false,
                Value::One(one) => relative(one),
                Value::List(list) => list.iter().any(relative),
                Value::Range(low, high) => low.iter().chain(high.iter()).any(relative),
            }
    }
}

/// What an atom compares.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A field of the activity.
    Field(Field),
    /// A path into the payload.
    Path(PathRoot, Vec<PathStep>),
}

/// Where a payload path begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// `:` without case, globs.
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
    /// Every operator with its spelling, longest first.
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

    /// Whether it orders.
    pub const fn is_ordering(self) -> bool {
        matches!(self, Self::Greater | Self::GreaterEqual | Self::Less | Self::LessEqual)
    }

    /// Whether the answer is turned round for present values.
    pub const fn is_negated(self) -> bool {
        matches!(self, Self::NotEqual | Self::NotMatches)
    }
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `*`: present.
    Any,
    /// One scalar.
    One(Scalar),
    /// From .. to, both included, either open.
    Range(Option<Scalar>, Option<Scalar>),
    /// Any of these.
    List(Vec<Scalar>),
}

/// How a scalar was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScalarForm {
    /// A bare word: globs and units mean something.
    Bare,
    /// `"quoted"`: taken literally.
    Quoted,
    /// `/regex/`
    Regex,
}

/// A single value.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// Text without quotes or slashes.
    pub text: String,
    /// How it was written.
    pub form: ScalarForm,
    /// Where it stands.
    pub span: Range<usize>,
}
