//! The kind `receiver`: what is sent to crosstail. OpenTelemetry over HTTP, JSON by POST, syslog.
//!
//! What comes becomes lines in the spool of a `crosstail_files::FedSource`, which reads them. So formats, payloads, filters and
//! figures are those of files.

mod address;
mod document;
mod frames;
mod http;
mod inbox;
mod kind;
mod otlp;
mod receiver;
mod syslog;
mod tls;

pub use kind::KIND;
