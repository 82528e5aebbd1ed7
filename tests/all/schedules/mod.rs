//! Random schedules of faults from a seed, while a source is followed: at the end everything that was written is there, once.
//!
//! `scripts/faults SECONDS [SEED]` runs longer ones. A schedule that fails prints its seed.

mod asked;
mod machine;
mod means;
mod rights;
mod servers;

use crate::programs::Tail;
use crate::servers::{Kind, Proxy, Server};
use crate::support::{PATIENCE, Running, open};
use rustix::process::{Pid, Signal, kill_process};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Faults of a schedule where nobody says how long it takes.
const FAULTS: usize = 6;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// What happens, in which order.
struct Schedule {
    dice: fastrand::Rng,
    seed: u64,
    begun: Instant,
    seconds: Option<u64>,
    done: Vec<&'static str>,
}

impl Schedule {
    fn new(name: &str) -> Self {
        let seed = setting("CROSSTAIL_FAULT_SEED").unwrap_or(7);
        println!("{name}: CROSSTAIL_FAULT_SEED={seed}");
        let (dice, seconds) = (fastrand::Rng::with_seed(seed), setting("CROSSTAIL_FAULT_SECONDS"));
        Self { dice, seed, begun: Instant::now(), seconds, done: Vec::new() }
    }

