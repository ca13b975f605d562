//! The same time of earlier days, for fleets that ask for a forecast.
//!
//! What lies days back does not change, so that a process reads it once for half an hour: [`AHEAD`] is so much more than a forecast looks
//! ahead. A forecast that starts from a peak looks as much farther back, and ahead, as its peak is looked for in: the fleets that are read
//! together are read as far as the one that looks the farthest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use model::tracking::{Reading, Series, TrackingKey, TrackingPolicy};
use model::{Seconds, Timestamp};

use crate::tracking::ask::{self, Frame, Outcome};
use crate::tracking::question::{Question, Slot};
use crate::tracking::values::Answer;
use crate::tracking::{Look, Seen};

/// How many days back the season goes.
pub(crate) const DAYS: i64 = 3;
/// A day, whatever the clocks do.
const DAY_SECS: i64 = 86_400;
/// How long before the time of day the season begins; a peak's time earlier where one is asked for.
pub(crate) const BEFORE: Seconds = Seconds(600);
/// How long after it the season ends: the time that it is kept, and the longest time ahead that a forecast is for; a peak's time later
/// where one is asked for.
pub(crate) const AHEAD: Seconds = Seconds(2_700);
/// How long what was read is kept.
pub(crate) const KEPT_FOR: Seconds = Seconds(1_800);
/// Of how many fleets it is kept.
const KEPT_MAX: usize = 5_000;

/// What was read of earlier days.
#[derive(Debug, Default)]
pub(crate) struct KnownSeasons {
    by_fleet: Mutex<BTreeMap<TrackingKey, Known>>,
}

#[derive(Debug)]
struct Known {
    until: Timestamp,
    /// What was asked: an alarm may have been defined anew, or a target added.
    asked: Vec<Question>,
    series: Vec<(Slot, Series)>,
}

impl KnownSeasons {
    fn get(
        &self,
        key: &TrackingKey,
        asked: &[Question],
        now: Timestamp,
    ) -> Option<Vec<(Slot, Series)>> {
        let kept = self.by_fleet.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept
            .get(key)
            .filter(|it| now < it.until && it.asked == asked)?;
        Some(known.series.clone())
    }

    fn keep(&self, key: TrackingKey, known: Known) {
        let mut kept = self.by_fleet.lock().unwrap_or_else(PoisonError::into_inner);
        // Fleets that are gone stay behind; starting over is simpler than knowing which.
        if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
            kept.clear();
        }
        kept.insert(key, known);
    }
}

/// Reads the season of the fleets that these questions are about, as far as it is not known.
pub(crate) async fn read(
    look: &mut Look<'_>,
    seen: &mut Seen,
    recent: &[Question],
    now: Timestamp,
) {
    let mut asked: BTreeMap<TrackingKey, Vec<Question>> = BTreeMap::new();
    for question in recent {
        if let Some(peak) = wanted(seen, question) {
            let span = Seconds(BEFORE.0.saturating_add(peak.0));
            let of_fleet = asked.entry(question.key.clone()).or_default();
            of_fleet.push(question.of_earlier_days(span));
        }
    }
    let known = &look.observer.known_seasons;
    let mut new = Vec::new();
    for (key, questions) in &asked {
        match known.get(key, questions, now) {
            Some(series) => enter(seen, key, series),
            None => new.extend(questions.iter().cloned()),
        }
    }
    let days = read_days(look, seen, &new, now).await;
    for (key, questions) in asked {
        let Some(days) = days.get(&key) else {
            continue;
        };
        let series = |question: &Question| {
            let answer = days.get(&question.slot).cloned().unwrap_or_default();
            let part = question.slot.part();
            let series = answer.series(part, question.period, question.scale);
            (question.slot, series)
        };
        let series: Vec<(Slot, Series)> = questions.iter().map(series).collect();
        if series.iter().all(|(_, it)| it.is_complete) {
            let known = Known {
                until: KEPT_FOR.after(now),
                asked: questions,
                series: series.clone(),
            };
            look.observer.known_seasons.keep(key.clone(), known);
        }
        enter(seen, &key, series);
    }
}

