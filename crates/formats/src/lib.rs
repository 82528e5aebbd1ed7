//! From the bytes of a log to records: decoding, framing, unwrapping, recognition, fields.
//!
//! Nothing here does I/O. A [`Reader`] is made from the beginning of a stream. It says where records begin
//! ([`Framer`]) and turns the text of each into activities ([`Reader::read`]). Formats are data: one TOML file each
//! in `config/formats`, dialects of JSON in `config/schemas`.

mod access;
mod columns;
mod crash;
mod decoding;
mod documents;
mod draft;
mod export;
mod fields;
mod format;
mod frames;
mod framing;
mod generic;
mod json;
mod level;
mod line;
mod logfmt;
mod logger;
mod loki;
mod named;
mod objects;
mod otlp;
mod piece;
mod prefixed;
mod pretty;
mod read;
mod reader;
mod recognise;
mod registry;
mod request;
mod scan;
mod table;
mod thrown;
mod times;
mod token;
mod turns;
mod wrapped;

pub use decoding::{Encoding, Transcoder, without_nuls};
pub use documents::Documents;
pub use format::{Format, FormatError, Sample};
pub use frames::Frames;
pub use framing::Framer;
pub use read::{Form, Found, Surrounding};
pub use reader::{Reader, Rejects, Shape};
pub use registry::Formats;
pub use table::Columns;
