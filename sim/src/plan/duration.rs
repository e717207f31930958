//! Durations as scenario files write them: `250ms`, `1m30s`, `1.5s`, `80us`. A unit is always there; a sign never is.

use std::time::Duration;

/// Units and their nanoseconds.
const UNITS: [(&str, f64); 7] =
    [("ns", 1.0), ("us", 1e3), ("µs", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9)];
/// A thousand days: longer than any run, short enough that nothing overflows.
const LONGEST: f64 = 1000.0 * 86_400e9;

/// Why a duration cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct DurationError(pub &'static str);

/// Reads a duration.
///
/// # Errors
/// What is wrong, in words that fit after "a duration".
pub fn parse_duration(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text;
    let mut nanos = 0.0;
    if rest.is_empty() {
        return Err(DurationError("is empty"));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().map_err(|_| DurationError("starts with a number"))?;
        let letters = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(letters);
        if unit.is_empty() {
            return Err(DurationError("needs a unit"));
        }
        let factor = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, factor)| factor);
        nanos += number * factor.ok_or(DurationError("has a unit that is not one of ns, us, ms, s, m, h"))?;
        rest = after;
    }
    if nanos > LONGEST {
        return Err(DurationError("is at most a thousand days"));
    }
    Ok(Duration::from_nanos(nanos.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_may_be_put_together() {
        for (text, nanos) in [
            ("250ms", 250_000_000),
            ("1m30s", 90_000_000_000),
            ("1.5s", 1_500_000_000),
            ("80us", 80_000),
            ("80µs", 80_000),
            ("7ns", 7),
            ("0s", 0),
            ("2h", 7_200_000_000_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for bad in
            ["", "30", "s", "-1s", "+1s", "1 s", "1x", "1m30", "1..5s", ".s", "1e3s", "9999999h", "PT5S", "∞"]
        {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