/// How far back a forecast looks for its peak; zero where none is asked for.
pub(crate) fn peak(policy: &TrackingPolicy) -> Seconds {
    let pace = &policy.pace;
    if pace.forecast {
        pace.forecast_peak
    } else {
        Seconds::ZERO
    }
}

/// How far back the fleet's forecast looks for its peak. `None` where it asks for no forecast, and about a target that nothing can be known
/// of.
fn wanted(seen: &Seen, question: &Question) -> Option<Seconds> {
    let fleet = &seen.tracked.get(&question.key)?.fleet;
    let is_unusable = match question.slot {
        Slot::Value(target, _) => {
            matches!(fleet.readings.get(&target), Some(Reading::Unusable { .. }))
        }
        Slot::Tasks(_) => false,
    };
    let policy = fleet.policy.as_ref().ok()?;
    (!is_unusable && policy.pace.forecast).then(|| peak(policy))
}

/// What the days said, by fleet. A fleet is left out of which CloudWatch refuses a query: its recent values say so.
async fn read_days(
    look: &mut Look<'_>,
    seen: &mut Seen,
    questions: &[Question],
    now: Timestamp,
) -> BTreeMap<TrackingKey, BTreeMap<Slot, Answer>> {
    let mut days: BTreeMap<TrackingKey, BTreeMap<Slot, Answer>> = BTreeMap::new();
    let Some(span) = questions.iter().map(|it| it.span).max() else {
        return days;
    };
    let ahead = AHEAD.0.saturating_add(span.0).saturating_sub(BEFORE.0);
    for day in 1..=DAYS {
        let then = Seconds(-day * DAY_SECS).after(now);
        let frame = Frame::Between(span.before(then), Seconds(ahead).after(then));
        for (question, outcome) in ask::ask(look, questions.to_vec(), frame).await {
            let Some(tracked) = seen.tracked.get_mut(&question.key) else {
                continue;
            };
            let answer = match outcome {
                Outcome::Answered(answer, gap) => {
                    gap.iter().for_each(|gap| tracked.note(gap));
                    answer
                }
                Outcome::Failed(gap) => {
                    tracked.note(&gap);
                    Answer::default()
                }
                Outcome::Refused(_) | Outcome::SeveralSeries => Answer::default(),
            };
            let of_fleet = days.entry(question.key).or_default();
            match of_fleet.get_mut(&question.slot) {
                Some(before) => before.extend(answer),
                None => _ = of_fleet.insert(question.slot, answer),
            }
        }
    }
    days
}

fn enter(seen: &mut Seen, key: &TrackingKey, series: Vec<(Slot, Series)>) {
    let Some(tracked) = seen.tracked.get_mut(key) else {
        return;
    };
    let fleet = &mut tracked.fleet;
    for (slot, series) in series {
        match slot {
            Slot::Tasks(_) => fleet.season_task_counts.push(series),
            Slot::Value(target, _) => {
                match fleet.readings.get_mut(&target) {
                    Some(Reading::Read { season, .. }) => season.push(series),
                    // Without recent values nothing is forecast.
                    Some(Reading::Unusable { .. } | Reading::Unread) | None => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: usize) -> TrackingKey {
        TrackingKey(format!("demo/web-{number}").parse().unwrap())
    }

    #[test]
    fn what_is_known_is_kept_anew_and_more_fleets_than_are_kept_begin_anew() {
        let known = KnownSeasons::default();
        let now = Timestamp::from_second(1_772_442_000).unwrap();
        let keep = |number: usize| {
            let until = KEPT_FOR.after(now);
            let (asked, series) = (Vec::new(), Vec::new());
            let it = Known {
                until,
                asked,
                series,
            };
            known.keep(key(number), it);
        };
        let is_known = |number: usize, at| known.get(&key(number), &[], at).is_some();
        (0..KEPT_MAX).for_each(keep);
        keep(3);
        assert!(is_known(0, now) && is_known(KEPT_MAX - 1, now));
        assert!(!is_known(0, KEPT_FOR.after(now)), "it is half an hour old");
        keep(KEPT_MAX);
        assert!(!is_known(0, now) && is_known(KEPT_MAX, now));
    }
}
