//! The least and the most tasks, by the time of day and the day of the week.
//!
//! The value of `ballast:scheduled-bounds` is made of windows, with ` / ` between them. A window is days, hours and at least one bound:
//! `mon-fri 07:00-20:00 min=10 max=60`. Days are `mon` to `sun`, one, a range (`fri-mon` goes over the weekend) or several with `+`
//! between them (`mon+wed`), or `daily`. A window whose end is not after its beginning ends on the next day; `24:00` is an end.
//!
//! A window that says only one bound has the other from the tags without a time. Where several windows hold at a time, the largest
//! minimum and the largest maximum of them count, so that the minimum is never above the maximum. In the hour that is left out when clocks go forward a window holds as if that hour were there.
//!
//! The grammar fits into what AWS allows in the value of a tag: letters, digits, spaces and `+ - = . _ : / @`.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html>

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The most windows of one service.
pub const WINDOWS_MAX: usize = 16;

const DAY_MINUTES: u16 = 24 * 60;

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The least and the most tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// The least.
    pub min_tasks: u32,
    /// The most.
    pub max_tasks: u32,
}

/// A window of the week with bounds of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduledBounds {
    /// Which days it begins on, Monday first.
    pub days: [bool; 7],
    /// The minute of the day at which it begins, by the clock of the time zone.
    pub from_minute: u16,
    /// The minute of the day before which it ends, up to 1440; not after `from_minute`: on the next day.
    pub until_minute: u16,
    /// The least tasks in it, where it says so.
    pub min_tasks: Option<u32>,
    /// The most tasks in it, where it says so.
    pub max_tasks: Option<u32>,
}

/// The bounds that count at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoundsInForce {
    /// The bounds.
    #[serde(flatten)]
    pub bounds: Bounds,
    /// Whether a window of the schedule holds.
    pub is_scheduled: bool,
}

impl ScheduledBounds {
    /// Reads a tag's value. `None` where it is not written as the module says.
    #[must_use]
    pub fn parse_all(text: &str) -> Option<Vec<Self>> {
        let windows: Vec<Self> = text.split(" / ").map(Self::parse).collect::<Option<_>>()?;
        (windows.len() <= WINDOWS_MAX).then_some(windows)
    }

    fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_ascii_whitespace();
        let days = days(words.next()?)?;
        let (from, until) = words.next()?.split_once('-')?;
        let (mut min_tasks, mut max_tasks) = (None, None);
        for word in words {
            let (name, number) = word.split_once('=')?;
            let bound = match name {
                "min" => &mut min_tasks,
                "max" => &mut max_tasks,
                _ => return None,
            };
            if bound.is_some() {
                return None;
            }
            *bound = Some(tasks(number)?);
        }
        if min_tasks.is_none() && max_tasks.is_none() {
            return None;
        }
        let from_minute = minute(from).filter(|it| *it < DAY_MINUTES)?;
        let until_minute = minute(until)?;
        Some(Self {
            days,
            from_minute,
            until_minute,
            min_tasks,
            max_tasks,
        })
    }

    /// Whether the window holds at this minute of this day.
    fn holds(&self, day: Weekday, minute: u16) -> bool {
        let begins = |day: Weekday| {
            let index = usize::try_from(day.to_monday_zero_offset()).unwrap_or(0);
            self.days.get(index).copied().unwrap_or(false)
        };
        if self.from_minute < self.until_minute {
            return begins(day) && (self.from_minute..self.until_minute).contains(&minute);
        }
        (begins(day) && minute >= self.from_minute)
            || (begins(day.previous()) && minute < self.until_minute)
    }
}

impl BoundsInForce {
    /// The bounds that count at `now`.
    #[must_use]
    pub fn at(
        always: Bounds,
        windows: &[ScheduledBounds],
        zone: &TimeZone,
        now: Timestamp,
    ) -> Self {
        let local = zone.to_datetime(now);
        let minute = u16::try_from(i32::from(local.hour()) * 60 + i32::from(local.minute()))
            .unwrap_or_default();
        let day = local.date().weekday();
        let holding = || windows.iter().filter(|it| it.holds(day, minute));
        let least = holding().map(|it| it.min_tasks.unwrap_or(always.min_tasks));
        let most = holding().map(|it| it.max_tasks.unwrap_or(always.max_tasks));
        Self {
            bounds: Bounds {
                min_tasks: least.max().unwrap_or(always.min_tasks),
                max_tasks: most.max().unwrap_or(always.max_tasks),
            },
            is_scheduled: holding().next().is_some(),
        }
    }
}

impl fmt::Display for BoundsInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            bounds,
            is_scheduled,
        } = self;
        write!(f, "{} to {}", bounds.min_tasks, bounds.max_tasks)?;
        if *is_scheduled {
            f.write_str(" by the schedule")?;
        }
        Ok(())
    }
}

