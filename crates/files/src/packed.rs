//! What a file's bytes have to go through before they are text: compression, archives, encodings. Told from the bytes
//! themselves, whatever the file's name says.

use crosstail_formats::{Encoding, Transcoder};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

/// The beginning of a file from which its packing is told, in bytes.
const MAGIC_BYTES: usize = 512;
/// Bytes of text from which its encoding is told.
const SAMPLE_BYTES: usize = 4096;

/// Compression or an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layer {
    Gzip,
    Bzip2,
    Xz,
    Zstd,
    Zip,
    Tar,
}

impl Layer {
    fn of(head: &[u8]) -> Option<Self> {
        Some(match head {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Self::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Self::Xz,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            [b'P', b'K', 3, 4, ..] => Self::Zip,
            _ if head.len() >= 262 && &head[257..262] == b"ustar" => Self::Tar,
            _ => return None,
        })
    }
}

/// How a file is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// Its bytes are the text.
    None,
    /// Text in an encoding that is not UTF-8; the file may grow.
    Encoded,
    /// Compressed or an archive; it does not grow.
    Compressed,
    /// No text.
    Binary,
}

impl Packing {
    /// Whether the text is found only by reading from the beginning.
    pub(super) const fn is_sequential(self) -> bool {
        !matches!(self, Self::None)
    }
}

/// Tells how a file is packed.
pub(super) fn packing(file: &File) -> io::Result<Packing> {
    let mut head = Vec::new();
    let mut from_start = file.try_clone()?;
    from_start.seek(SeekFrom::Start(0))?;
    from_start.take(SAMPLE_BYTES as u64).read_to_end(&mut head)?;
    if Layer::of(&head).is_some() {
        return Ok(Packing::Compressed);
    }
    if head.iter().all(|b| *b == 0) {
        // A hole as large as the file was when it was cut (`copytruncate`): its end tells what it is.
        let mut end = file.try_clone()?;
        let behind = end.seek(SeekFrom::End(0))?.saturating_sub(SAMPLE_BYTES as u64);
        end.seek(SeekFrom::Start(behind))?;
        head.clear();
        end.take(SAMPLE_BYTES as u64).read_to_end(&mut head)?;
    }
    Ok(match Encoding::of(&head) {
        Encoding::Bytes => Packing::None,
        Encoding::Binary => Packing::Binary,
        Encoding::Utf16Le | Encoding::Utf16Be | Encoding::CarriageReturns => Packing::Encoded,
    })
}

/// A reader of a file's text in UTF-8, from its beginning.
pub(super) fn unpack(mut file: File) -> io::Result<Box<dyn Read + Send>> {
    file.seek(SeekFrom::Start(0))?;
    let mut reader: Box<dyn Read + Send> = Box::new(BufReader::with_capacity(1 << 16, file.try_clone()?));
    // An archive inside compression, and text inside both: two layers are what people make.
    for depth in 0..3 {
        let (head, rest) = peek(reader, MAGIC_BYTES)?;
        let Some(layer) = Layer::of(&head) else { return decoded(rest) };
        reader = match layer {
            Layer::Gzip => Box::new(MultiGzDecoder::new(rest)),
            Layer::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(rest)),
            Layer::Xz => Box::new(lzma_rust2::XzReader::new(rest, true)),
            Layer::Zstd => Box::new(Zstd { frame: None, source: Some(rest) }),
            Layer::Tar => untar(rest),
            Layer::Zip if depth == 0 => unzip(file.try_clone()?)?,
            Layer::Zip => rest,
        };
    }
    decoded(reader)
}

/// The first bytes of a reader, and a reader that still has them.
fn peek(mut reader: Box<dyn Read + Send>, bytes: usize) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut head = vec![0; bytes];
    let mut filled = 0;
    while filled < bytes {
        match reader.read(&mut head[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if filled == 0 => return Err(error),
            // What was read is there; the next read says again what is wrong.
            Err(_) => break,
        }
    }
    head.truncate(filled);
    Ok((head.clone(), Box::new(io::Cursor::new(head).chain(reader))))
}

fn decoded(reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let (head, rest) = peek(reader, SAMPLE_BYTES)?;
    Ok(match Encoding::of(&head) {
        Encoding::Bytes | Encoding::Binary => rest,
        encoding => {
            Box::new(Transcoded { transcoder: Transcoder::new(encoding), source: rest, ready: Vec::new(), at: 0 })
        }
    })
}

