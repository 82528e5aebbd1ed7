//! Secrets that are planted everywhere come out nowhere.

mod everywhere;
mod withheld;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// Secrets that are told by what stands around them, and encoded ones; written apart so that no scanner of repositories takes this file
/// for a leak. Where `@` stands twice, the second one is a part of the text.
fn planted() -> Vec<(&'static str, String)> {
    let one = |words: &[&str]| words.concat();
    vec![
        ("note @", one(&["gh", "p_", "abcdefghijklmnopqrstuvwxyz0123456789"])),
        ("note @", one(&["github", "_pat_", "11ABCDEFG0abcdefghij_klmnop"])),
        ("note @", one(&["gl", "pat-", "abcDEF123456ghiJKL78"])),
        ("note @", one(&["AK", "IA", "IOSFODNN7EXAMPLE"])),
        ("note @", one(&["sk-", "ant-", "api03-abcdefGHIJKL0123456789"])),
        ("note @", one(&["sk", "_live_", "abcdefgh12345678"])),
        ("note @", one(&["SG", ".abcdefghijklmnop12.", "abcdefghijklmnop1234"])),
        ("note @", one(&["xox", "b-", "123456789012-abcdefgh"])),
        ("note @", one(&["AI", "za", "SyA1234567890abcdefghijklmnopqrstuv"])),
        ("https://hooks.slack.com/services/@", "T00000000/B00000000/aBcDeFgH12345678".to_owned()),
        ("https://discord.com/api/webhooks/@", one(&["123456789012345678/", &"aB3_".repeat(17)])),
        ("dbPassword=@", "hunter2-db".to_owned()),
        ("smtp_password: @", "hunter2-smtp".to_owned()),
        ("DB_PASSWORD=@", "hunter2-env".to_owned()),
        ("aws_secret_access_key=@", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        ("session_token=@", "hunter2-session".to_owned()),
        ("redis://:@@cache:6379/0", "hunter2-redis".to_owned()),
        ("AccountKey=@;x=1", "hunter2-azure".to_owned()),
        ("Authorization: Bearer @", "hunter2.bearer.token".to_owned()),
        ("spotify_key = @", "q7Rt2mXvB9sLw4Zk0PcN".to_owned()),
        ("boxSECRET @", "9f0c2b7e41d85a6630be97c1f24d8a5b".to_owned()),
        ("zenrows secret key @", "7b1c93de-40af-4e62-9c15-d08a6f2be371".to_owned()),
        ("note @", one(&["$2", "b$12$", "abcdefghijklmnopqrstuvABCDEFGHIJKLMNOPQRSTUVWXYZ01234"])),
        ("paid with @", "4111 1111 1111 1111".to_owned()),
        ("x=%22@%22", one(&["gh", "p_abcdefghijklmnopqrstuvwxyz9876543210"])),
        ("body=password%3D@%26user%3Dann", "hunter2-form1".to_owned()),
        ("payload=%7B%22token%22%3A%22@%22%7D", "hunter2-json1".to_owned()),
        ("next=https%3A%2F%2Fu%3A@%40db", "hunter2-next1".to_owned()),
        ("sent {\"name\":\"X-Api-Key\",\"value\":\"@\"}", "k-hunter2-9988".to_owned()),
        ("<entry key=\"db.password\">@</entry>", "hunter2-entry1".to_owned()),
        ("&lt;password&gt;@&lt;/password&gt;", "hunter2-html1".to_owned()),
        ("Passwort: @", "hunter2-wort1".to_owned()),
        ("app:@@tcp(db:3306)/orders", "hunter2-dsn1".to_owned()),
    ]
}

fn redacted_by(input: &[u8], arguments: &[&str]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_crosstail"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    child.stdin.take().expect("piped").write_all(input).expect("written");
    child.wait_with_output().expect("ended")
}

/// The text of a context with its secret.
fn filled(context: &str, secret: &str) -> String {
    context.replacen("@@", &format!("{secret}@"), 1).replacen('@', secret, usize::from(!context.contains("@@")))
}

fn has(output: &[u8], secret: &str) -> bool {
    output.windows(secret.len()).any(|window| window == secret.as_bytes())
}

#[test]
fn a_text_is_redacted_and_explained() {
    let secret = planted()[0].1.clone();
    let text = format!(
        "one {secret}\npassword=hunter2 two\n-----BEGIN PRIVATE KEY-----\nabc\n-----END PRIVATE KEY-----\n\u{ff} three\n"
    );
    let mut bytes = text.into_bytes();
    // A byte that is no UTF-8 stays as it is.
    let at = bytes.windows(2).position(|two| two == "\u{ff}".as_bytes()).expect("there");
    bytes.splice(at..at + 2, [0xff]);
    let safe = redacted_by(&bytes, &["redact"]);
    assert!(safe.status.success());
    let expected = b"one [REDACTED]\npassword=[REDACTED] two\n-----BEGIN PRIVATE KEY-----[REDACTED]-----END PRIVATE KEY-----\n\xff three\n";
    assert_eq!(safe.stdout, expected, "{}", String::from_utf8_lossy(&safe.stdout));
    let said = redacted_by(&bytes, &["redact", "--explain"]).stdout;
    assert_eq!(
        String::from_utf8(said).expect("UTF-8"),
        "1:5: github-token (40 characters)\n2:10: name (7 characters)\n3:28: private-key (5 characters)\n"
    );
}

#[test]
fn a_configuration_hides_more_and_a_project_cannot_show_what_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("config.toml");
    let run = |text: &str| {
        std::fs::write(&config, text).expect("written");
        let config = config.to_str().expect("UTF-8");
        redacted_by(b"pin_code=4711 password=test-1 ann@example.com\n", &["--config", config, "redact"])
    };
    let output = run("[redaction]\nnames = [\"pinCode\"]\nallow = [\"^test-\"]\npii = [\"email\"]\n");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "pin_code=[REDACTED] password=test-1 [REDACTED]\n");
    let wrong = run("[redaction]\npii = [\"shoe size\"]\n");
    assert!(!wrong.status.success() && String::from_utf8_lossy(&wrong.stderr).contains("it is one of email"));
    let project = folder.path().join("crosstail.toml");
    std::fs::write(&project, "theme = \"dark\"\n[redaction]\nallow = [\".\"]\n").expect("written");
    let trusted = || {
        let output = Command::new(env!("CARGO_BIN_EXE_crosstail"))
            .current_dir(folder.path())
            .env("XDG_STATE_HOME", folder.path().join("state"))
            .args(["config", "trust", "--yes"])
            .output()
            .expect("run");
        assert!(!output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let said = trusted();
    assert!(said.contains("crosstail.toml:2: redaction.allow"), "{said}");
    // Nor by a rule, nor by a profile.
    std::fs::write(&project, "[redaction]\n[[redaction.rule]]\nallow = [\".\"]\n").expect("written");
    let said = trusted();
    assert!(said.contains("redaction.rule.allow"), "{said}");
    std::fs::write(&project, "[profile.p.redaction]\nexcept = [\"password\"]\n").expect("written");
    let said = trusted();
    assert!(said.contains("redaction.except"), "{said}");
}
