//! What the script on the other host sends.

use std::io;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};

/// The longest line before the bytes, and the most bytes of one frame.
const HEADER: u64 = 256;
const MOST: u64 = 512 << 20;

/// A file of the other host: its inode, and six digits of its file system behind it.
pub(super) type FileId = u128;

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Frame {
    /// Bytes of a file that are not known yet.
    Piece {
        inode: FileId,
        offset: u64,
        name: String,
        bytes: Vec<u8>,
        beginning: (u64, u64),
        ending: u64,
    },
    /// A compressed file.
    Packed {
        inode: FileId,
        name: String,
        bytes: Vec<u8>,
    },
    /// A file has fewer bytes than were read.
    Truncated(FileId),
    /// The file of a path was moved away or removed, and is not found where it would be rotated to.
    Gone(FileId),
    /// A file is a copy of another one, and goes on where that was.
    GoesOn {
        inode: FileId,
        from: FileId,
    },
    /// Nothing more is wanted of a compressed file.
    Done(FileId),
    /// A file may not be read.
    Refused(String),
    /// So many bytes of a file are left out: there is more history than is read.
    LeftOut {
        bytes: u64,
        name: String,
    },
    /// No file matches the path or pattern of this number, from 1.
    NothingMatches(usize),
    AllRead,
}

/// The script says something every few seconds; without a byte for so long, the connection is dead.
pub(super) const SILENCE: Duration = Duration::from_secs(20);

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
            let number = |at: usize| numbers.get(at).and_then(|number| u64::try_from(*number).ok()).unwrap_or(u64::MAX);
            return Ok(Some(match (word, numbers.as_slice()) {
                ("U", []) => Frame::AllRead,
                ("M", [_]) => Frame::NothingMatches(usize::try_from(number(0)).unwrap_or(0)),
                ("P", [inode]) => Frame::Done(*inode),
                ("T", [inode]) => Frame::Truncated(*inode),
                ("G", [inode]) => Frame::Gone(*inode),
                ("C", [inode, from]) => Frame::GoesOn { inode: *inode, from: *from },
                ("E", [_]) => Frame::Refused(self.text(number(0)).await?),
                ("L", [_, _]) => Frame::LeftOut { bytes: number(0), name: self.text(number(1)).await? },
                // It computes, and lives.
                ("H", []) => continue,
                ("Z", [inode, ..]) if numbers.len() == 3 => {
                    let name = self.text(number(2)).await?;
                    Frame::Packed { inode: *inode, name, bytes: self.bytes(number(1)).await? }
                }
                ("D", [inode, ..]) if numbers.len() == 4 => {
                    let name = self.text(number(3)).await?;
                    let bytes = self.bytes(number(2)).await?;
                    let Some(verdict) = self.line().await? else { return Ok(None) };
                    let (word, known) = parts(&verdict)?;
                    let known: Vec<u64> = known.into_iter().filter_map(|number| u64::try_from(number).ok()).collect();
                    match (word, known.as_slice()) {
                        ("K", [length, sum, ending]) => Frame::Piece {
                            inode: *inode,
                            offset: number(1),
                            name,
                            bytes,
                            beginning: (*length, *sum),
                            ending: *ending,
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
        in_time((&mut self.read).take(HEADER).read_until(b'\n', &mut line)).await?;
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
        while (bytes.len() as u64) < count {
            // However slow a connection is, it lives while bytes come.
            let rest = count - bytes.len() as u64;
            let read = in_time(self.read.fill_buf()).await?;
            let taken = read.len().min(usize::try_from(rest).unwrap_or(usize::MAX));
            if taken == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&read[..taken]);
            self.read.consume(taken);
        }
        Ok(bytes)
    }
}

/// Waits for bytes, as long as a connection that lives lets one wait.
async fn in_time<T>(read: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(SILENCE, read).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// A word and the numbers behind it.
fn parts(line: &str) -> io::Result<(&str, Vec<u128>)> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    let numbers: Result<Vec<u128>, _> = rest.split_ascii_whitespace().map(str::parse).collect();
    numbers.map(|numbers| (word, numbers)).map_err(|_| strange(line))
}

/// The other host sent something else: a greeting of its shell, for example.
fn strange(what: &str) -> io::Error {
    let text = what.chars().take(80).collect::<String>();
    io::Error::other(format!("the other host said '{text}', which crosstail does not understand"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test(start_paused = true)]
    async fn a_connection_lives_while_bytes_come_however_slowly_and_while_the_script_computes() {
        let (mut there, here) = tokio::io::duplex(64);
        tokio::spawn(async move {
            let slow = Duration::from_secs(15);
            for _ in 0..10 {
                there.write_all(b"H\n").await.expect("taken");
                tokio::time::sleep(slow).await;
            }
            there.write_all(b"Z 7 10 6\na.log.").await.expect("taken");
            for byte in b"0123456789" {
                there.write_all(&[*byte]).await.expect("taken");
                tokio::time::sleep(slow).await;
            }
            there.write_all(b"L 5000 5\nb.log").await.expect("taken");
            // And then nothing at all.
            std::future::pending::<()>().await;
        });
        let mut frames = Frames::new(here);
        let packed = Frame::Packed { inode: 7, name: "a.log.".to_owned(), bytes: b"0123456789".to_vec() };
        assert_eq!(frames.next().await.expect("good"), Some(packed));
        let left_out = Frame::LeftOut { bytes: 5000, name: "b.log".to_owned() };
        assert_eq!(frames.next().await.expect("good"), Some(left_out));
        assert_eq!(frames.next().await.expect_err("dead").kind(), io::ErrorKind::TimedOut);
    }
}
