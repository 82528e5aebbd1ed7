//! Comparisons of text. PostgreSQL's rules of case are not Rust's: so the server compares in ASCII, and rows with other
//! characters always come back.

use crosstail_core::filter::{GlobPiece, Pattern};
use crosstail_source::sql::{Bind, PLACEHOLDER, Sql, operator};

/// A case-insensitive comparison, which holds for ASCII only: a text with any other character comes back.
pub(super) fn like(column: &str, pieces: &[GlobPiece]) -> Option<Sql> {
    let mut shape = String::new();
    for piece in pieces {
        match piece {
            GlobPiece::Any => shape.push('%'),
            GlobPiece::Text(text) if text.is_ascii() && !text.contains('\0') => {
                for c in text.chars() {
                    if matches!(c, '%' | '_' | '\\') {
                        shape.push('\\');
                    }
                    shape.push(c);
                }
            }
            GlobPiece::Text(_) => return None,
        }
    }
    // Where the text is of no known encoding, every byte is a character.
    let text = format!(
        "(lower({column} COLLATE \"C\") LIKE {PLACEHOLDER}::text OR octet_length({column}) <> char_length({column}) \
         OR getdatabaseencoding() = 'SQL_ASCII')"
    );
    Some(Sql::with(text, Bind::Text(shape)))
}

/// A pattern on a text column, and whether the condition is exact.
pub(super) fn pattern(column: &str, pattern: &Pattern) -> Option<(Sql, bool)> {
    match pattern {
        Pattern::Exact(text) if !text.contains('\0') => {
            Some((Sql::with(format!("{column} = {PLACEHOLDER}::text"), Bind::Text(text.clone())), true))
        }
        Pattern::Order(op, text) if !text.contains('\0') => {
            let sql = format!("({column} COLLATE \"C\") {} {PLACEHOLDER}::text", operator(*op));
            Some((Sql::with(sql, Bind::Text(text.clone())), true))
        }
        other => like(column, &other.pieces()?).map(|sql| (sql, false)),
    }
}
