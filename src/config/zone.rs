//! Time zones, as people name them.

use anyhow::Context as _;
use crosstail_core::filter::suggest;

/// The time zone with a name; `local` is the machine's.
pub fn zone(name: &str) -> anyhow::Result<chrono_tz::Tz> {
    if name.eq_ignore_ascii_case("local") {
        return Ok(local_zone());
    }
    if name.starts_with(['+', '-']) {
        return fixed_zone(name);
    }
    chrono_tz::TZ_VARIANTS.iter().copied().find(|zone| zone.name().eq_ignore_ascii_case(name)).with_context(|| {
        let names = chrono_tz::TZ_VARIANTS.iter().map(|zone| zone.name());
        let near = suggest(name, names).map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        format!("no time zone '{name}'{near}")
    })
}

/// A zone that always has an offset from UTC: `+02:00`. Zones with parts of an hour are those of places whose clocks never
/// change.
fn fixed_zone(offset: &str) -> anyhow::Result<chrono_tz::Tz> {
    use chrono_tz::Tz;
    let seconds = crosstail_core::filter::offset_s(offset)
        .with_context(|| format!("'{offset}' is no offset from UTC; write +02:00, or a name such as Europe/Berlin"))?;
    if seconds % 3600 == 0 {
        // The names have the sign of POSIX: behind UTC is positive.
        let hours = seconds / 3600;
        let name = if hours == 0 { "Etc/GMT".to_owned() } else { format!("Etc/GMT{:+}", -hours) };
        return name.parse().map_err(|_| anyhow::anyhow!("no zone is {offset} from UTC"));
    }
    let known = [
        (5 * 60 + 30, Tz::Asia__Kolkata),
        (5 * 60 + 45, Tz::Asia__Kathmandu),
        (4 * 60 + 30, Tz::Asia__Kabul),
        (6 * 60 + 30, Tz::Asia__Yangon),
        (9 * 60 + 30, Tz::Australia__Darwin),
        (8 * 60 + 45, Tz::Australia__Eucla),
        (-(9 * 60 + 30), Tz::Pacific__Marquesas),
    ];
    let found = known.into_iter().find(|(minutes, _)| minutes * 60 == seconds).map(|(_, zone)| zone);
    found.with_context(|| format!("no zone is always {offset} from UTC; name one, such as America/St_Johns"))
}

/// The machine's zone: `TZ`, else where `/etc/localtime` points, else UTC.
fn local_zone() -> chrono_tz::Tz {
    let from_env = std::env::var("TZ").ok();
    let from_link = || {
        let link = std::fs::read_link("/etc/localtime").ok()?;
        let text = link.to_string_lossy().into_owned();
        Some(text.split_once("zoneinfo/")?.1.to_owned())
    };
    from_env
        .filter(|tz| !tz.is_empty())
        .or_else(from_link)
        .and_then(|name| name.trim_start_matches(':').parse().ok())
        .unwrap_or_default()
}
