//! Rows of columns without a header that is known.

use crosstail_core::model::leading_time;

/// Columns in which a time is looked for.
const COLUMNS: usize = 12;

/// Whether two lines have a whole time in the same column, so that the second one is a row as the first one is.
pub(crate) fn are_alike(first: &str, line: &str) -> bool {
    [',', ';', '|', '\t'].into_iter().any(|mark| {
        let at = time_column(line, mark);
        at.is_some() && at == time_column(first, mark)
    })
}

fn time_column(line: &str, mark: char) -> Option<usize> {
    line.contains(mark).then_some(())?;
    line.split(mark).take(COLUMNS).position(|column| {
        let bare = column.trim_matches([' ', '"', '[', ']']);
        bare.starts_with(|c: char| c.is_ascii_digit())
            && leading_time(bare).is_some_and(|(time, length)| time.is_whole() && length == bare.len())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_their_time_in_the_same_column() {
        let row = "Odd,2024-05-06 07:08:00,Shop,begins";
        assert!(are_alike(row, "Even,2024-05-06 07:08:01,Bank,no route, again"));
        assert!(are_alike("7|x|06/05/2024 07:08:00|a", "8|y|06/05/2024 07:08:01|b"));
        for other in ["paid, 2024-05-06 07:08:01 at last", "Even,Bank,2024-05-06 07:08:01", "no row", "a,b,c", ""] {
            assert!(!are_alike(row, other), "{other}");
        }
    }
}
