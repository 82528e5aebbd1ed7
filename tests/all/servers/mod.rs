//! Real servers for the tests: started when first asked for, each on a port of its own, gone when the tests end.
//! `scripts/setup-tests` installs them. Where they are not wanted ([`servers_wanted`]), a test that asks for one gets none
//! and returns.

mod java;
mod layers;
mod mysql;
mod ports;
mod proxy;

use crate::support::PATIENCE;
pub use java::{KafkaPorts, kafka_tool};
pub use layers::servers_wanted;
pub use ports::reserve;
pub use proxy::Proxy;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

/// What a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL: MariaDB.
    Mysql,
    /// MongoDB, one member of a replica set.
    MongoReplica,
    /// MongoDB by itself.
    MongoStandalone,
    /// MongoDB by itself, with users.
    MongoAuth,
    /// Elasticsearch, one node.
    Elasticsearch,
    /// Kafka, one broker.
    Kafka,
    /// Prometheus; its configuration is in the first argument.
    Prometheus,
}

/// Room for one server of each kind.
const KINDS: usize = 16;

/// A running server.
pub struct Server {
    pub kind: Kind,
    pub port: u16,
    pub folder: PathBuf,
    /// Where Kafka listens, too.
    pub kafka: KafkaPorts,
    /// Keeps the server alive; its standard input closed, it kills the server.
    watchdog: Mutex<Option<(Child, u32)>>,
    /// The clock is this many seconds ahead.
    ahead_s: i32,
    arguments: Vec<String>,
}

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Where servers keep their data: in memory where there is room, because ten of them waiting for one disk are slow.
fn roomy_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let room = rustix::fs::statvfs(memory).map_or(0, |found| found.f_bavail * found.f_frsize);
    if room > 4 << 30 { memory.to_owned() } else { std::env::temp_dir() }
}

fn is_root() -> bool {
    rustix::process::getuid().is_root()
}

/// What comes before a program that runs as the user that PostgreSQL wants.
fn unprivileged() -> Vec<String> {
    let words = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"];
    if is_root() { words.map(str::to_owned).to_vec() } else { Vec::new() }
}

fn postgres_bin(name: &str) -> PathBuf {
    let mut found: Vec<PathBuf> = glob::glob("/usr/lib/postgresql/*/bin").expect("a glob").flatten().collect();
    found.sort();
    found.pop().map_or_else(|| PathBuf::from(name), |folder| folder.join(name))
}

/// Where `scripts/setup-tests` puts servers.
pub fn cache() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map_or_else(|| PathBuf::from(std::env::var_os("HOME").expect("HOME")).join(".cache"), PathBuf::from);
    cache.join("crosstail/servers")
}

impl Server {
    /// Starts one and waits until it answers; `None` where servers are not wanted.
    pub async fn start(kind: Kind) -> Option<Arc<Self>> {
        Self::start_with(kind, 0, &[]).await
    }

