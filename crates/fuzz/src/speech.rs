//! As much of the protocols of PostgreSQL and MySQL as it takes to be listened to: for servers that are polite until they are asked for
//! data.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

/// PostgreSQL, "Message Formats".
pub mod postgres {
    /// A column of texts: the number of its type, and the bytes of a value.
    pub const TEXT: (u32, i16) = (25, -1);
    /// A column of `integer`.
    pub const NUMBER: (u32, i16) = (23, 4);
    /// A column of `bigint`.
    pub const LARGE: (u32, i16) = (20, 8);
    /// A column of `boolean`.
    pub const TRUTH: (u32, i16) = (16, 1);

    /// A message of a kind.
    ///
    /// # Panics
    /// The content is longer than 4 GB.
    pub fn message(kind: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len() + 4).expect("short");
        [&[kind], &length.to_be_bytes()[..], content].concat()
    }

    /// Names and types of columns; in text, or in binary.
    ///
    /// # Panics
    /// There are more than 65,535.
    pub fn columns(types: &[(u32, i16)], binary: bool) -> Vec<u8> {
        let mut content = u16::try_from(types.len()).expect("few").to_be_bytes().to_vec();
        for (number, bytes) in types {
            content.extend(b"c\0");
            content.extend([0; 6]);
            content.extend(number.to_be_bytes());
            content.extend(bytes.to_be_bytes());
            content.extend((-1i32).to_be_bytes());
            content.extend(u16::from(binary).to_be_bytes());
        }
        message(b'T', &content)
    }

    /// A row.
    ///
    /// # Panics
    /// A value is longer than 4 GB.
    pub fn row(values: &[&[u8]]) -> Vec<u8> {
        let mut content = u16::try_from(values.len()).expect("few").to_be_bytes().to_vec();
        for value in values {
            content.extend(u32::try_from(value.len()).expect("short").to_be_bytes());
            content.extend(*value);
        }
        message(b'D', &content)
    }

    /// What a server says to a user who needs no password.
    pub fn greeting() -> Vec<u8> {
        [
            message(b'R', &0u32.to_be_bytes()),
            message(b'S', b"server_version\x0016.0\0"),
            message(b'K', &[0; 8]),
            message(b'Z', b"I"),
        ]
        .concat()
    }
}

/// MySQL, "Protocol Basics".
pub mod mysql {
    /// What says that all is well.
    pub const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
    /// What ends a list.
    pub const END: &[u8] = &[0xfe, 0, 0, 2, 0];

    /// A packet with its number.
    ///
    /// # Panics
    /// The content is longer than 4 GB.
    pub fn packet(number: u8, content: &[u8]) -> Vec<u8> {
        let length = u32::try_from(content.len()).expect("short").to_le_bytes();
        [&length[..3], &[number], content].concat()
    }

    /// A column of a type.
    pub fn column(kind: u8) -> Vec<u8> {
        let mut column = b"\x03def\0\0\0\x01c\x01c".to_vec();
        column.extend([0x0c, 45, 0, 255, 0, 0, 0, kind, 0, 0, 0, 0, 0]);
        column
    }

    /// What a server says first: protocol 4.1, plain authentication, plugins; the end of rows is a packet of its own.
    pub fn greeting() -> Vec<u8> {
        let mut greeting = b"\x0a8.0.30\0\x01\0\0\x0012345678\0".to_vec();
        let capabilities = (0x000a_a20fu32 | 0x0000_8000).to_le_bytes();
        greeting.extend(&capabilities[..2]);
        greeting.extend([45, 2, 0]);
        greeting.extend(&capabilities[2..]);
        greeting.push(21);
        greeting.extend([0; 10]);
        greeting.extend(b"123456789012\0mysql_native_password\0");
        packet(0, &greeting)
    }
}

/// Which protocol a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// PostgreSQL's.
    Postgres,
    /// MySQL's.
    Mysql,
}

/// A server that is polite until it is asked for data, and then sends what it was given at that moment; its port. It ends with the
/// process.
///
/// # Panics
/// There is no port.
pub fn serve(protocol: Protocol, replies: &Arc<Mutex<Vec<u8>>>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let replies = Arc::clone(replies);
    std::thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            if !greeted(protocol, &mut client) {
                continue;
            }
            let reply = replies.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let _ = client.write_all(&reply);
            let _ = client.shutdown(Shutdown::Write);
            // Until the other side has read it.
            while heard(&mut client) {}
        }
    });
    port
}

fn heard(client: &mut TcpStream) -> bool {
    client.read(&mut [0; 4096]).is_ok_and(|read| read > 0)
}

/// Whether it was listened to, and asked for something.
fn greeted(protocol: Protocol, client: &mut TcpStream) -> bool {
    let is_known = match protocol {
        Protocol::Postgres => heard(client) && client.write_all(&postgres::greeting()).is_ok(),
        Protocol::Mysql => {
            client.write_all(&mysql::greeting()).is_ok()
                && heard(client)
                && client.write_all(&mysql::packet(2, mysql::OK)).is_ok()
        }
    };
    is_known && heard(client)
}
