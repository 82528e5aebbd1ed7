//! Dialects of JSON, each record as a program writes it: what happened, and how many lines its stack has.

use super::{read, surrounding, value};
use crosstail_formats::{Formats, Sample};

#[derive(serde::Deserialize)]
struct Samples {
    sample: Vec<Sample>,
}

#[test]
fn dialects_say_what_happened() {
    let formats = Formats::built_in().expect("formats");
    let Samples { sample: samples } = toml::from_str(include_str!("dialects.toml")).expect("samples");
    let mut wrong = Vec::new();
    for Sample { text, is } in &samples {
        let (reader, found) = read(&formats, text);
        let Some(last) = found.last() else {
            wrong.push(format!("nothing in {text}"));
            continue;
        };
        let stack = || {
            let payload = reader.payload(format!("{text}\n").as_bytes(), found.len() - 1, &surrounding());
            payload.error.stack.unwrap_or_default().trim().lines().count()
        };
        for (field, expected) in is {
            let got: toml::Value = match field.as_str() {
                "records" => i64::try_from(found.len()).expect("few").into(),
                "stack" => i64::try_from(stack()).expect("few").into(),
                field => value(&last.activity, field),
            };
            if got != *expected {
                wrong.push(format!("{field} ({}): {got} instead of {expected}\n    {text}", reader.name_of(last.form)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
