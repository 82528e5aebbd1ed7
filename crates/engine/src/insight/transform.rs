//! Evaluates the transforms in the configuration of systems: JSONata (<https://docs.jsonata.org>).

#[cfg(feature = "jsonata")]
use jsonata_core::evaluator::{Context, Evaluator, EvaluatorOptions};
#[cfg(feature = "jsonata")]
use jsonata_core::parser;
#[cfg(feature = "jsonata")]
use jsonata_core::value::JValue;
use serde_json::Value;

/// The text of a JSONata expression: as written, or built from an object whose strings are expressions.
pub fn expression(transform: &Value) -> String {
    fn part(value: &Value, out: &mut String) {
        match value {
            Value::Object(map) => {
                out.push('{');
                for (index, (key, value)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&Value::String(key.clone()).to_string());
                    out.push_str(": ");
                    part(value, out);
                }
                out.push('}');
            }
            Value::Array(list) => {
                out.push('[');
                for (index, value) in list.iter().enumerate() {
                    if index > 0 {
                        out.push_str(", ");
                    }
                    part(value, out);
                }
                out.push(']');
            }
            Value::String(text) => out.push_str(text),
            other => out.push_str(&other.to_string()),
        }
    }
    let mut out = String::new();
    part(transform, &mut out);
    out
}

/// Evaluates a JSONata expression on a body, for at most one second and 100,000 values: do not call this on the
/// screen's thread.
///
/// # Errors
/// The message of the evaluator, or that the build has none.
#[cfg(feature = "jsonata")]
pub fn transform(expression: &str, input: &Value) -> Result<Value, String> {
    let ast = parser::parse(expression).map_err(|error| error.to_string())?;
    let data = JValue::from_json_str(&input.to_string()).map_err(|error| error.to_string())?;
    let options = EvaluatorOptions {
        timeout_ms: Some(1000),
        max_stack_depth: Some(500),
        max_sequence_length: Some(100_000),
        ..EvaluatorOptions::default()
    };
    let result = Evaluator::with_options(Context::new(), options)
        .evaluate(&ast, &data)
        .map_err(|error| error.message().to_owned())?;
    let text = result.to_json_string().map_err(|error| error.to_string())?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// The function in a build without JSONata.
///
/// # Errors
/// Always.
#[cfg(not(feature = "jsonata"))]
pub fn transform(_expression: &str, _input: &Value) -> Result<Value, String> {
    Err("this build cannot evaluate JSONata; build with `--features full`".to_owned())
}

#[cfg(all(test, feature = "jsonata"))]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_transform_of_prokure() {
        let text = r#"{ "PurchaseOrder": { "VendorCode": $.vendor.external_code, "Items": $.items.{ "Material": item_code, "Qty": quantity } } }"#;
        let input = json!({"vendor": {"external_code": "V-77"}, "items": [{"item_code": "M1", "quantity": 2}, {"item_code": "M2", "quantity": 3}]});
        let expected = json!({"PurchaseOrder": {"VendorCode": "V-77", "Items": [{"Material": "M1", "Qty": 2}, {"Material": "M2", "Qty": 3}]}});
        assert_eq!(transform(text, &input).expect("evaluated"), expected);
        let object = json!({"PurchaseOrder": {"VendorCode": "$.vendor.external_code", "Items": "$.items.{ \"Material\": item_code, \"Qty\": quantity }"}});
        assert_eq!(transform(&expression(&object), &input).expect("evaluated"), expected);
    }

    #[test]
    fn a_transform_that_does_not_end_is_stopped() {
        let begun = std::time::Instant::now();
        transform("( $f := function($x) { $f($x + 1) }; $f(1) )", &json!({})).expect_err("endless");
        assert!(begun.elapsed() < std::time::Duration::from_secs(20));
        transform("$.(", &json!({})).expect_err("no expression");
    }
}
