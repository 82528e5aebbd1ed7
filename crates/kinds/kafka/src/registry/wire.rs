//! What stands before a value that a schema describes: a zero, the number of the schema, and, for Protobuf, which of the
//! schema's messages it is.
//!
//! Source: Confluent documentation, "Formats, serializers and deserializers", "Wire format".

/// The number of the schema of a value, and the value.
pub(in super::super) fn encoded(bytes: &[u8]) -> Option<(u32, &[u8])> {
    match bytes {
        [0, a, b, c, d, value @ ..] => Some((u32::from_be_bytes([*a, *b, *c, *d]), value)),
        _ => None,
    }
}

/// A number as both Avro and Protobuf write signed ones: seven bits a byte, the smallest first, zigzag. With what follows.
pub(super) fn zigzag(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let mut number = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        number |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            return Some(((number >> 1).cast_signed() ^ -(number & 1).cast_signed(), &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_paths_are_read() {
        assert_eq!(encoded(b"\0\0\0\x01\x02rest"), Some((258, &b"rest"[..])));
        assert_eq!(encoded(b"\0\0\0"), None);
        for (bytes, number) in [(&b"\0"[..], 0), (b"\x01", -1), (b"\x80\x01", 64)] {
            assert_eq!(zigzag(bytes), Some((number, &b""[..])));
        }
        assert_eq!(zigzag(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), Some((i64::MIN, &b""[..])));
        assert_eq!(zigzag(b"\x80"), None);
    }
}
