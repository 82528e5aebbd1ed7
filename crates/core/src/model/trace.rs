//! Trace ids in what names them: headers and fields that hold more than the id.

/// The trace id in a `traceparent` (W3C Trace Context, 3.2): `00-TRACE-PARENT-FLAGS`. An id of zeros is none.
pub fn trace_of_parent(header: &str) -> Option<&str> {
    let hex = |text: &str, length: usize| text.len() == length && text.bytes().all(|b| b.is_ascii_hexdigit());
    let mut parts = header.trim().split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let fits = hex(version, 2) && version != "ff" && hex(trace, 32) && hex(span, 16) && hex(flags, 2);
    (fits && trace.bytes().any(|b| b != b'0')).then_some(trace)
}

/// The trace id in a text by which a log names a trace, where there is more than the id: a `traceparent`, the resource of
/// Google Cloud (`projects/P/traces/TRACE`), AWS' header (`Root=TRACE;Parent=…`).
pub fn trace_of(text: &str) -> Option<&str> {
    let text = text.trim();
    let resource = || text.strip_prefix("projects/")?.split_once("/traces/").map(|(_, trace)| trace);
    let root = || Some(text.strip_prefix("Root=")?.split(';').next().unwrap_or_default());
    trace_of_parent(text).or_else(|| resource().or_else(root).filter(|trace| !trace.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_what_names_a_trace() {
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        for text in [format!("00-{id}-00f067aa0ba902b7-01"), format!("projects/shop-1/traces/{id}")] {
            assert_eq!(trace_of(&text), Some(id), "{text}");
        }
        let root = "1-5759e988-bd862e3fe1be46a994272793";
        assert_eq!(trace_of(&format!("Root={root};Parent=53995c3f42cd8ad8;Sampled=1")), Some(root));
        for text in [id, "", "projects/shop-1", "00-0-1-2", &format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32))] {
            assert_eq!(trace_of(text), None, "{text}");
        }
    }
}
