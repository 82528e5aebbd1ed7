//! Standard input as a source: kept in a temporary file, so that what was read can be opened again.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};

/// Standard input being copied.
pub(super) struct Spool {
    file: tempfile::NamedTempFile,
    done: Receiver<()>,
    ended: Arc<AtomicBool>,
}

impl Spool {
    /// Begins to copy.
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

    /// Set once the input has ended and is all in the file.
    pub(super) fn ended(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.ended)
    }

    /// Until the input has ended: for commands that answer once.
    pub(super) fn wait_for_end(&self) {
        let _ = self.done.recv();
    }
}
