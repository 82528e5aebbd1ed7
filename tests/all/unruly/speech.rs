//! As much of each protocol as it takes to be listened to, and then not as it should be.

use bson::{Document, doc};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// What a server of some kind does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Takes the connection, and says nothing.
    Silent,
    /// Bytes without a meaning, as fast as they are taken.
    Garbage,
    /// A byte now and then.
    Drips,
    /// Closes each connection.
    Closes,
    /// Says that four gigabytes follow, or as much as the protocol can say.
    Claims,
    /// Is polite until it is asked for data, which then never end.
    Endless,
    /// Stops in the middle of the first answer.
    Cut,
    /// Lengths inside of a message that are not its own.
    WrongLengths,
    /// Values in values in values.
    Deep,
    /// Headers, or what the protocol has in their place, without end or reason.
    Headers,
    /// A small packed answer that is a large one.
    Bomb,
    /// Is polite until it is asked for data, and then says nothing.
    Stuck,
    /// Is polite until it is asked for data, and then sends a row whose value is longer than the row.
    WrongRows,
}

/// A server on a port of its own. Its threads end with their connections, or with the tests.
pub struct Unruly {
    pub port: u16,
    asked: Arc<AtomicUsize>,
}

/// Which protocol it speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    Postgres,
    Mysql,
    Mongodb,
    Kafka,
    Http,
}

/// A connection as it is talked to; an error ends it.
type Talk = std::io::Result<()>;

impl Unruly {
    pub fn start(protocol: Protocol, manner: Manner) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let bomb = Arc::new(if manner == Manner::Bomb { bomb() } else { Vec::new() });
        let asked = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (bomb, asked) = (Arc::clone(&bomb), Arc::clone(&counted));
                std::thread::spawn(move || drop(talk(stream, protocol, manner, &bomb, &asked)));
            }
        });
        Self { port, asked }
    }

    /// How many wrong rows somebody has asked for, by however many connections.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn talk(mut stream: TcpStream, protocol: Protocol, manner: Manner, bomb: &[u8], asked: &AtomicUsize) -> Talk {
    stream.set_read_timeout(Some(Duration::from_mins(3)))?;
    match manner {
        Manner::Silent => return hear(&mut stream),
        Manner::Closes => return Ok(()),
        Manner::Garbage => {
            let mut noise = fastrand::Rng::with_seed(7);
            let block: Vec<u8> = (0..65_536).map(|_| noise.u8(..)).collect();
            return endless(&mut stream, &block);
        }
        Manner::Drips => loop {
            stream.write_all(&[0])?;
            std::thread::park_timeout(Duration::from_millis(500));
        },
        _ => {}
    }
    match protocol {
        Protocol::Postgres => postgres(&mut stream, manner, asked),
        Protocol::Mysql => mysql(&mut stream, manner),
        Protocol::Mongodb => mongodb(&mut stream, manner),
        Protocol::Kafka => kafka(&mut stream, manner),
        Protocol::Http => http(&mut stream, manner, bomb),
    }
}

