//! The kinds of values: booleans, time spans, sizes, shares of the memory, lists (contract/conf.md section 1).
//! Every function says what it expects instead of what it got.

use std::time::Duration;

/// What a value of this kind has to look like.
pub(super) type Expected = &'static str;

/// `yes` and `no` in all their spellings.
pub(super) fn boolean(text: &str) -> Result<bool, Expected> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "yes" | "y" | "true" | "t" | "on" => Ok(true),
        "0" | "no" | "n" | "false" | "f" | "off" => Ok(false),
        _ => Err("expected yes or no"),
    }
}

/// A plain decimal number.
pub(super) fn number(text: &str) -> Result<u64, Expected> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten().ok_or("expected a number")
}

/// A time span as in systemd.time(7): `5`, `30s`, `1h 30min`, `1.5h`; `None` is `infinity`.
pub(super) fn span(text: &str) -> Result<Option<Duration>, Expected> {
    const EXPECTED: Expected = "expected a time span such as 30s, 10min, '1h 30min' or infinity";
    if text == "infinity" {
        return Ok(None);
    }
    let mut rest = text.trim();
    let mut microseconds = 0u64;
    if rest.is_empty() {
        return Err(EXPECTED);
    }
    while !rest.is_empty() {
        let (amount, after) = split_at_end(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_at_end(after.trim_start(), |c| c.is_alphabetic());
        let part = scale(amount, unit_microseconds(unit).ok_or(EXPECTED)?).ok_or(EXPECTED)?;
        microseconds = microseconds.checked_add(part).ok_or(EXPECTED)?;
        rest = after.trim_start();
    }
    Ok(Some(Duration::from_micros(microseconds)))
}

/// A time span that has an end, no longer than `limit`.
pub(super) fn bounded_span(text: &str, limit: Duration, expected: Expected) -> Result<Duration, Expected> {
    match span(text)? {
        Some(span) if span <= limit => Ok(span),
        _ => Err(expected),
    }
}

fn unit_microseconds(unit: &str) -> Option<u64> {
    const SECOND: u64 = 1_000_000;
    Some(match unit {
        "usec" | "us" | "µs" | "μs" => 1,
        "msec" | "ms" => 1_000,
        "" | "seconds" | "second" | "sec" | "s" => SECOND,
        "minutes" | "minute" | "min" | "m" => 60 * SECOND,
        "hours" | "hour" | "hr" | "h" => 3_600 * SECOND,
        "days" | "day" | "d" => 86_400 * SECOND,
        "weeks" | "week" | "w" => 7 * 86_400 * SECOND,
        "months" | "month" | "M" => 2_629_800 * SECOND,
        "years" | "year" | "y" => 31_557_600 * SECOND,
        _ => return None,
    })
}

/// A size in bytes with an optional suffix to base 1024: `64M`, `1.5G`.
pub(super) fn size(text: &str) -> Result<u64, Expected> {
    const EXPECTED: Expected = "expected a size such as 64M or 1.5G";
    let (amount, suffix) = split_at_end(text, |c| c.is_ascii_digit() || c == '.');
    let power = match suffix.trim() {
        "" | "B" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        "P" => 5,
        "E" => 6,
        _ => return Err(EXPECTED),
    };
    scale(amount, 1u64 << (10 * power)).ok_or(EXPECTED)
}

/// How much of something: so many bytes, or a share of the machine's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many bytes.
    Bytes(u64),
    /// So many ten-thousandths of the memory.
    Share(u32),
}

/// A size, or a share such as `10%` (also per mille and per myriad), at most all of it.
pub(super) fn amount(text: &str) -> Result<Amount, Expected> {
    const EXPECTED: Expected = "expected a size such as 64M, or a share of the memory from 0.01% to 100%";
    let unit = [('%', 100), ('‰', 10), ('‱', 1)];
    let share = unit.into_iter().find_map(|(sign, unit)| Some((text.strip_suffix(sign)?, unit)));
    let amount = match share {
        Some((number, unit)) => match scale(number.trim(), unit).ok_or(EXPECTED)? {
            share @ 1..=10_000 => Amount::Share(u32::try_from(share).map_err(|_| EXPECTED)?),
            _ => return Err(EXPECTED),
        },
        None => Amount::Bytes(size(text).map_err(|_| EXPECTED)?),
    };
    if amount == Amount::Bytes(0) { Err(EXPECTED) } else { Ok(amount) }
}

/// Words separated by blanks; quotes keep blanks inside a word, a backslash takes the next character as it is.
pub(super) fn words(text: &str) -> Result<Vec<String>, Expected> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(q), c) if c == q => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => {
                let next = chars.next().ok_or("a backslash at the end stands for nothing")?;
                word.get_or_insert_default().push(next);
            }
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quotation mark is missing");
    }
    words.extend(word);
    Ok(words)
}

/// Whether an environment variable may have this name.
pub(super) fn is_variable(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Splits before the first character that does not fit.
fn split_at_end(text: &str, fits: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !fits(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

/// A decimal fraction times a unit, rounded down, in integers only. `None` for what is no number or does not fit.
fn scale(amount: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
    let fraction = fraction.get(..fraction.len().min(18))?;
    let whole = number(whole).ok()?.checked_mul(unit)?;
    let divisor = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let part = u128::from(number(fraction).ok()?).checked_mul(u128::from(unit))?.checked_div(divisor)?;
    whole.checked_add(u64::try_from(part).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn spans() {
        let seconds = |text| span(text).map(|s| s.map(|s| s.as_secs_f64()));
        for (text, expected) in [
            ("5", 5.0),
            ("30s", 30.0),
            ("10min", 600.0),
            ("1h 30min", 5400.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("500ms", 0.5),
            ("0", 0.0),
            ("2 weeks", 1_209_600.0),
            ("5 10s", 15.0),
        ] {
            assert_eq!(seconds(text), Ok(Some(expected)), "{text}");
        }
        assert_eq!(seconds("infinity"), Ok(None));
        for bad in ["", "s", "-5", "5 parsecs", "1..5", "5s!", "99999999999999999999", "600000y", ".5"] {
            assert!(span(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn amounts() {
        assert_eq!(amount("10%"), Ok(Amount::Share(1000)));
        assert_eq!(amount("0.5 %"), Ok(Amount::Share(50)));
        assert_eq!(amount("5‰"), Ok(Amount::Share(50)));
        assert_eq!(amount("100%"), Ok(Amount::Share(10_000)));
        assert_eq!(amount("1.5K"), Ok(Amount::Bytes(1536)));
        assert_eq!(amount("2 G"), Ok(Amount::Bytes(2 << 30)));
        for bad in ["", "0", "0%", "101%", "%", "10%%", "k", "1k", "99999E", "-1"] {
            assert!(amount(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn lists() {
        assert_eq!(
            words(r#" a  'b c' "d\"e" f\ g "" "#),
            Ok(["a", "b c", "d\"e", "f g", ""].map(String::from).into())
        );
        assert_eq!(words(""), Ok(vec![]));
        assert!(words("'a").is_err() && words("a\\").is_err());
    }

    proptest! {
        #[test]
        fn no_value_is_too_strange(text in any::<String>()) {
            let _ = (boolean(&text), number(&text), span(&text), size(&text), amount(&text), words(&text));
        }

        #[test]
        fn near_misses_do_not_panic_either(text in "[0-9.]{0,25} ?[a-zA-Z%‰µ]{0,8}") {
            let _ = (span(&text), size(&text), amount(&text));
        }
    }
}