/// The regular files of an archive, one behind the other.
fn untar(reader: Box<dyn Read + Send>) -> Box<dyn Read + Send> {
    Box::new(Tar { source: reader, left: 0, padding: 0, ended: false, newline: false })
}

/// The first file of a zip archive that is no folder.
fn unzip(file: File) -> io::Result<Box<dyn Read + Send>> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(io::Error::other)?;
    let index = (0..archive.len()).find(|index| archive.by_index(*index).is_ok_and(|entry| entry.is_file()));
    let entry = archive.by_index(index.unwrap_or(0)).map_err(io::Error::other)?;
    // The library lends its reader, so what is inside is kept; a log in a zip has a limit.
    let mut text = Vec::new();
    entry.take(ZIP_BYTES).read_to_end(&mut text)?;
    Ok(Box::new(io::Cursor::new(text)))
}

/// More than this of a zipped file is not read, in bytes.
const ZIP_BYTES: u64 = 1 << 30;

/// Reads the frames of a zstd file, of which there may be several.
struct Zstd {
    frame: Option<Box<ruzstd::decoding::StreamingDecoder<Box<dyn Read + Send>, ruzstd::decoding::FrameDecoder>>>,
    source: Option<Box<dyn Read + Send>>,
}

impl Read for Zstd {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(frame) = &mut self.frame {
                match frame.read(buffer)? {
                    0 if !buffer.is_empty() => self.source = self.frame.take().map(|frame| frame.into_inner()),
                    n => return Ok(n),
                }
            }
            let Some(source) = self.source.take() else { return Ok(0) };
            let (head, rest) = peek(source, 4)?;
            if head.len() < 4 {
                return Ok(0);
            }
            let frame = ruzstd::decoding::StreamingDecoder::new(rest).map_err(io::Error::other)?;
            self.frame = Some(Box::new(frame));
        }
    }
}

/// Bytes of a block of tar (POSIX.1-1988, ustar).
const TAR_BLOCK: usize = 512;

/// Reads the contents of an archive in the order in which they are stored, without going back.
struct Tar {
    source: Box<dyn Read + Send>,
    left: u64,
    padding: u64,
    ended: bool,
    /// Whether the last byte given out was a newline: a file without one is ended by it.
    newline: bool,
}

impl Tar {
    /// Reads headers until a regular file begins.
    fn next_file(&mut self) -> io::Result<()> {
        while self.left == 0 && !self.ended {
            io::copy(&mut (&mut self.source).take(self.padding), &mut io::sink())?;
            let mut block = [0; TAR_BLOCK];
            let mut filled = 0;
            while filled < TAR_BLOCK {
                match self.source.read(&mut block[filled..])? {
                    0 => break,
                    n => filled += n,
                }
            }
            let header = tar::Header::from_byte_slice(&block);
            if filled < TAR_BLOCK || block.iter().all(|b| *b == 0) {
                self.ended = true;
                return Ok(());
            }
            let size = header.entry_size()?;
            self.padding = (TAR_BLOCK as u64 - size % TAR_BLOCK as u64) % TAR_BLOCK as u64;
            if header.entry_type().is_file() {
                self.left = size;
            } else {
                io::copy(&mut (&mut self.source).take(size), &mut io::sink())?;
            }
        }
        Ok(())
    }
}

impl Read for Tar {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            if self.newline {
                self.newline = false;
                buffer[0] = b'\n';
                return Ok(1);
            }
            self.next_file()?;
            if self.ended {
                return Ok(0);
            }
        }
        let read = (&mut self.source).take(self.left).read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        self.newline = buffer[read - 1] != b'\n';
        Ok(read)
    }
}

/// Gives out text in UTF-8.
struct Transcoded {
    transcoder: Transcoder,
    source: Box<dyn Read + Send>,
    ready: Vec<u8>,
    at: usize,
}

impl Read for Transcoded {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.ready.len() {
            self.ready.clear();
            self.at = 0;
            let mut piece = [0; 1 << 14];
            let read = self.source.read(&mut piece)?;
            if read == 0 {
                return Ok(0);
            }
            self.transcoder.push(&piece[..read], &mut self.ready);
        }
        let length = buffer.len().min(self.ready.len() - self.at);
        buffer[..length].copy_from_slice(&self.ready[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
