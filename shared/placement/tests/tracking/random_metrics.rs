//! What CloudWatch answers about the services of a random state: loads of every shape, and everything that can be wrong with them.

use jiff::Timestamp;
use model::Seconds;
use model::snapshot::Standby;
use model::tracking::{
    Fleet, Measures, Part, Point, Reading, Series, Target, TargetName, UnusableMetric,
};

use crate::random::Tape;
use crate::scene::gap;

/// A load, by the minute, in thousandths of a task, and the tasks that served it.
pub(crate) struct Metrics {
    /// The end of the newest minute.
    end: Timestamp,
    /// The newest first.
    loads: Vec<i64>,
    /// How often ECS publishes the metrics of the primary, and of the standby, in seconds.
    periods: [i64; 2],
    /// From so many minutes ago on as many tasks run as now; before, so many percent of them did.
    rose: (usize, i64),
}

const MINUTES: usize = 25;

impl Metrics {
    pub(crate) fn new(now: Timestamp, fleet: &Fleet, tape: &mut Tape) -> Self {
        let second = now.as_second();
        let late = tape.of(&[0, 60, 120, 60, 240, 300]);
        let end = Timestamp::from_second(second - second.rem_euclid(60) - late).unwrap();
        let desired = i64::from(fleet.primary.desired_count.max(1));
        let level =
            desired * tape.of(&[1_000, 500, 1_050, 900, 700, 1_500, 850, 990, 3_000, 0, 100]);
        let other = desired * tape.of(&[1_000, 500, 800, 1_200, 2_000, 0]);
        let at = 1 + tape.roll(MINUTES - 1);
        let shape = tape.roll(5);
        let loads = (0..MINUTES).map(|back| match shape {
            0 => level,
            1 if back >= at => other,
            2 if back == at => other,
            3 => level + i64::try_from(back).unwrap() * (other - level) / 24,
            4 => level + i64::try_from(tape.roll(401)).unwrap() * desired - 200 * desired,
            _ => level,
        });
        Self {
            end,
            loads: loads.collect(),
            periods: tape.of(&[[60; 2], [60; 2], [20; 2], [60, 20], [20, 60]]),
            rose: (1 + tape.roll(12), tape.of(&[100, 100, 100, 50, 0, 150])),
        }
    }

    const fn period(&self, part: Part) -> i64 {
        match part {
            Part::Primary => self.periods[0],
            Part::Standby => self.periods[1],
            Part::Fleet => 60,
        }
    }

    /// How many of so many tasks ran so many minutes ago, in thousandths.
    fn ran(&self, tasks: i64, back: usize) -> i64 {
        let (since, percent) = self.rose;
        tasks * 10 * if back < since { 100 } else { percent }
    }

    /// One value for each period, by the minutes that it is back.
    fn points(&self, period: i64, value: impl Fn(usize) -> i64) -> Vec<Point> {
        let total = i64::try_from(self.loads.len()).unwrap() * 60 / period;
        let points = (1..=total).rev().map(|back| Point {
            at: Seconds(back * period).before(self.end),
            value_milli: value(usize::try_from((back * period - 1) / 60).unwrap()),
        });
        points.collect()
    }

    fn series(&self, part: Part, period: i64, value: impl Fn(usize) -> i64) -> Series {
        Series {
            part,
            period: Seconds(period),
            points: self.points(period, value),
            unusable: 0,
            is_complete: true,
        }
    }

    pub(crate) fn write(&self, fleet: &mut Fleet, tape: &mut Tape) {
        let primary = i64::from(fleet.primary.running_count);
        let standby = match &fleet.standby {
            Some(Standby::Present(it)) => i64::from(it.running_count),
            Some(Standby::Missing | Standby::Unknown) | None => 0,
        };
        let parts = [(Part::Primary, primary), (Part::Standby, standby)];
        // A wrong tag makes more of them.
        let times = tape.of(&[1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 2, 5]);
        for (part, count) in parts {
            if count > 0 && !tape.one_in(10) {
                let mut counts = self.series(part, self.period(part), |back| {
                    times * self.ran(count, back)
                });
                // ECS publishes nothing of a service without tasks.
                counts.points.retain(|it| it.value_milli > 0);
                fleet.task_counts.push(counts);
            }
        }
        let which = tape.of(&[1, 1, 1, 4, 8, 5, 3, 15, 2]);
        fleet.policy.as_mut().unwrap().targets.clear();
        let names = [
            TargetName::Cpu,
            TargetName::Memory,
            TargetName::Requests,
            TargetName::Alarm,
        ];
        for (bit, name) in names.into_iter().enumerate() {
            if which & (1 << bit) != 0 {
                self.target(fleet, name, parts, tape);
            }
        }
        fleet.season_task_counts = self.season(&fleet.task_counts, tape);
    }