/// Until the other side is gone.
fn hear(stream: &mut TcpStream) -> Talk {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

/// The same again and again, until nobody takes it.
fn endless(stream: &mut TcpStream, block: &[u8]) -> Talk {
    loop {
        stream.write_all(block)?;
    }
}

fn bytes<const N: usize>(stream: &mut TcpStream) -> std::io::Result<[u8; N]> {
    let mut buffer = [0; N];
    stream.read_exact(&mut buffer)?;
    Ok(buffer)
}

fn body(stream: &mut TcpStream, length: usize) -> std::io::Result<Vec<u8>> {
    let mut buffer = vec![0; length];
    stream.read_exact(&mut buffer)?;
    Ok(buffer)
}

fn repeated(part: &[u8], bytes: usize) -> Vec<u8> {
    part.iter().copied().cycle().take(bytes / part.len() * part.len()).collect()
}

// PostgreSQL.

fn postgres(stream: &mut TcpStream, manner: Manner, rows: &AtomicUsize) -> Talk {
    use crosstail_fuzz::speech::postgres::{LARGE, NUMBER, TEXT, TRUTH, columns, greeting, message, row};
    const SSL: u32 = 80_877_103;
    loop {
        let length = u32::from_be_bytes(bytes(stream)?) as usize;
        let start = body(stream, length.saturating_sub(4).min(10_000))?;
        if start.get(..4) == Some(&SSL.to_be_bytes()[..]) {
            stream.write_all(b"N")?;
            continue;
        }
        break;
    }
    let ready = message(b'Z', b"I");
    match manner {
        Manner::Claims => {
            // What is said to follow does not: the driver keeps whatever does (docs/reliability.md).
            stream.write_all(b"R\xff\xff\xff\xfe\0\0\0\0")?;
            return hear(stream);
        }
        Manner::Cut => return stream.write_all(b"R\0\0\0\x08\0"),
        // A method of authentication with nothing behind it; an error without an end.
        Manner::WrongLengths => return stream.write_all(&[message(b'R', b"\0\0"), message(b'E', b"SFATAL")].concat()),
        _ => {}
    }
    stream.write_all(&greeting())?;
    let mut asked = String::new();
    loop {
        let [kind] = bytes(stream)?;
        let length = u32::from_be_bytes(bytes(stream)?) as usize;
        let content = body(stream, length.saturating_sub(4))?;
        let front = asked.contains("server_version");
        match kind {
            b'X' => return Ok(()),
            // The first statements of a transaction.
            b'Q' if content.starts_with(b"BEGIN") => {
                let done = message(b'C', b"SELECT 1\0");
                let rows = [columns(&[NUMBER, TRUTH], false), row(&[b"7", b"f"]), done, message(b'Z', b"T")];
                stream.write_all(&rows.concat())?;
            }
            b'Q' => stream.write_all(&[message(b'C', b"SET\0"), ready.clone()].concat())?,
            b'P' => asked = String::from_utf8_lossy(&content).into_owned(),
            b'D' if content.first() == Some(&b'S') => {
                let parameters = u16::from(asked.contains("$1"));
                let list = 1009u32.to_be_bytes();
                let types = [&parameters.to_be_bytes()[..], &list[..usize::from(parameters) * 4]].concat();
                let shape = if front { columns(&[TEXT, LARGE, TRUTH], false) } else { columns(&[TEXT, TEXT], false) };
                stream.write_all(&[message(b'1', b""), message(b't', &types), shape].concat())?;
            }
            b'E' if front => {
                let time = 1_795_000_000_000_000i64.to_be_bytes();
                let values: [&[u8]; 3] = [b"16.0", &time, &[0]];
                stream.write_all(&[message(b'2', b""), row(&values), message(b'C', b"SELECT 1\0")].concat())?;
            }
            b'E' if manner == Manner::Stuck => return hear(stream),
            b'E' if manner == Manner::WrongRows => {
                rows.fetch_add(1, Ordering::Relaxed);
                let wrong = message(b'D', &[&2u16.to_be_bytes()[..], &[0xff; 4], &1000u32.to_be_bytes()].concat());
                stream.write_all(&[message(b'2', b""), wrong, message(b'C', b"SELECT 1\0")].concat())?;
            }
            b'E' => {
                stream.write_all(&message(b'2', b""))?;
                return endless(stream, &row(&[&[b'x'; 4096], b"y"]).repeat(100));
            }
            b'S' => stream.write_all(&ready)?,
            _ => {}
        }
    }
}

// MySQL.

fn mysql(stream: &mut TcpStream, manner: Manner) -> Talk {
    use crosstail_fuzz::speech::mysql::{END, OK, column, greeting, packet};
    match manner {
        Manner::Claims => {
            stream.write_all(&[0xff, 0xff, 0xff, 0])?;
            return endless(stream, &[0; 1024]);
        }
        Manner::Cut => return stream.write_all(b"\x40\0\0\0\x0a8."),
        Manner::WrongLengths => return stream.write_all(&packet(0, b"\x0a8.0.30\0\x01\0")),
        Manner::Headers => return endless(stream, &packet(0, &[0xfb; 100])),
        _ => {}
    }
    stream.write_all(&greeting())?;
    let mut greeted = false;
    loop {
        let head: [u8; 4] = bytes(stream)?;
        let content = body(stream, u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize)?;
        if !greeted {
            greeted = true;
            stream.write_all(&packet(head[3] + 1, OK))?;
            continue;
        }
        match content.first() {
            Some(1) | None => return Ok(()),
            Some(3) if content[1..].starts_with(b"SELECT") || content[1..].starts_with(b"SHOW") => {
                let head = [packet(1, &[1]), packet(2, &column(8)), packet(3, END)];
                stream.write_all(&[head.concat(), packet(4, b"\x017"), packet(5, END)].concat())?;
            }
            Some(3) => stream.write_all(&packet(1, OK))?,
            // A statement is prepared; it has as many values as it has marks.
            Some(0x16) => {
                let values = u8::try_from(String::from_utf8_lossy(&content).matches('?').count()).expect("few");
                let mut parts = vec![packet(1, &[0, 1, 0, 0, 0, 1, 0, values, 0, 0, 0, 0])];
                let mut number = 2;
                for count in [values, 1] {
                    for _ in 0..count {
                        parts.push(packet(number, &column(253)));
                        number += 1;
                    }
                    if count > 0 {
                        parts.push(packet(number, END));
                        number += 1;
                    }
                }
                stream.write_all(&parts.concat())?;
            }
            Some(0x17) if manner == Manner::Stuck => return hear(stream),
            Some(0x17) => {
                stream.write_all(&[packet(1, &[1]), packet(2, &column(253)), packet(3, END)].concat())?;
                if manner == Manner::WrongRows {
                    stream.write_all(&[packet(4, &[0, 0, 0xfd, 0xff, 0xff, 0xff]), packet(5, END)].concat())?;
                    continue;
                }
                let value = [&[0, 0, 0xfc, 0, 16][..], &[b'x'; 4096]].concat();
                return endless(stream, &packet(4, &value).repeat(100));
            }
            _ => {}
        }
    }
}

// MongoDB ("MongoDB Wire Protocol").

fn reply(to: i32, legacy: bool, document: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    if legacy {
        content.extend(8i32.to_le_bytes());
        content.extend([0; 12]);
        content.extend(1i32.to_le_bytes());
    } else {
        content.extend([0; 5]);
    }
    content.extend(document);
    let length = i32::try_from(content.len() + 16).expect("short");
    let kind: i32 = if legacy { 1 } else { 2013 };
    [&length.to_le_bytes()[..], &1i32.to_le_bytes(), &to.to_le_bytes(), &kind.to_le_bytes(), &content].concat()
}

fn mongodb(stream: &mut TcpStream, manner: Manner) -> Talk {
    loop {
        let head: [u8; 16] = bytes(stream)?;
        let word = |at: usize| i32::from_le_bytes(head[at..at + 4].try_into().expect("four"));
        let (length, number, legacy) = (word(0), word(4), word(12) == 2004);
        let content = body(stream, usize::try_from(length - 16).unwrap_or(0))?;
        let document = if legacy { content.get(29..) } else { content.get(5..) };
        let asked = Document::from_reader(document.unwrap_or_default()).unwrap_or_default();
        let command = asked.keys().next().map(|name| name.to_lowercase()).unwrap_or_default();
        match manner {
            Manner::Claims => {
                stream.write_all(&i32::MAX.to_le_bytes())?;
                stream.write_all(&head[4..])?;
                return endless(stream, &[0; 1024]);
            }
            Manner::Cut => return stream.write_all(&reply(number, legacy, &[9])[..20]),
            Manner::WrongLengths => {
                let mut wrong = bson::serialize_to_vec(&doc! { "ok": 1.0, "setName": "rs0" }).expect("BSON");
                wrong[0] = 200;
                return stream.write_all(&reply(number, legacy, &wrong));
            }
            Manner::Headers => {
                let mut many = Document::new();
                for n in 0..300_000 {
                    many.insert(format!("field {n}"), n);
                }
                stream.write_all(&reply(number, legacy, &bson::serialize_to_vec(&many).expect("BSON")))?;
                continue;
            }
            _ => {}
        }
        let hello = doc! {
            "helloOk": true, "ismaster": true, "isWritablePrimary": true, "maxBsonObjectSize": 16 << 20,
            "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 21,
            "readOnly": false, "ok": 1.0,
        };
        let names = ["integration_logs", "other"]
            .map(|name| doc! { "name": name, "type": "collection", "options": {}, "info": { "readOnly": false } });
        let answer = match command.as_str() {
            "hello" | "ismaster" => hello,
            "listcollections" => {
                doc! { "cursor": { "id": 0i64, "ns": "d.$cmd.listCollections", "firstBatch": names.to_vec() }, "ok": 1.0 }
            }
            "find" | "aggregate" | "getmore" if manner == Manner::Stuck => return hear(stream),
            "find" | "aggregate" | "getmore" => {
                let documents: Vec<Document> = (0..1000)
                    .map(|n| doc! { "_id": n, "request_id": "r", "started_at": bson::DateTime::now(), "text": "x".repeat(1000) })
                    .collect();
                let batch = if command == "getmore" { "nextBatch" } else { "firstBatch" };
                doc! { "cursor": { "id": 7i64, "ns": "d.integration_logs", batch: documents }, "ok": 1.0 }
            }
            _ => doc! { "ok": 1.0 },
        };
        stream.write_all(&reply(number, legacy, &bson::serialize_to_vec(&answer).expect("BSON")))?;
    }
}

// Kafka ("Kafka protocol guide").

fn kafka(stream: &mut TcpStream, manner: Manner) -> Talk {
    loop {
        let length = u32::from_be_bytes(bytes(stream)?) as usize;
        let request = body(stream, length.min(1 << 20))?;
        let correlation = request.get(4..8).unwrap_or(&[0; 4]).to_vec();
        match manner {
            Manner::Claims => {
                stream.write_all(&[0x7f, 0xff, 0xff, 0xff])?;
                return endless(stream, &[0; 1024]);
            }
            Manner::Cut => return stream.write_all(&[0, 0, 1, 0, 0]),
            Manner::WrongLengths => {
                // A list that says that it has 2^31 - 1 entries.
                let content = [&correlation[..], &[0, 0, 0x7f, 0xff, 0xff, 0xff]].concat();
                stream.write_all(&u32::try_from(content.len()).expect("short").to_be_bytes())?;
                stream.write_all(&content)?;
            }
            _ => {
                let content = [&correlation[..], &repeated(&[0xff, 0xff, 0xff, 0x7f], 50 << 20)].concat();
                stream.write_all(&u32::try_from(content.len()).expect("short").to_be_bytes())?;
                stream.write_all(&content)?;
            }
        }
    }
}

// HTTP.

/// Half a gigabyte in some kilobytes.
fn bomb() -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let block = vec![b' '; 1 << 20];
    for _ in 0..512 {
        packed.write_all(&block).expect("packed");
    }
    packed.finish().expect("packed")
}

