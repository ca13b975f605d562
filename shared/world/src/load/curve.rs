//! How many requests come in each minute: from published counts, or in a simple shape.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::{SignedDuration, Unit};

/// The most minutes that a curve has: five years. A longer one is a mistake in its times.
const MINUTES_MAX: usize = 5 * 366 * 24 * 60;

/// Why counts are not a curve.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CurveError {
    /// The first line names other columns.
    #[error("the first line is {found:?}, it must be `period,count` or `minute,requests`")]
    Header {
        /// What it is.
        found: String,
    },
    /// A line has no count.
    #[error("line {line} is {found:?}, it must be a minute, a comma and a count")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What it is.
        found: String,
    },
    /// A line is of an earlier minute than the one before it, or of the same.
    #[error("line {line} is not of a later minute than the line before it")]
    Order {
        /// Its number, from 1.
        line: usize,
    },
    /// There are no lines, or minutes for more than five years.
    #[error("the counts are of {minutes} minutes, there must be 1 to {MINUTES_MAX}")]
    Length {
        /// How many minutes.
        minutes: usize,
    },
}

/// Requests in each minute, from minute 0 on. After its end it begins again.
///
/// A clone is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadCurve {
    requests: Arc<[u64]>,
    starts_at: Option<DateTime>,
    filled: usize,
}

impl LoadCurve {
    /// A curve of these requests per minute. An empty one has a minute without any.
    #[must_use]
    pub fn per_minute(requests: Vec<u64>) -> Self {
        let requests = if requests.is_empty() {
            vec![0]
        } else {
            requests
        };
        Self {
            requests: requests.into(),
            starts_at: None,
            filled: 0,
        }
    }

    /// The same load in every minute.
    #[must_use]
    pub fn flat(requests_per_min: u64) -> Self {
        Self::per_minute(vec![requests_per_min])
    }

    /// One load, and from a minute on another; so many minutes in all.
    #[must_use]
    pub fn step(before: u64, after: u64, at_minute: usize, minutes: usize) -> Self {
        let load = |minute| if minute < at_minute { before } else { after };
        Self::per_minute((0..minutes).map(load).collect())
    }

    /// From one load to another in equal steps, rounded down; the last minute has the second load.
    #[must_use]
    pub fn ramp(from: u64, to: u64, minutes: usize) -> Self {
        let steps = u128::try_from(minutes.saturating_sub(1)).unwrap_or(u128::MAX);
        let (low, high) = (u128::from(from.min(to)), u128::from(from.max(to)));
        let load = |minute: usize| {
            let done = u128::try_from(minute).unwrap_or(u128::MAX);
            let rise = (high - low)
                .saturating_mul(done)
                .checked_div(steps)
                .unwrap_or(0);
            let load = if from <= to { low + rise } else { high - rise };
            u64::try_from(load).unwrap_or(u64::MAX)
        };
        Self::per_minute((0..minutes).map(load).collect())
    }

    /// One load, with another from a minute on for so long; so many minutes in all.
    #[must_use]
    pub fn spike(
        base: u64,
        peak: u64,
        at_minute: usize,
        lasts_minutes: usize,
        minutes: usize,
    ) -> Self {
        let during = at_minute..at_minute.saturating_add(lasts_minutes);
        let load = |minute| if during.contains(&minute) { peak } else { base };
        Self::per_minute((0..minutes).map(load).collect())
    }

