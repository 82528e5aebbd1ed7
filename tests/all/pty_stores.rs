//! The explorer in a terminal over every kind of server: what a person sees of a store of which memory holds little.

use crate::elasticsearch::index_name;
use crate::pty::Terminal;
use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::{crosstail, lines};
use crosstail::tui::text::count;

/// Writes two days of traffic, and gives the number of its activities and of its failures, as `query` counts them.
fn written(to: &str, url: &str, schema: Option<&str>) -> (usize, usize) {
    let done = |arguments: &[&str]| {
        let output = crosstail(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    };
    if let Some(schema) = schema {
        done(&["schema", "apply", schema, "--to", to, "--yes"]);
    }
    done(&["generate", "--to", to, "--count", "900", "--history", "48h", "--for", "0s"]);
    let found = |filter: &str| {
        lines(&done(&["query", filter, "-s", url, "--limit", "0", "-o", "json", "--fields", "id"])).len()
    };
    (found("-kind:alert"), found("-kind:alert is:failure"))
}

/// Opens it on an hour, and asks for everything, for the failures, for the oldest, and for what tells the failures apart.
fn is_seen_whole(url: &str, schema: Option<&str>) {
    is_seen_whole_in(url, url, schema);
}

fn is_seen_whole_in(to: &str, url: &str, schema: Option<&str>) {
    let (all, failed) = written(to, url, schema);
    assert!(all > 100 && failed > 0, "{all}, {failed}");
    let mut terminal = Terminal::start(&[url, "--range", "1h", "--filter", "-kind:alert"], 160, 48);
    terminal.wait_for("following");
    terminal.wait_for("last 1 h");
    terminal.keys("T");
    terminal.wait_for("everything");
    terminal.keys("\u{15}everything\r");
    terminal.wait_for(&format!("{} of", count(all)));
    terminal.keys("/");
    terminal.settle();
    terminal.keys("\u{15}-kind:alert is:failure\r");
    terminal.wait_for(&format!("{} of", count(failed)));
    terminal.keys("g");
    terminal.wait_for("▷ not following");
    terminal.keys("f");
    terminal.wait_for("▶ following");
    terminal.keys("c");
    terminal.wait_for(&format!("what tells {}", count(failed)));
    terminal.keys("\u{1b}");
    terminal.wait_until_gone("what tells");
    // A search that nothing answers is ended by a key.
    terminal.keys("/");
    terminal.settle();
    terminal.keys("\u{15}\"nowhere to be found\"\r");
    terminal.wait_for("0 of");
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}

#[tokio::test(flavor = "multi_thread")]
async fn databases_are_seen_whole() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    is_seen_whole(&server.url(&server.postgres_database(&[]).await), Some("integration-activity"));
    let Some(server) = shared(Kind::Mysql).await else { return };
    is_seen_whole(&server.url(&server.mysql_database(&[]).await), Some("integration-activity"));
}

#[tokio::test(flavor = "multi_thread")]
async fn collections_are_seen_whole() {
    let Some(server) = shared(Kind::MongoReplica).await else { return };
    is_seen_whole(&server.url(&unique_name()), Some("prokure"));
}

#[tokio::test(flavor = "multi_thread")]
async fn indices_are_seen_whole() {
    let Some(server) = shared(Kind::Elasticsearch).await else { return };
    is_seen_whole(&server.url(&index_name("halopsa-integration")), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_are_seen_whole() {
    // Its topic has the name of the document, which other tests use, too.
    let Some(server) = Server::start(Kind::Kafka).await else { return };
    is_seen_whole_in(&server.url(""), &server.url("log-processing"), Some("engineering-logs"));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_two_stores_are_seen_as_one() {
    let Some(postgres) = shared(Kind::Postgres).await else { return };
    let Some(mysql) = shared(Kind::Mysql).await else { return };
    let urls = [postgres.url(&postgres.postgres_database(&[]).await), mysql.url(&mysql.mysql_database(&[]).await)];
    let done = |arguments: &[&str]| {
        let output = crosstail(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        lines(&output)
    };
    let [one, other] = urls.each_ref().map(String::as_str);
    for to in [one, other] {
        let _ = crosstail(&["schema", "apply", "integration-activity", "--to", to, "--yes"]);
    }
    let _ = crosstail(&["generate", "--to", one, "--to", other, "--count", "900", "--history", "48h", "--for", "0s"]);
    let oldest = done(&[
        "query",
        "corr:*",
        "-s",
        one,
        "--sort",
        "time",
        "--limit",
        "1",
        "-o",
        "json",
        "--fields",
        "correlation_id",
    ]);
    let correlation = oldest[0]["correlation_id"].as_str().expect("a correlation id").to_owned();
    let filter = format!("corr:{correlation}");
    let both = done(&["query", &filter, "-s", one, "-s", other, "--limit", "0", "-o", "json", "--fields", "id"]).len();
    let alone = done(&["query", &filter, "-s", one, "--limit", "0", "-o", "json", "--fields", "id"]).len();
    assert!(both > 0 && both == alone, "the stores hold the same requests: {both}, {alone}");
    let all = done(&["query", "-s", one, "-s", other, "--limit", "0", "-o", "json", "--fields", "id"]).len();
    let mut terminal = Terminal::start(&[one, other, "--range", "1h"], 160, 48);
    terminal.wait_for("following");
    terminal.keys("T");
    terminal.wait_for("everything");
    terminal.keys("\u{15}everything\r");
    terminal.wait_for(&count(all));
    terminal.keys("/");
    terminal.settle();
    terminal.keys(&format!("\u{15}{filter}\r"));
    terminal.wait_for(&format!("{} of", count(both)));
    terminal.keys("q");
    assert_eq!(terminal.wait_for_end(), 0);
    terminal.assert_restored();
}
