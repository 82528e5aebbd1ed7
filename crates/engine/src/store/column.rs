//! Columns that say little in most segments, in little memory.

use super::symbols::Symbol;
use crosstail_core::number::saturating_u8;

/// Texts of one byte a row, at most.
const PALETTE: usize = 256;

/// The texts of a column. Most columns have few distinct ones in a segment; a row then takes one byte.
#[derive(Debug)]
pub(super) enum Texts {
    /// The distinct texts, and which of them each row has.
    Few {
        palette: Vec<Symbol>,
        rows: Vec<u8>,
    },
    Many(Vec<Symbol>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Few { palette: Vec::new(), rows: Vec::new() }
    }
}

impl Texts {
    pub(super) fn get(&self, at: usize) -> Symbol {
        match self {
            Self::Few { palette, rows } => rows.get(at).map_or(Symbol::ABSENT, |text| palette[usize::from(*text)]),
            Self::Many(rows) => rows.get(at).copied().unwrap_or_default(),
        }
    }

    /// The distinct texts, where they are few.
    pub(super) fn few(&self) -> Option<&[Symbol]> {
        match self {
            Self::Few { palette, .. } => Some(palette),
            Self::Many(_) => None,
        }
    }

    /// Which of the few distinct texts a row has.
    pub(super) fn number_of_few(&self, at: usize) -> Option<usize> {
        match self {
            Self::Few { rows, .. } => rows.get(at).map(|number| usize::from(*number)),
            Self::Many(_) => None,
        }
    }

    /// Writes a row. The column ends after its last text, so that one without texts needs no memory.
    pub(super) fn set(&mut self, at: usize, text: Symbol) {
        match self {
            Self::Few { palette, rows } => {
                if at >= rows.len() && text == Symbol::ABSENT {
                    return;
                }
                if palette.is_empty() {
                    palette.push(Symbol::ABSENT);
                }
                // Of the last row first: neighbours are alike.
                let last = rows.last().map(|last| usize::from(*last)).filter(|last| palette[*last] == text);
                let number = last.or_else(|| palette.iter().position(|one| *one == text)).unwrap_or(palette.len());
                if number == PALETTE {
                    *self = Self::Many(rows.iter().map(|text| palette[usize::from(*text)]).collect());
                    return self.set(at, text);
                }
                if number == palette.len() {
                    palette.push(text);
                }
                if at > rows.len() {
                    rows.resize(at, 0);
                }
                set(rows, at, saturating_u8(number));
            }
            Self::Many(rows) => {
                if at < rows.len() {
                    rows[at] = text;
                } else if text != Symbol::ABSENT {
                    rows.resize(at, Symbol::ABSENT);
                    rows.push(text);
                }
            }
        }
    }

    /// Visits every text of the rows that `stays` keeps; the others have none afterwards.
    pub(super) fn each(&mut self, stays: impl Fn(usize) -> bool, mut visit: impl FnMut(&mut Symbol)) {
        match self {
            Self::Few { palette, rows } => {
                let mut used = [false; PALETTE];
                for (_, text) in rows.iter().enumerate().filter(|(at, _)| stays(*at)) {
                    used[usize::from(*text)] = true;
                }
                for (text, used) in palette.iter_mut().zip(used) {
                    if used {
                        visit(text);
                    } else {
                        *text = Symbol::ABSENT;
                    }
                }
            }
            Self::Many(rows) => {
                for (at, text) in rows.iter_mut().enumerate() {
                    if stays(at) {
                        visit(text);
                    } else {
                        *text = Symbol::ABSENT;
                    }
                }
            }
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Few { palette, rows } => palette.capacity() * size_of::<Symbol>() + rows.capacity(),
            Self::Many(rows) => rows.capacity() * size_of::<Symbol>(),
        }
    }
}

/// A value for each row, which takes no memory while all rows have the same.
#[derive(Debug)]
pub(super) enum Values<T> {
    Same { value: T, rows: usize },
    Each(Vec<T>),
}

impl<T: Default> Default for Values<T> {
    fn default() -> Self {
        Self::Same { value: T::default(), rows: 0 }
    }
}

impl<T: Copy + PartialEq> Values<T> {
    pub(super) fn get(&self, at: usize) -> T {
        match self {
            Self::Same { value, .. } => *value,
            Self::Each(rows) => rows[at],
        }
    }

    /// Overwrites row `at`, or appends it.
    pub(super) fn set(&mut self, at: usize, new: T) {
        match self {
            Self::Same { value, rows } if *rows == 0 || *value == new => (*value, *rows) = (new, (*rows).max(at + 1)),
            Self::Same { value, rows } => {
                let mut all = vec![*value; *rows];
                set(&mut all, at, new);
                *self = Self::Each(all);
            }
            Self::Each(rows) => set(rows, at, new),
        }
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Same { .. } => 0,
            Self::Each(rows) => rows.capacity() * size_of::<T>(),
        }
    }
}

/// Writes a column with a value for every row: overwrites row `at`, or appends.
pub(super) fn set<T>(column: &mut Vec<T>, at: usize, value: T) {
    match column.get_mut(at) {
        Some(slot) => *slot = value,
        None => column.push(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_gap_in_a_column_of_as_many_texts_as_fit_has_no_text() {
        let mut texts = Texts::default();
        for at in 0..256 {
            texts.set(at as usize, Symbol(at + 1));
        }
        texts.set(258, Symbol(7));
        assert_eq!([255, 256, 257, 258].map(|at| texts.get(at)), [Symbol(256), Symbol(0), Symbol(0), Symbol(7)]);
    }

    proptest! {
        #[test]
        fn a_column_holds_what_a_list_holds(
            writes in prop::collection::vec((0usize..400, 0u32..300), 1..900),
            gone in prop::collection::hash_set(0usize..400, 0..200),
        ) {
            let (mut texts, mut values) = (Texts::default(), Values::<u8>::default());
            let (mut plain, mut numbers) = (vec![Symbol::ABSENT; 400], Vec::new());
            for (at, text) in writes {
                texts.set(at, Symbol(text));
                plain[at] = Symbol(text);
                // Appended in order, as rows are.
                let at = at.min(numbers.len());
                let number = if text < 290 { 7 } else { 9 };
                values.set(at, number);
                set(&mut numbers, at, number);
            }
            for (at, text) in plain.iter().enumerate() {
                prop_assert_eq!(texts.get(at), *text);
            }
            for (at, number) in numbers.iter().enumerate() {
                prop_assert_eq!(values.get(at), *number);
            }
            // What is given up has no text, and the others get new numbers once.
            texts.each(|at| !gone.contains(&at), |text| if *text != Symbol::ABSENT { text.0 += 1000 });
            for (at, text) in plain.iter().enumerate().filter(|(at, _)| !gone.contains(at)) {
                let moved = if *text == Symbol::ABSENT { *text } else { Symbol(text.0 + 1000) };
                prop_assert_eq!(texts.get(at), moved);
            }
        }
    }
}
