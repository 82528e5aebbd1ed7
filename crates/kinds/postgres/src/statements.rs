//! Splits SQL text into statements and finds out what each creates.

/// The object that a statement creates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Created {
    /// `schema`, `table`, `index`, `view`, `function`, `row-level security`, `policy`, `trigger`.
    pub(super) what: &'static str,
    pub(super) name: String,
    /// The table that the object belongs to.
    pub(super) on: Option<String>,
}

/// The statements of a text, without the comments between them.
pub(super) fn statements(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut statement = String::new();
    let mut in_body = false;
    for line in text.lines() {
        if !in_body && (line.trim_start().starts_with("--") || statement.is_empty() && line.trim().is_empty()) {
            continue;
        }
        statement.push_str(line);
        statement.push('\n');
        in_body ^= line.matches("$$").count() % 2 == 1;
        if !in_body && line.trim_end().ends_with(';') {
            out.push(statement.trim().to_owned());
            statement.clear();
        }
    }
    out
}

/// What a statement creates; `None` where the statement is not recognised.
pub(super) fn created(statement: &str) -> Option<Created> {
    let clean = |word: &str| word.trim_end_matches(['(', ';', ',']).split('(').next().unwrap_or_default().to_owned();
    let words: Vec<&str> = statement.split_whitespace().collect();
    let upper: Vec<String> = words.iter().take(8).map(|word| word.to_ascii_uppercase()).collect();
    let upper: Vec<&str> = upper.iter().map(String::as_str).collect();
    let after = |word: &str| {
        let at = words.iter().position(|known| known.eq_ignore_ascii_case(word))?;
        words.get(at + 1).map(|name| clean(name))
    };
    let of = |what, at: usize, on| Some(Created { what, name: clean(words.get(at)?), on });
    match upper.as_slice() {
        ["CREATE", "SCHEMA", "IF", "NOT", "EXISTS", ..] => of("schema", 5, None),
        ["CREATE", "TABLE", "IF", "NOT", "EXISTS", ..] => of("table", 5, None),
        ["CREATE", "INDEX", "IF", "NOT", "EXISTS", ..] => of("index", 5, after("ON")),
        ["CREATE", "OR", "REPLACE", "VIEW", ..] => of("view", 4, None),
        ["CREATE", "OR", "REPLACE", "FUNCTION", ..] => of("function", 4, None),
        ["ALTER", "TABLE", _, "ENABLE", "ROW", ..] => of("row-level security", 2, None),
        ["CREATE", "POLICY", ..] => of("policy", 2, after("ON")),
        ["CREATE", "TRIGGER", ..] => of("trigger", 2, after("ON")),
        _ => None,
    }
}

/// The body of a function between its dollar quotes, as `pg_proc.prosrc` stores it.
pub(super) fn body(statement: &str) -> Option<&str> {
    statement.split("$$").nth(1)
}

/// The columns of a `CREATE TABLE` that has one column per line: name and definition.
pub(super) fn columns(statement: &str) -> Vec<(&str, &str)> {
    let lines = statement.lines().skip(1).map(str::trim).filter(|line| *line != ");");
    let constraint = ["UNIQUE", "PRIMARY", "CHECK", "CONSTRAINT", "FOREIGN"];
    lines
        .filter_map(|line| line.trim_end_matches(',').split_once(' '))
        .filter(|(name, _)| !constraint.contains(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_statement_of_the_definitions_is_known() {
        for definition in crate::definitions::DEFINITIONS {
            let (name, all) = (definition.schema, statements(definition.text));
            assert!(!all.is_empty());
            for statement in all {
                let created = created(&statement).unwrap_or_else(|| panic!("{name}: {statement}"));
                assert!(!created.name.is_empty() && !created.name.contains(['(', ';']), "{created:?}");
                if created.what == "function" {
                    assert!(body(&statement).is_some(), "{statement}");
                }
                if created.what == "table" {
                    assert!(columns(&statement).len() > 4, "{statement}");
                }
            }
        }
    }
}
