//! What of an address the driver understands.

use std::borrow::Cow;

/// The address without the compressors that the driver would be built with: which one is used is for both sides to agree on, and
/// none is always among them (MongoDB, "OP_COMPRESSED").
pub(super) fn understood(url: &str) -> Cow<'_, str> {
    let Some((before, parameters)) = url.split_once('?') else { return Cow::Borrowed(url) };
    let is_compression = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default();
        ["compressors", "zlibcompressionlevel"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    if !parameters.split('&').any(|parameter| is_compression(&parameter)) {
        return Cow::Borrowed(url);
    }
    let kept: Vec<&str> = parameters.split('&').filter(|parameter| !is_compression(parameter)).collect();
    Cow::Owned(if kept.is_empty() { before.to_owned() } else { format!("{before}?{}", kept.join("&")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compression_is_left_to_the_server() {
        for (address, right) in [
            ("mongodb://h/d", "mongodb://h/d"),
            ("mongodb://h/d?tls=true", "mongodb://h/d?tls=true"),
            ("mongodb://h/d?compressors=zstd,zlib", "mongodb://h/d"),
            ("mongodb://h/d?w=1&Compressors=zlib&zlibCompressionLevel=9&tls=true", "mongodb://h/d?w=1&tls=true"),
        ] {
            assert_eq!(understood(address), right);
        }
    }
}
