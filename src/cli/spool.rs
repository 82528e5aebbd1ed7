//! Streams as sources: standard input, and pipes that a shell names (`<(…)`). Each is copied to a temporary file, so that
//! its records can be read again.

use crate::tui::leavings::Leaving;
use std::io::{Read, Write as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

/// A stream that a user can name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stream {
    /// `-`
    Stdin,
    /// A named pipe, or a socket.
    Pipe(PathBuf),
}

impl Stream {
    /// The stream of an argument; `None` for a file, a folder or what does not exist.
    pub(super) fn of(argument: &str) -> Result<Option<Self>, String> {
        if argument == "-" {
            return Ok(Some(Self::Stdin));
        }
        let Ok(kind) = std::fs::metadata(argument).map(|meta| meta.file_type()) else { return Ok(None) };
        if kind.is_fifo() || kind.is_socket() {
            return Ok(Some(Self::Pipe(PathBuf::from(argument))));
        }
        if kind.is_char_device() || kind.is_block_device() {
            return Err(format!("{argument} is a device, not a file; for standard input, write -"));
        }
        Ok(None)
    }

    /// Its name as a source.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Stdin => "stdin".to_owned(),
            Self::Pipe(path) => {
                let last = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                // `/dev/fd/63`, as bash names it.
                if last.bytes().all(|b| b.is_ascii_digit()) { format!("pipe {last}") } else { last }
            }
        }
    }
}

/// Copies a stream to a temporary file.
pub(super) struct Spool {
    file: Leaving,
    done: Receiver<()>,
    ended: Arc<AtomicBool>,
}

impl Spool {
    /// Starts copying, on a thread of its own.
    pub(super) fn start(stream: Stream) -> std::io::Result<Self> {
        let file = tempfile::Builder::new().prefix("stream-").suffix(".log").tempfile()?;
        let mut copy = file.reopen()?;
        let (finished, done) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        std::thread::spawn(move || {
            // Opening a pipe waits for its writer.
            let input: std::io::Result<Box<dyn Read>> = match &stream {
                Stream::Stdin => Ok(Box::new(std::io::stdin().lock())),
                Stream::Pipe(path) => std::fs::File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
            };
            match input {
                Ok(mut input) => copy_all(input.as_mut(), &mut copy),
                Err(error) => super::output::print_error(&format!("{}: {error}", stream.name())),
            }
            over.store(true, Ordering::Release);
            let _ = finished.send(());
        });
        Ok(Self { file: Leaving::new(file.into_temp_path().keep()?), done, ended })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    /// A flag that is set once the complete input is in the file.
    pub(super) fn ended(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ended)
    }

    /// Blocks until the input has ended, for commands that print once.
    pub(super) fn wait_for_end(&self) {
        let _ = self.done.recv();
    }
}

fn copy_all(input: &mut dyn Read, copy: &mut std::fs::File) {
    let mut last = b'\n';
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = input.read(&mut buffer) {
        if read == 0 || copy.write_all(&buffer[..read]).is_err() {
            break;
        }
        last = buffer[read - 1];
    }
    if last != b'\n' {
        let _ = copy.write_all(b"\n");
    }
}
