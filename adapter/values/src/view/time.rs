//! Times: `Duration`, `Instant`, `SystemTime`.

use std::time::Duration;

use super::shape::Shape;
use crate::{Place, Stop, ValueError};

/// Seconds of a day.
const DAY: i64 = 86_400;

/// Types of this family, by path.
pub(super) fn known(stop: &Stop, place: &Place, path: &str) -> Option<Result<Shape, ValueError>> {
    Some(match path {
        "core::time::Duration" => duration(stop, place).map(|time| Shape::Leaf(format!("{time:?}"))),
        "std::time::Instant" => instant(stop, place),
        "std::time::SystemTime" => system_time(stop, place),
        _ => return None,
    })
}

fn duration(stop: &Stop, place: &Place) -> Result<Duration, ValueError> {
    let seconds = place.member("secs")?.read_u64(stop)?;
    let nanos = place.member("nanos")?.peel().read_u64(stop)?;
    match u32::try_from(nanos) {
        Ok(nanos) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(ValueError::Invalid(format!("{nanos} nanoseconds in a Duration"))),
    }
}

/// An `Instant`, and how far it is from the moment of the stop.
fn instant(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let seconds = place.find("tv_sec")?.read_u64(stop)?.cast_signed();
    let nanos = place.find("tv_nsec")?.peel().read_u64(stop)?;
    let mut text = format!("Instant {{ tv_sec: {seconds}, tv_nsec: {nanos} }}");
    if let Some(clock) = stop.clock {
        let moment = i128::from(seconds).saturating_mul(1_000_000_000).saturating_add(i128::from(nanos));
        let distance = moment.saturating_sub(clock.total_nanoseconds());
        if let Ok(nanos) = u64::try_from(distance.unsigned_abs()) {
            let distance_text = Duration::from_nanos(nanos);
            let relative =
                if distance < 0 { format!("{distance_text:?} ago") } else { format!("in {distance_text:?}") };
            text = format!("{text} ({relative})");
        }
    }
    Ok(Shape::Leaf(text))
}

/// A `SystemTime`, and what a calendar calls it.
fn system_time(stop: &Stop, place: &Place) -> Result<Shape, ValueError> {
    let seconds = place.find("tv_sec")?.read_u64(stop)?.cast_signed();
    let nanos = place.find("tv_nsec")?.peel().read_u64(stop)?;
    let calendar = u32::try_from(nanos).ok().filter(|nanos| *nanos < 1_000_000_000);
    let calendar = calendar.and_then(|nanos| utc(seconds, nanos));
    let calendar = calendar.map_or_else(String::new, |text| format!(" ({text})"));
    Ok(Shape::Leaf(format!("SystemTime {{ tv_sec: {seconds}, tv_nsec: {nanos} }}{calendar}")))
}

/// Seconds since 1970 as a date and time; none outside of the years 0 to 9999.
fn utc(seconds: i64, nanos: u32) -> Option<String> {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = date(days)?;
    let (hour, minute, second) = (second.div_euclid(3600), second.div_euclid(60).rem_euclid(60), second.rem_euclid(60));
    let fraction = format!("{nanos:09}");
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    Some(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}{point}{fraction} UTC"))
}

/// Days since 1970-01-01 as a date of the Gregorian calendar, by whole cycles of 400 years that begin on the first of March,
/// so that the day that is not in every year is a year's last one. None outside of the years 0 to 9999.
fn date(days: i64) -> Option<(i64, i64, i64)> {
    let since = days.checked_add(719_468)?;
    let (year, month, day) = date_in_cycle(since.rem_euclid(146_097));
    let year = since.div_euclid(146_097).checked_mul(400)?.checked_add(year)?;
    (0..=9999).contains(&year).then_some((year, month, day))
}

/// The year, month and day of a cycle's day.
#[expect(clippy::arithmetic_side_effects, reason = "a cycle has 146,097 days: all numbers are small")]
const fn date_in_cycle(day_of_cycle: i64) -> (i64, i64, i64) {
    let leap_days = day_of_cycle / 1_460 - day_of_cycle / 36_524 + day_of_cycle / 146_096;
    let year = (day_of_cycle - leap_days) / 365;
    let day_of_year = day_of_cycle - (365 * year + year / 4 - year / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    if month_from_march < 10 { (year, month_from_march + 3, day) } else { (year + 1, month_from_march - 9, day) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_dates() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01 00:00:00 UTC"),
            (-1, 999_000_000, "1969-12-31 23:59:59.999 UTC"),
            (951_782_400, 0, "2000-02-29 00:00:00 UTC"),
            (1_709_164_800, 0, "2024-02-29 00:00:00 UTC"),
            (4_107_542_400, 1, "2100-03-01 00:00:00.000000001 UTC"),
            (253_402_300_799, 0, "9999-12-31 23:59:59 UTC"),
        ] {
            assert_eq!(utc(seconds, nanos).as_deref(), Some(text));
        }
        for beyond in [253_402_300_800, i64::MAX, i64::MIN, -62_167_219_201] {
            assert_eq!(utc(beyond, 0), None);
        }
    }
}
