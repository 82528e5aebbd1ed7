//! Listens, and gives what comes to its protocol.

use crate::address::{Address, Protocol};
use crate::inbox::Inbox;
use crate::intake::Intake;
use crate::{document, http, otlp, syslog, tls};
use async_trait::async_trait;
use crosstail_core::model::Diagnosis;
use crosstail_files::{Failure, Feed, Origin};
use crosstail_source::ErrorKind;
use std::io;
use std::sync::Arc;
use tokio::net::{TcpListener, UdpSocket};

pub(crate) struct Receiver {
    address: Arc<Address>,
}

impl Receiver {
    pub(crate) fn new(address: Address) -> Self {
        Self { address: Arc::new(address) }
    }

    fn refused(&self, error: &io::Error) -> Failure {
        let place = self.address.shown();
        let failure = Failure::new(ErrorKind::Connect, format!("cannot listen on {place}: {error}"));
        match error.kind() {
            io::ErrorKind::AddrInUse => failure.hinted(
                "another program listens there, perhaps crosstail in another window: end it, or give this source another port",
            ),
            io::ErrorKind::PermissionDenied => {
                Failure { kind: ErrorKind::Unsupported, ..failure }.hinted("ports below 1024 are root's; use a higher one")
            }
            io::ErrorKind::AddrNotAvailable => failure.hinted("use an address of this machine, such as 127.0.0.1"),
            _ => failure,
        }
    }

    async fn listen(&self) -> Result<TcpListener, Failure> {
        let place = (self.address.host.as_str(), self.address.port);
        TcpListener::bind(place).await.map_err(|error| self.refused(&error))
    }
}

#[async_trait]
impl Origin for Receiver {
    fn told_by_content(&self) -> bool {
        false
    }

    fn has_history(&self) -> bool {
        false
    }

    fn answers(&self, what: &str) -> Diagnosis {
        Diagnosis::ok("receiver", format!("listens: {what}"))
    }

    fn limits(&self) -> String {
        "no history: it has what is sent while the explorer, tail or watch runs, at most 512 MB".to_owned()
    }

    async fn run(&self, feed: &Arc<Feed>) -> Result<(), Failure> {
        let place = self.address.shown();
        let inbox = Arc::new(Inbox::new(Arc::clone(feed)));
        let intake = || Arc::new(Intake::new(&self.address, &inbox));
        let ready = |what: String| {
            feed.reached(what, Vec::new());
            feed.loaded();
        };
        let lost =
            |error: io::Error| Failure::new(ErrorKind::Connect, format!("cannot listen on {place} any more: {error}"));
        match self.address.protocol {
            Protocol::Otlp => {
                let listener = self.listen().await?;
                ready(format!("OTLP on http://{place}, logs and traces"));
                http::serve(listener, &intake(), otlp::Otlp).await.map_err(lost)
            }
            #[cfg(feature = "grpc")]
            Protocol::OtlpGrpc => {
                let listener = self.listen().await?;
                ready(format!("OTLP over gRPC on {place}, logs and traces"));
                crate::grpc::serve(listener, &intake()).await.map_err(lost)
            }
            #[cfg(not(feature = "grpc"))]
            Protocol::OtlpGrpc => Err(Failure::new(ErrorKind::Unsupported, crate::address::NO_GRPC)),
            Protocol::Json => {
                let listener = self.listen().await?;
                ready(format!("JSON by POST to http://{place}/"));
                http::serve(listener, &intake(), document::Documents).await.map_err(lost)
            }
            Protocol::Syslog { tls: false } => {
                let listener = self.listen().await?;
                let host = self.address.host.as_str();
                let socket = UdpSocket::bind((host, self.address.port)).await.map_err(|error| self.refused(&error))?;
                ready(format!("syslog on {place}, UDP and TCP"));
                tokio::select! {
                    ended = syslog::streams(listener, &self.address, &inbox, None) => ended.map_err(lost),
                    ended = syslog::datagrams(&socket, &self.address, &inbox) => ended.map_err(lost),
                }
            }
            Protocol::Syslog { tls: true } => {
                let Some(certificate) = &self.address.certificate else {
                    return Err(Failure::new(ErrorKind::Unsupported, "TLS needs a certificate and its key"));
                };
                let acceptor = tls::acceptor(certificate)?;
                let listener = self.listen().await?;
                ready(format!("syslog on {place}, TLS"));
                syslog::streams(listener, &self.address, &inbox, Some(acceptor)).await.map_err(lost)
            }
        }
    }
}
