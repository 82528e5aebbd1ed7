//! Every format reads its own samples, behind every wrapper too.

#![allow(clippy::expect_used, reason = "a test")]

mod dialects;
mod streams;

use crosstail_core::model::{Activity, Id, Locator, NameId, Place, SourceId, Surroundings, parse_timestamp};
use crosstail_formats::{Formats, Found, Framer, Reader, Surrounding};
use std::sync::Arc;
use streams::records_in;

fn surrounding() -> Surrounding<'static> {
    let written = parse_timestamp("2024-06-01T00:00:00Z").expect("a time");
    let place = Place::new(SourceId(0), Locator::Line { file: NameId(0), offset: 0, length: 1 });
    Surrounding::new(Id::Line { file: 1, offset: 0 }, place, written, Surroundings::before(written))
}

fn read(formats: &Arc<Formats>, text: &str) -> (Reader, Vec<Found>) {
    let text = format!("{text}\n");
    let reader = Reader::of(formats, None, text.as_bytes());
    let mut found = Vec::new();
    reader.read(text.as_bytes(), &surrounding(), &mut None, None, &mut found);
    (reader, found)
}

/// The frames of a text, as a file with it has them.
fn frames(formats: &Arc<Formats>, text: &str) -> Vec<String> {
    let reader = Reader::of(formats, None, format!("{text}\n").as_bytes());
    let mut framer = Framer::default();
    let mut found: Vec<String> = Vec::new();
    for line in text.lines() {
        if framer.begins(&reader, line.as_bytes()) {
            found.push(line.to_owned());
        } else {
            let open = found.last_mut().expect("an open record");
            open.push('\n');
            open.push_str(line);
        }
    }
    found
}

fn value(activity: &Activity, field: &str) -> toml::Value {
    let text = |text: &Option<compact_str::CompactString>| text.as_deref().unwrap_or_default().into();
    match field {
        "started_at" if !activity.exact_start => "".into(),
        "started_at" => activity.started_at.rfc3339().into(),
        "level" => activity.level.map(|level| level.to_string()).unwrap_or_default().into(),
        "kind" => activity.kind.to_string().into(),
        "status" => activity.status.map(|status| status.to_string()).unwrap_or_default().into(),
        "http_status" => i64::from(activity.http_status.unwrap_or(0)).into(),
        "duration_ms" => activity.duration_us.map_or(-1.0, |us| us as f64 / 1e3).into(),
        "request_id" => activity.request_id.as_ref().map(ToString::to_string).unwrap_or_default().into(),
        "message" => text(&activity.message),
        "system" => text(&activity.system),
        "method" => text(&activity.method),
        "url" => text(&activity.url),
        "error" => text(&activity.error),
        "error_type" => text(&activity.error_type),
        "operation" => text(&activity.operation),
        "correlation_id" => text(&activity.correlation_id),
        "actor" => text(&activity.actor),
        other => panic!("a sample names '{other}'"),
    }
}

