//! Evaluates jq expressions on a body with jaq. An expression may never end and may read the environment. So the
//! explorer runs it in a separate process without an environment, and kills that after a time limit.

use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};

/// Maximum number of results, and their maximum total size in bytes.
const RESULTS: usize = 10_000;
const BYTES: usize = 64 << 20;

/// Evaluates an expression on JSON; returns each result as JSON text. The error names the wrong place.
pub fn jq(expression: &str, input: &str) -> Result<Vec<String>, String> {
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let arena = Arena::default();
    let program = File { code: expression, path: () };
    let modules = Loader::new(definitions).load(&arena, program).map_err(|errors| {
        let said = errors.into_iter().map(|(_, error)| unreadable(error, expression)).collect::<Vec<_>>();
        said.join("; ")
    })?;
    let filter = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        let unknown = errors.into_iter().flat_map(|(_, errors)| errors);
        let said: Vec<String> = unknown.map(|(name, kind)| format!("no {} '{name}'", kind.as_str())).collect();
        said.join("; ")
    })?;
    let input = read::parse_single(input.as_bytes()).map_err(|error| format!("the body is not JSON: {error}"))?;
    let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let mut results = Vec::new();
    let mut bytes = 0;
    for result in filter.id.run((context, input)).map(unwrap_valr) {
        let text = result.map_err(|error| error.to_string())?.to_string();
        bytes += text.len();
        if results.len() == RESULTS || bytes > BYTES {
            return Err(format!("more than {RESULTS} results, or {} MB of them", BYTES >> 20));
        }
        results.push(text);
    }
    Ok(results)
}

fn unreadable(error: jaq_core::load::Error<&str>, expression: &str) -> String {
    use jaq_core::load::Error;
    let at = |rest: &str| {
        if rest.is_empty() {
            "at its end".to_owned()
        } else {
            format!("at '{}'", rest.chars().take(20).collect::<String>())
        }
    };
    let said: Vec<String> = match error {
        Error::Io(errors) => errors.into_iter().map(|(_, said)| said).collect(),
        Error::Lex(errors) => {
            errors.into_iter().map(|(expected, rest)| format!("expected {} {}", expected.as_str(), at(rest))).collect()
        }
        Error::Parse(errors) => {
            errors.into_iter().map(|(expected, rest)| format!("expected {} {}", expected.as_str(), at(rest))).collect()
        }
    };
    if said.is_empty() { format!("'{expression}' is not an expression") } else { said.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::jq;

    #[test]
    fn results_and_mistakes() {
        let input = r#"{"lines": [{"sku": "A", "qty": 1}, {"sku": "B", "qty": 9}], "big": 12345678901234567890}"#;
        assert_eq!(jq(".lines[] | select(.qty > 3) | .sku", input), Ok(vec!["\"B\"".to_owned()]));
        assert_eq!(jq(".big", input), Ok(vec!["12345678901234567890".to_owned()]));
        assert_eq!(jq("[.lines[].qty] | add", input), Ok(vec!["10".to_owned()]));
        assert!(jq(".lines[", input).expect_err("wrong").contains("expected"));
        assert_eq!(jq("nosuch", input), Err("no filter 'nosuch'".to_owned()));
        assert!(jq(".lines.sku", input).is_err());
        assert!(jq("range(1e9)", input).expect_err("too many").contains("more than"));
        assert!(jq("include \"/etc/passwd\"; .", input).is_err());
    }
}