fn days(text: &str) -> Option<[bool; 7]> {
    if text == "daily" {
        return Some([true; 7]);
    }
    let index = |name: &str| DAYS.iter().position(|(it, _)| *it == name);
    let mut days = [false; 7];
    for part in text.split('+') {
        let (first, last) = match part.split_once('-') {
            Some((first, last)) => (index(first)?, index(last)?),
            None => (index(part)?, index(part)?),
        };
        let length = (last + DAYS.len() - first) % DAYS.len();
        for offset in 0..=length {
            *days.get_mut((first + offset) % DAYS.len())? = true;
        }
    }
    Some(days)
}

/// `07:30` as minutes; up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let digits = |it: &str| it.len() == 2 && it.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hours) || !digits(minutes) {
        return None;
    }
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let sum = hours * 60 + minutes;
    (minutes < 60 && sum <= DAY_MINUTES).then_some(sum)
}

fn tasks(text: &str) -> Option<u32> {
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse()
        .ok()
        .filter(|it| *it <= crate::tracking::policy::TASKS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: Bounds = Bounds {
        min_tasks: 2,
        max_tasks: 20,
    };

    #[track_caller]
    fn check(windows: &str, zone: &str, now: &str, want: &str) {
        let windows = ScheduledBounds::parse_all(windows).unwrap();
        let zone = TimeZone::get(zone).unwrap();
        let found = BoundsInForce::at(ALWAYS, &windows, &zone, now.parse().unwrap());
        assert_eq!(found.to_string(), want);
    }

    #[test]
    fn a_window_holds_from_its_first_minute_to_before_its_last() {
        // 2026-11-20 is a Friday.
        let windows = "mon-fri 07:00-20:00 min=10 max=60";
        check(windows, "UTC", "2026-11-20T06:59:59Z", "2 to 20");
        check(
            windows,
            "UTC",
            "2026-11-20T07:00:00Z",
            "10 to 60 by the schedule",
        );
        check(
            windows,
            "UTC",
            "2026-11-20T19:59:59Z",
            "10 to 60 by the schedule",
        );
        check(windows, "UTC", "2026-11-20T20:00:00Z", "2 to 20");
        check(windows, "UTC", "2026-11-21T12:00:00Z", "2 to 20");
    }

    #[test]
    fn a_window_goes_over_midnight_into_a_day_that_it_does_not_name() {
        let windows = "fri 22:00-06:00 min=5";
        check(
            windows,
            "UTC",
            "2026-11-20T23:00:00Z",
            "5 to 20 by the schedule",
        );
        check(
            windows,
            "UTC",
            "2026-11-21T05:59:00Z",
            "5 to 20 by the schedule",
        );
        check(windows, "UTC", "2026-11-21T06:00:00Z", "2 to 20");
        check(windows, "UTC", "2026-11-20T05:00:00Z", "2 to 20");
    }

    #[test]
    fn of_windows_at_one_time_the_largest_bounds_count() {
        let windows =
            "daily 00:00-24:00 min=3 max=30 / fri-mon 10:00-12:00 min=8 / sat 10:00-12:00 max=25";
        check(
            windows,
            "UTC",
            "2026-11-21T11:00:00Z",
            "8 to 30 by the schedule",
        );
        check(
            windows,
            "UTC",
            "2026-11-25T11:00:00Z",
            "3 to 30 by the schedule",
        );
    }

    #[test]
    fn a_minimum_of_one_window_is_not_above_the_maximum_of_another() {
        let windows = "daily 10:00-12:00 min=15 / daily 11:00-13:00 max=5";
        check(
            windows,
            "UTC",
            "2026-11-21T11:30:00Z",
            "15 to 20 by the schedule",
        );
        check(
            windows,
            "UTC",
            "2026-11-21T12:30:00Z",
            "2 to 5 by the schedule",
        );
    }

    #[test]
    fn hours_are_those_of_the_time_zone_in_summer_and_in_winter() {
        let windows = "daily 08:00-09:00 min=9";
        check(
            windows,
            "Europe/Berlin",
            "2026-07-01T06:30:00Z",
            "9 to 20 by the schedule",
        );
        check(
            windows,
            "Europe/Berlin",
            "2026-12-01T07:30:00Z",
            "9 to 20 by the schedule",
        );
        check(windows, "Europe/Berlin", "2026-12-01T06:30:00Z", "2 to 20");
    }

    #[test]
    fn what_is_not_written_so_is_refused() {
        for text in [
            "",
            "mon",
            "mon 07:00-20:00",
            "mon 7:00-20:00 min=1",
            "mon 07:00-24:01 min=1",
            "mon 24:00-07:00 min=1",
            "mon 07:60-08:00 min=1",
            "monday 07:00-08:00 min=1",
            "mon 07:00-08:00 min=+1",
            "mon 07:00-08:00 min=1 min=2",
            "mon 07:00-08:00 least=1",
            "mon 07:00-08:00 max=5001",
            "mon 07:00-08:00 min=1/tue 07:00-08:00 min=1",
        ] {
            assert_eq!(ScheduledBounds::parse_all(text), None, "{text}");
        }
        let many = vec!["mon 07:00-08:00 min=1"; WINDOWS_MAX + 1].join(" / ");
        assert_eq!(ScheduledBounds::parse_all(&many), None);
    }
}