    /// Reads published counts: a header, `period,count` with a time in each line or `minute,requests` with a number, and a line for
    /// each minute. A minute without a line has the count of the one before it.
    ///
    /// # Errors
    /// When the text is not of that form, names the first line that is wrong.
    pub fn parse_csv(text: &str) -> Result<Self, CurveError> {
        let mut lines = (1_usize..).zip(text.lines());
        let header = lines.next().map_or("", |(_, it)| it.trim());
        let has_times = match header {
            "period,count" => true,
            "minute,requests" => false,
            found => {
                return Err(CurveError::Header {
                    found: found.chars().take(80).collect(),
                });
            }
        };
        let mut counts = Counts::default();
        for (line, text) in lines.filter(|(_, it)| !it.trim().is_empty()) {
            let wrong = || CurveError::Line {
                line,
                found: text.chars().take(80).collect(),
            };
            let (minute, count) = text.trim().split_once(',').ok_or_else(wrong)?;
            let count = count.parse().map_err(|_not_a_count| wrong())?;
            let minute = if has_times {
                counts.minute_of_time(minute).ok_or_else(wrong)?
            } else {
                minute.parse().map_err(|_not_a_number| wrong())?
            };
            counts.add(line, minute, count)?;
        }
        counts.into_curve()
    }

    /// The same, in thousandths of it; each minute is rounded to the nearest.
    #[must_use]
    pub fn scaled_milli(&self, milli: u64) -> Self {
        let scale = |it: &u64| {
            let scaled = (u128::from(*it) * u128::from(milli) + 500) / 1_000;
            u64::try_from(scaled).unwrap_or(u64::MAX)
        };
        Self {
            requests: self.requests.iter().map(scale).collect(),
            ..self.clone()
        }
    }

    /// Another curve that begins at a minute of this one, and is so long. It goes on at the beginning after this one's end.
    #[must_use]
    pub fn window(&self, from_minute: usize, minutes: usize) -> Self {
        let to = from_minute.saturating_add(minutes.clamp(1, MINUTES_MAX));
        let shift = SignedDuration::from_mins(i64::try_from(from_minute).unwrap_or(i64::MAX));
        Self {
            requests: (from_minute..to).map(|minute| self.at(minute)).collect(),
            starts_at: self.starts_at.and_then(|it| it.checked_add(shift).ok()),
            filled: 0,
        }
    }

    /// The requests of a minute.
    #[must_use]
    pub fn at(&self, minute: usize) -> u64 {
        let within = minute.checked_rem(self.requests.len()).unwrap_or(0);
        self.requests.get(within).copied().unwrap_or(0)
    }

    /// The requests of all minutes.
    #[must_use]
    pub fn requests(&self) -> &[u64] {
        &self.requests
    }

    /// How many minutes it has.
    #[must_use]
    pub fn minutes(&self) -> usize {
        self.requests.len()
    }

    /// The most requests of a minute.
    #[must_use]
    pub fn peak(&self) -> u64 {
        self.requests.iter().copied().max().unwrap_or(0)
    }

    /// How many minutes had no line of their own.
    #[must_use]
    pub const fn filled_minutes(&self) -> usize {
        self.filled
    }

    /// The time of the first line, where lines have times.
    #[must_use]
    pub const fn starts_at(&self) -> Option<DateTime> {
        self.starts_at
    }

    /// The minute of a time such as `1998-06-10 00:00:00`, where lines have times and the curve has that minute.
    #[must_use]
    pub fn minute_of(&self, time: &str) -> Option<usize> {
        let minute = minutes_between(self.starts_at?, time.parse().ok()?)?;
        Some(minute).filter(|it| *it < self.minutes())
    }
}

fn minutes_between(from: DateTime, to: DateTime) -> Option<usize> {
    let passed = from.until((Unit::Minute, to)).ok()?;
    usize::try_from(passed.get_minutes()).ok()
}

/// A curve that is being read.
#[derive(Debug, Default)]
struct Counts {
    requests: Vec<u64>,
    starts_at: Option<DateTime>,
    first_minute: Option<usize>,
    filled: usize,
}

impl Counts {
    /// The minute of a time, from the first one.
    fn minute_of_time(&mut self, time: &str) -> Option<usize> {
        let time: DateTime = time.parse().ok()?;
        minutes_between(*self.starts_at.get_or_insert(time), time)
    }

