//! What a view lists: the columns of the list, and the fields of the facets.

use crosstail_core::filter::{Field, Operand, ValueType, suggest};
use std::fmt;

/// The columns and facets of a view. Where there are none, they are the usual ones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The columns of the list, from left to right.
    pub columns: Vec<Column>,
    /// The fields whose values the facets count, from top to bottom.
    pub facets: Vec<Operand>,
}

/// A column of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub shows: Shows,
    /// In columns of the terminal; by what it shows if not chosen.
    pub width: Option<u16>,
}

/// What a column shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shows {
    /// What was called, or what happened: method and endpoint, an event, an operation.
    What,
    /// The values of a field, or of a path of the payload.
    Values(Operand),
}

/// The name of [`Shows::What`].
const WHAT: &str = "what";
/// The width of a value, if none was chosen.
const USUAL: u16 = 16;
/// The narrowest and the widest column that can be chosen.
const WIDTHS: std::ops::RangeInclusive<u16> = 1..=200;

impl Shows {
    /// The columns of the terminal that it takes where no width was chosen; `None` if it takes what is left.
    pub fn usual_width(&self) -> Option<u16> {
        let Self::Values(of) = self else { return None };
        let Operand::Field(field) = of else { return Some(USUAL) };
        Some(match field {
            Field::Message | Field::Error | Field::Url => return None,
            Field::Status | Field::Direction => 1,
            Field::Http | Field::Attempt => 4,
            Field::Duration => 8,
            Field::System => 11,
            Field::Time => 12,
            Field::Completed | Field::NextRetry => 19,
            field if matches!(field.class(), ValueType::Number) => 7,
            _ => USUAL,
        })
    }
}

impl Column {
    /// A column whose width follows from what it shows.
    pub const fn new(shows: Shows) -> Self {
        Self { shows, width: None }
    }

    /// A column of a field.
    pub const fn of(field: Field) -> Self {
        Self::new(Shows::Values(Operand::Field(field)))
    }

    /// A column by its name, with a width behind a colon if one was chosen: `status`, `what`, `req.body.order.id:20`.
    ///
    /// # Errors
    /// There is no such field, or the width is none; the text says what could have been meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (name, width) = match text.trim().split_once(':') {
            Some((name, width)) => {
                let wide = width.parse().ok().filter(|width| WIDTHS.contains(width));
                let wide = wide.ok_or_else(|| format!("'{width}' is no width of a column; write {name}:20"))?;
                (name, Some(wide))
            }
            None => (text.trim(), None),
        };
        let shows = if name.eq_ignore_ascii_case(WHAT) { Shows::What } else { Shows::Values(operand(name)?) };
        Ok(Self { shows, width })
    }

    /// Makes it wider or narrower than it is now.
    pub fn resize(&mut self, now: u16, wider: bool) {
        let width = if wider { now.saturating_add(2) } else { now.saturating_sub(2) };
        self.width = Some(width.clamp(*WIDTHS.start(), *WIDTHS.end()));
    }
}

impl fmt::Display for Shows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::What => f.write_str(WHAT),
            Self::Values(of) => of.fmt(f),
        }
    }
}

impl fmt::Display for Column {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.width {
            Some(width) => write!(f, "{}:{width}", self.shows),
            None => self.shows.fmt(f),
        }
    }
}

fn operand(name: &str) -> Result<Operand, String> {
    Operand::parse(name).ok_or_else(|| {
        let near = suggest(name, Field::ALL.iter().map(|field| field.name()));
        let hint = near.map_or_else(
            || "write a field of filters, or a path such as req.body.order.id or meta.tenant".to_owned(),
            |near| format!("did you mean '{near}'?"),
        );
        format!("no field '{name}'; {hint}")
    })
}

impl Layout {
    /// The facets where no others were chosen.
    pub const FACETS: [Field; 6] =
        [Field::System, Field::Status, Field::Final, Field::Kind, Field::Direction, Field::Endpoint];

    /// What the names of columns and of facets stand for.
    ///
    /// # Errors
    /// A name stands for nothing; the text says which list it is in.
    pub fn parse(columns: &[String], facets: &[String]) -> Result<Self, String> {
        let named = |list: &'static str| move |why: String| format!("{list}: {why}");
        let columns = columns.iter().map(|text| Column::parse(text).map_err(named("columns")));
        let facets = facets.iter().map(|name| operand(name.trim()).map_err(named("facets")));
        Ok(Self { columns: columns.collect::<Result<_, _>>()?, facets: facets.collect::<Result<_, _>>()? })
    }

    /// The names of its columns and of its facets.
    pub fn names(&self) -> (Vec<String>, Vec<String>) {
        (self.columns.iter().map(ToString::to_string).collect(), self.facets.iter().map(ToString::to_string).collect())
    }

    /// Whether everything is as usual.
    pub const fn is_usual(&self) -> bool {
        self.columns.is_empty() && self.facets.is_empty()
    }

    /// The paths of payloads that it shows, each once.
    pub fn paths(&self) -> Vec<Operand> {
        let columns = self.columns.iter().filter_map(|column| match &column.shows {
            Shows::Values(of) => Some(of),
            Shows::What => None,
        });
        let mut paths: Vec<Operand> = Vec::new();
        for path in columns.chain(&self.facets).filter(|of| of.is_of_payload()) {
            if !paths.contains(path) {
                paths.push(path.clone());
            }
        }
        paths
    }
}

/// Names separated by commas.
pub fn listed<T: fmt::Display>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layout_is_read_as_it_is_written() {
        let words = |text: &str| text.split(',').map(str::to_owned).collect::<Vec<_>>();
        let text = "time,status,what:30,req.body.lines[*].sku:12,corr,message";
        let layout = Layout::parse(&words(text), &words("system,meta.tenant")).expect("a layout");
        assert_eq!(listed(&layout.columns), text);
        assert_eq!(listed(&layout.facets), "system,meta.tenant");
        assert_eq!(listed(&layout.paths()), "req.body.lines[*].sku,meta.tenant");
        assert!(Layout::default().is_usual() && !layout.is_usual());
        let wrong = |columns: &str| Layout::parse(&words(columns), &[]).expect_err(columns);
        assert_eq!(wrong("sytem"), "columns: no field 'sytem'; did you mean 'system'?");
        assert!(wrong("system:wide").contains("'wide' is no width"));
        assert!(wrong("system:0").contains("'0' is no width"));
        assert!(Layout::parse(&[], &words("what")).is_err(), "it has no values");
    }
}
