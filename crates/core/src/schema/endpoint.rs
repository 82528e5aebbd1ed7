//! Derives from a URL the endpoint that figures are grouped by, and the system that is called.

use compact_str::CompactString;

/// The path of a URL without scheme, host, query and fragment, with ids replaced by `{id}`.
pub fn endpoint_of_url(url: &str) -> Option<CompactString> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => url,
    };
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    if path.is_empty() {
        return None;
    }
    if !path.split('/').any(is_id) {
        return Some(CompactString::from(path));
    }
    let mut out = CompactString::with_capacity(path.len());
    for (index, segment) in path.split('/').enumerate() {
        if index > 0 {
            out.push('/');
        }
        out.push_str(if is_id(segment) { "{id}" } else { segment });
    }
    Some(out)
}

/// Whether a path segment identifies one thing: a number, a UUID, or a long token of hexadecimal digits or of letters
/// and digits.
fn is_id(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    let digits = bytes.iter().filter(|b| b.is_ascii_digit()).count();
    if digits == 0 {
        return false;
    }
    digits == bytes.len()
        || (bytes.len() >= 8 && bytes.iter().all(|b| b.is_ascii_hexdigit() || *b == b'-'))
        || (bytes.len() >= 16 && digits >= 4)
        || (digits >= 3
            && segment
                .rsplit('-')
                .next()
                .is_some_and(|last| last.len() >= 3 && last.bytes().all(|b| b.is_ascii_digit())))
}

/// The system that a URL belongs to: the name before the public suffix (`api.golioth.io` → `golioth`).
pub fn system_of_url(url: &str) -> Option<CompactString> {
    let host = url.split_once("://")?.1.split(['/', '?', '#', ':']).next()?;
    let host = host.rsplit('@').next()?;
    if host.is_empty() || host.parse::<std::net::IpAddr>().is_ok() {
        return None;
    }
    let labels: Vec<&str> = host.split('.').collect();
    Some(match labels.as_slice() {
        [only] => CompactString::from(*only),
        [.., name, second, top] if top.len() == 2 && second.len() <= 3 => CompactString::from(*name),
        [.., name, _] => CompactString::from(*name),
        [] => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_group_what_belongs_together() {
        for (url, endpoint) in [
            ("https://sap.example.com/api/v1/purchase-orders?x=1", "/api/v1/purchase-orders"),
            ("/devices/123/sync", "/devices/{id}/sync"),
            ("https://h/items/7f3a9c21-0000-4abc-8def-0123456789ab", "/items/{id}"),
            ("/orders/PO-4711/lines", "/orders/{id}/lines"),
            ("https://h", "/"),
            ("/v1/charges", "/v1/charges"),
        ] {
            assert_eq!(endpoint_of_url(url).as_deref(), Some(endpoint), "{url}");
        }
    }

    #[test]
    fn systems_by_host() {
        assert_eq!(system_of_url("https://api.golioth.io/v1").as_deref(), Some("golioth"));
        assert_eq!(system_of_url("https://hooks.zoho.co.in:443/x").as_deref(), Some("zoho"));
        assert_eq!(system_of_url("http://10.0.0.1/x"), None);
        assert_eq!(system_of_url("/local"), None);
    }
}
