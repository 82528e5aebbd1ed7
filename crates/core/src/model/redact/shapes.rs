//! The shapes in which secrets stand, and the lines of every day that have none.

use super::{REDACTED, redact_json, redact_text};
use serde_json::json;

/// A secret that no rule knows by its form.
const VALUE: &str = "Winter95xy";
/// What a rule knows by its form, in two parts, so that no scanner takes this file for a leak.
const TOKEN: [&str; 2] = ["gh", "p_abcdefghijklmnopqrstuvwxyz0123456789"];

fn hidden_in(shapes: &[&str], secret: &str) {
    let mut shown = Vec::new();
    for shape in shapes {
        let safe = redact_text(&shape.replace('§', secret)).into_owned();
        if safe.contains(secret) || !safe.contains(REDACTED) {
            shown.push(format!("{shape}: {safe}"));
        }
        assert_eq!(redact_text(&safe), safe, "{shape}: twice");
    }
    assert!(shown.is_empty(), "{shown:#?}");
}

#[test]
fn a_name_beside_a_value_decides_for_it() {
    for (shown, hidden) in [
        (
            json!({ "key": "db.password", "value": { "stringValue": VALUE } }),
            json!({ "key": "db.password", "value": REDACTED }),
        ),
        (
            json!([{ "name": "X-Api-Key", "value": "k-99887766zz" }]),
            json!([{ "name": "X-Api-Key", "value": REDACTED }]),
        ),
        (
            json!({ "value": "Custom abcd9988", "name": "Authorization" }),
            json!({ "value": REDACTED, "name": "Authorization" }),
        ),
        (json!({ "name": "Cookie", "value": "sid=1; theme=dark" }), json!({ "name": "Cookie", "value": REDACTED })),
        (json!(["X-Api-Key", "k-1"]), json!(["X-Api-Key", REDACTED])),
        (
            json!(["Host", "h", "X-Api-Key", "k-99887766zz", "Accept", "*/*"]),
            json!(["Host", "h", "X-Api-Key", REDACTED, "Accept", "*/*"]),
        ),
        (json!([["a", "b"], ["password", VALUE]]), json!([["a", "b"], ["password", REDACTED]])),
        (json!({ "auth": "YW5uOnB3MTIzNDU=" }), json!({ "auth": REDACTED })),
        (json!({ "pass": VALUE, "pin": 4711 }), json!({ "pass": REDACTED, "pin": REDACTED })),
    ] {
        assert_eq!(redact_json(&shown), hidden);
        let text = shown.to_string();
        let safe = redact_text(&text).into_owned();
        assert!(safe.contains(REDACTED), "{safe}");
        for secret in [VALUE, "k-99887766zz", "abcd9988", "sid=1", "YW5uOnB3MTIzNDU=", "4711"] {
            assert!(!safe.contains(secret), "{safe}");
        }
    }
    // What is followed through the systems, and lists of names, stay.
    for harmless in [
        json!({ "kafka": { "key": "order-17" } }),
        json!({ "key": "orders.v1", "value": { "stringValue": "7b1c93de" } }),
        json!({ "name": "token_count", "value": 12 }),
        json!({ "key": "value", "sig": "x", "pan": "kitchen", "auth": "oauth2", "pass": "first", "pin": 3 }),
        json!({ "passed": 12, "pass": 3 }),
        json!({ "required": ["password", "first_name"], "of": ["token", "secret"] }),
        json!({ "type": "password", "id": "abc123" }),
        json!({ "grant_type": "password", "username": "ann1" }),
    ] {
        assert_eq!(redact_json(&harmless), harmless);
        assert_eq!(redact_text(&harmless.to_string()), harmless.to_string());
    }
}

