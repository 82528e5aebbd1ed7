//! Where messages of syslog begin in a stream (RFC 6587): each with its length before it, or ended by a newline.

use std::mem::take;

/// A longer message is cut, in bytes.
pub(crate) const LONGEST: usize = 1 << 20;
/// Digits of a length.
const DIGITS: usize = 8;

/// What was read of a stream and is no message yet.
#[derive(Debug, Default)]
pub(crate) struct Frames {
    held: Vec<u8>,
    /// Up to where no newline was found.
    searched: usize,
    /// Whether the rest of a message that was cut is left out.
    skips: bool,
}

/// A message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_cut: bool,
}

/// A length that no message has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Frames {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next message that is complete.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, TooLong> {
        loop {
            if !self.skips && self.held.first().is_some_and(|byte| (b'1'..=b'9').contains(byte)) {
                let digits = self.held.iter().take_while(|byte| byte.is_ascii_digit()).count();
                match self.held.get(digits) {
                    None if digits <= DIGITS => return Ok(None),
                    Some(b' ') if digits <= DIGITS => return self.counted(digits),
                    Some(b' ') => return Err(TooLong),
                    // More digits than a length has: what follows them says whether it is one, and may not have come yet.
                    None | Some(_) => {}
                }
            }
            let end = memchr::memchr(b'\n', &self.held[self.searched..]).map(|at| self.searched + at);
            match end {
                Some(end) => {
                    let rest = self.held.split_off(end + 1);
                    let mut bytes = std::mem::replace(&mut self.held, rest);
                    bytes.truncate(end);
                    self.searched = 0;
                    if !take(&mut self.skips) && !bytes.trim_ascii().is_empty() {
                        return Ok(Some(Frame { bytes, is_cut: false }));
                    }
                }
                None if self.held.len() > LONGEST => {
                    self.searched = 0;
                    let bytes = take(&mut self.held);
                    if !std::mem::replace(&mut self.skips, true) {
                        return Ok(Some(Frame { bytes, is_cut: true }));
                    }
                }
                None => {
                    self.searched = self.held.len();
                    return Ok(None);
                }
            }
        }
    }

    fn counted(&mut self, digits: usize) -> Result<Option<Frame>, TooLong> {
        let length = std::str::from_utf8(&self.held[..digits]).ok().and_then(|text| text.parse::<usize>().ok());
        let length = length.filter(|length| *length <= LONGEST).ok_or(TooLong)?;
        let end = digits + 1 + length;
        if self.held.len() < end {
            return Ok(None);
        }
        let rest = self.held.split_off(end);
        let bytes = std::mem::replace(&mut self.held, rest).split_off(digits + 1);
        self.searched = 0;
        Ok(Some(Frame { bytes, is_cut: false }))
    }

    /// What is left when the stream has ended.
    pub(crate) fn rest(self) -> Option<Frame> {
        let is_message = !self.skips && !self.held.trim_ascii().is_empty();
        is_message.then_some(Frame { bytes: self.held, is_cut: false })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> (Vec<String>, bool) {
        let (mut frames, mut found, mut failed) = (Frames::default(), Vec::new(), false);
        let text = |frame: Frame| String::from_utf8_lossy(&frame.bytes).into_owned();
        for piece in pieces {
            frames.add(piece);
            loop {
                match frames.next() {
                    Ok(Some(frame)) => found.push(text(frame)),
                    Ok(None) => break,
                    Err(TooLong) => {
                        failed = true;
                        break;
                    }
                }
            }
        }
        found.extend(frames.rest().map(text));
        (found, failed)
    }

    #[test]
    fn messages_are_found_however_the_stream_is_cut() {
        let stream = b"<34>one\n9 <34>a\nb c6 <34>.\n<34>two\r\n\n<34>last";
        let expected = ["<34>one", "<34>a\nb c", "<34>.\n", "<34>two\r", "<34>last"].map(str::to_owned).to_vec();
        assert_eq!(all(&[stream]), (expected.clone(), false));
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(all(&bytes), (expected, false));
        // A line that begins with a year is no length.
        assert_eq!(all(&[b"2026-05-06T07:08:00Z a\n"]).0, ["2026-05-06T07:08:00Z a"]);
        // Nor is a number that begins a line, wherever the network divides it.
        assert_eq!(all(&[b"12345678", b"90", b"1: a\n"]), (["12345678901: a".to_owned()].to_vec(), false));
    }

    #[test]
    fn no_message_takes_all_memory() {
        assert!(all(&[b"99999999 x"]).1 && all(&[b"123456789012", b" x"]).1);
        let mut frames = Frames::default();
        frames.add(&vec![b'x'; LONGEST + 1]);
        assert!(frames.next().is_ok_and(|frame| frame.is_some_and(|frame| frame.is_cut)));
        frames.add(&vec![b'x'; LONGEST + 1]);
        assert_eq!(frames.next(), Ok(None));
        frames.add(b"x\nnext\n");
        assert_eq!(frames.next(), Ok(Some(Frame { bytes: b"next".to_vec(), is_cut: false })));
    }

    #[test]
    fn fuzz_syslog() {
        let corpus = [
            "<34>1 2026-11-20T10:00:00Z host app 1 ID [a@1 b=\"c\"] one\n<34>two\r\n",
            "9 <34>a\nb c6 <34>.\n30 <34>Nov 20 10:00:00 host app: x\n",
            "2026-05-06T07:08:00Z a\n12 \n99999 <1>x",
        ];
        let bits = ["<34>", "10 ", "0 ", "1048576 ", "1048577 ", "99999999 ", "123456789 ", "\r\n", " "];
        let corpus = corpus.iter().map(|text| text.as_bytes().to_vec()).collect();
        crosstail_fuzz::Target { name: "syslog", corpus, bits: &bits, longest: 400_000 }.run(|number, input| {
            let whole = all(&[input]);
            // However the network divides it.
            let pieces: Vec<&[u8]> = input.chunks(number % 97 + 1).collect();
            assert_eq!(all(&pieces), whole);
            assert!(whole.0.iter().map(String::len).sum::<usize>() <= input.len() * 3, "nothing is made up");
        });
    }
}
