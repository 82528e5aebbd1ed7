//! Elasticsearch and Kafka: their folders, settings and command lines.

use super::{cache, is_root, reserve};
use std::path::Path;
use std::process::Command;

/// A Java that both run on: 17 where there are several.
fn java_home() -> String {
    let mut found: Vec<_> = glob::glob("/usr/lib/jvm/java-17-openjdk-*").expect("a glob").flatten().collect();
    found.sort();
    match found.pop() {
        Some(home) => home.display().to_string(),
        None => {
            let output = Command::new("sh")
                .args(["-c", "dirname $(dirname $(readlink -f $(command -v java)))"])
                .output()
                .expect("java; run scripts/setup-tests");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        }
    }
}

/// The same home for a command line.
pub(super) fn java() -> String {
    format!("{}/bin/java", java_home())
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-r").arg(from).arg(to).status().expect("cp");
    assert!(copied.success(), "{}; run scripts/setup-tests", from.display());
}

/// Elasticsearch refuses root, and its user must be able to read its files: it gets a copy of them.
pub(super) fn prepare_elasticsearch(folder: &Path, port: u16) {
    copy(&cache().join("elasticsearch"), &folder.join("home"));
    copy(&folder.join("home/config"), &folder.join("config"));
    for name in ["data", "logs", "tmp"] {
        std::fs::create_dir_all(folder.join(name)).expect("a folder");
    }
    let at = folder.display();
    let settings = format!(
        "cluster.name: tests\nnode.name: tests-0\npath.data: {at}/data\npath.logs: {at}/logs\nnetwork.host: 127.0.0.1\n\
         http.port: {port}\ntransport.port: {}\ndiscovery.type: single-node\nxpack.security.enabled: false\n\
         cluster.routing.allocation.disk.threshold_enabled: false\ncluster.max_shards_per_node: 5000\n",
        reserve()
    );
    std::fs::write(folder.join("config/elasticsearch.yml"), settings).expect("written");
    if is_root() {
        assert!(Command::new("chown").arg("-R").arg("postgres").arg(folder).status().expect("chown").success());
    }
}

pub(super) fn elasticsearch(folder: &Path) -> Vec<String> {
    let at = folder.display();
    let java = java_home();
    [
        "env".to_owned(),
        format!("HOME={at}"),
        format!("ES_JAVA_HOME={java}"),
        format!("ES_PATH_CONF={at}/config"),
        format!("ES_TMPDIR={at}/tmp"),
        format!("CLI_JAVA_OPTS=-Djava.io.tmpdir={at}/tmp"),
        "ES_JAVA_OPTS=-Xms384m -Xmx384m -XX:TieredStopAtLevel=1 -XX:-AlwaysPreTouch".to_owned(),
        "bash".to_owned(),
        format!("{at}/home/bin/elasticsearch"),
    ]
    .to_vec()
}

/// What Kafka listens on beside its plain port.
pub struct KafkaPorts {
    /// The port that clients are told when they come through the proxied listener; nothing listens there by itself.
    pub proxied: u16,
    /// Where the proxied listener really is.
    pub behind_proxy: u16,
    /// TLS and SASL: PLAIN and SCRAM-SHA-512, user `reader`, password `pass-word`.
    pub secure: u16,
    controller: u16,
}

impl KafkaPorts {
    pub(super) fn new() -> Self {
        Self { proxied: reserve(), behind_proxy: reserve(), secure: reserve(), controller: reserve() }
    }
}

/// One broker that is its own controller, a certificate of its own, its users.
pub(super) fn prepare_kafka(folder: &Path, port: u16, ports: &KafkaPorts) {
    let at = folder.display();
    let tool = |arguments: &[&str]| {
        let output = Command::new(format!("{}/bin/keytool", java_home())).args(arguments).output().expect("keytool");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    };
    let keys = format!("{at}/keys.p12");
    let store = ["-keystore", keys.as_str(), "-storepass", "secret", "-storetype", "PKCS12", "-alias", "broker"];
    let names =
        ["-keyalg", "RSA", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1,dns:localhost", "-validity", "30"];
    tool(&[&["-genkeypair"][..], &store, &names].concat());
    let pem = format!("{at}/ca.pem");
    tool(&[&["-exportcert", "-rfc", "-file", pem.as_str()][..], &store].concat());
    let KafkaPorts { proxied, behind_proxy, secure, controller } = ports;
    let plain = "org.apache.kafka.common.security.plain.PlainLoginModule required user_reader=\"pass-word\";";
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let settings = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{behind_proxy},SECURE://127.0.0.1:{secure},CONTROLLER://127.0.0.1:{controller}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port},PROXIED://127.0.0.1:{proxied},SECURE://127.0.0.1:{secure}\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT,SECURE:SASL_SSL,CONTROLLER:PLAINTEXT\n\
         inter.broker.listener.name=PLAINTEXT\ncontroller.listener.names=CONTROLLER\nlog.dirs={at}/data\n\
         num.partitions=12\nauto.create.topics.enable=false\noffsets.topic.replication.factor=1\noffsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\ntransaction.state.log.num.partitions=4\n\
         min.insync.replicas=1\ndefault.replication.factor=1\ngroup.initial.rebalance.delay.ms=0\n\
         log.retention.check.interval.ms=500\nlog.initial.task.delay.ms=500\n\
         listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512\n\
         listener.name.secure.plain.sasl.jaas.config={plain}\nlistener.name.secure.scram-sha-512.sasl.jaas.config={scram}\n\
         listener.name.secure.ssl.keystore.location={keys}\nlistener.name.secure.ssl.keystore.password=secret\n\
         listener.name.secure.ssl.keystore.type=PKCS12\n"
    );
    std::fs::write(folder.join("server.properties"), settings).expect("written");
    let mut format = kafka_tool("kafka.tools.StorageTool");
    format.extend(["format", "-t", "4L6g3nShT-eMCtK--X86sw", "-c"].map(str::to_owned));
    format.push(format!("{at}/server.properties"));
    format.extend(["--add-scram", "SCRAM-SHA-512=[name=reader,password=pass-word]"].map(str::to_owned));
    let output = Command::new(&format[0]).args(&format[1..]).output().expect("java");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}{said}", String::from_utf8_lossy(&output.stdout));
}

/// The beginning of a command line of Kafka's.
pub fn kafka_tool(class: &str) -> Vec<String> {
    [
        java(),
        "-Xms256m".to_owned(),
        "-Xmx256m".to_owned(),
        "-XX:+UseSerialGC".to_owned(),
        "-XX:TieredStopAtLevel=1".to_owned(),
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn".to_owned(),
        "-cp".to_owned(),
        format!("{}/*", cache().join("kafka/libs").display()),
        class.to_owned(),
    ]
    .to_vec()
}

pub(super) fn kafka(folder: &Path) -> Vec<String> {
    let mut words = kafka_tool("kafka.Kafka");
    words.push(format!("{}/server.properties", folder.display()));
    words
}