fn http(stream: &mut TcpStream, manner: Manner, bomb: &[u8]) -> Talk {
    const HEAD: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    loop {
        // To the end of the head; bodies of requests are not looked at.
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(bytes::<1>(stream)?[0]);
        }
        let said = String::from_utf8_lossy(&head).to_lowercase();
        let length = said.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next()?.parse().ok());
        body(stream, length.unwrap_or(0))?;
        match manner {
            Manner::Claims => {
                stream.write_all(format!("{HEAD}content-length: 4294967296\r\n\r\n").as_bytes())?;
                return endless(stream, &[b' '; 65_536]);
            }
            Manner::Endless => {
                stream.write_all(format!("{HEAD}transfer-encoding: chunked\r\n\r\n").as_bytes())?;
                return endless(stream, &[b"10000\r\n", &[b'1'; 65_536][..], b"\r\n"].concat());
            }
            Manner::Cut => {
                return stream.write_all(format!("{HEAD}content-length: 4000\r\n\r\n{{\"version\":").as_bytes());
            }
            Manner::WrongLengths => {
                return stream.write_all(
                    format!("{HEAD}transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n{{}}").as_bytes(),
                );
            }
            Manner::Headers => {
                stream.write_all(HEAD.as_bytes())?;
                return endless(stream, &b"x-more: and more and more\r\n".repeat(1000));
            }
            Manner::Deep => {
                let deep = repeated(b"{\"a\":", 20 << 20);
                stream.write_all(format!("{HEAD}content-length: {}\r\n\r\n", deep.len()).as_bytes())?;
                stream.write_all(&deep)?;
            }
            Manner::Bomb => {
                let head = format!("{HEAD}content-encoding: gzip\r\ncontent-length: {}\r\n\r\n", bomb.len());
                stream.write_all(head.as_bytes())?;
                stream.write_all(bomb)?;
            }
            _ => return hear(stream),
        }
    }
}
