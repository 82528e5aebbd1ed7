//! Requests of which several sources, of any kind, each have a part.

use crate::servers::{Kind, Server, shared, unique_name};
use crate::support::EPOCH;
use crate::{elasticsearch, kafka};
use crosstail_core::model::{Names, SourceId};
use crosstail_core::schema::Schema;
use crosstail_source::{Source, SourceConfig};
use fastrand::Rng;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _};
use std::path::Path;
use std::sync::Arc;

/// A source, opened.
pub type Opened = (SourceId, Arc<dyn Source>);

/// A request as one of the sources knows it.
pub struct Row {
    id: String,
    at_ms: i64,
    /// Columns of [`COLUMNS`], in order.
    values: Vec<Option<String>>,
}

impl Row {
    fn at_ms(&self) -> i64 {
        EPOCH.0 / 1000 + self.at_ms
    }

    /// As a line of a log.
    fn line(&self) -> Value {
        let mut line = json!({ "id": self.id, "at": self.at_ms() });
        for (name, value) in COLUMNS.iter().zip(&self.values) {
            if let Some(value) = value {
                let number = value.parse::<u32>().ok().filter(|_| *name == "took");
                line[*name] = number.map_or_else(|| value.as_str().into(), Into::into);
            }
        }
        line
    }
}

const COLUMNS: [&str; 7] = ["system", "status", "message", "error", "corr", "actor", "took"];

const SCHEMA: &str = "name = \"halves\"\ntitle = \"halves\"\n[table]\nname = \"calls\"\nid = \"id\"\ntime = \"at\"\n\
    time_unit = \"ms\"\n[fields]\nid = \"id\"\nstarted_at = \"at\"\nsystem = \"system\"\nstatus = \"status\"\n\
    message = \"message\"\nerror = \"error\"\ncorrelation_id = \"corr\"\nactor = \"actor\"\nduration = \"took\"\n\
    [words.status]\nok = \"success\"\nbroken = \"failed\"\n";

/// Requests of which each source has some columns.
pub fn halves(rng: &mut Rng, sources: usize, count: i64) -> Vec<Vec<Row>> {
    let mut all: Vec<Vec<Row>> = (0..sources).map(|_| Vec::new()).collect();
    for number in 0..count {
        let id = format!("{:08x}-0000-4000-8000-{:012x}", rng.u32(..), number);
        let truth: Vec<Vec<String>> = vec![
            // Who wins where two sources say different things is not for the source that is asked to know.
            vec!["SAP".to_owned(), "Zoho".to_owned(), "sap-adapter".to_owned()],
            vec![["ok", "broken"][rng.usize(0..2)].to_owned()],
            vec![format!("order {} sent", rng.u8(0..4)), format!("order {} received", rng.u8(0..4))],
            vec![["timeout", "duplicate key"][rng.usize(0..2)].to_owned()],
            vec![format!("c-{:04}", rng.u8(0..9))],
            vec![["ann", "bob"][rng.usize(0..2)].to_owned()],
            vec![rng.u32(1..3000).to_string()],
        ];
        for rows in &mut all {
            if rng.u8(0..3) == 0 {
                continue;
            }
            let value = |rng: &mut Rng, choices: &Vec<String>| {
                (rng.u8(0..2) == 0).then(|| choices[rng.usize(0..choices.len())].clone())
            };
            let values = truth.iter().map(|choices| value(rng, choices)).collect();
            rows.push(Row { id: id.clone(), at_ms: number * 30_000 + rng.i64(0..600_000), values });
        }
    }
    all
}

/// A kind of source that can hold a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    Sqlite,
    File,
    Postgres,
    Mysql,
    Mongo,
    Elastic,
    Kafka,
}

impl Holder {
    pub const ALL: [Self; 7] =
        [Self::Sqlite, Self::File, Self::Postgres, Self::Mysql, Self::Mongo, Self::Elastic, Self::Kafka];

