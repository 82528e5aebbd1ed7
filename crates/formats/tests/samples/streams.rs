//! What lines of one stream say of each other: writers that take turns, the order of dates, what stands between records.

use super::{read, surrounding};
use crosstail_formats::{Form, Formats, Frames, Reader};
use std::sync::Arc;

/// The records of a text, through frames, with their messages and stacks.
pub fn records_in(formats: &Arc<Formats>, text: &str) -> Vec<(String, String)> {
    let text = format!("{text}\n");
    let reader = Reader::of(formats, None, text.as_bytes());
    let (mut frames, mut all) = (Frames::default(), Vec::new());
    let mut each = |_, frame: &[u8]| {
        let mut found = Vec::new();
        reader.read(frame, &surrounding(), &mut None, None, &mut found);
        for (index, found) in found.iter().enumerate() {
            let stack = reader.payload(frame, index, &surrounding()).error.stack.unwrap_or_default();
            all.push((found.activity.message.clone().unwrap_or_default().to_string(), stack));
        }
    };
    frames.push(&reader, text.as_bytes(), &mut each);
    frames.finish(&reader, &mut each);
    all
}

#[test]
fn writers_that_take_turns_keep_their_stacks() {
    let formats = Formats::built_in().expect("formats");
    let one = "2024-05-06 07:08:00 ERROR charge failed\njava.lang.IllegalStateException: no route\n\tat a.B.c(B.java:1)\nCaused by: java.io.IOException: refused\n\t... 2 more\n2024-05-06 07:08:01 INFO goes on";
    let other = "2024-05-06 07:08:00,1 ERROR order failed\nTraceback (most recent call last):\n  File \"/a.py\", line 1, in f\n    x()\nKeyError: 'x'\n2024-05-06 07:08:01,1 INFO goes on too";
    type Wrap = fn(usize, &str) -> String;
    let wrappers: [Wrap; 6] = [
        |who, line| format!("app-{who}  | {line}"),
        |who, line| format!("app-{who}  | 2024-05-06T07:08:09.123456789Z {line}"),
        |who, line| format!("[pod/app-{who}a/app] {line}"),
        |who, line| format!("app-{who}d4f app {line}"),
        |who, line| format!("May  6 07:08:09 host-1 app[{who}]: {line}"),
        |who, line| {
            serde_json::json!({"__REALTIME_TIMESTAMP": "1714979280000000", "SYSLOG_IDENTIFIER": "app", "_PID": who.to_string(), "MESSAGE": line}).to_string()
        },
    ];
    for wrap in wrappers {
        let (mut one, mut other) = (one.lines(), other.lines());
        let mut text = Vec::new();
        loop {
            let next = (one.next(), other.next());
            text.extend(next.0.map(|line| wrap(1, line)));
            text.extend(next.1.map(|line| wrap(2, line)));
            if next == (None, None) {
                break;
            }
        }
        let found = records_in(&formats, &text.join("\n"));
        let messages: Vec<&str> = found.iter().map(|(message, _)| message.as_str()).collect();
        assert_eq!(messages, ["charge failed", "order failed", "goes on", "goes on too"], "{}", text[0]);
        assert!(
            found[0].1.starts_with("java.lang") && found[0].1.ends_with("... 2 more"),
            "{}: {}",
            text[0],
            found[0].1
        );
        assert!(
            found[1].1.starts_with("Traceback") && found[1].1.ends_with("KeyError: 'x'"),
            "{}: {}",
            text[0],
            found[1].1
        );
    }
}

#[test]
fn requests_side_by_side_keep_their_lines() {
    let formats = Formats::built_in().expect("formats");
    let line = |who: usize, text: &str| format!("[6f1e2d3c-0000-4000-8000-00000000000{who}] {text}");
    let text = [
        line(1, "Started GET \"/a\" for 192.0.2.1 at 2024-05-06 07:08:00 +0000"),
        line(2, "Started POST \"/b\" for 192.0.2.1 at 2024-05-06 07:08:01 +0000"),
        line(1, "Processing by OrdersController#show as HTML"),
        line(2, "Completed 500 Internal Server Error in 12ms"),
        line(1, "Completed 200 OK in 101ms (Views: 40.1ms)"),
        line(2, "  "),
        line(2, "RuntimeError (no route):"),
    ]
    .join("\n");
    let reader = Reader::of(&formats, None, format!("{text}\n").as_bytes());
    let (mut frames, mut found) = (Frames::default(), Vec::new());
    let mut each = |_, frame: &[u8]| reader.read(frame, &surrounding(), &mut None, None, &mut found);
    frames.push(&reader, format!("{text}\n").as_bytes(), &mut each);
    frames.finish(&reader, &mut each);
    let told: Vec<_> = found.iter().map(|found| (found.activity.url.as_deref(), found.activity.http_status)).collect();
    assert_eq!(told, [(Some("/a"), Some(200)), (Some("/b"), Some(500))]);
}