    /// Starts one whose clock is ahead by some seconds, with more arguments.
    pub async fn start_with(kind: Kind, ahead_s: i32, arguments: &[&str]) -> Option<Arc<Self>> {
        if !servers_wanted() {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = roomy_folder().join(format!("crosstail-test-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let server = Self {
            kind,
            port: reserve(),
            folder,
            kafka: KafkaPorts::new(),
            watchdog: Mutex::new(None),
            ahead_s,
            arguments: arguments.iter().map(|a| (*a).to_owned()).collect(),
        };
        match kind {
            Kind::Postgres => server.init_postgres(),
            Kind::Mysql => server.init_mysql(),
            Kind::Elasticsearch => java::prepare_elasticsearch(&server.folder, server.port),
            Kind::Kafka => java::prepare_kafka(&server.folder, server.port, &server.kafka),
            _ => {}
        }
        server.run().await;
        if kind == Kind::MongoReplica {
            let client = server.mongo_client().await;
            let config =
                bson::doc! { "_id": "rs0", "members": [{ "_id": 0, "host": format!("127.0.0.1:{}", server.port) }] };
            client.database("admin").run_command(bson::doc! { "replSetInitiate": config }).await.expect("initiated");
            server.wait_for_primary().await;
        }
        Some(Arc::new(server))
    }

    fn init_postgres(&self) {
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&self.folder).status().expect("chown");
            assert!(owned.success());
        }
        let data = self.folder.join("data");
        let mut words = unprivileged();
        words.push(postgres_bin("initdb").display().to_string());
        let output = Command::new(&words[0])
            .args(&words[1..])
            .args([
                "-D",
                &data.display().to_string(),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
                "-N",
            ])
            .current_dir("/")
            .output()
            .unwrap_or_else(|error| panic!("initdb: {error}; run scripts/setup-tests"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Everybody is trusted but the role that tests wrong passwords.
        let rules = "host all locked all scram-sha-256\nhost all all all trust\nlocal all all trust\n";
        std::fs::write(data.join("pg_hba.conf"), rules).expect("written");
    }

    fn command(&self) -> Vec<String> {
        let folder = self.folder.display();
        let refuses_root = matches!(self.kind, Kind::Postgres | Kind::Mysql | Kind::Elasticsearch);
        let mut words = if refuses_root { unprivileged() } else { Vec::new() };
        if self.ahead_s != 0 {
            let library = glob::glob("/usr/lib/*/faketime/libfaketime.so.1").expect("a glob").flatten().next();
            let library = library.expect("libfaketime; run scripts/setup-tests");
            words.extend(["env".to_owned(), format!("LD_PRELOAD={}", library.display())]);
            words.extend([format!("FAKETIME={:+}", self.ahead_s), "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned()]);
        }
        match self.kind {
            Kind::Postgres => {
                words.push(postgres_bin("postgres").display().to_string());
                words.extend(["-D".to_owned(), format!("{folder}/data")]);
                for setting in [
                    "listen_addresses=127.0.0.1".to_owned(),
                    format!("port={}", self.port),
                    format!("unix_socket_directories={folder}"),
                    "fsync=off".to_owned(),
                    // Killed, it leaves nothing in /dev/shm.
                    "dynamic_shared_memory_type=mmap".to_owned(),
                    "max_connections=200".to_owned(),
                ] {
                    words.extend(["-c".to_owned(), setting]);
                }
            }
            Kind::Mysql => words.extend(self.mysql_command()),
            Kind::Elasticsearch => words.extend(java::elasticsearch(&self.folder)),
            Kind::Kafka => words.extend(java::kafka(&self.folder)),
            Kind::Prometheus => {
                words.push(cache().join("prometheus").display().to_string());
                words.push(format!("--storage.tsdb.path={folder}/data"));
                words.push(format!("--web.listen-address=127.0.0.1:{}", self.port));
            }
            kind => {
                std::fs::create_dir_all(self.folder.join("data")).expect("a folder");
                words.extend([
                    cache().join("mongod").display().to_string(),
                    "--dbpath".to_owned(),
                    format!("{folder}/data"),
                ]);
                words.extend(["--port".to_owned(), self.port.to_string()]);
                words.extend(
                    ["--bind_ip", "127.0.0.1", "--wiredTigerCacheSizeGB", "0.25", "--nounixsocket"].map(str::to_owned),
                );
                match kind {
                    Kind::MongoReplica => words.extend(["--replSet", "rs0"].map(str::to_owned)),
                    Kind::MongoAuth => words.push("--auth".to_owned()),
                    _ => {}
                }
            }
        }
        words.extend(self.arguments.iter().cloned());
        words
    }

    async fn run(&self) {
        // Job control: the server and what it starts are a group of processes of their own.
        let script = r#"set -m; "$@" >>"$0/log" 2>&1 & pid=$!; echo $pid; exec 2>/dev/null; cat >/dev/null; kill -9 -- -$pid 2>/dev/null; wait $pid; [ -e "$0/keep" ] || rm -rf "$0""#;
        let mut watchdog = Command::new("bash")
            .args(["-c", script])
            .arg(&self.folder)
            .args(self.command())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let mut line = String::new();
        BufReader::new(watchdog.stdout.take().expect("stdout")).read_line(&mut line).expect("a pid");
        let pid = line.trim().parse().expect("a pid");
        *self.watchdog.lock().expect("lock") = Some((watchdog, pid));
        let until = Instant::now() + PATIENCE;
        loop {
            let answers = match self.kind {
                Kind::Postgres => PgConnection::connect(&self.url("postgres")).await.is_ok(),
                Kind::Mysql => MySqlConnection::connect(&self.url("mysql")).await.is_ok(),
                Kind::Elasticsearch => self.answers("_cluster/health?wait_for_status=yellow&timeout=1s").await,
                Kind::Prometheus => self.answers("-/ready").await,
                Kind::Kafka => TcpStream::connect(("127.0.0.1", self.port)).await.is_ok(),
                _ => self.mongo_client().await.database("admin").run_command(bson::doc! { "ping": 1 }).await.is_ok(),
            };
            if answers {
                return;
            }
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            let tail: String = log.chars().rev().take(2000).collect::<Vec<_>>().into_iter().rev().collect();
            assert!(Instant::now() < until, "{:?} does not answer: {tail}", self.kind);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Whether a page of an HTTP server can be had.
    async fn answers(&self, path: &str) -> bool {
        let page = reqwest::get(format!("http://127.0.0.1:{}/{path}", self.port)).await;
        page.is_ok_and(|page| page.status().is_success())
    }

    pub async fn wait_for_primary(&self) {
        let client = self.mongo_client().await;
        let until = Instant::now() + PATIENCE;
        loop {
            let hello = client.database("admin").run_command(bson::doc! { "hello": 1 }).await;
            if hello.is_ok_and(|hello| hello.get_bool("isWritablePrimary").unwrap_or(false)) {
                return;
            }
            assert!(Instant::now() < until, "no primary");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&self) {
        let (mut watchdog, pid) = self.watchdog.lock().expect("lock").take().expect("running");
        std::fs::write(self.folder.join("keep"), "").expect("written");
        signal_group(pid, rustix::process::Signal::KILL);
        drop(watchdog.stdin.take());
        watchdog.wait().expect("ended");
        std::fs::remove_file(self.folder.join("keep")).expect("removed");
    }

    /// Stops all its processes where they are, as a machine that has no time for them does, or lets them go on.
    pub fn stop(&self, is_stopped: bool) {
        let watchdog = self.watchdog.lock().expect("lock");
        let (_, pid) = watchdog.as_ref().expect("running");
        let signal = if is_stopped { rustix::process::Signal::STOP } else { rustix::process::Signal::CONT };
        signal_group(*pid, signal);
    }

    /// Starts it again with its data.
    pub async fn restart(&self) {
        // Connections of the killed server must have gone first.
        let until = Instant::now() + PATIENCE;
        while std::net::TcpListener::bind(("127.0.0.1", self.port)).is_err() {
            assert!(Instant::now() < until, "the port stays taken");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let _ = std::fs::remove_file(self.folder.join("data/postmaster.pid"));
        self.run().await;
        if self.kind == Kind::MongoReplica {
            self.wait_for_primary().await;
        }
    }

    /// What the server has logged.
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(self.folder.join("log")).expect("the log")).into_owned()
    }

    /// The address of a database, as a user would write it.
    pub fn url(&self, database: &str) -> String {
        self.url_at(self.port, database)
    }

    /// The same through another port.
    pub fn url_at(&self, port: u16, database: &str) -> String {
        match self.kind {
            Kind::Postgres => format!("postgres://postgres@127.0.0.1:{port}/{database}"),
            Kind::Mysql => format!("mysql://root@127.0.0.1:{port}/{database}"),
            Kind::Elasticsearch => format!("es+http://127.0.0.1:{port}/{database}"),
            Kind::Kafka => format!("kafka://127.0.0.1:{port}/{database}"),
            Kind::Prometheus => format!("prometheus+http://127.0.0.1:{port}/{database}"),
            _ => format!("mongodb://127.0.0.1:{port}/{database}?directConnection=true"),
        }
    }

    /// A client that writes.
    pub async fn mongo_client(&self) -> mongodb::Client {
        let mut options = mongodb::options::ClientOptions::parse(self.url("admin")).await.expect("options");
        options.server_selection_timeout = Some(Duration::from_secs(2));
        mongodb::Client::with_options(options).expect("a client")
    }

    /// A connection that writes.
    pub async fn postgres_connection(&self, database: &str) -> PgConnection {
        PgConnection::connect(&self.url(database)).await.expect("connected")
    }

    /// A new database with the tables of schemas (`config/ddl`).
    pub async fn postgres_database(&self, schemas: &[&str]) -> String {
        let name = unique_name();
        let mut connection = self.postgres_connection("postgres").await;
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .execute(&mut connection)
            .await
            .expect("created");
        let mut connection = self.postgres_connection(&name).await;
        for schema in schemas {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/ddl/{schema}.postgres.sql"));
            let ddl = std::fs::read_to_string(path).expect("DDL");
            sqlx::raw_sql(AssertSqlSafe(ddl)).execute(&mut connection).await.expect("applied");
        }
        name
    }
}

fn signal_group(pid: u32, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).expect("a pid")).expect("a pid");
    rustix::process::kill_process_group(pid, signal).expect("signalled");
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((mut watchdog, _)) = self.watchdog.lock().expect("lock").take() {
            drop(watchdog.stdin.take());
            let _ = watchdog.wait();
        }
    }
}

/// A name that no other database has.
pub fn unique_name() -> String {
    format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// The server of a kind that tests share, each with a database of its own; `None` where servers are not wanted.
pub async fn shared(kind: Kind) -> Option<Arc<Server>> {
    static SERVERS: OnceServers = [const { OnceCell::const_new() }; KINDS];
    once(&SERVERS, kind).await
}

/// Another one for the tests of the writing side, which make indices and topics of fixed names.
pub async fn shared_for_writing(kind: Kind) -> Option<Arc<Server>> {
    static SERVERS: OnceServers = [const { OnceCell::const_new() }; KINDS];
    once(&SERVERS, kind).await
}

type OnceServers = [OnceCell<Arc<Server>>; KINDS];

async fn once(servers: &'static OnceServers, kind: Kind) -> Option<Arc<Server>> {
    // Every test that asks is counted, also where another asked before.
    if !servers_wanted() {
        return None;
    }
    let start = async || Server::start(kind).await.expect("servers are wanted");
    Some(Arc::clone(servers[kind as usize].get_or_init(start).await))
}
