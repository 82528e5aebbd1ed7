//! The painter: two buffers, the bytes of their difference, and a thread that writes them, so that a slow terminal slows
//! nothing but the picture.
//!
//! ratatui's `Terminal` hides its buffers and writes on the caller's thread. Scrolling and a byte budget need the buffers,
//! and a terminal that does not read needs a thread of its own.

use super::encode::{Encoder, scrolled_by};
use super::leads::Leads;
use super::spots::Spots;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// Byte budget per second for arriving data.
const BYTES_PER_SECOND: f64 = 12_500.0;
/// Maximum of unused budget, in bytes: the first pictures are drawn at once.
const BURST: f64 = 40_000.0;
/// Minimum time between two pictures for arriving data.
const FRAME: Duration = Duration::from_millis(100);

/// Draws pictures on a terminal.
pub struct Painter {
    before: Buffer,
    /// Where the cells of the last picture lead.
    led: Leads,
    /// Whether the terminal understands links.
    links: bool,
    encoder: Encoder,
    frames: SyncSender<Vec<u8>>,
    busy: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    tokens: f64,
    filled: Instant,
    last: Option<Instant>,
}

impl Painter {
    /// A painter that calls `write` on a thread of its own.
    pub fn new(mut write: impl FnMut(&[u8]) -> io::Result<()> + Send + 'static) -> Self {
        let (frames, receiver) = sync_channel::<Vec<u8>>(1);
        let busy = Arc::new(AtomicBool::new(false));
        let broken = Arc::new(AtomicBool::new(false));
        let written = Arc::new(AtomicU64::new(0));
        let (busy_there, broken_there, written_there) = (Arc::clone(&busy), Arc::clone(&broken), Arc::clone(&written));
        let started = super::terminal::thread(move || {
            while let Ok(bytes) = receiver.recv() {
                if write(&bytes).is_err() {
                    broken_there.store(true, Ordering::Release);
                }
                written_there.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                busy_there.store(false, Ordering::Release);
            }
        });
        broken.fetch_or(started.is_err(), Ordering::AcqRel);
        Self {
            before: Buffer::empty(Rect::ZERO),
            led: Leads::default(),
            links: false,
            encoder: Encoder::default(),
            frames,
            busy,
            broken,
            written,
            tokens: BURST,
            filled: Instant::now(),
            last: None,
        }
    }

    /// Whether the terminal is gone.
    pub fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    /// How long to wait before the next picture. A key waits only until the terminal has read the last picture; data also
    /// waits for the frame rate and the byte budget.
    pub fn wait(&mut self, for_key: bool) -> Duration {
        if self.busy.load(Ordering::Acquire) {
            return Duration::from_millis(5);
        }
        if for_key {
            return Duration::ZERO;
        }
        let now = Instant::now();
        self.tokens = (self.tokens + now.duration_since(self.filled).as_secs_f64() * BYTES_PER_SECOND).min(BURST);
        self.filled = now;
        let rate = self.last.map_or(Duration::ZERO, |last| FRAME.saturating_sub(now.duration_since(last)));
        let budget = Duration::from_secs_f64((-self.tokens / BYTES_PER_SECOND).max(0.0));
        rate.max(budget)
    }

    /// Whether addresses are links from now on.
    pub fn set_links(&mut self, links: bool) {
        self.links = links;
    }

    /// Redraws everything next time.
    pub fn invalidate(&mut self) {
        self.before = Buffer::empty(Rect::ZERO);
    }

    /// Draws a picture. `spots` say where it leads; `list` is the area where lines may have moved up; `cursor` the position of
    /// the cursor, if shown.
    pub fn paint(&mut self, after: Buffer, spots: &Spots, list: Option<Rect>, cursor: Option<(u16, u16)>) {
        let leads = if self.links { Leads::of(spots) } else { Leads::default() };
        self.encoder.raw(b"\x1b[?2026h");
        let begun = b"\x1b[?2026h".len();
        if self.before.area == after.area {
            if let Some(list) = list.filter(|list| list.height > 4) {
                let rows = (list.top(), list.bottom());
                let by = scrolled_by(&self.before, &after, (list.left(), list.right()), rows);
                if by > 0 {
                    self.encoder.scroll_up(rows.0, rows.1, by);
                    scroll_buffer(&mut self.before, rows.0, rows.1, by);
                    self.led.scroll_up(rows.0, rows.1, by);
                }
            }
        } else {
            self.encoder.invalidate();
            self.encoder.raw(b"\x1b[m\x1b[2J");
            self.before = Buffer::empty(after.area);
            self.led = Leads::default();
        }
        self.encoder.difference((&self.before, &self.led), (&after, &leads));
        let mut bytes = self.encoder.take();
        if bytes.len() == begun {
            bytes.clear();
        } else {
            bytes.extend_from_slice(b"\x1b[?2026l");
        }
        match cursor {
            Some((x, y)) => {
                bytes.extend_from_slice(format!("\x1b[{};{}H\x1b[?25h", y + 1, x + 1).as_bytes());
                self.encoder.invalidate();
            }
            None if !bytes.is_empty() => {
                if self.last.is_none() {
                    bytes.extend_from_slice(b"\x1b[?25l");
                }
            }
            None => {}
        }
        (self.before, self.led) = (after, leads);
        self.last = Some(Instant::now());
        if !bytes.is_empty() {
            self.send(bytes);
        }
    }

    /// Writes something other than a picture: the clipboard, a mode.
    pub fn send(&mut self, bytes: Vec<u8>) {
        self.tokens -= bytes.len() as f64;
        self.busy.store(true, Ordering::Release);
        // This does not block: the channel holds one picture, and the previous one has been written.
        if self.frames.send(bytes).is_err() {
            self.broken.store(true, Ordering::Release);
        }
    }
}

/// Applies scrolling to the buffer of what is on the screen.
pub(super) fn scroll_buffer(buffer: &mut Buffer, top: u16, bottom: u16, by: u16) {
    let area = buffer.area;
    for y in top..bottom {
        for x in area.left()..area.right() {
            let cell = if y + by < bottom { buffer.cell((x, y + by)).cloned() } else { None };
            if let Some(slot) = buffer.cell_mut((x, y)) {
                *slot = cell.unwrap_or_default();
            }
        }
    }
}