    fn add(&mut self, line: usize, minute: usize, count: u64) -> Result<(), CurveError> {
        let first = *self.first_minute.get_or_insert(minute);
        let index = minute
            .checked_sub(first)
            .filter(|it| *it >= self.requests.len())
            .ok_or(CurveError::Order { line })?;
        if index >= MINUTES_MAX {
            return Err(CurveError::Length { minutes: index });
        }
        let last = self.requests.last().copied().unwrap_or(0);
        self.filled += index - self.requests.len();
        self.requests.resize(index, last);
        self.requests.push(count);
        Ok(())
    }

    fn into_curve(self) -> Result<LoadCurve, CurveError> {
        if self.requests.is_empty() {
            return Err(CurveError::Length { minutes: 0 });
        }
        Ok(LoadCurve {
            requests: self.requests.into(),
            starts_at: self.starts_at,
            filled: self.filled,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_what_they_say() {
        for (curve, wanted) in [
            (LoadCurve::flat(7), vec![7]),
            (LoadCurve::step(1, 5, 2, 4), vec![1, 1, 5, 5]),
            (LoadCurve::ramp(0, 10, 4), vec![0, 3, 6, 10]),
            (LoadCurve::ramp(10, 0, 4), vec![10, 7, 4, 0]),
            (LoadCurve::ramp(4, 9, 1), vec![4]),
            (LoadCurve::spike(1, 9, 1, 2, 5), vec![1, 9, 9, 1, 1]),
            (LoadCurve::per_minute(Vec::new()), vec![0]),
        ] {
            assert_eq!(curve.requests(), wanted);
        }
        let curve = LoadCurve::per_minute(vec![1, 2, 3]);
        assert_eq!(curve.at(4), 2);
        assert_eq!(curve.peak(), 3);
        assert_eq!(curve.scaled_milli(1_500).requests(), [2, 3, 5]);
        assert_eq!(curve.window(2, 3).requests(), [3, 1, 2]);
    }

    #[test]
    fn both_forms_of_published_counts_are_read() {
        let times = "period,count\n1998-04-30 21:30:00,2\n1998-04-30 21:31:00,11\r\n1998-04-30 21:34:00,5\n";
        let curve = LoadCurve::parse_csv(times).unwrap();
        assert_eq!(curve.requests(), [2, 11, 11, 11, 5]);
        assert_eq!(curve.filled_minutes(), 2);
        assert_eq!(curve.minute_of("1998-04-30 21:34:00"), Some(4));
        assert_eq!(curve.minute_of("1998-04-30 21:35:00"), None);
        assert_eq!(curve.minute_of("1998-04-30 21:29:00"), None);
        assert_eq!(curve.window(1, 4).minute_of("1998-04-30 21:34:00"), Some(3));
        let numbers = LoadCurve::parse_csv("minute,requests\n0,42\n1,62\n").unwrap();
        assert_eq!(numbers.requests(), [42, 62]);
        assert_eq!(numbers.starts_at(), None);
    }

    #[test]
    fn what_is_no_curve_is_refused_with_its_line() {
        for (text, words) in [
            ("", "it must be `period,count`"),
            ("a,b\n1,2\n", "\"a,b\""),
            ("minute,requests\n", "of 0 minutes"),
            ("minute,requests\n0\n", "line 2 is \"0\""),
            ("minute,requests\n0,x\n", "line 2"),
            ("minute,requests\n0,-1\n", "line 2"),
            (
                "minute,requests\n0,1\n0,1\n",
                "line 3 is not of a later minute",
            ),
            (
                "minute,requests\n5,1\n4,1\n",
                "line 3 is not of a later minute",
            ),
            (
                "minute,requests\n0,1\n99999999999,1\n",
                "minutes, there must be",
            ),
            ("period,count\n1998-13-30 21:30:00,2\n", "line 2"),
            (
                "period,count\n1998-04-30 21:30:00,2\n1998-04-30 21:29:00,2\n",
                "line 3",
            ),
        ] {
            let error = LoadCurve::parse_csv(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text:?}: {error}");
        }
    }
}
