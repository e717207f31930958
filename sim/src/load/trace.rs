//! Arrivals as somebody has recorded them: one time in seconds on each line, or an access log in the common or combined
//! format. Leaves files to whoever reads them.

use std::sync::Arc;
use std::time::Duration;

use gateway_core::time::nanos;

/// A trace may be so long: seven days, as long as a run may be.
const SECONDS_MAX: f64 = 7.0 * 86_400.0;
/// It ends at a whole millisecond.
const GRAIN: u64 = 1_000_000;

/// Recorded arrivals, in order of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// Nanoseconds after the start. Shared: a plan is copied, a trace is long.
    arrivals: Arc<[u64]>,
    duration: Duration,
    /// The file, as the scenario names it.
    name: String,
}

impl Trace {
    /// Reads the text of the file `name`. Lines that are empty or begin with `#` are skipped, and so is a first line that
    /// is a head of columns; of several columns the first counts. Order is no matter. The arrivals of an access log count
    /// from its first second and are spread evenly over theirs, since a log says no more.
    ///
    /// # Errors
    /// The number of the first line that is neither, and why.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
        let mut lines = lines.filter(|(line, _)| !line.starts_with('#')).peekable();
        let is_log = |line: &str| line.contains('[');
        if lines.peek().is_some_and(|(line, _)| !is_log(line) && seconds(line).is_none()) {
            lines.next();
        }
        let mut arrivals = match lines.peek() {
            None => return Err("there is no arrival in it".to_owned()),
            Some((line, _)) if is_log(line) => of_log(lines)?,
            Some(_) => of_seconds(lines)?,
        };
        arrivals.sort_unstable();
        let last = arrivals.last().map_or(0, |last| last / GRAIN + 1);
        if Duration::from_millis(last).as_secs_f64() > SECONDS_MAX {
            return Err("it is longer than seven days; times count from the start of the run".to_owned());
        }
        let duration = Duration::from_millis(last);
        Ok(Self { arrivals: arrivals.into(), duration, name: name.to_owned() })
    }

    /// Only what comes before `duration`, and that long.
    #[must_use]
    pub fn within(self, duration: Duration) -> Self {
        let until = self.arrivals.partition_point(|&at| at < nanos(duration));
        Self { arrivals: self.arrivals[..until].into(), duration, ..self }
    }

    /// The first `requests`, if there are more.
    #[must_use]
    pub fn cut(self, requests: u64) -> Self {
        match usize::try_from(requests) {
            Ok(until) if until < self.arrivals.len() => {
                let last = self.arrivals[..until].last().map_or(0, |last| last / GRAIN + 1);
                Self {
                    arrivals: self.arrivals[..until].into(),
                    duration: Duration::from_millis(last),
                    ..self
                }
            }
            _ => self,
        }
    }

    /// How many arrivals.
    pub fn total(&self) -> u64 {
        self.arrivals.len() as u64
    }

    /// When arrival `index` comes, nanoseconds after the start.
    pub fn at(&self, index: u64) -> u64 {
        self.arrivals[index as usize]
    }

    /// How long it is.
    pub fn duration(&self) -> Duration {
        self.duration
    }

    /// The file, as the scenario names it.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Lines with their numbers.
type Numbered<'a> = (&'a str, usize);

fn of_seconds<'a>(lines: impl Iterator<Item = Numbered<'a>>) -> Result<Vec<u64>, String> {
    let arrival = |(line, number): Numbered<'_>| {
        let at = seconds(line).ok_or_else(|| format!("line {number} is not a time in seconds"))?;
        if (0.0..=SECONDS_MAX).contains(&at) {
            return Ok((at * 1e9).round() as u64);
        }
        Err(format!("line {number} is not within seven days; times count from the start of the run"))
    };
    lines.map(arrival).collect()
}

fn seconds(line: &str) -> Option<f64> {
    line.split([',', ';', '\t', ' ']).next()?.parse().ok()
}