    /// The next fault; `None` at the end.
    fn next(&mut self, faults: &[&'static str]) -> Option<&'static str> {
        let ended = match self.seconds {
            Some(seconds) => self.begun.elapsed().as_secs() >= seconds,
            None => self.done.len() >= FAULTS,
        };
        let fault = (!ended).then(|| faults[self.dice.usize(0..faults.len())])?;
        self.done.push(fault);
        Some(fault)
    }

    /// How many are written next.
    fn count(&mut self) -> usize {
        self.dice.usize(1..200)
    }

    async fn pause(&mut self, longest_ms: u64) {
        tokio::time::sleep(Duration::from_millis(self.dice.u64(10..longest_ms))).await;
    }

    /// Until so many are held, and then: no more. Their ids are those of their records.
    async fn all_held(&self, running: &mut Running, written: usize) -> String {
        let what = format!("{written} activities after {:?} of seed {}", self.done, self.seed);
        running.until(&what, |running| running.store.len() >= written).await;
        assert_eq!(running.store.len(), written, "nothing twice: {what}");
        what
    }

    /// The same where an id is that of a place: no message twice.
    async fn all_there(&self, running: &mut Running, written: usize) {
        let what = self.all_held(running, written).await;
        let mut messages: Vec<String> = Vec::new();
        for row in running.store.all_rows() {
            messages.push(running.store.get(*row).message.as_deref().unwrap_or_default().to_owned());
        }
        messages.sort();
        messages.dedup();
        assert_eq!(messages.len(), written, "nothing twice: {what}");
    }
}

/// Lines of a log, from a number on.
fn lines(from: usize, count: usize) -> String {
    let line = |n: usize| format!("2026-11-20T10:{:02}:{:02}Z INFO message {n}\n", n / 60 % 60, n % 60);
    (from..from + count).map(line).collect()
}

/// Appends until messages with these beginnings have come: from then on all is followed. `append` is told how often it was called.
async fn until_seen(tail: &Tail, beginnings: &[&str], mut append: impl AsyncFnMut(usize)) {
    let begun = Instant::now();
    for number in 0.. {
        let counts = tail.counts();
        if beginnings.iter().all(|beginning| counts.keys().any(|message| message.starts_with(beginning))) {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "{counts:?} {}", tail.said());
        append(number).await;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A log that is written, rotated, moved away, cut off in the middle of a line, while its folder is followed.
#[tokio::test(flavor = "multi_thread")]
async fn files_through_a_schedule_of_faults() {
    let folder = tempfile::tempdir().expect("a folder");
    let at = folder.path().join("logs");
    std::fs::create_dir(&at).expect("made");
    let log = at.join("app.log");
    let line = |n: usize| lines(n, 1);
    let append = |path: &Path, text: &str| {
        let mut file = std::fs::File::options().append(true).create(true).open(path).expect("opened");
        file.write_all(text.as_bytes()).expect("written");
    };
    append(&log, &line(0));
    let (names, source) = open(&[at.display().to_string()]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let (mut schedule, mut written, mut rotated) = (Schedule::new("files"), 1, 0);
    let faults = ["rotated", "half a line", "folder away", "other writer", "gone and made again", "none"];
    while let Some(fault) = schedule.next(&faults) {
        let lines = |written: &mut usize, count: usize| -> String {
            let text = (*written..*written + count).map(line).collect();
            *written += count;
            text
        };
        let count = schedule.count();
        append(&log, &lines(&mut written, count));
        match fault {
            "rotated" => {
                rotated += 1;
                std::fs::rename(&log, at.join(format!("app.log.{rotated}"))).expect("renamed");
            }
            "half a line" => {
                let text = lines(&mut written, 1);
                append(&log, &text[..20]);
                schedule.pause(400).await;
                append(&log, &text[20..]);
            }
            "folder away" => {
                let away = folder.path().join("away");
                std::fs::rename(&at, &away).expect("renamed");
                schedule.pause(1500).await;
                std::fs::rename(&away, &at).expect("renamed");
            }
            "other writer" => append(&at.join("other.log"), &lines(&mut written, 3)),
            "gone and made again" => {
                // What was in it has been read: what nobody read cannot be read any more.
                schedule.all_there(&mut running, written).await;
                std::fs::remove_file(&log).expect("removed");
                schedule.pause(600).await;
            }
            _ => {}
        }
        let count = schedule.count();
        append(&log, &lines(&mut written, count));
        schedule.pause(800).await;
        if schedule.dice.bool() {
            schedule.all_there(&mut running, written).await;
        }
    }
    schedule.all_there(&mut running, written).await;
}

async fn sqlite(path: &Path) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    options.busy_timeout(Duration::from_secs(30)).connect().await.expect("opened")
}

/// A database that is locked, moved away and back, and written by several, while it is followed.
#[tokio::test(flavor = "multi_thread")]
async fn sqlite_through_a_schedule_of_faults() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("logs.sqlite");
    let mut writer = sqlite(&path).await;
    let run = async |on: &mut SqliteConnection, text: String| {
        sqlx::raw_sql(AssertSqlSafe(text)).execute(on).await.expect("run");
    };
    let table = "CREATE TABLE shop_events (id INTEGER PRIMARY KEY, created_at TEXT, level TEXT, message TEXT)";
    run(&mut writer, table.to_owned()).await;
    let rows = |written: &mut usize, count: usize| {
        let of = |n| format!("({n}, '2026-11-20T10:{:02}:{:02}.000Z', 'INFO', 'message {n}')", n / 60 % 60, n % 60);
        let values: Vec<String> = (*written..*written + count).map(of).collect();
        *written += count;
        format!("INSERT INTO shop_events VALUES {}", values.join(", "))
    };
    let mut written = 0;
    run(&mut writer, rows(&mut written, 10)).await;
    let (names, source) = open(&[format!("sqlite://{}", path.display())]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut schedule = Schedule::new("sqlite");
    let faults = ["locked", "moved away", "journal", "rolled back", "vacuum", "none"];
    while let Some(fault) = schedule.next(&faults) {
        let count = schedule.count();
        run(&mut writer, rows(&mut written, count)).await;
        match fault {
            "locked" => {
                let count = schedule.count();
                run(&mut writer, "BEGIN EXCLUSIVE".to_owned()).await;
                run(&mut writer, rows(&mut written, count)).await;
                schedule.pause(3000).await;
                run(&mut writer, "COMMIT".to_owned()).await;
            }
            "moved away" => {
                writer.close().await.expect("closed");
                let away = folder.path().join("away.sqlite");
                std::fs::rename(&path, &away).expect("renamed");
                schedule.pause(2000).await;
                std::fs::rename(&away, &path).expect("renamed");
                writer = sqlite(&path).await;
            }
            "journal" => {
                let mode = if schedule.dice.bool() { "WAL" } else { "DELETE" };
                // Refused while somebody reads; either is right.
                let text = format!("PRAGMA journal_mode = {mode}");
                drop(sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut writer).await);
            }
            "rolled back" => {
                let mut lost = written;
                run(&mut writer, "BEGIN IMMEDIATE".to_owned()).await;
                run(&mut writer, rows(&mut lost, 50)).await;
                schedule.pause(300).await;
                run(&mut writer, "ROLLBACK".to_owned()).await;
            }
            "vacuum" => drop(sqlx::raw_sql("VACUUM").execute(&mut writer).await),
            _ => {}
        }
        let count = schedule.count();
        run(&mut writer, rows(&mut written, count)).await;
        schedule.pause(800).await;
        if schedule.dice.bool() {
            schedule.all_there(&mut running, written).await;
        }
    }
    schedule.all_there(&mut running, written).await;
}

/// A server that is killed, cut off, slow, stuck, locked, whose rights and password change, and whose writers' clocks jump.
#[tokio::test(flavor = "multi_thread")]
async fn postgres_through_a_schedule_of_faults() {
    let Some(server) = Server::start(Kind::Postgres).await else { return };
    let proxy = Proxy::to(server.port).await;
    let database = server.postgres_database(&["log-tracking"]).await;
    let run = async |text: &str| {
        let mut connection = server.postgres_connection(&database).await;
        sqlx::raw_sql(AssertSqlSafe(text.to_owned())).execute(&mut connection).await.expect("run");
    };
    // Whoever reads is nobody special. The password is looked at for this role alone.
    run("CREATE ROLE locked LOGIN PASSWORD 'first'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO locked").await;
    let rows = |written: &mut usize, count: usize, clock: &str| {
        let (from, to) = (*written, *written + count - 1);
        *written += count;
        format!(
            "INSERT INTO logs (timestamp, level, service, message, request_id) \
             SELECT now() + interval '{clock}', 'INFO', 'api', 'message ' || n, 'r' FROM generate_series({from}, {to}) n"
        )
    };
    let mut written = 0;
    run(&rows(&mut written, 50, "0")).await;
    let url = format!("postgres://locked:first@127.0.0.1:{}/{database}", proxy.port);
    let (names, source) = open(&[url]);
    let mut running = Running::start(&names, source);
    running.live().await;
    let mut schedule = Schedule::new("postgres");
    let faults = [
        "killed",
        "cut",
        "slow",
        "stopped",
        "terminated",
        "table locked",
        "late commit",
        "rights",
        "clock back",
        "clock ahead",
        "none",
    ];
    while let Some(fault) = schedule.next(&faults) {
        let count = schedule.count();
        run(&rows(&mut written, count, "0")).await;
        let count = schedule.count();
        match fault {
            "killed" => {
                server.kill();
                schedule.pause(1500).await;
                server.restart().await;
            }
            "cut" => {
                proxy.cut();
                run(&rows(&mut written, count, "0")).await;
                schedule.pause(3000).await;
                proxy.mend();
            }
            "slow" => {
                proxy.slow(200);
                run(&rows(&mut written, count, "0")).await;
                schedule.pause(3000).await;
                proxy.slow(0);
            }
            "stopped" => {
                let readers = readers(&server, &database).await;
                signal(&readers, Signal::STOP);
                run(&rows(&mut written, count, "0")).await;
                schedule.pause(3000).await;
                signal(&readers, Signal::CONT);
            }
            "terminated" => {
                run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'locked'").await;
            }
            "table locked" => {
                let mut connection = server.postgres_connection(&database).await;
                let lock = format!("BEGIN; LOCK TABLE logs; {}", rows(&mut written, count, "0"));
                sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut connection).await.expect("locked");
                schedule.pause(3000).await;
                sqlx::raw_sql("COMMIT").execute(&mut connection).await.expect("committed");
            }
            "late commit" => {
                let mut connection = server.postgres_connection(&database).await;
                let open = format!("BEGIN; {}", rows(&mut written, count, "0"));
                sqlx::raw_sql(AssertSqlSafe(open)).execute(&mut connection).await.expect("begun");
                run(&rows(&mut written, count, "0")).await;
                schedule.pause(3000).await;
                sqlx::raw_sql("COMMIT").execute(&mut connection).await.expect("committed");
            }
            "rights" => {
                // Shorter than what makes the source give up: a withdrawn right is no fault that passes.
                run("BEGIN; REVOKE SELECT ON logs FROM locked; GRANT SELECT ON logs TO locked; COMMIT").await;
            }
            "clock back" => run(&rows(&mut written, count, "-30 seconds")).await,
            "clock ahead" => run(&rows(&mut written, count, "2 hours")).await,
            _ => {}
        }
        let count = schedule.count();
        run(&rows(&mut written, count, "0")).await;
        schedule.pause(800).await;
        if schedule.dice.bool() {
            schedule.all_there(&mut running, written).await;
        }
    }
    schedule.all_there(&mut running, written).await;
}

fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        // It may have ended.
        let _ = kill_process(*process, signal);
    }
}

/// The server's processes that serve the source.
async fn readers(server: &Server, database: &str) -> Vec<Pid> {
    let mut connection = server.postgres_connection(database).await;
    let query = sqlx::query_scalar::<_, i32>("SELECT pid FROM pg_stat_activity WHERE usename = 'locked'");
    let pids = query.fetch_all(&mut connection).await.expect("listed");
    pids.into_iter().filter_map(Pid::from_raw).collect()
}
