//! How fast log formats are read on one core: finding where records begin, and that with reading them.
//! `cargo bench -p crosstail-formats`; names behind `--` choose some.

#![allow(missing_docs, clippy::expect_used, clippy::print_stdout, reason = "a bench")]

use crosstail_core::model::{Id, Locator, NameId, Place, SourceId, Surroundings, parse_timestamp};
use crosstail_formats::{Formats, Frames, Reader, Surrounding};
use std::time::{Duration, Instant};

/// Name and lines; `{n}` is a number and `{s}` the second.
const KINDS: &[(&str, &[&str])] = &[
    (
        "nginx",
        &[
            r#"192.0.2.{n} - - [06/May/2024:07:08:{s} +0000] "GET /shop/items?page={n} HTTP/1.1" 200 51{n} "https://shop.example.com/" "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0""#,
        ],
    ),
    (
        "logback",
        &[
            "2024-05-06 07:08:{s},123 INFO  [http-nio-8080-exec-{n}] com.example.shop.OrderService - order {n} placed for customer {n} in 12 ms, total 19.90 EUR",
        ],
    ),
    (
        "logback with stacks",
        &[
            "2024-05-06 07:08:{s},123 INFO  [exec-{n}] com.example.shop.OrderService - order {n} placed",
            "2024-05-06 07:08:{s},456 ERROR [exec-{n}] com.example.Pay - charge failed\njava.lang.IllegalStateException: no route\n\tat com.example.Pay.charge(Pay.java:41)\n\tat com.example.Pay.run(Pay.java:17)\nCaused by: java.net.ConnectException: refused\n\t... 2 more",
        ],
    ),
    (
        "syslog",
        &[
            "May  6 07:08:{s} web-1 sshd[{n}]: Accepted publickey for ann from 192.0.2.1 port 51{n} ssh2: RSA SHA256:abc",
        ],
    ),
    (
        "logfmt",
        &[
            r#"time=2024-05-06T07:08:{s}Z level=info msg="order placed" order={n} customer={n} duration=12ms path=/shop/items"#,
        ],
    ),
    ("words alone", &["something happened to order {n} and nobody knows when, but it is here all the same"]),
    ("klog", &[r#"I0506 07:08:{s}.123456       1 pay.go:{n}] "charge done" order="{n}" pod="default/web-{n}""#]),
    (
        "cri with klog",
        &[
            r#"2024-05-06T07:08:{s}.123456789Z stderr F I0506 07:08:{s}.123456       1 pay.go:{n}] "charge done" order="{n}""#,
        ],
    ),
    (
        "docker with logback",
        &[
            r#"{"log":"2024-05-06 07:08:{s},123 INFO  [exec-{n}] com.example.shop.OrderService - order {n} placed\n","stream":"stdout","time":"2024-05-06T07:08:{s}.223456789Z"}"#,
        ],
    ),
    (
        "compose with pino",
        &[
            r#"web-1  | {"level":30,"time":17149792{s}000,"pid":1,"hostname":"x","name":"shop","msg":"order {n} placed"}"#,
        ],
    ),
    (
        "pino",
        &[
            r#"{"level":30,"time":17149792{s}000,"pid":1,"hostname":"x","name":"shop","msg":"order {n} placed","order":{n},"customer":{n}}"#,
        ],
    ),
    (
        "postgres",
        &[
            "2024-05-06 07:08:{s}.123 UTC [{n}] ann@shop LOG:  duration: 12.345 ms  statement: SELECT * FROM orders WHERE id = {n}",
        ],
    ),
    (
        "haproxy",
        &[
            r#"May  6 07:08:{s} lb1 haproxy[12]: 192.0.2.1:51{n} [06/May/2024:07:08:{s}.123] web~ shop/s1 0/0/1/22/23 200 512 - - ---- 3/3/0/0/0 0/0 "GET /shop HTTP/1.1""#,
        ],
    ),
];
const BYTES: usize = 24 << 20;
const PIECE: usize = 1 << 16;
const ROUNDS: usize = 5;

fn text(lines: &[&str]) -> Vec<u8> {
    let mut text = String::new();
    for (index, line) in lines.iter().cycle().enumerate() {
        if text.len() >= BYTES {
            break;
        }
        let second = format!("{:02}", index / 50 % 60);
        text.push_str(&line.replace("{n}", &(index % 997).to_string()).replace("{s}", &second));
        text.push('\n');
    }
    text.into_bytes()
}

/// A moment from which the time of the thread on a core is measured, so that other work on the machine changes little; the
/// time that passes where the system does not tell it.
struct Moment(Instant, Option<Duration>);

impl Moment {
    fn now() -> Self {
        Self(Instant::now(), on_core())
    }

    fn cpu_time(&self) -> Duration {
        let cpu = self.1.zip(on_core()).map(|(begun, now)| now.saturating_sub(begun));
        cpu.unwrap_or_else(|| self.0.elapsed())
    }
}

/// The time that the thread has had on a core (proc_pid_schedstat(5)).
fn on_core() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

fn main() {
    let chosen: Vec<String> = std::env::args().skip(1).filter(|name| !name.starts_with('-')).collect();
    let formats = Formats::built_in().expect("formats");
    let written = parse_timestamp("2024-06-01T00:00:00Z").expect("a time");
    let place = Place::new(SourceId(0), Locator::Line { file: NameId(0), offset: 0, length: 1 });
    let at = Surrounding::new(Id::Line { file: 1, offset: 0 }, place, written, Surroundings::before(written));
    println!("{:22}{:>18}{:>18}{:>10}", "", "records found", "and read", "records");
    for (name, lines) in
        KINDS.iter().filter(|(name, _)| chosen.is_empty() || chosen.iter().any(|c| name.contains(c.as_str())))
    {
        let bytes = text(lines);
        let reader = Reader::of(&formats, None, &bytes[..PIECE]);
        let (mut found, mut whole, mut records) = (Duration::MAX, Duration::MAX, 0);
        for _ in 0..ROUNDS {
            let begun = Moment::now();
            let mut frames = Frames::default();
            bytes.chunks(PIECE).for_each(|piece| frames.push(&reader, piece, |_, _| {}));
            found = found.min(begun.cpu_time());
            let begun = Moment::now();
            let (mut frames, mut out) = (Frames::default(), Vec::new());
            records = 0;
            for piece in bytes.chunks(PIECE) {
                frames.push(&reader, piece, |_, frame| {
                    reader.read(frame, &at, &mut None, None, &mut out);
                    records += out.len();
                    out.clear();
                });
            }
            whole = whole.min(begun.cpu_time());
        }
        let rate = |time: Duration| bytes.len() as f64 / 1e6 / time.as_secs_f64();
        println!("{name:22}{:>13.0} MB/s{:>13.0} MB/s{records:>10}", rate(found), rate(whole));
    }
}
