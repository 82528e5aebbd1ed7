//! Where a receiver listens, and from whom it takes something: `otlp+http://127.0.0.1:4318`, `otlp+grpc://`, `syslog://`,
//! `http-in://0.0.0.0:8088?token=…`.

use crosstail_source::{credentials, percent_decoded};
use std::net::IpAddr;
use std::path::PathBuf;

/// The schemes of the kind.
pub(crate) static SCHEMES: [&str; 5] = ["otlp+http", "otlp+grpc", "http-in", "syslog", "syslog+tls"];

/// How to reach it, for errors.
const TOKEN: &str =
    "add ?token=SECRET, or configure the source with password_env; clients send it as Authorization: Bearer SECRET";
const FROM: &str = "say whose messages are taken: ?from=10.1.2.3,10.8.0.0/16";

/// Why a build without the feature does not listen.
pub(crate) const NO_GRPC: &str = "this build takes OTLP over HTTP alone";
const BUILD: &str = "use otlp+http://127.0.0.1:4318, or build with `--features full`";

/// What is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Otlp,
    OtlpGrpc,
    Json,
    Syslog { tls: bool },
}

/// Where to listen, and whom to hear.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What clients have to send.
    pub(crate) token: Option<String>,
    /// The networks from which something is taken; empty for all.
    from: Vec<Network>,
    /// The certificate and the key for TLS.
    pub(crate) certificate: Option<(PathBuf, PathBuf)>,
}

/// A network: an address and how many of its bits count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network(IpAddr, u32);

impl Address {
    /// Reads an address. An error says why, and what to write.
    pub(crate) fn of(at: &str) -> Result<Self, (String, &'static str)> {
        let (scheme, rest) = at.split_once("://").unwrap_or((at, ""));
        let (protocol, port, example) = match scheme {
            "otlp+http" => (Protocol::Otlp, Some(4318), "otlp+http://127.0.0.1:4318"),
            "otlp+grpc" => (Protocol::OtlpGrpc, Some(4317), "otlp+grpc://127.0.0.1:4317"),
            "http-in" => (Protocol::Json, None, "http-in://127.0.0.1:8088"),
            "syslog+tls" => {
                (Protocol::Syslog { tls: true }, Some(6514), "syslog+tls://127.0.0.1:6514?cert=FILE&key=FILE")
            }
            _ => (Protocol::Syslog { tls: false }, Some(5514), "syslog://127.0.0.1:5514"),
        };
        let wrong = |why: &str| (why.to_owned(), example);
        if protocol == Protocol::OtlpGrpc && !cfg!(feature = "grpc") {
            return Err((NO_GRPC.to_owned(), BUILD));
        }
        let (user, place) = credentials(rest);
        let (place, parameters) = place.split_once('?').unwrap_or((place, ""));
        let place = place.trim_end_matches('/');
        if place.contains('/') {
            return Err(wrong("a receiver has no path"));
        }
        // What is behind the brackets of an IPv6 address.
        let end = place.find(']').map_or(0, |at| at + 1);
        let (host, port) = match place[end..].split_once(':') {
            Some((host, port)) => {
                let port = port.parse().map_err(|_| wrong("the port is no number"))?;
                (&place[..end + host.len()], Some(port))
            }
            None => (place, port),
        };
        let port = port.ok_or_else(|| wrong("no port"))?;
        let host = if host.is_empty() { "127.0.0.1" } else { host.trim_matches(['[', ']']) };
        let password = user.and_then(|user| user.split_once(':')).map(|(_, password)| percent_decoded(password));
        let mut found =
            Self { protocol, host: host.to_owned(), port, token: password, from: Vec::new(), certificate: None };
        let (mut certificate, mut key) = (None, None);
        for (name, value) in form_urlencoded::parse(parameters.as_bytes()) {
            match name.as_ref() {
                "token" => found.token = Some(value.into_owned()),
                "from" => {
                    for network in value.split(',') {
                        found
                            .from
                            .push(Network::of(network).ok_or_else(|| wrong("?from= takes addresses and networks"))?);
                    }
                }
                "cert" => certificate = Some(PathBuf::from(value.as_ref())),
                "key" => key = Some(PathBuf::from(value.as_ref())),
                _ => return Err((format!("there is no parameter {name}"), "parameters are token, from, cert and key")),
            }
        }
        found.token = found.token.filter(|token| !token.is_empty());
        found.certificate = certificate.zip(key);
        found.check(example)?;
        Ok(found)
    }