fn of_log<'a>(lines: impl Iterator<Item = Numbered<'a>>) -> Result<Vec<u64>, String> {
    let arrival = |(line, number): Numbered<'_>| {
        let stamp = line.split_once('[').and_then(|(_, rest)| rest.split_once(']')).map(|(stamp, _)| stamp);
        let second = stamp.and_then(second_of);
        second.ok_or_else(|| format!("line {number} is not a line of an access log"))
    };
    let mut seconds = lines.map(arrival).collect::<Result<Vec<_>, _>>()?;
    seconds.sort_unstable();
    let first = seconds.first().copied().unwrap_or(0);
    let spread = |same: &[i64]| {
        let second = same[0].abs_diff(first).min(SECONDS_MAX as u64 + 1) * 1_000_000_000;
        let n = same.len() as u64;
        (0..n).map(move |k| second + (2 * k + 1) * 500_000_000 / n).collect::<Vec<_>>()
    };
    Ok(seconds.chunk_by(|a, b| a == b).flat_map(spread).collect())
}

/// The second of a stamp such as `10/Oct/2000:13:55:36 -0700`, counted from 1970 in UTC.
fn second_of(stamp: &str) -> Option<i64> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (local, zone) = stamp.split_once(' ')?;
    let mut parts = local.split(['/', ':']);
    let day = number(parts.next()?, 31)?;
    let name = parts.next()?;
    let month = i64::try_from(MONTHS.iter().position(|month| *month == name)?).ok()? + 1;
    let year = number(parts.next()?, 9999)?;
    let (hour, minute, second) =
        (number(parts.next()?, 23)?, number(parts.next()?, 59)?, number(parts.next()?, 60)?);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let zone = number(zone.trim_start_matches(['+', '-']), 2359)?;
    let offset = sign * (zone / 100 * 3600 + zone % 100 * 60);
    Some(days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second - offset)
}

fn number(text: &str, most: i64) -> Option<i64> {
    text.parse().ok().filter(|number| (0..=most).contains(number))
}

/// Days from 1970 to a date of the Gregorian calendar (Hinnant, `days_from_civil`).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<u64> {
        let trace = Trace::parse("a.csv", text).unwrap();
        (0..trace.total()).map(|index| trace.at(index) / 1_000_000).collect()
    }

    #[test]
    fn a_list_of_seconds_is_read_in_any_order() {
        assert_eq!(all("time,path\n# recorded on Monday\n0.5,/a\n\n0.25\n1e0;x\n"), [250, 500, 1000]);
        let trace = Trace::parse("a.csv", "0\n1\n2\n").unwrap();
        assert_eq!((trace.total(), trace.duration()), (3, Duration::from_millis(2001)));
        let within = trace.clone().within(Duration::from_secs(2));
        assert_eq!((within.total(), within.duration()), (2, Duration::from_secs(2)));
        assert_eq!(
            (trace.clone().cut(2).total(), trace.clone().cut(2).duration()),
            (2, Duration::from_millis(1001))
        );
        assert_eq!(trace.clone().cut(9), trace);
    }

    #[test]
    fn an_access_log_counts_from_its_first_second_and_spreads_each() {
        let log = "::1 - - [29/Feb/2024:23:59:59 +0000] \"GET / HTTP/1.1\" 200 1 \"-\" \"curl\"\n\
            ::1 - bob [01/Mar/2024:01:00:01 +0100] \"GET /b HTTP/1.1\" 200 1\n\
            ::1 - - [29/Feb/2024:23:59:59 +0000] \"GET /c HTTP/1.1\" 200 1\n";
        assert_eq!(all(log), [250, 750, 2500]);
        assert_eq!(second_of("10/Oct/2000:13:55:36 -0700"), Some(971_211_336));
    }

    #[test]
    fn a_line_that_is_neither_is_named() {
        for (text, said) in [
            ("", "there is no arrival in it"),
            ("time\n", "there is no arrival in it"),
            ("1\nx\n", "line 2 is not a time in seconds"),
            ("1\n-1\n", "line 2 is not within seven days; times count from the start of the run"),
            ("nan\n", "line 1 is not within seven days; times count from the start of the run"),
            ("1700000000.5\n", "line 1 is not within seven days; times count from the start of the run"),
            ("a [01/Jan/2024:00:00:00 +0000]\nb [x]\n", "line 2 is not a line of an access log"),
            (
                "a [01/Jan/2024:00:00:00 +0000]\nb [01/Jan/2025:00:00:00 +0000]\n",
                "it is longer than seven days; times count from the start of the run",
            ),
        ] {
            assert_eq!(Trace::parse("a.csv", text).unwrap_err(), said, "{text:?}");
        }
    }
}
