//! Schedules of faults over servers: MySQL, MongoDB, Elasticsearch, Kafka. PostgreSQL has its own beside this.

use super::Schedule;
use crate::elasticsearch;
use crate::faults::{prepared, write};
use crate::servers::{Kind, Proxy, Server};
use crate::support::{Running, open};
use bson::doc;
use serde_json::Value;
use sqlx::AssertSqlSafe;

/// What may happen to any server.
pub(super) const FAULTS: &[&str] = &["killed", "cut", "slow", "dripping", "stopped", "silent", "torn", "none"];

pub(super) struct Stage {
    server: std::sync::Arc<Server>,
    pub(super) proxy: Proxy,
    database: String,
    pub(super) written: u32,
}

impl Stage {
    /// A server behind a proxy, and the address of the proxy; `None` where no servers are wanted.
    pub(super) async fn of(kind: Kind) -> Option<(Self, String)> {
        let server = Server::start(kind).await?;
        let proxy = match kind {
            // A broker tells its clients where it is: at the proxy.
            Kind::Kafka => Proxy::between(server.kafka.proxied, server.kafka.behind_proxy).await,
            _ => Proxy::to(server.port).await,
        };
        let database = prepared(&server).await;
        let mut url = server.url_at(proxy.port, &database);
        if kind == Kind::Mysql {
            let mut connection = server.mysql_connection(&database).await;
            let text = format!("CREATE USER reader IDENTIFIED BY 'first'; GRANT SELECT ON {database}.* TO reader");
            sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("created");
            url = url.replace("root@", "reader:first@");
        }
        Some((Self { server, proxy, database, written: 0 }, url))
    }

    pub(super) async fn write(&mut self, count: usize) {
        let count = u32::try_from(count).expect("few");
        write(&self.server, &self.database, self.written, count).await;
        self.written += count;
    }

    /// Elasticsearch finds what is written a second later, unless it is asked to at once.
    pub(super) async fn make_found(&self) {
        if self.server.kind == Kind::Elasticsearch {
            elasticsearch::refresh(&self.server, &self.database).await;
        }
    }

    /// A fault of any server. What is written meanwhile does not go through the proxy.
    pub(super) async fn break_down(&mut self, fault: &str, schedule: &mut Schedule) {
        let count = schedule.count();
        match fault {
            "killed" => {
                self.server.kill();
                schedule.pause(1500).await;
                self.server.restart().await;
            }
            "cut" => {
                self.proxy.cut();
                self.write(count).await;
                schedule.pause(3000).await;
                self.proxy.mend();
            }
            "slow" => {
                self.proxy.slow(200);
                self.write(count).await;
                schedule.pause(3000).await;
                self.proxy.slow(0);
            }
            "dripping" => {
                self.proxy.drip(true);
                self.write(count).await;
                schedule.pause(3000).await;
                self.proxy.drip(false);
            }
            "stopped" => {
                self.server.stop(true);
                schedule.pause(3000).await;
                self.server.stop(false);
            }
            "silent" => {
                self.proxy.silence(true);
                self.write(count).await;
                schedule.pause(3000).await;
                self.proxy.silence(false);
            }
            "torn" => {
                self.proxy.tear(true);
                self.write(count).await;
            }
            "none" => {}
            own => self.break_down_in_its_way(own, schedule).await,
        }
    }

    async fn break_down_in_its_way(&mut self, fault: &str, schedule: &mut Schedule) {
        let count = schedule.count();
        match (self.server.kind, fault) {
            (Kind::Mysql, "terminated") => {
                let mut connection = self.server.mysql_connection(&self.database).await;
                sqlx::raw_sql("KILL USER reader").execute(&mut connection).await.expect("terminated");
            }
            (Kind::Mysql, "table locked") => {
                let mut connection = self.server.mysql_connection(&self.database).await;
                sqlx::raw_sql("LOCK TABLES logs WRITE").execute(&mut connection).await.expect("locked");
                schedule.pause(3000).await;
                sqlx::raw_sql("UNLOCK TABLES").execute(&mut connection).await.expect("unlocked");
            }
            (Kind::Mysql, "late commit") => {
                let mut connection = self.server.mysql_connection(&self.database).await;
                let (from, upto) = (self.written, self.written + u32::try_from(count).expect("few"));
                let text = format!(
                    "BEGIN; INSERT INTO logs (level, service, message, request_id) \
                     SELECT 'INFO', 'api', CONCAT('m', seq), 'r' FROM seq_{from}_to_{}",
                    upto - 1
                );
                sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await.expect("begun");
                self.written = upto;
                self.write(count).await;
                schedule.pause(3000).await;
                sqlx::raw_sql("COMMIT").execute(&mut connection).await.expect("committed");
            }
            (Kind::MongoReplica, "stepped down") => {
                let client = self.server.mongo_client().await;
                // Its only member is elected again after the second that it asks for.
                let step = doc! { "replSetStepDown": 1, "force": true };
                client.database("admin").run_command(step).await.expect("stepped down");
                self.server.wait_for_primary().await;
            }
            (Kind::MongoReplica, "late commit") => {
                let client = self.server.mongo_client().await;
                let collection = client.database(&self.database).collection::<bson::Document>("integration_logs");
                let mut session = client.start_session().await.expect("a session");
                session.start_transaction().await.expect("begun");
                let at = bson::DateTime::now();
                for n in self.written..self.written + 5 {
                    let one = doc! { "request_id": format!("request {n}"), "status": "SUCCESS", "started_at": at };
                    collection.insert_one(one).session(&mut session).await.expect("written");
                }
                self.written += 5;
                self.write(count).await;
                schedule.pause(3000).await;
                session.commit_transaction().await.expect("committed");
            }
            (Kind::Elasticsearch, "closed") => {
                elasticsearch::ask(&self.server, "POST", &format!("{}/_close", self.database), Value::Null).await;
                schedule.pause(3000).await;
                elasticsearch::ask(&self.server, "POST", &format!("{}/_open", self.database), Value::Null).await;
                let path = format!("_cluster/health/{}?wait_for_status=yellow", self.database);
                elasticsearch::ask(&self.server, "GET", &path, Value::Null).await;
            }
            other => panic!("no fault {other:?}"),
        }
    }
}

async fn through_a_schedule(kind: Kind, own: &[&'static str]) {
    let Some((mut stage, url)) = Stage::of(kind).await else { return };
    stage.write(50).await;
    let (names, source) = open(&[url]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut schedule = Schedule::new(&format!("{kind:?}"));
    let faults = [FAULTS, own].concat();
    while let Some(fault) = schedule.next(&faults) {
        let count = schedule.count();
        stage.write(count).await;
        stage.break_down(fault, &mut schedule).await;
        let count = schedule.count();
        stage.write(count).await;
        schedule.pause(800).await;
        if schedule.dice.bool() {
            schedule.all_held(&mut running, stage.written as usize).await;
        }
    }
    schedule.all_held(&mut running, stage.written as usize).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mysql_through_a_schedule_of_faults() {
    through_a_schedule(Kind::Mysql, &["terminated", "table locked", "late commit"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mongodb_through_a_schedule_of_faults() {
    through_a_schedule(Kind::MongoReplica, &["stepped down", "late commit"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn elasticsearch_through_a_schedule_of_faults() {
    through_a_schedule(Kind::Elasticsearch, &["closed"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_through_a_schedule_of_faults() {
    through_a_schedule(Kind::Kafka, &[]).await;
}
