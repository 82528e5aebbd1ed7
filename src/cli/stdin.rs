//! Standard input as a source: copied to a temporary file, so that its records can be read again.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

/// Copies standard input to a temporary file.
pub(super) struct StdinSpool {
    file: tempfile::NamedTempFile,
    done: Receiver<()>,
    ended: Arc<AtomicBool>,
}

impl StdinSpool {
    /// Starts copying, on a thread of its own.
    pub(super) fn start() -> std::io::Result<Self> {
        let file = tempfile::Builder::new().prefix("stdin-").suffix(".log").tempfile()?;
        let mut copy = file.reopen()?;
        let (finished, done) = sync_channel(1);
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        std::thread::spawn(move || {
            let mut last = b'\n';
            let mut buffer = vec![0; 64 * 1024];
            let mut input = std::io::stdin().lock();
            while let Ok(read) = std::io::Read::read(&mut input, &mut buffer) {
                if read == 0 || copy.write_all(&buffer[..read]).is_err() {
                    break;
                }
                last = buffer[read - 1];
            }
            if last != b'\n' {
                let _ = copy.write_all(b"\n");
            }
            over.store(true, Ordering::Release);
            let _ = finished.send(());
        });
        Ok(Self { file, done, ended })
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
