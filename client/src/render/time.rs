//! Times and spans as systemd prints them (contract/loginctl.md sections 3 and 4; systemd.time(7) names the units).

use jiff::Timestamp;
use jiff::tz::TimeZone;

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const WEEK: u64 = 7 * DAY;
/// A twelfth of a year.
const MONTH: u64 = YEAR / 12;
/// 365.25 days.
const YEAR: u64 = 31_557_600 * SECOND;

/// `Sat 2026-11-21 01:23:04 UTC`, from microseconds since 1970; empty for no time at all (0 or the greatest number).
pub fn timestamp(microseconds: u64, zone: &TimeZone) -> String {
    if microseconds == 0 || microseconds == u64::MAX {
        return String::new();
    }
    let moment = i64::try_from(microseconds).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
    match moment {
        Some(moment) => moment.to_zoned(zone.clone()).strftime("%a %Y-%m-%d %H:%M:%S %Z").to_string(),
        None => "n/a".to_owned(),
    }
}

/// How long ago a moment was, both on the same clock: `2min 33s ago`; `left` instead of `ago` for the future.
pub fn age(then: u64, now: u64) -> String {
    if then == now {
        return "now".to_owned();
    }
    let direction = if then < now { "ago" } else { "left" };
    format!("{} {direction}", distance(then.abs_diff(now)))
}

/// A span in the one or two units that say enough.
fn distance(span: u64) -> String {
    let two = |big: u64, big_name: &str, small: u64, small_name: &str| {
        format!("{} {}", long(span / big, big_name), long(span % big / small, small_name))
    };
    let minutes = |whole: u64, name: &str, part: u64, part_name: &str| {
        format!("{}{name} {}{part_name}", span / whole, span % whole / part)
    };
    match span {
        YEAR.. => two(YEAR, "year", MONTH, "month"),
        MONTH.. => two(MONTH, "month", DAY, "day"),
        WEEK.. => two(WEEK, "week", DAY, "day"),
        _ if span >= 5 * DAY => long(span / DAY, "day"),
        DAY.. => format!("{} {}h", long(span / DAY, "day"), span % DAY / HOUR),
        _ if span >= 5 * HOUR => format!("{}h", span / HOUR),
        HOUR.. => minutes(HOUR, "h", MINUTE, "min"),
        _ if span >= 5 * MINUTE => format!("{}min", span / MINUTE),
        MINUTE.. => minutes(MINUTE, "min", SECOND, "s"),
        SECOND.. => format!("{}s", span / SECOND),
        1000.. => format!("{}ms", span / 1000),
        _ => format!("{span}us"),
    }
}

/// `1 day`, `2 days`.
fn long(count: u64, unit: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {unit}{plural}")
}

/// A setting's length of time: `1min 30s`, `infinity`, `0`.
pub fn span(microseconds: u64) -> String {
    const UNITS: [(u64, &str); 9] = [
        (YEAR, "y"),
        (MONTH, "month"),
        (WEEK, "w"),
        (DAY, "d"),
        (HOUR, "h"),
        (MINUTE, "min"),
        (SECOND, "s"),
        (1000, "ms"),
        (1, "us"),
    ];
    match microseconds {
        0 => return "0".to_owned(),
        u64::MAX => return "infinity".to_owned(),
        _ => {}
    }
    let mut rest = microseconds;
    let mut parts = Vec::new();
    for (unit, name) in UNITS {
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    parts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_one_or_two_units() {
        for (span, text) in [
            (0, "now"),
            (3, "3us ago"),
            (17_000, "17ms ago"),
            (SECOND, "1s ago"),
            (2 * MINUTE + 33 * SECOND, "2min 33s ago"),
            (5 * MINUTE + 33 * SECOND, "5min ago"),
            (HOUR + 4 * MINUTE, "1h 4min ago"),
            (5 * HOUR + 59 * MINUTE, "5h ago"),
            (DAY + 3 * HOUR, "1 day 3h ago"),
            (4 * DAY, "4 days 0h ago"),
            (6 * DAY + HOUR, "6 days ago"),
            (WEEK + DAY, "1 week 1 day ago"),
            (2 * WEEK, "2 weeks 0 days ago"),
            (MONTH + 17 * DAY, "1 month 17 days ago"),
            (2 * YEAR + MONTH, "2 years 1 month ago"),
        ] {
            assert_eq!(age(YEAR * 10 - span, YEAR * 10), text);
        }
        assert_eq!(age(8 * SECOND, 3 * SECOND), "5s left");
        assert_eq!(age(u64::MAX, 0).rsplit(' ').next(), Some("left"));
    }

    #[test]
    fn spans_have_every_unit() {
        for (microseconds, text) in [
            (0, "0"),
            (10 * SECOND, "10s"),
            (90 * SECOND, "1min 30s"),
            (30 * MINUTE, "30min"),
            (1_500, "1ms 500us"),
            (YEAR + MONTH + WEEK + DAY + HOUR, "1y 1month 1w 1d 1h"),
            (u64::MAX, "infinity"),
        ] {
            assert_eq!(span(microseconds), text);
        }
    }

    #[test]
    fn timestamps_name_their_zone() {
        let moment = 1_795_224_184_000_000;
        assert_eq!(timestamp(moment, &TimeZone::UTC), "Sat 2026-11-21 01:23:04 UTC");
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").expect("a zone");
        assert_eq!(timestamp(moment, &zone), "Sat 2026-11-21 02:23:04 CET");
        assert_eq!(timestamp(0, &zone), "");
        assert_eq!(timestamp(u64::MAX, &zone), "");
        assert_eq!(timestamp(u64::MAX - 1, &zone), "n/a");
    }
}
