//! The explorer in a terminal over every kind of server: what a person sees of a store of which memory holds little.

use crate::elasticsearch::index_name;
use crate::pty::Terminal;
use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::{crosstail, lines};
use crosstail::tui::text::count;
use crosstail_core::model::Clock;
use sqlx::AssertSqlSafe;

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

/// Rows of a table over 90 days, of which every 25th failed, and since 13 minutes ago the two tries of 212 orders of three tenants, all
/// refused.
const LARGE: &str = "
INSERT INTO integration_activity_log (id, organization_id, direction, activity_type, method, endpoint, request_body,
    response_status, response_time_ms, status, error_message, error_code, metadata, created_at, completed_at)
SELECT md5('r' || n)::uuid, md5('o' || n % 40)::uuid, 'outbound', 'api_call', 'POST', '/api/v2/' || (ARRAY['orders', 'tickets'])[1 + n % 2],
    jsonb_build_object('order', n), CASE WHEN n % 25 = 0 THEN 502 ELSE 200 END, (n::bigint * 7919) % 3000,
    CASE WHEN n % 25 = 0 THEN 'error' ELSE 'success' END, CASE WHEN n % 25 = 0 THEN 'order ' || n || ' was refused: duplicate key' END,
    CASE WHEN n % 25 = 0 THEN 'E' || n % 9 END,
    jsonb_build_object('provider', (ARRAY['SAP', 'Zoho', 'Tally'])[1 + n % 3], 'entity_type', 'PO', 'entity_id', n::text),
    at, at + interval '90 ms'
FROM (SELECT n, now() - (n::float8 / ROWS) * interval '90 days' AS at FROM generate_series(1, ROWS) n) made;
INSERT INTO integration_activity_log (id, organization_id, direction, activity_type, method, endpoint, request_body,
    response_status, response_time_ms, status, error_message, error_code, metadata, created_at, completed_at)
SELECT gen_random_uuid(), md5('o' || n % 3)::uuid, 'outbound', 'api_call', 'POST', '/invoice/post', '{}', 422, 210, 'error',
    'tax code GST18 is not mapped for plant ' || 1700 + n % 4, 'TaxCodeNotMapped',
    jsonb_build_object('provider', 'SAP', 'entity_type', 'INVOICE', 'entity_id', n::text, 'correlation_id', md5('c' || n)::uuid,
        'attempt', try, 'max_attempts', 2),
    at + try * interval '1 second', at + try * interval '1 second' + interval '210 ms'
FROM (SELECT n, now() - interval '13 minutes' + n * interval '3 seconds' AS at FROM generate_series(1, 212) n) orders,
    generate_series(1, 2) try;
ANALYZE integration_activity_log;
";

/// A table of 200,000 rows, or of as many as `CROSSTAIL_TEST_ROWS` says, such as 8,000,000: with one key, the error that is new, since
/// when, whom it affects, the deploy before it, and that retries do not repair it.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_told_to_be_new_over_a_large_table() {
    let Some(server) = shared(Kind::Postgres).await else { return };
    let rows: u64 = std::env::var("CROSSTAIL_TEST_ROWS").ok().map_or(200_000, |rows| rows.parse().expect("a number"));
    let database = server.postgres_database(&["integration-activity"]).await;
    let mut connection = server.postgres_connection(&database).await;
    let marked = Clock::system().now().plus_us(-800_000_000).rfc3339();
    let insert = LARGE.replace("ROWS", &rows.to_string());
    sqlx::raw_sql(AssertSqlSafe(insert)).execute(&mut connection).await.expect("inserted");
    let url = server.url(&database);
    for (columns, lines) in [(160, 48), (80, 24)] {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().display().to_string();
        let mut mark = std::process::Command::new(env!("CARGO_BIN_EXE_crosstail"));
        mark.args(["mark", "--at", &marked, "deployed 1.4.3"]).env("XDG_STATE_HOME", &state);
        assert!(mark.status().expect("run").success());
        let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_crosstail"));
        command.args([&url, "--range", "24h"]);
        let environment = [("XDG_CONFIG_HOME", "/nonexistent".into()), ("XDG_STATE_HOME", folder.path().into())];
        let mut terminal = Terminal::run_as_it_is(command, &environment, columns, lines);
        terminal.wait_for("following");
        terminal.keys("F");
        terminal.wait_for("retries repaired none of ");
        let screen = terminal.screen();
        for says in ["new since ", "424 failures", "212 entities · 3 organisations", "after ◆ deployed 1.4.3"] {
            assert!(screen.contains(says), "{says}: {screen}");
        }
        terminal.keys("q");
        assert_eq!(terminal.wait_for_end(), 0);
        terminal.assert_restored();
    }
}