#[test]
fn every_format_reads_its_samples() {
    let formats = Formats::built_in().expect("formats");
    let mut wrong = Vec::new();
    for format in formats.texts() {
        assert!(format.samples.len() >= 2, "{} has fewer than two samples, a plain and an odd one", format.name);
        for sample in &format.samples {
            let (reader, found) = read(&formats, &sample.text);
            if format.is_heading {
                assert!(found.is_empty(), "{}: {}", format.name, sample.text);
                continue;
            }
            let [found] = found.as_slice() else {
                wrong.push(format!("{}: {} records in {}", format.name, found.len(), sample.text));
                continue;
            };
            for (field, expected) in &sample.is {
                let got = value(&found.activity, field);
                if got != *expected {
                    let form = reader.name_of(found.form);
                    wrong.push(format!(
                        "{} ({form}) {field}: {got} instead of {expected}\n    {}",
                        format.name, sample.text
                    ));
                }
            }
            if frames(&formats, &sample.text).len() != 1 {
                wrong.push(format!("{}: {:?}", format.name, frames(&formats, &sample.text)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_wrapper_holds_every_format() {
    let formats = Formats::built_in().expect("formats");
    type Wrap = fn(&str) -> String;
    let wrappers: [(&str, Wrap); 6] = [
        ("cri", |line| format!("2024-05-06T07:08:09.123456789Z stdout F {line}")),
        ("docker", |line| {
            serde_json::json!({"log": format!("{line}\n"), "stream": "stdout", "time": "2024-05-06T07:08:09.123456789Z"}).to_string()
        }),
        ("compose", |line| format!("web-1  | {line}")),
        ("kubectl", |line| format!("[pod/web-1-abc/app] {line}")),
        ("syslog", |line| format!("May  6 07:08:09 host-1 app[7]: {line}")),
        ("nanoseconds", |line| format!("2024-05-06T07:08:09.123456789Z {line}")),
    ];
    let mut wrong = Vec::new();
    for format in formats.texts().iter().filter(|format| !format.is_heading) {
        for sample in format.samples.iter().filter(|_| !["nanoseconds", "cri"].contains(&format.name.as_str())) {
            for (name, wrap) in &wrappers {
                let text = sample.text.lines().map(wrap).collect::<Vec<_>>().join("\n");
                let frames = frames(&formats, &text);
                if frames.len() != 1 {
                    wrong.push(format!("{} in {name}: {} records", format.name, frames.len()));
                    continue;
                }
                let (_, found) = read(&formats, &text);
                let activity = &found.first().expect("a record").activity;
                for (field, expected) in sample.is.iter().filter(|(field, _)| *field != "system") {
                    // A time that the record does not have comes from its wrapper.
                    if field == "started_at" && expected.as_str() == Some("") {
                        continue;
                    }
                    let got = value(activity, field);
                    if got != *expected {
                        wrong.push(format!("{} in {name}: {field}: {got} instead of {expected}", format.name));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn stacks_of_many_languages_belong_to_their_record() {
    let formats = Formats::built_in().expect("formats");
    let stacks = [
        "java.lang.IllegalStateException: no route\n\tat com.example.Pay.charge(Pay.java:41)\nCaused by: java.net.ConnectException: refused\n\tat a.B.c(B.java:9)\n\t... 2 more",
        "Traceback (most recent call last):\n  File \"/srv/pay.py\", line 10, in charge\n    bank.send(order)\nValueError: no route",
        "Traceback (most recent call last):\n  File \"/a.py\", line 1, in f\nKeyError: 'x'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/b.py\", line 2, in g\nRuntimeError: no",
        "Error: no route\n    at charge (/srv/pay.js:41:9)\n    at async run (/srv/checkout.js:17:3) {\n  code: 'ECONNREFUSED'\n}",
        "System.InvalidOperationException: No route\n ---> System.Net.Sockets.SocketException (111): refused\n   at Shop.Net.Bank.Open() in /src/Bank.cs:line 9\n   --- End of inner exception stack trace ---\n   at Shop.Pay.Charge(Int32 order) in /src/Pay.cs:line 41",
        "goroutine 34 [running]:\nmain.pay(...)\n\t/srv/pay.go:41\ncreated by main.serve\n\t/srv/main.go:9 +0x1d",
        "#0 /srv/checkout.php(17): charge()\n#1 {main}\n  thrown in /srv/pay.php on line 41",
        "stack backtrace:\n   0: std::panicking::begin_panic\n             at /rustc/lib.rs:1:1\n   1: shop::pay::charge",
        "app/models/pay.rb:41:in `charge'\n/srv/app/controllers/pay_controller.rb:7:in 'PayController#create'",
        "** (RuntimeError) no route\n    (shop 0.1.0) lib/shop/pay.ex:41: Shop.Pay.handle_call/3\n    (stdlib 5.0) gen_server.erl:1113: :gen_server.try_handle_call/4\nLast message (from #PID<0.123.0>): :charge\nState: %{}",
        "panic: no route\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a1b2c]\n\ngoroutine 18 [running]:\nmain.charge(0x0)\n\t/src/pay.go:41 +0x1d\nexit status 2",
    ];
    let lines: [fn(&str) -> String; 6] = [
        |line| line.to_owned(),
        |line| format!("pay-1  | 2024-05-06T07:08:09.123456789Z {line}"),
        |line| format!("<14>1 2024-05-06T07:08:09.123Z web-1 pay 12 - - {line}"),
        |line| {
            serde_json::json!({"__REALTIME_TIMESTAMP": "1714979280000000", "SYSLOG_IDENTIFIER": "app", "PRIORITY": "6", "MESSAGE": line})
                .to_string()
        },
        |line| format!("2024-05-06T07:08:09.123456789Z stderr F {line}"),
        |line| {
            serde_json::json!({"log": format!("{line}\n"), "stream": "stderr", "time": "2024-05-06T07:08:09.1Z"})
                .to_string()
        },
    ];
    for stack in stacks {
        for wrap in lines {
            let text = format!("2024-05-06 07:08:01 ERROR charge failed\n{stack}\n2024-05-06 07:08:02 INFO next");
            let text = text.lines().map(wrap).collect::<Vec<_>>().join("\n");
            let frames = frames(&formats, &text);
            assert_eq!(frames.len(), 2, "{frames:#?}");
        }
    }
}

/// A file with these lines: the first line of each record, in order.
fn firsts(formats: &Arc<Formats>, lines: &[&str]) -> Vec<String> {
    let all = frames(formats, &lines.join("\n"));
    all.iter().map(|frame| frame.lines().next().unwrap_or_default().to_owned()).collect()
}

/// Each line is a record but for those that begin with `>`, which belong to the one before them.
fn assert_records(formats: &Arc<Formats>, lines: &[&str]) {
    let bare: Vec<&str> = lines.iter().map(|line| line.strip_prefix('>').unwrap_or(line)).collect();
    let records: Vec<&str> = lines.iter().copied().filter(|line| !line.starts_with('>')).collect();
    assert_eq!(records_in(formats, &bare.join("\n")).len(), records.len(), "{lines:#?}");
    // Where writers take turns a frame has several records.
    let several = bare.iter().any(|line| line.contains("cron[9]") || line.starts_with("web_1 "));
    assert!(several || firsts(formats, &bare) == records, "{:#?}", firsts(formats, &bare));
}

#[test]
fn what_is_another_record_does_not_join() {
    let formats = Formats::built_in().expect("formats");
    let files: [&[&str]; 17] = [
        // What is set in with a time of its own, or as all lines of its stream are, is a record.
        &[
            "2024-05-06 07:08:00 INFO begins",
            "    2024-05-06 07:08:01 ERROR no route",
            "  2024-05-06 07:08:02 no level",
            ">  no time",
        ],
        &["   INFO 2024-05-06 07:08:00,123 begins", "  ERROR 2024-05-06 07:08:01,123 no route", ">    deeper"],
        &["     1.123 INFO begins", "    12.456 ERROR no route", ">      at a.B.c(B.java:1)", "   123.789 WARN slow"],
        &["    12:20240506:070800.123 begins", "    13:20240506:070801.123 no route"],
        // JSON behind words that no format knows.
        &[
            "2024-05-06 07:08:00 INFO begins",
            "worker@web-1 >> {\"time\":\"2024-05-06T07:08:01Z\",\"level\":\"error\",\"msg\":\"no route\"}",
            "[api] {\"level\":\"warn\",\"msg\":\"slow\"}",
            "2024-05-06 07:08:02 INFO sent",
            ">body: {\"order\":12}",
        ],
        // A row without a header that is known has its time where the one before it has it.
        &["Information,2024-05-06 07:08:00,Shop,begins", "Even,2024-05-06 07:08:01,Bank,no route", ">more, of it"],
        // A date in a spelling that is not known.
        &["2024-05-06 07:08:00 INFO begins", "6-quintus-2024 07:08:01 no route", ">more of it"],
        // The name of a pod may end in letters alone.
        &[
            "pay-7d9f8c6b5-zxkqw api 2024-05-06 07:08:00 INFO begins",
            "pay-7d9f8c6b5-qwrtp api {\"level\":\"error\",\"msg\":\"no route\"}",
        ],
        // A call is one line; what follows is not its stack.
        &[
            "[06/May/2024 07:08:00] \"GET /x HTTP/1.1\" 404 12",
            "Not Found: /x",
            "[06/May/2024 07:08:01] \"GET /y HTTP/1.1\" 500 12",
            "Traceback (most recent call last):",
            ">  File \"/srv/x.py\", line 1, in f",
            ">KeyError: 'x'",
            "[06/May/2024 07:08:02] \"GET /z HTTP/1.1\" 200 12",
        ],
        // Nor does a stack of one process belong to the record of another.
        &[
            "May 06 07:08:00 web-1 systemd[1]: Starting x...",
            "May 06 07:08:01 web-1 app[12]: ERROR charge failed",
            ">May 06 07:08:01 web-1 app[12]: Traceback (most recent call last):",
            ">May 06 07:08:01 web-1 app[12]:   File \"/srv/x.py\", line 1, in f",
            ">May 06 07:08:01 web-1 app[12]: KeyError: 'x'",
            "May 06 07:08:01 web-1 cron[9]:   indented by itself",
        ],
        &[
            "java_1 | 2024-05-06 07:08:00 ERROR no",
            ">java_1 | java.lang.IllegalStateException: no",
            ">java_1 | \tat a.B.c(B.java:1)",
            "web_1  |   plain",
            "java_1 exited with code 0",
        ],
        // sudo pads what it writes.
        &[
            "May  6 07:08:00 web-1 sudo: pam_unix(sudo:session): session opened for user root",
            "May  6 07:08:01 web-1 sudo:      ann : TTY=pts/0 ; PWD=/home/ann ; USER=root ; COMMAND=/bin/ls",
        ],
        // Levels of four letters are padded to five.
        &["ERROR [main] no route", " INFO [main] goes on", ">  indented", " WARN [main] slow"],
        // Rust says in a line of its own what happened.
        &[
            "2024-05-06 07:08:00 INFO begins",
            "thread 'main' panicked at src/pay.rs:5:9:",
            ">no route",
            ">stack backtrace:",
            ">   0: rust_begin_unwind",
        ],
        // Consul and Vault indent their records.
        &[
            "==> Vault server configuration:",
            "    2024-05-06T07:08:23.123Z [WARN]  agent: slow",
            "    2024-05-06T07:08:24.123Z [ERROR] agent: no route",
        ],
        // MariaDB writes the time of several slow queries once.
        &[
            "# Time: 240506  7:08:00",
            "># User@Host: shop[shop] @ localhost []",
            "># Query_time: 2.5  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 100",
            ">SET timestamp=1714979280;",
            ">SELECT 1;",
            "# User@Host: ann[ann] @ localhost []",
            "># Query_time: 3.5  Lock_time: 0.0  Rows_sent: 1  Rows_examined: 100",
            ">SET timestamp=1714979280;",
            ">SELECT 2;",
        ],
        // A record without a text is one where its wrapper says something.
        &[
            "<165>1 2024-05-06T07:08:00Z web-1 pay - ID47 [a@1 b=\"c\"]",
            "<165>1 2024-05-06T07:08:01Z web-1 pay - ID47 [a@1 b=\"d\"]",
        ],
    ];
    for lines in files {
        assert_records(&formats, lines);
    }
}

#[test]
fn what_ends_a_program_and_holes_begin_records() {
    let formats = Formats::built_in().expect("formats");
    let files: [&[&str]; 8] = [
        // Node names the place first, Deno and Julia say what they are.
        &[
            "2024-05-06 07:08:00 INFO begins",
            "/srv/pay.js:12",
            ">    throw new Error(\"no route\");",
            ">    ^",
            ">",
            ">Error: no route",
            ">    at charge (/srv/pay.js:12:9) {",
            ">  code: 'EHOSTUNREACH'",
            ">}",
            ">",
            ">Node.js v20.11.1",
            "2024-05-06 07:08:01 INFO begins again",
        ],
        &[
            "2024-05-06 07:08:00 ERROR charge failed",
            ">error: Uncaught (in promise) Error: no route",
            ">    at charge (file:///srv/pay.ts:12:9)",
            "2024-05-06 07:08:01 INFO begins",
            "error: Uncaught (in promise) Error: no route",
            ">    at charge (file:///srv/pay.ts:12:9)",
        ],
        &[
            "2024-05-06 07:08:00 ERROR charge failed",
            ">ERROR: LoadError: no route",
            ">Stacktrace:",
            "> [1] error(s::String)",
            ">in expression starting at /srv/pay.jl:20",
        ],
        // What ends a program is no stack of what was logged last.
        &[
            "2024-05-06 07:08:00 INFO begins",
            "Exception in thread \"main\" java.lang.IllegalStateException: no route",
            ">\tat a.B.c(B.java:1)",
            ">Caused by: java.io.IOException: refused",
            ">\t... 2 more",
            "2024-05-06 07:08:01 INFO begins again",
            "Traceback (most recent call last):",
            ">  File \"/a.py\", line 1, in f",
            ">KeyError: 'x'",
            "2024-05-06 07:08:02 ERROR charge failed",
            ">Traceback (most recent call last):",
            ">  File \"/a.py\", line 1, in f",
            ">KeyError: 'x'",
        ],
        &[
            "2024/05/06 07:08:00 begins",
            "panic: no route",
            ">",
            ">goroutine 1 [running]:",
            ">main.main()",
            ">\t/src/main.go:4 +0x1d",
            ">exit status 2",
        ],
        &[
            "2024-05-06T07:08:00.123Z info begins",
            "Unhandled exception. System.InvalidOperationException: no route",
            ">   at Shop.Pay.Charge() in /src/Pay.cs:line 41",
        ],
        // A hole in the file stands in front of a record.
        &[
            "2024-05-06 07:08:00 INFO begins",
            "\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}2024-05-06 07:08:01 ERROR no",
            ">java.lang.X: no",
        ],
        // rsyslog writes a tab as three digits.
        &[
            "May  6 07:08:00 web-1 pay[12]: 2024-05-06 07:08:00 ERROR no",
            ">May  6 07:08:00 web-1 pay[12]: java.lang.IllegalStateException: no",
            ">May  6 07:08:00 web-1 pay[12]: #011at a.B.c(B.java:1)",
            "May  6 07:08:01 web-1 pay[12]: 2024-05-06 07:08:01 INFO goes on",
        ],
    ];
    for lines in files {
        assert_records(&formats, lines);
    }
}

#[test]
fn last_words_are_no_part_of_what_was_logged() {
    let formats = Formats::built_in().expect("formats");
    let files: [&[&str]; 4] = [
        // Rust's reports of errors have their causes behind a blank line, and do not belong to what was logged before.
        &[
            "2024-05-06T07:08:00.123456Z  INFO shop: begins",
            "Error: failed to read config",
            ">",
            ">Caused by:",
            ">    0: while opening x",
            ">    1: No such file or directory (os error 2)",
            "2024-05-06T07:08:01.123456Z  INFO shop: begins again",
        ],
        &[
            "2024-05-06T07:08:00.123Z info: begins",
            "node:internal/process/promises:288",
            ">            triggerUncaughtException(err, true /* fromPromise */);",
            ">            ^",
            ">",
            ">Error: no route",
            ">    at charge (/srv/pay.js:12:9)",
            ">",
            ">Node.js v20.11.1",
            "2024-05-06T07:08:01.123Z info: begins again",
        ],
        &[
            "2024-05-06 07:08:00 INFO begins",
            "/srv/pay.rb:41:in 'Pay#charge': no route (Bank::Refused)",
            ">\tfrom /srv/pay.rb:7:in '<main>'",
        ],
        // koa sets in what it writes of requests.
        &["  <-- GET /users", "  --> GET /users 200 23ms 1.2kb", "  <-- POST /pay", "  xxx POST /pay 500 1.2s"],
    ];
    for lines in files {
        assert_records(&formats, lines);
    }
}
