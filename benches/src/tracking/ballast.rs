//! Ballast's own rule: the code of `placement::tracking` that decides, minute by minute.

use jiff::Timestamp;
use model::Seconds;
use model::tracking::{Direction, Pace, Turn};
use placement::tracking::load::Load;
use placement::tracking::pace::{History, Loads, Lower, need};

use super::model::{Fleet, Rule, Service};

const MINUTE: Seconds = Seconds(60);
/// So many minutes of the days before are looked at: three days, and the hour before that a peak may be looked for in.
const SEASON_MINUTES: usize = 3 * 1_440 + 60;
/// So many minutes besides the window, or the peak's time, are shown to the core.
const RECENT_MINUTES: usize = 40;
/// Four tasks are allowed in one step, however few there are.
const STEP_MIN: u32 = 4;

/// What the tags of a service set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tags {
    pub(super) target_percent: u64,
    pub(super) tolerance_percent: u32,
    pub(super) window_minutes: u16,
    pub(super) forecast: Option<Forecast>,
}

/// How far back the forecast looks for its peak; 0: it starts from the newest load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Forecast {
    pub(super) peak_secs: i64,
}

impl std::fmt::Display for Tags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            target_percent,
            tolerance_percent,
            window_minutes,
            forecast,
        } = self;
        write!(
            f,
            "target {target_percent} %, tolerance {tolerance_percent} %, window {window_minutes} min"
        )?;
        match forecast {
            None => Ok(()),
            Some(Forecast { peak_secs: 0 }) => f.write_str(", forecast"),
            Some(Forecast { peak_secs }) => write!(f, ", forecast from the peak of {peak_secs} s"),
        }
    }
}

/// The rule.
#[derive(Debug)]
pub(super) struct Ballast {
    pace: Pace,
    /// So many minutes before are shown to the core.
    recent_minutes: usize,
    loads: Vec<Load>,
    turn: Option<Turn>,
}

impl Ballast {
    pub(super) fn new(service: &Service, tags: Tags) -> Self {
        let load = |(minute, requests): (usize, &u64)| {
            let milli = service.milli_tasks(*requests, tags.target_percent);
            let milli_tasks = i64::try_from(milli).unwrap_or(i64::MAX);
            Load {
                at: begin(minute),
                milli_tasks,
                // A task of the model serves its share as soon as it runs.
                serving_milli_tasks: milli_tasks,
                is_complete: true,
            }
        };
        let window_secs = i64::from(tags.window_minutes) * MINUTE.0;
        let peak_secs = tags.forecast.map_or(0, |it| it.peak_secs);
        let minutes = usize::try_from(window_secs.max(peak_secs) / MINUTE.0).unwrap_or_default();
        Self {
            pace: Pace {
                tolerance_percent: tags.tolerance_percent,
                scale_in_window: Seconds(window_secs),
                start_up: Seconds(2 * MINUTE.0),
                warm_up: Seconds::ZERO,
                forecast: tags.forecast.is_some(),
                forecast_peak: Seconds(peak_secs),
                ..Pace::default()
            },
            recent_minutes: minutes + RECENT_MINUTES,
            loads: service.all().iter().enumerate().map(load).collect(),
            turn: None,
        }
    }

    fn loads(&self, minutes: usize, until: usize) -> Loads<'_> {
        let from = until.saturating_sub(minutes);
        Loads {
            period: MINUTE,
            loads: self.loads.get(from..until).unwrap_or_default(),
        }
    }

    fn turned(&mut self, direction: Direction, now: Timestamp) {
        let since = self.turn.filter(|it| it.direction == direction);
        self.turn = Some(Turn {
            direction,
            since: since.map_or(now, |it| it.since),
            at: now,
        });
    }

    /// Whether the last scale-out is long enough ago.
    fn may_lower(&self, now: Timestamp) -> bool {
        self.turn.is_none_or(|it| {
            it.direction == Direction::In || self.pace.turn_hold.after(it.at) <= now
        })
    }
}

