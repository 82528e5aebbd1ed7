//! MariaDB from Debian.

use super::{Server, is_root, unique_name, unprivileged};
use sqlx::mysql::MySqlConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use std::path::Path;
use std::process::Command;

impl Server {
    pub(super) fn init_mysql(&self) {
        if is_root() {
            let owned = Command::new("chown").arg("postgres").arg(&self.folder).status().expect("chown");
            assert!(owned.success());
        }
        let mut words = unprivileged();
        words.extend(["mariadb-install-db", "--no-defaults", "--skip-test-db"].map(str::to_owned));
        words.push("--auth-root-authentication-method=normal".to_owned());
        words.push(format!("--datadir={}", self.folder.join("data").display()));
        let output = Command::new(&words[0]).args(&words[1..]).current_dir("/").output();
        let output = output.unwrap_or_else(|error| panic!("{}: {error}; run scripts/setup-tests", words.join(" ")));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // From wherever he comes: names are not looked up.
        let everywhere =
            "CREATE USER IF NOT EXISTS root@'%'; GRANT ALL PRIVILEGES ON *.* TO root@'%' WITH GRANT OPTION;\n";
        std::fs::write(self.folder.join("init.sql"), everywhere).expect("written");
    }

    pub(super) fn mysql_command(&self) -> Vec<String> {
        let folder = self.folder.display();
        let mut words = vec!["mariadbd".to_owned(), "--no-defaults".to_owned()];
        words.extend([
            format!("--datadir={folder}/data"),
            format!("--socket={folder}/s.sock"),
            format!("--pid-file={folder}/pid"),
            format!("--init-file={folder}/init.sql"),
            // A server that starts removes what others have in a folder that they share.
            format!("--tmpdir={folder}"),
            format!("--port={}", self.port),
        ]);
        let settings = [
            "--bind-address=127.0.0.1",
            "--skip-name-resolve",
            "--skip-log-bin",
            "--innodb-flush-log-at-trx-commit=2",
            "--innodb-buffer-pool-size=128M",
            "--max-connections=200",
            "--max-allowed-packet=64M",
        ];
        words.extend(settings.map(str::to_owned));
        words
    }

    /// A connection that writes.
    pub async fn mysql_connection(&self, database: &str) -> MySqlConnection {
        MySqlConnection::connect(&self.url(database)).await.expect("connected")
    }

    /// A new database with the tables of schemas (`config/ddl`).
    pub async fn mysql_database(&self, schemas: &[&str]) -> String {
        let name = unique_name();
        let mut connection = self.mysql_connection("mysql").await;
        let create = format!("CREATE DATABASE {name} CHARACTER SET utf8mb4");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await.expect("created");
        let mut connection = self.mysql_connection(&name).await;
        for schema in schemas {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/ddl/{schema}.mysql.sql"));
            let ddl = std::fs::read_to_string(path).expect("DDL");
            sqlx::raw_sql(AssertSqlSafe(ddl)).execute(&mut connection).await.expect("applied");
        }
        name
    }
}