#[test]
fn what_is_encoded_is_hidden_where_it_stands() {
    hidden_in(
        &[
            "x=%22§%22",
            "n=key%3D§&b=2",
            "GET /x?note=got%20§%20from HTTP/1.1",
            "&lt;note&gt;§&lt;/note&gt;",
            "a\\u003d§\\u0026b",
        ],
        &TOKEN.concat(),
    );
    hidden_in(
        &[
            "payload=%7B%22token%22%3A%22§%22%7D&a=1",
            "redirect=https%3A%2F%2Fh%3Faccess_token%3D§%26b%3D1",
            "body=password%3D§%26user%3Dann",
            "password%5Bnew%5D=§&a=1",
            "https%3A%2F%2Fu%3A§%40h%2Fx",
            "q=https%253A%252F%252Fu%253A§%2540h",
            "?pass%77ord=§",
            "got+Bearer+§+from+client",
            "X-Note: Basic%20YW5uOldpbnRlcjIwMjYh, password%3A%20§",
            "&lt;password&gt;§&lt;/password&gt;",
            "{&quot;password&quot;:&quot;§&quot;}",
            "{\\u0022password\\u0022:\\u0022§\\u0022}",
            "\\u003cpassword\\u003e§\\u003c/password\\u003e",
        ],
        VALUE,
    );
    hidden_in(&["Basic%20§", "Authorization=Basic+§"], "YW5uOldpbnRlcjIwMjYh");
    let key = "-----BEGIN+PRIVATE+KEY-----%0AMIIEvQIBADANBgkqhkiG9w0BAQEFAASC%0A-----END+PRIVATE+KEY-----";
    assert!(!redact_text(key).contains("MIIEvQ"));
    // Only what is secret goes, and the text around it stays as it is spelled.
    assert_eq!(
        redact_text("GET /x?a=%20b&redirect=https%3A%2F%2Fh%3Ftoken%3Dabc123def456%26c%3D%C3%A4 HTTP/1.1"),
        "GET /x?a=%20b&redirect=https%3A%2F%2Fh%3Ftoken%3D[REDACTED]%26c%3D%C3%A4 HTTP/1.1"
    );
}

#[test]
fn secrets_in_the_shapes_of_programs_are_hidden() {
    hidden_in(
        &[
            "pass=§",
            "pass: §",
            "{\"pass\":\"§\"}",
            "wpa_psk=§",
            "bindpw=§",
            "Passwort: §",
            "kennwort=§",
            "contraseña=§",
            "wachtwoord=§",
            "mot_de_passe=§",
            "code_verifier=§",
            "<password type=\"x\">§</password>",
            "<wsse:Password Type=\"http://x#PasswordText\">§</wsse:Password>",
            "<password><![CDATA[§]]></password>",
            "<property name=\"password\" value=\"§\"/>",
            "<property name=\\\"password\\\" value=\\\"§\\\"/>",
            "<entry key=\"db.password\">§</entry>",
            "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n§\r\n--b--",
            "--b\\r\\nContent-Disposition: form-data; name=\\\"password\\\"\\r\\n\\r\\n§\\r\\n--b--",
            "password: |\n  §\nuser: ann\n",
            "password: >-\n  §\n",
            "{\"a\":\"password: |\\n  §\\nuser: ann\"}",
            "  password:            §\n",
            "token          =          §",
            "Config { user: \"app\", password: Some(\"§\") }",
            "Config { api_key: Secret(\"§\"), n: 1 }",
            "got credentials: {\"user\":\"a\",\"value\":\"§\"}",
            "{\\\"credentials\\\":{\\\"user\\\":\\\"a\\\",\\\"value\\\":\\\"§\\\"}}",
            "CREATE USER app IDENTIFIED BY '§'",
            "app:§@tcp(db:3306)/orders",
            "jdbc:oracle:thin:scott/§@//db:1521/x",
            "Driver={ODBC};Uid=sa;Pwd={§};",
            "('password', '§')",
            "[('a', 'b'), ('x-api-key', '§')]",
            "rawHeaders: [ \"Host\", \"h\", \"X-Api-Key\", \"§\" ]",
            "{\"key\":\"db.password\",\"value\":{\"stringValue\":\"§\"}}",
            "{\\\"name\\\":\\\"X-Api-Key\\\",\\\"value\\\":\\\"§\\\"}",
            "{\n  \"name\": \"Authorization\",\n  \"value\": \"Custom §\"\n}",
            "sshpass -p §  ssh h",
            "mysqldump -u root -p§ db",
            "ConvertTo-SecureString \"§\" -AsPlainText",
            "API key '§' is invalid",
        ],
        VALUE,
    );
    hidden_in(&["pin=§", "{\"pin\":\"§\"}", "mfa_code=§", "otp: §", "your verification code is §"], "482913");
    hidden_in(&["https://§@github.com/a/b.git"], "9f0c2b7e41d85a6630be97c1f24d8a5b0c1d2e3f");
    hidden_in(&["ann:§"], "$apr1$abcdefgh$OMMxFm7N3jWeC2eKZYMJA7");
    hidden_in(&["{\"auths\":{\"r\":{\"auth\":\"§\"}}}", "{\\\"auth\\\":\\\"§\\\"}"], "YW5uOnB3MTIzNDU=");
    hidden_in(&["session § expired"], "eyJhbGciOiAiZGlyIn0..iMl8sH5TT7aUg.uJvaS47XMQskTixDmJ7Y.7rs6xzl3MOwuAuT4Ozi");
    hidden_in(&["?se=2026-12-01&sig=§&a=1"], "%2Bx2w1YCqAOQ95CTaaF1qLpj8e3ClseJ74BykPZEoF%3D");
    let cut = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\nMIIEvQIBADANBgkqhkiG9w0BAQ\nMIIEvQIBADANBgkq";
    assert!(!redact_text(cut).contains("MIIE"));
}

