//! Elasticsearch: what the conformance suite does not ask.

use crate::servers::{Server, unique_name};
use serde_json::{Value, json};

/// The name of an index that no other test has.
pub fn index_name(beginning: &str) -> String {
    format!("{beginning}-{}", unique_name().replace('_', "-"))
}

fn url(server: &Server, path: &str) -> String {
    format!("http://127.0.0.1:{}/{path}", server.port)
}

/// Asks a server, which must agree.
pub async fn ask(server: &Server, method: &str, path: &str, body: Value) -> Value {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let mut request = reqwest::Client::new().request(method, url(server, path));
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    let status = response.status();
    let text = response.text().await.expect("a text");
    assert!(status.is_success(), "{path}: {status}: {}", &text[..text.len().min(500)]);
    serde_json::from_str(&text).unwrap_or_default()
}

/// Makes an index.
pub async fn create(server: &Server, index: &str, mut definition: Value) {
    definition["settings"]["number_of_replicas"] = json!(0);
    ask(server, "PUT", index, definition).await;
}

/// Writes documents, each with its action.
pub async fn bulk(server: &Server, lines: &[(Value, Value)]) {
    let text: String = lines.iter().map(|(action, document)| format!("{action}\n{document}\n")).collect();
    let request =
        reqwest::Client::new().post(url(server, "_bulk")).header("content-type", "application/x-ndjson").body(text);
    let answer: Value = request.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["errors"], false, "{}", answer.to_string().chars().take(500).collect::<String>());
}

/// Makes what was written visible.
pub async fn refresh(server: &Server, index: &str) {
    ask(server, "POST", &format!("{index}/_refresh"), Value::Null).await;
}
