//! What of an address the driver understands.

use std::borrow::Cow;

/// The address without parameters that change nothing here and that the driver refuses: the compressors, of which none is always
/// among those that both sides know (MongoDB, "OP_COMPRESSED"), and how a program writes its UUIDs, of which both forms are read.
pub(super) fn understood(url: &str) -> Cow<'_, str> {
    let Some((before, parameters)) = url.split_once('?') else { return Cow::Borrowed(url) };
    let is_needless = |parameter: &&str| {
        let name = parameter.split('=').next().unwrap_or_default();
        ["compressors", "zlibcompressionlevel", "uuidrepresentation"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    if !parameters.split('&').any(|parameter| is_needless(&parameter)) {
        return Cow::Borrowed(url);
    }
    let kept: Vec<&str> = parameters.split('&').filter(|parameter| !is_needless(parameter)).collect();
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
            ("mongodb://h/d?uuidRepresentation=standard&ssl=true", "mongodb://h/d?ssl=true"),
            ("mongodb://h/d?w=1&Compressors=zlib&zlibCompressionLevel=9&tls=true", "mongodb://h/d?w=1&tls=true"),
        ] {
            assert_eq!(understood(address), right);
        }
    }
}
