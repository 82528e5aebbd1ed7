//! Which texts of an error say that there is none: one rule for what is read here and for what stores compare themselves.

use regex::Regex;
use std::sync::LazyLock;

/// What a field of an error holds where there is none, in lower case.
pub const NO_ERROR: [&str; 7] = ["false", "null", "none", "0", "{}", "[]", "\"\""];

/// The texts of an error that say that there is none, in lower case: a word of [`NO_ERROR`], or JSON of nothing but `null` and empty
/// texts. Stores compare by it, too, so it has only what the regular expressions of PostgreSQL, MySQL, MariaDB, MongoDB and Lucene have
/// in common, and no two ways to read one text, which some of them would all try. Without anchors, because Lucene has none.
pub const NO_ERROR_TEXT: &str = concat!(
    "[ \t\r\n]*(false|null|none|0|\\\"\\\"|(\\[|[{])(\\[|\\]|[{},: \t\r\n]|null|\\\"\\\"|",
    // A key: a text that is not empty, and a colon behind it.
    r#"\"([^"\\]|\\["\\/bfnrtu])[^"\\]*(\\["\\/bfnrtu][^"\\]*)*\"[ "#,
    "\t\r\n]*:)*(\\]|[}]))[ \t\r\n]*"
);

/// [`NO_ERROR_TEXT`] as a whole text.
pub fn no_error_text() -> String {
    format!("^{NO_ERROR_TEXT}$")
}

/// Whether the text of an error is one, where any JSON may stand in its place.
pub fn says_error(text: &str) -> bool {
    static NONE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&no_error_text()).ok());
    // Most errors begin with a letter that begins none of these.
    let first = text.trim_start_matches([' ', '\t', '\r', '\n']).bytes().next().unwrap_or(b' ');
    let may_be_none = matches!(first, b'f' | b'F' | b'n' | b'N' | b'0' | b'"' | b'{' | b'[');
    let is_none = |none: &Regex| none.is_match(&text.to_ascii_lowercase());
    !(may_be_none && NONE.as_ref().is_some_and(is_none))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_nulls_and_empty_texts_is_no_error() {
        for none in [
            "null",
            " None\n",
            "FALSE",
            "0",
            r#""""#,
            "{}",
            "[ ]",
            r#"{"message":"","code":""}"#,
            r#"{"message": null, "inner": {"a, \"b\": {": [null, ""]}}"#,
            r#"[{"": ""}]"#,
            "{\n\t\"Code\" :\r\n \"\"\n}\n",
        ] {
            assert!(!says_error(none), "{none}");
        }
        for error in [
            "nothing",
            "00",
            "10",
            "true",
            "-",
            r#""null""#,
            r#"{"message":"boom"}"#,
            r#"{"code":0}"#,
            r#"{"failed":false}"#,
            "[[[1]]]",
            r#"["a:"]"#,
            r#"{"a":"\": {}"}"#,
            // No JSON: cut off, or never any.
            r#"{"a":"","b"#,
            "[error] refused",
            "{boom}",
        ] {
            assert!(says_error(error), "{error}");
        }
    }

    #[test]
    fn a_long_text_is_judged_at_once() {
        // A rule that could read one text in two ways would try all of them.
        let many = r#"{"": "", "a": null}, "#.repeat(20_000);
        assert!(says_error(&format!("[{many} 1]")));
        assert!(!says_error(&format!("[{many} null]")));
    }
}