    fn target(
        &self,
        fleet: &mut Fleet,
        name: TargetName,
        parts: [(Part, i64); 2],
        tape: &mut Tape,
    ) {
        let value_milli = tape.of(&[60_000, 1_000, 70_123, 100_000]);
        let is_total = name == TargetName::Alarm && tape.roll(2) == 0;
        let (measures, tasks) = if is_total {
            (Measures::Total, 1)
        } else {
            let tasks: i64 = parts.iter().map(|it| it.1).sum();
            (Measures::PerTask, tasks.max(1))
        };
        let of = tape.of(&[1_000, 1_000, 500, 950]);
        let value = |back: usize| {
            let product = i128::from(self.loads[back]) * i128::from(of * value_milli);
            let ran = if is_total {
                1_000
            } else {
                self.ran(tasks, back)
            };
            i64::try_from(product / i128::from(ran.max(1_000)) / 1_000).unwrap()
        };
        let recent: Vec<Series> = if matches!(name, TargetName::Cpu | TargetName::Memory) {
            let run = parts.into_iter().filter(|it| it.1 > 0);
            run.map(|(part, _)| self.series(part, self.period(part), value))
                .collect()
        } else if name == TargetName::Alarm {
            let period = tape.of(&[60, 300, 20]);
            vec![self.series(Part::Fleet, period, value)]
        } else {
            vec![self.series(Part::Fleet, 60, value)]
        };
        let season = if tape.roll(3) == 0 {
            Vec::new()
        } else {
            self.season(&recent, tape)
        };
        let target = Target {
            value_milli,
            measures,
            alarm: None,
        };
        let policy = fleet.policy.as_mut().unwrap();
        policy.targets.insert(name, target);
        let reading = Reading::Read { recent, season };
        fleet.readings.insert(name, reading);
    }

    /// The same times of three days, each minute some of today's newest.
    fn season(&self, recent: &[Series], tape: &mut Tape) -> Vec<Series> {
        let growth = tape.of(&[1_000, 1_300, 700, 4_000]);
        let lost = tape.roll(40);
        // Before it, in minutes, it was once as much as this.
        let spike = tape.of(&[1_000, 1_000, 1_200, 3_000]);
        let spike_at = tape.of(&[-1, -2, -7, 3, 12]);
        let of_part = recent.iter().map(|it| {
            let newest = it.points.last().map_or(0, |it| it.value_milli);
            let days = (1..=3).rev().flat_map(|day| {
                let middle = Seconds(day * 86_400).before(self.end);
                (-70..85).map(move |minute| Point {
                    at: Seconds(minute * 60).after(middle),
                    value_milli: if minute == spike_at {
                        newest / 1_000 * spike
                    } else if minute < 0 {
                        newest
                    } else {
                        newest / 1_000 * growth
                    },
                })
            });
            let mut points: Vec<Point> = days.collect();
            if lost > 20 {
                points.remove(60 + lost);
            }
            Series {
                part: it.part,
                period: Seconds(60),
                points,
                unusable: 0,
                is_complete: true,
            }
        });
        of_part.collect()
    }
}

/// What can be wrong with what CloudWatch answers.
pub(crate) fn spoil(fleet: &mut Fleet, tape: &mut Tape) {
    let names: Vec<TargetName> = fleet.readings.keys().copied().collect();
    for name in names {
        let reading = fleet.readings.get_mut(&name).unwrap();
        let Reading::Read { recent, .. } = reading else {
            continue;
        };
        match tape.roll(24) {
            12 => recent.clear(),
            13 => {
                recent.truncate(1);
            }
            14 => spoil_points(recent, tape, |points, which| {
                points.remove(which);
            }),
            15 => spoil_points(recent, tape, |points, which| {
                points.truncate(points.len() - 1 - which.min(points.len() - 1) % 4);
            }),
            16 => spoil_points(recent, tape, |points, _| {
                let last = *points.last().unwrap();
                let before = points.iter().rev().nth(1);
                // No two periods of one series overlap.
                let period = before.map_or(300, |it| Seconds::between(it.at, last.at).0);
                for ahead in 1..10 {
                    let at = Seconds(period * ahead).after(last.at);
                    points.push(Point {
                        at,
                        value_milli: last.value_milli * 2,
                    });
                }
            }),
            17 => spoil_points(recent, tape, |points, which| {
                points[which].value_milli = -5_000
            }),
            18 => spoil_points(recent, tape, |points, which| {
                points[which].value_milli = i64::MAX / 1_000
            }),
            19 => recent.iter_mut().for_each(|it| it.is_complete = false),
            20 => recent.iter_mut().for_each(|it| it.unusable = 3),
            21 => {
                *reading = Reading::Unread;
                fleet.gaps.push(gap("cloudwatch:GetMetricData"));
            }
            22 => {
                *reading = Reading::Unusable {
                    why: UnusableMetric::TargetGroups { count: 2 },
                };
            }
            23 => {
                fleet.readings.remove(&name);
            }
            _ => {}
        }
    }
    if tape.one_in(12) {
        spoil_points(&mut fleet.task_counts, tape, |points, which| {
            points.drain(which..);
        });
    }
}

fn spoil_points(series: &mut [Series], tape: &mut Tape, change: impl Fn(&mut Vec<Point>, usize)) {
    if series.is_empty() {
        return;
    }
    let which = tape.roll(series.len());
    let points = &mut series[which].points;
    if !points.is_empty() {
        let back = tape.roll(points.len());
        let which = points.len() - 1 - back;
        change(points, which);
    }
}
