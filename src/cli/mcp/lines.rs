//! The lines of the protocol between standard input and output and the server. A line that is no JSON is answered here, since the
//! server passes over it in silence, and whoever has sent it would wait.

use serde::de::IgnoredAny;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, DuplexStream, duplex};
use tokio::sync::mpsc;

/// Bytes that wait between the server and the other side.
const WAITING: usize = 64 * 1024;
/// Answers that wait.
const ANSWERS: usize = 16;
/// The code of JSON-RPC for what is no JSON (<https://www.jsonrpc.org/specification#error_object>).
const PARSE_ERROR: i32 = -32700;

/// The ends for a server: what it reads, and where it writes.
pub(super) fn between(
    input: impl AsyncRead + Unpin + Send + 'static,
    output: impl AsyncWrite + Unpin + Send + 'static,
) -> (DuplexStream, DuplexStream) {
    let (mut to_server, from_outside) = duplex(WAITING);
    let (to_outside, from_server) = duplex(WAITING);
    // Whole lines only: two tasks write.
    let (lines, written) = mpsc::channel::<Vec<u8>>(ANSWERS);
    let refusals = lines.clone();
    tokio::spawn(async move {
        let mut input = BufReader::new(input);
        let mut line = Vec::new();
        while input.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            let is_empty = line.iter().all(u8::is_ascii_whitespace);
            let problem = serde_json::from_slice::<IgnoredAny>(&line).err().filter(|_| !is_empty);
            let passed = match problem {
                None => to_server.write_all(&line).await.is_ok(),
                Some(problem) => {
                    let error = json!({ "code": PARSE_ERROR, "message": format!("this is no JSON: {problem}") });
                    let answer = json!({ "jsonrpc": "2.0", "id": null, "error": error });
                    refusals.send(format!("{answer}\n").into_bytes()).await.is_ok()
                }
            };
            line.clear();
            if !passed {
                break;
            }
        }
    });
    tokio::spawn(async move {
        let mut from_server = BufReader::new(from_server);
        let mut line = Vec::new();
        while from_server.read_until(b'\n', &mut line).await.is_ok_and(|read| read > 0) {
            if lines.send(std::mem::take(&mut line)).await.is_err() {
                break;
            }
        }
    });
    tokio::spawn(write(output, written));
    (from_outside, to_outside)
}

async fn write(mut output: impl AsyncWrite + Unpin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if output.write_all(&line).await.is_err() || output.flush().await.is_err() {
            break;
        }
    }
}
