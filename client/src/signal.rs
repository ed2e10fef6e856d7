//! Signals as people write them: `TERM`, `SIGTERM`, `15`, `RTMIN+3` (signal(7)).

use anyhow::anyhow;
use nix::sys::signal::Signal;

/// The number that a text stands for, 1 to 64.
///
/// # Errors
/// When it stands for none.
pub fn parse(text: &str) -> anyhow::Result<i32> {
    number(text)
        .or_else(|| name(text))
        .filter(|n| (1..=libc::SIGRTMAX()).contains(n))
        .ok_or_else(|| anyhow!("Failed to parse signal string \"{text}\"."))
}

fn number(text: &str) -> Option<i32> {
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn name(text: &str) -> Option<i32> {
    let upper = text.to_ascii_uppercase();
    let short = upper.strip_prefix("SIG").unwrap_or(&upper);
    real_time(short).or_else(|| format!("SIG{short}").parse::<Signal>().ok().map(|signal| signal as i32))
}

/// The real-time signals have no fixed numbers: the C library keeps some of them for itself.
fn real_time(short: &str) -> Option<i32> {
    let (low, high) = (libc::SIGRTMIN(), libc::SIGRTMAX());
    let offset = |rest: &str, sign: char| match rest.strip_prefix(sign) {
        Some(digits) => number(digits).filter(|_| !digits.is_empty()),
        None => rest.is_empty().then_some(0),
    };
    let signal = if let Some(rest) = short.strip_prefix("RTMIN") {
        low.checked_add(offset(rest, '+')?)?
    } else {
        high.checked_sub(offset(short.strip_prefix("RTMAX")?, '-')?)?
    };
    (low..=high).contains(&signal).then_some(signal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_signals() {
        for (text, signal) in [
            ("TERM", 15),
            ("SIGTERM", 15),
            ("sigkill", 9),
            ("HUP", 1),
            ("15", 15),
            ("64", 64),
            ("RTMIN", libc::SIGRTMIN()),
            ("SIGRTMIN+3", libc::SIGRTMIN() + 3),
            ("RTMAX-1", libc::SIGRTMAX() - 1),
            ("RTMAX", libc::SIGRTMAX()),
        ] {
            assert_eq!(parse(text).ok(), Some(signal), "{text}");
        }
    }

    #[test]
    fn other_texts_are_not() {
        for text in [
            "",
            "0",
            "65",
            "-9",
            "+9",
            "99999999999",
            "SIG",
            "SIGSIGTERM",
            "FOO",
            "RTMIN+",
            "RTMIN+99",
            "RTMIN-1",
            "RTMAX-99",
            "RTMIN+-1",
            "15 ",
            "SIG9",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }
}
