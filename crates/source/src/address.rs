//! Addresses of stores, which all kinds parse in the same way.

/// The address of a cluster; where it names no index or topic, `*` is added.
pub fn with_wildcard(url: &str) -> String {
    let (head, parameters) =
        url.split_once('?').map_or((url, String::new()), |(head, rest)| (head, format!("?{rest}")));
    let rest = head.split_once("://").map_or(head, |(_, rest)| rest);
    let names_nothing = rest.split_once('/').is_none_or(|(_, path)| path.is_empty());
    if names_nothing { format!("{}/*{parameters}", head.trim_end_matches('/')) } else { url.to_owned() }
}

/// Decodes the percent-encoding of one part of an address.
pub fn percent_decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