#[test]
fn dates_of_numbers_are_read_in_the_order_of_their_stream() {
    let formats = Formats::built_in().expect("formats");
    let first = |lines: &[&str], wrap: fn(&str) -> String| {
        let text: String = lines.iter().map(|date| wrap(date) + "\n").collect();
        let reader = Reader::of(&formats, None, text.as_bytes()).written_at(surrounding().carry);
        let (mut frames, mut found) = (Frames::default(), Vec::new());
        let mut columns = None;
        let mut each = |_, frame: &[u8]| reader.read(frame, &surrounding(), &mut columns, None, &mut found);
        frames.push(&reader, text.as_bytes(), &mut each);
        frames.finish(&reader, &mut each);
        found.first().map(|found| found.activity.started_at.rfc3339()[..10].to_owned()).unwrap_or_default()
    };
    let shapes: [fn(&str) -> String; 2] = [
        |date| format!("{date} 10:00:00 INFO a"),
        |date| format!("{{\"time\":\"{date} 10:00:00\",\"level\":\"info\",\"msg\":\"a\"}}"),
    ];
    for shape in shapes {
        for (dates, expected) in [
            // A later date is one in one order only.
            (&["03/11/2023", "04/11/2023", "13/11/2023"][..], "2023-11-03"),
            (&["03/11/2023", "03/12/2023", "03/13/2023"], "2023-03-11"),
            // All could be in both: they are close to each other in one.
            (&["03/11/2023", "04/11/2023", "05/11/2023"], "2023-11-03"),
            (&["11/03/2023", "11/04/2023"], "2023-11-03"),
            // One date alone: the file was written on 2024-06-01.
            (&["05/06/2024"], "2024-05-06"),
            (&["31/05/2024"], "2024-05-31"),
            (&["01/06/2024"], "2024-06-01"),
            (&["07/05/2024"], "2024-05-07"),
        ] {
            assert_eq!(first(dates, shape), expected, "{}", shape(dates[0]));
        }
    }
}

#[test]
fn a_blank_line_in_a_wrapper_is_no_record() {
    let formats = Formats::built_in().expect("formats");
    for blank in [
        r#"{"log":"\n","stream":"stdout","time":"2024-05-06T07:08:00.1Z"}"#,
        "2024-05-06T07:08:00.123456789Z stdout F ",
    ] {
        assert_eq!(read(&formats, blank).1.len(), 0, "{blank}");
    }
}

#[test]
fn what_fits_nothing_is_text() {
    let formats = Formats::built_in().expect("formats");
    for text in ["plain words", "{ not json", "[1,2]", "null", "\u{1b}[", "=", "key=", "{\"a\":1}garbage"] {
        let (_, found) = read(&formats, text);
        let [found] = found.as_slice() else { panic!("{} records in {text}", found.len()) };
        assert!(matches!(found.form, Form::Plain | Form::Broken), "{text}: {:?}", found.form);
        assert!(!found.activity.exact_start, "{text}");
    }
}

#[test]
fn a_stack_says_what_the_error_is() {
    let formats = Formats::built_in().expect("formats");
    let stack = "java.lang.IllegalStateException: no stock\n\tat shop.Pay.charge(Pay.java:41)\nCaused by: java.sql.SQLException: deadlock found\n\t... 2 more";
    let json = |level: &str| {
        serde_json::json!({"time": "2024-05-06T07:08:00Z", "level": level, "msg": "charge failed", "stack": stack})
            .to_string()
    };
    let text = |level: &str| format!("2024-05-06 07:08:00,123 {level} [http-4] shop.Pay - charge failed\n{stack}");
    let behind = text("ERROR").lines().map(|line| format!("web-1  | {line}\n")).collect::<String>();
    let itself = format!("2024-05-06 07:08:00,123 ERROR [http-4] shop.Pay - {stack}");
    let expected = ("no stock; caused by java.sql.SQLException: deadlock found", "java.lang.IllegalStateException");
    for record in [text("ERROR"), text("WARN"), json("error"), behind.trim_end().to_owned(), itself] {
        let (_, found) = read(&formats, &record);
        let [found] = found.as_slice() else { panic!("{} records in {record}", found.len()) };
        let a = &found.activity;
        assert_eq!(
            (a.error.as_deref().unwrap_or_default(), a.error_type.as_deref().unwrap_or_default()),
            expected,
            "{record}"
        );
    }
    // What is only noted is no error, and what the record names itself stays.
    for record in [text("INFO"), json("debug")] {
        assert_eq!(read(&formats, &record).1[0].activity.error, None, "{record}");
    }
    let named = serde_json::json!({"level": "error", "msg": "no", "error": "its own", "stack": stack}).to_string();
    assert_eq!(read(&formats, &named).1[0].activity.error.as_deref(), Some("its own"));
}
