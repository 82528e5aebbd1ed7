//! JSON values that are not a line each: pretty-printed, elements of an array, one behind the other.

/// Finds the JSON values of a text, and the lines that stand between them: what is no value is shown as what it is.
#[derive(Debug, Default)]
pub struct Documents {
    /// What is open around the next byte, from the outside: an array, or else an object. An array around objects is no level:
    /// its elements are the records.
    nested: Vec<bool>,
    in_string: bool,
    escaped: bool,
    /// The last byte that is neither blank nor in a string.
    before: u8,
    /// Where the open value or line began.
    start: Option<u64>,
    in_line: bool,
    at: u64,
}

/// A longer value is none, in bytes: it is given out as far as it goes.
const DOCUMENT_BYTES: u64 = 256 << 20;

impl Documents {
    /// Takes the next piece of the text, and calls `each(start, end)` for every object that is complete (the top-level ones
    /// and the elements of top-level arrays), every one that never ends, and every line between them.
    pub fn push(&mut self, piece: &[u8], mut each: impl FnMut(u64, u64)) {
        for byte in piece {
            let here = self.at;
            self.at += 1;
            if self.start.is_some_and(|start| here - start > DOCUMENT_BYTES) {
                self.end(here, &mut each);
            }
            if self.in_line {
                if *byte == b'\n' {
                    self.end(here, &mut each);
                }
            } else if self.in_string {
                self.push_in_string(*byte);
            } else if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x1e | 0) {
                self.push_outside(*byte, here, &mut each);
                self.before = *byte;
            }
        }
    }

    fn push_in_string(&mut self, byte: u8) {
        match byte {
            // A string ends with its line: else one that is cut takes everything behind it along.
            b'\n' => (self.in_string, self.escaped) = (false, false),
            _ if self.escaped => self.escaped = false,
            b'\\' => self.escaped = true,
            b'"' => self.in_string = false,
            _ => {}
        }
    }

    fn push_outside(&mut self, byte: u8, here: u64, each: &mut impl FnMut(u64, u64)) {
        match (byte, self.nested.last()) {
            (b'{', None) => {
                self.start = Some(here);
                self.nested.push(false);
            }
            // Where JSON has no object, another value begins: the open one never ended.
            (b'{', Some(in_array)) => {
                if self.before != b':' && !(*in_array && matches!(self.before, b'[' | b',')) {
                    self.end(here, each);
                    self.start = Some(here);
                }
                self.nested.push(false);
            }
            (b'[' | b']' | b',' | b'}', None) => {}
            (_, None) => (self.start, self.in_line) = (Some(here), true),
            (b'"', Some(_)) => self.in_string = true,
            (b'[', Some(_)) => self.nested.push(true),
            (b']', Some(_)) if self.nested.len() == 1 => {}
            (b']' | b'}', Some(_)) => {
                self.nested.pop();
                if self.nested.is_empty() {
                    self.end(here + 1, each);
                }
            }
            _ => {}
        }
    }

    /// Gives out what is open.
    fn end(&mut self, here: u64, each: &mut impl FnMut(u64, u64)) {
        if let Some(start) = self.start {
            each(start, here);
        }
        *self = Self { at: self.at, ..Self::default() };
    }

    /// Where a value or a line began that is not complete.
    pub const fn open(&self) -> Option<u64> {
        self.start
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str, size: usize) -> (Vec<&str>, Option<u64>) {
        let (mut documents, mut found) = (Documents::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            documents.push(piece, |start, end| found.push((start, end)));
        }
        let index = |at: u64| usize::try_from(at).expect("small");
        (found.iter().map(|(start, end)| &text[index(*start)..index(*end)]).collect(), documents.open())
    }

    #[test]
    fn documents_are_found_in_pieces() {
        let text = "[\n {\"a\": \"}{\\\"\"},\n {\"b\": [{\"c\": 1}, {}]}]{\"d\":{}}\n{\"open\": ";
        for size in 1..20 {
            let (found, open) = found(text, size);
            assert_eq!(found, ["{\"a\": \"}{\\\"\"}", "{\"b\": [{\"c\": 1}, {}]}", "{\"d\":{}}"]);
            assert!(open.is_some());
        }
    }

    #[test]
    fn lines_between_documents_and_documents_without_an_end_are_found_too() {
        let text = "{\n\"a\": 1\n}\nstarted {again}\n{\n\"b\": \"cut\n{\n\"c\": [1],\n{\n\"d\": {}\n}\n";
        let whole = ["{\n\"a\": 1\n}", "started {again}", "{\n\"b\": \"cut\n", "{\n\"c\": [1],\n", "{\n\"d\": {}\n}"];
        for size in 1..20 {
            assert_eq!(found(text, size), (whole.to_vec(), None));
        }
    }
}