    fn check(&self, example: &'static str) -> Result<(), (String, &'static str)> {
        let is_tls = self.protocol == Protocol::Syslog { tls: true };
        if is_tls != self.certificate.is_some() {
            let why =
                if is_tls { "TLS needs a certificate and its key" } else { "?cert= and ?key= are for syslog+tls://" };
            return Err((why.to_owned(), example));
        }
        let is_syslog = matches!(self.protocol, Protocol::Syslog { .. });
        if is_syslog && self.token.is_some() {
            return Err(("syslog has no token".to_owned(), FROM));
        }
        if self.is_loopback() {
            return Ok(());
        }
        let guarded = if is_syslog { !self.from.is_empty() } else { self.token.is_some() };
        let why = || format!("{} can be reached from other machines, and anybody could send to it", self.host);
        if guarded { Ok(()) } else { Err((why(), if is_syslog { FROM } else { TOKEN })) }
    }

    /// Whether only this machine can reach it.
    pub(crate) fn is_loopback(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    /// Whether something is taken from an address.
    pub(crate) fn hears(&self, peer: IpAddr) -> bool {
        self.from.is_empty() || self.from.iter().any(|network| network.has(peer.to_canonical()))
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        let (host, port) = (&self.host, self.port);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl Network {
    fn of(text: &str) -> Option<Self> {
        let (address, bits) = text.trim().split_once('/').map_or((text.trim(), None), |(one, bits)| (one, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let all = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Some(all), |bits| bits.parse().ok())?;
        (bits <= all).then_some(Self(address, bits))
    }

    fn has(self, other: IpAddr) -> bool {
        let alike = |a: u128, b: u128, length: u32| (a ^ b).checked_shr(length - self.1).unwrap_or(0) == 0;
        match (self.0, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => alike(own.to_bits().into(), other.to_bits().into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => alike(own.to_bits(), other.to_bits(), 128),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_person_would_type_is_understood() {
        for (at, shown) in [
            ("otlp+http://127.0.0.1:4318", "127.0.0.1:4318"),
            ("otlp+http://", "127.0.0.1:4318"),
            ("otlp+http://localhost", "localhost:4318"),
            #[cfg(feature = "grpc")]
            ("otlp+grpc://", "127.0.0.1:4317"),
            ("syslog://", "127.0.0.1:5514"),
            ("syslog://:1514/", "127.0.0.1:1514"),
            ("syslog://[::1]:1514", "[::1]:1514"),
            ("http-in://:8088", "127.0.0.1:8088"),
            ("http-in://0.0.0.0:8088?token=x", "0.0.0.0:8088"),
            ("http-in://:x@0.0.0.0:8088", "0.0.0.0:8088"),
            ("syslog://0.0.0.0?from=10.0.0.0/8,::1", "0.0.0.0:5514"),
            ("syslog+tls://127.0.0.1?cert=a&key=b", "127.0.0.1:6514"),
        ] {
            assert_eq!(Address::of(at).map(|address| address.shown()), Ok(shown.to_owned()), "{at}");
        }
        for (at, hint) in [
            ("http-in://127.0.0.1", "http-in://127.0.0.1:8088"),
            ("http-in://127.0.0.1:8088/x", "http-in://127.0.0.1:8088"),
            ("otlp+http://0.0.0.0:4318", TOKEN),
            ("otlp+http://0.0.0.0:4318?token=", TOKEN),
            ("otlp+http://shop.example:4318", TOKEN),
            ("syslog://[::]:5514", FROM),
            ("syslog://0.0.0.0?token=x", FROM),
            ("syslog+tls://127.0.0.1", "syslog+tls://127.0.0.1:6514?cert=FILE&key=FILE"),
            ("syslog://?from=x", "syslog://127.0.0.1:5514"),
            ("otlp+http://?tokn=x", "parameters are token, from, cert and key"),
        ] {
            assert_eq!(Address::of(at).err().map(|(_, hint)| hint), Some(hint), "{at}");
        }
    }

    #[test]
    fn networks_are_told_apart() {
        let hears = |from: &str, peer: &str| {
            let address = Address::of(&format!("syslog://0.0.0.0?from={from}")).expect("an address");
            address.hears(peer.parse().expect("a peer"))
        };
        assert!(hears("10.1.2.3", "10.1.2.3") && !hears("10.1.2.3", "10.1.2.4"));
        assert!(hears("10.8.0.0/16", "10.8.255.1") && !hears("10.8.0.0/16", "10.9.0.1"));
        assert!(hears("10.8.0.0/16", "::ffff:10.8.0.1") && hears("0.0.0.0/0", "1.2.3.4") && !hears("0.0.0.0/0", "::1"));
        assert!(hears("fe80::/10", "fe80::1") && !hears("fe80::/10", "2001::1"));
    }
}
