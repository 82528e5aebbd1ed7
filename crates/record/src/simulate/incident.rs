//! Now and then something breaks: an outage, a slow system, a flood of 429.

use super::catalogue::SYSTEMS;
use crosstail_core::number::saturating_usize;
use fastrand::Rng;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Most calls fail with 503 or are not answered.
    Outage,
    /// Answers take many times as long.
    Slow,
    /// Too many requests.
    Limited,
}

/// What goes wrong in a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Incident {
    /// One every two hours, of a system, for some minutes.
    #[default]
    Usual,
    /// Nothing but the ordinary failures.
    None,
    /// This, of a system by its place in [`Incident::systems`]: since some minutes before the anchor, and from then on. So a
    /// history ends in it.
    Of(Fault, usize),
}

impl Incident {
    /// The names of the systems that something can be wrong with.
    pub fn systems() -> impl Iterator<Item = &'static str> {
        SYSTEMS.iter().map(|system| system.name)
    }
}

/// One incident, in milliseconds from the anchor.
#[derive(Debug, Clone, Copy)]
struct FaultWindow {
    system: usize,
    trouble: Fault,
    begin: i64,
    end: i64,
}

/// The incidents that can touch a time.
#[derive(Debug)]
pub(super) struct Incidents(Vec<FaultWindow>);

/// Milliseconds before the anchor at which a single incident begins.
const SINCE_MS: i64 = 600_000;
/// Milliseconds of a window; each has one incident.
const WINDOW_MS: i64 = 7_200_000;

impl Incidents {
    /// Around an offset from the anchor, in milliseconds.
    pub(super) fn around(seed: u64, offset_ms: i64, incident: Incident) -> Self {
        match incident {
            Incident::Usual => {}
            Incident::None => return Self(Vec::new()),
            Incident::Of(trouble, system) => {
                return Self(vec![FaultWindow { system, trouble, begin: -SINCE_MS, end: i64::MAX }]);
            }
        }
        let window = offset_ms.div_euclid(WINDOW_MS);
        Self((window - 1..=window + 1).map(|w| Self::of_window(seed, w)).collect())
    }

    fn of_window(seed: u64, window: i64) -> FaultWindow {
        let mut rng =
            Rng::with_seed(seed.wrapping_add(0x1d3a) ^ window.cast_unsigned().wrapping_mul(0xa076_1d64_78bd_642f));
        let troubles = [Fault::Outage, Fault::Slow, Fault::Limited];
        let trouble = troubles[(saturating_usize(window.rem_euclid(3)) + rng.usize(0..2)) % 3];
        let minutes = rng.i64(6..22);
        let begin = window * WINDOW_MS;
        // The first live window's begins soon, and the last one before now is still seen in the last hour, and over.
        let offset = match window {
            0 => rng.i64(90_000..150_000),
            -1 => WINDOW_MS - (minutes + rng.i64(26..38)) * 60_000,
            _ => rng.i64(0..WINDOW_MS - minutes * 60_000),
        };
        let trouble = if window == -1 { Fault::Outage } else { trouble };
        let system = if window == -1 { 0 } else { rng.usize(0..SYSTEMS.len()) };
        FaultWindow { system, trouble, begin: begin + offset, end: begin + offset + minutes * 60_000 }
    }

    /// What is wrong with a system at a time.
    pub(super) fn at(&self, system: usize, offset_ms: i64) -> Option<Fault> {
        self.0
            .iter()
            .find(|incident| incident.system == system && (incident.begin..incident.end).contains(&offset_ms))
            .map(|incident| incident.trouble)
    }
}