#[test]
fn lines_of_every_day_lose_no_word() {
    let lines = [
        "Failed to negotiate protocol version",
        "could not negotiate encryption",
        "Digest verified for image api:1.2.3",
        "radio bearer established.",
        "apikey rotation finished",
        "basic settings2",
        "basic 2026plan1 subscribed",
        "token 2026-11-26 expired",
        "password: reset",
        "password: updated",
        "password: changed by admin",
        "pwd: changed",
        "secret: created",
        "secret: loaded from vault",
        "Authorization: pending approval by manager",
        "signature: RS256",
        "signature algorithm: SHA256withRSA",
        "signature: SHA256withRSA",
        "signature=none",
        "failed token=0",
        "max_token=4096",
        "cookie=1",
        "sig=SIGTERM",
        "signal sig: 15",
        "exited with sig=11",
        "exit sig=KILL",
        "WHERE password = ?",
        "WHERE password = $1",
        "password=%s",
        "password=$DB_PASSWORD",
        "password=${DB_PASSWORD}",
        "password = getPassword()",
        "password: process.env.DB_PASSWORD",
        "password: os.environ['X']",
        "password_encryption=scram-sha-256",
        "password_age_days=80",
        "auth.token.cache=redis",
        "cookie_size=4096",
        "jwt.issuer=https://idp.example.com",
        "PasswordEncoder=bcrypt",
        "fetch credentials: 'include'",
        "credentials: same-origin",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
        "datadog trace 0123456789abcdef0123456789abcdef",
        "hubspot contact 7b1c93de-40af-4e62-9c15-d08a6f2be371",
        "twilio call 0123456789abcdef0123456789abcdef failed",
        "order number 4000000000000002 created",
        "invoice 5500000000000004",
        "expected -----BEGIN PRIVATE KEY----- in file, got nothing",
        "pass: 12 fail: 3",
        "tests: pass=12, fail=3, skip=1",
        "boarding pass: A12",
        "pass=12ms",
        "PIN pad offline",
        "pin: 13",
        "shipping: 4711, mapping=4711",
        "usage: login <user> <token> [options]",
        "{\"type\":\"password\",\"id\":\"abc123\",\"grant_type\":\"token\",\"user2\":\"x\"}",
        "columns (\"token\", \"first_name\", \"address\")",
        "{\"credentials\":\"include\"}",
        "100% of %d, 50%25 &amp; more",
        "GET /search?q=secret%20santa&token_type=bearer",
        "He was identified by 'Ann' in the log",
    ];
    let lost: Vec<String> =
        lines.iter().map(|line| redact_text(line).into_owned()).filter(|safe| safe.contains(REDACTED)).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}