impl Rule for Ballast {
    fn desired(&mut self, _: &Service, minute: usize, fleet: Fleet) -> u32 {
        let now = begin(minute);
        let history = History {
            recent: self.loads(self.recent_minutes, minute),
            season: self.loads(SEASON_MINUTES, minute),
            tasks_min: 1,
            peaks_from: None,
        };
        let Some(need) = need(&history, &self.pace, now) else {
            return fleet.desired;
        };
        if let Some(to) = need.raise(fleet.desired, self.turn, &self.pace) {
            self.turned(Direction::Out, now);
            let step = fleet.desired * self.pace.raise_max_percent / 100;
            return to.min(fleet.desired + step.max(STEP_MIN));
        }
        if let Lower::To(to) = need.lower(fleet.desired, self.turn, &self.pace)
            && self.may_lower(now)
        {
            self.turned(Direction::In, now);
            return to;
        }
        fleet.desired
    }
}

/// When a minute began. The days of the files are days of 24 hours.
fn begin(minute: usize) -> Timestamp {
    let minutes = i64::try_from(minute).unwrap_or(i64::MAX);
    Seconds(minutes.saturating_mul(MINUTE.0)).after(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A task serves 10 requests a minute at 100 %, so 5 at the target of 50 %. The tolerance is a tenth, the window three minutes, and
    /// after a scale-out nothing is lowered for ten minutes.
    #[test]
    fn it_raises_at_once_and_lowers_to_the_most_of_the_window_and_the_tolerance() {
        // The load needs 10 tasks, then 12, then 6, then 7.
        let mut requests = vec![50, 60];
        requests.extend([30; 12]);
        requests.extend([34; 2]);
        let service = Service::new(requests.clone(), 1_000);
        let tags = Tags {
            target_percent: 50,
            tolerance_percent: 10,
            window_minutes: 3,
            forecast: None,
        };
        let mut rule = Ballast::new(&service, tags);
        rule.pace.turn_hold = Seconds(600);
        let mut desired = 10;
        let mut asked = Vec::new();
        for minute in 1..=requests.len() {
            let fleet = Fleet {
                desired,
                ready: desired,
            };
            desired = rule.desired(&service, minute, fleet);
            asked.push(desired);
        }
        // 12 from minute 2 on. From minute 12 on it may be lowered: to 6 and a tenth, 6.6, so 7. The last minutes need 6.8, so 7.
        let mut want = vec![10];
        want.extend([12; 10]);
        want.extend([7; 5]);
        assert_eq!(asked, want);
    }

    /// At the same time of the day before, the load doubled within the minutes that a task takes to start.
    #[test]
    fn with_the_forecast_it_raises_before_the_load_does() {
        let mut requests = vec![50; 1_440];
        for it in requests.iter_mut().skip(100).take(60) {
            *it = 100;
        }
        requests.extend([50; 200]);
        let service = Service::new(requests, 1_000);
        let desired_at = |minute: usize, peak_secs: Option<i64>| {
            let tags = Tags {
                target_percent: 50,
                tolerance_percent: 10,
                window_minutes: 3,
                forecast: peak_secs.map(|peak_secs| Forecast { peak_secs }),
            };
            let fleet = Fleet {
                desired: 10,
                ready: 10,
            };
            Ballast::new(&service, tags).desired(&service, 1_440 + minute, fleet)
        };
        // At 98 the newest minute is 97; what lies ahead are the minutes 99 to 103, four of them doubled: 80 % more.
        assert_eq!(desired_at(98, Some(0)), 18);
        assert_eq!(desired_at(98, None), 10);
        // At 90 they are the minutes 91 to 95.
        assert_eq!(desired_at(90, Some(0)), 10);
        // The largest of the hour ahead of 90 is twice that of the hour before.
        assert_eq!(desired_at(90, Some(3_600)), 20);
    }
}
