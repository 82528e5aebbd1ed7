//! What the script on the other host sends.

use std::io;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// The longest line before the bytes, and the most bytes of one frame.
const HEADER: u64 = 256;
const MOST: u64 = 512 << 20;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Bytes of a file that are not known yet.
    Piece {
        inode: u64,
        offset: u64,
        name: String,
        bytes: Vec<u8>,
        beginning: (u64, u64),
        ending: u64,
    },
    /// A compressed file.
    Packed {
        inode: u64,
        name: String,
        bytes: Vec<u8>,
    },
    /// A file has fewer bytes than were read.
    Truncated(u64),
    /// A file is a copy of another one, and goes on where that was.
    GoesOn {
        inode: u64,
        from: u64,
    },
    /// Nothing more is wanted of a compressed file.
    Done(u64),
    /// A file may not be read.
    Refused(String),
    NothingMatches,
    AllRead,
}

pub(super) struct Frames<R> {
    read: BufReader<R>,
}

impl<R: AsyncRead + Unpin> Frames<R> {
    pub(super) fn new(read: R) -> Self {
        Self { read: BufReader::with_capacity(1 << 16, read) }
    }

    /// The next frame; `None` at the end.
    pub(super) async fn next(&mut self) -> io::Result<Option<Frame>> {
        loop {
            let Some(line) = self.line().await? else { return Ok(None) };
            let (word, numbers) = parts(&line)?;
            return Ok(Some(match (word, numbers.as_slice()) {
                ("U", []) => Frame::AllRead,
                ("M", []) => Frame::NothingMatches,
                ("P", [inode]) => Frame::Done(*inode),
                ("T", [inode]) => Frame::Truncated(*inode),
                ("C", [inode, from]) => Frame::GoesOn { inode: *inode, from: *from },
                ("E", [length]) => Frame::Refused(self.text(*length).await?),
                ("Z", [inode, count, length]) => {
                    let name = self.text(*length).await?;
                    Frame::Packed { inode: *inode, name, bytes: self.bytes(*count).await? }
                }
                ("D", [inode, offset, count, length]) => {
                    let name = self.text(*length).await?;
                    let bytes = self.bytes(*count).await?;
                    let Some(verdict) = self.line().await? else { return Ok(None) };
                    match parts(&verdict)? {
                        ("K", known) if known.len() == 3 => Frame::Piece {
                            inode: *inode,
                            offset: *offset,
                            name,
                            bytes,
                            beginning: (known[0], known[1]),
                            ending: known[2],
                        },
                        // The file was rotated while it was read.
                        ("X", _) => continue,
                        _ => return Err(strange(&verdict)),
                    }
                }
                _ => return Err(strange(&line)),
            }));
        }
    }

    async fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        (&mut self.read).take(HEADER).read_until(b'\n', &mut line).await?;
        match line.pop() {
            None => Ok(None),
            Some(b'\n') => Ok(Some(String::from_utf8_lossy(&line).into_owned())),
            Some(last) => {
                line.push(last);
                Err(strange(&String::from_utf8_lossy(&line)))
            }
        }
    }

    async fn text(&mut self, length: u64) -> io::Result<String> {
        let bytes = self.bytes(length).await?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn bytes(&mut self, count: u64) -> io::Result<Vec<u8>> {
        if count > MOST {
            return Err(strange(&format!("{count} bytes")));
        }
        let mut bytes = Vec::new();
        (&mut self.read).take(count).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 == count { Ok(bytes) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// A word and the numbers behind it.
fn parts(line: &str) -> io::Result<(&str, Vec<u64>)> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Result<Vec<u64>, _> = rest.split_ascii_whitespace().map(str::parse).collect();
    numbers.map(|numbers| (word, numbers)).map_err(|_| strange(line))
}

/// The other host sent something else: a greeting of its shell, for example.
fn strange(what: &str) -> io::Error {
    let text = what.chars().take(80).collect::<String>();
    io::Error::other(format!("the other host said '{text}', which crosstail does not understand"))
}