    /// Writes rows and opens what holds them; `None` where servers are not wanted.
    pub async fn place(self, folder: &Path, names: &Names, name: &str, rows: &[Row]) -> Option<Opened> {
        let at = match self {
            Self::Sqlite => {
                let path = folder.join(format!("{name}.sqlite"));
                sqlite(&path, rows).await;
                path.to_str().expect("UTF-8").to_owned()
            }
            Self::File => {
                let path = folder.join(format!("{name}.log"));
                std::fs::write(&path, lines(rows)).expect("written");
                path.to_str().expect("UTF-8").to_owned()
            }
            Self::Postgres => postgres(&*shared(Kind::Postgres).await?, rows).await,
            Self::Mysql => mysql(&*shared(Kind::Mysql).await?, rows).await,
            Self::Mongo => mongo(&*shared(Kind::MongoReplica).await?, rows).await,
            Self::Elastic => elastic(&*shared(Kind::Elasticsearch).await?, rows).await,
            Self::Kafka => topic(&*shared(Kind::Kafka).await?, rows).await,
        };
        let key = if self == Self::Mongo { "_id" } else { "id" };
        let text = SCHEMA.replacen("id = \"id\"", &format!("id = \"{key}\""), 1);
        let schema = Schema::from_toml(&text, "halves.toml").expect("a schema");
        let config =
            SourceConfig { name: name.to_owned(), at: vec![at], schema: Some(schema), ..SourceConfig::default() };
        Some(crosstail::kinds::ALL.open(&config, names).expect("opened"))
    }
}

/// Statements that make the table and fill it.
fn statements(text: &str, rows: &[Row]) -> Vec<String> {
    let columns: Vec<String> = COLUMNS.iter().map(|name| format!("{name} {text}")).collect();
    let columns = columns.join(", ").replace(&format!("took {text}"), "took BIGINT");
    let mut all = vec![format!("CREATE TABLE calls (id VARCHAR(64) PRIMARY KEY, at BIGINT, {columns})")];
    let literal = |value: &Option<String>| value.as_ref().map_or("NULL".to_owned(), |value| format!("'{value}'"));
    for some in rows.chunks(200) {
        let tuple = |row: &Row| {
            let values: Vec<String> = row.values.iter().map(literal).collect();
            format!("('{}', {}, {})", row.id, row.at_ms(), values.join(", "))
        };
        let tuples: Vec<String> = some.iter().map(tuple).collect();
        all.push(format!("INSERT INTO calls VALUES {}", tuples.join(", ")));
    }
    all
}

async fn sqlite(path: &Path, rows: &[Row]) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.expect("opened");
    for sql in statements("TEXT", rows) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("written");
    }
}

fn in_order(rows: &[Row]) -> Vec<&Row> {
    let mut sorted: Vec<&Row> = rows.iter().collect();
    sorted.sort_by_key(|row| row.at_ms);
    sorted
}

fn lines(rows: &[Row]) -> String {
    in_order(rows).into_iter().map(|row| format!("{}\n", row.line())).collect()
}

async fn postgres(server: &Server, rows: &[Row]) -> String {
    let database = server.postgres_database(&[]).await;
    let mut connection = server.postgres_connection(&database).await;
    for sql in statements("text", rows) {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("written");
    }
    server.url(&database)
}

async fn mysql(server: &Server, rows: &[Row]) -> String {
    let database = server.mysql_database(&[]).await;
    let mut connection = server.mysql_connection(&database).await;
    for sql in statements("TEXT", rows) {
        sqlx::raw_sql(AssertSqlSafe(sql.replace("took BIGINT", "took INT")))
            .execute(&mut connection)
            .await
            .expect("written");
    }
    server.url(&database)
}

async fn mongo(server: &Server, rows: &[Row]) -> String {
    let database = unique_name();
    let collection = server.mongo_client().await.database(&database).collection::<bson::Document>("calls");
    let document = |row: &Row| {
        let mut document = bson::serialize_to_document(&row.line()).expect("BSON");
        document.insert("_id", &row.id);
        document.insert("at", bson::DateTime::from_millis(row.at_ms()));
        document
    };
    collection.insert_many(rows.iter().map(document)).await.expect("written");
    server.url(&database)
}

async fn elastic(server: &Server, rows: &[Row]) -> String {
    let index = elasticsearch::index_name("calls");
    let time = json!({ "type": "date", "format": "epoch_millis" });
    elasticsearch::create(server, &index, json!({ "mappings": { "properties": { "at": time } } })).await;
    let action = json!({ "index": { "_index": index } });
    let lines: Vec<_> = rows.iter().map(|row| (action.clone(), row.line())).collect();
    elasticsearch::bulk(server, &lines).await;
    elasticsearch::refresh(server, &index).await;
    server.url(&index)
}

async fn topic(server: &Server, rows: &[Row]) -> String {
    let topic = kafka::topic_name("calls");
    kafka::create(server, &topic, 3, &[]).await;
    let messages = in_order(rows).into_iter().map(|row| (row.id.clone(), row.line().to_string()));
    kafka::produce(&kafka::producer(server, "none"), &topic, messages);
    server.url(&topic)
}
