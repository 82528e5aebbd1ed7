//! What a file's bytes have to go through before they are text: compression, archives, encodings. Told from the bytes
//! themselves, whatever the file's name says.

mod archive;

pub(super) use archive::left_out;

use crosstail_formats::{Encoding, Transcoder};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek as _, SeekFrom};

/// The beginning of a file from which its packing is told, in bytes.
const MAGIC_BYTES: usize = 512;
/// Layers inside each other at most.
const LAYERS: usize = 3;
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
            // A file may begin with a frame that is to be skipped (RFC 8878, section 3.1.2): that of pzstd does.
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Self::Zstd,
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
    let zipped = {
        let mut magic = Vec::new();
        (&file).take(MAGIC_BYTES as u64).read_to_end(&mut magic)?;
        Layer::of(&magic) == Some(Layer::Zip)
    };
    file.seek(SeekFrom::Start(0))?;
    if zipped {
        return Ok(Box::new(archive::Zip::of(file)?));
    }
    unpacked(Box::new(BufReader::with_capacity(1 << 16, file)))
}

/// A reader of the text in what is compressed, archived and encoded.
fn unpacked(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    // An archive inside compression, and text inside both: two layers are what people make.
    for _ in 0..LAYERS {
        let (head, rest) = peek(reader, MAGIC_BYTES)?;
        let Some(layer) = Layer::of(&head) else { return decoded(rest) };
        reader = match layer {
            Layer::Gzip => Box::new(MultiGzDecoder::new(rest)),
            Layer::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(rest)),
            Layer::Xz => Box::new(lzma_rust2::XzReader::new(rest, true)),
            Layer::Zstd => Box::new(Zstd { frame: None, source: Some(rest) }),
            Layer::Tar => Box::new(archive::Tar::of(rest)),
            // Its directory is at its end, so it is read only where it is a file.
            Layer::Zip => return Ok(rest),
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

/// Bytes at the beginning of a frame that is to be skipped: its mark and its length.
const SKIPPED_BYTES: usize = 8;

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
            let (head, mut rest) = peek(source, SKIPPED_BYTES)?;
            if head.len() < 4 {
                return Ok(0);
            }
            if let [0x50..=0x5f, 0x2a, 0x4d, 0x18, length @ ..] = head.as_slice() {
                let length = length.try_into().map(u32::from_le_bytes).map_err(io::Error::other)?;
                let all = u64::from(length) + SKIPPED_BYTES as u64;
                io::copy(&mut rest.by_ref().take(all), &mut io::sink())?;
                self.source = Some(rest);
                continue;
            }
            let frame = ruzstd::decoding::StreamingDecoder::new(rest).map_err(io::Error::other)?;
            self.frame = Some(Box::new(frame));
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with one raw block: RFC 8878, sections 3.1.1 and 3.1.1.2.
    fn frame(text: &str) -> Vec<u8> {
        let length = u8::try_from(text.len()).expect("a short text");
        let block = (u32::from(length) << 3 | 1).to_le_bytes();
        [&[0x28, 0xb5, 0x2f, 0xfd, 0x20, length], &block[..3], text.as_bytes()].concat()
    }

    #[test]
    fn frames_that_are_to_be_skipped_hide_nothing() {
        let skipped = |bytes: &[u8]| {
            let length = u32::try_from(bytes.len()).expect("a short frame").to_le_bytes();
            [&[0x5a, 0x2a, 0x4d, 0x18], &length[..], bytes].concat()
        };
        let file =
            [skipped(b"12345678"), frame("one\n"), skipped(b""), frame("two\n"), skipped(b"x"), frame("three\n")];
        assert_eq!(Layer::of(&file[0]), Some(Layer::Zstd));
        let mut text = String::new();
        let source: Box<dyn Read + Send> = Box::new(io::Cursor::new(file.concat()));
        Zstd { frame: None, source: Some(source) }.read_to_string(&mut text).expect("a text");
        assert_eq!(text, "one\ntwo\nthree\n");
    }
}
