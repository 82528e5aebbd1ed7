//! The kind `receiver`: what is sent to crosstail. OpenTelemetry over HTTP and gRPC, JSON by POST, syslog.
//!
//! What comes becomes lines in the spool of a `crosstail_files::FedSource`, which reads them. So formats, payloads, filters and
//! figures are those of files.

mod address;
mod connections;
mod document;
mod frames;
#[cfg(feature = "grpc")]
mod grpc;
mod http;
mod inbox;
mod intake;
mod kind;
mod otlp;
mod receiver;
mod syslog;
mod tls;

pub use kind::KIND;
