//! The same time of earlier days, for fleets that ask for a forecast.
//!
//! What lies days back does not change, so that a process reads it once for half an hour: [`AHEAD`] is so much more than a forecast looks
//! ahead. A forecast that starts from a peak looks as much farther back, and ahead, as its peak is looked for in, and one by a metric whose
//! periods are long as much farther back as its newest value may be old: what is read together is read as far as what looks the farthest. The
//! tasks are counted throughout every period that is read of the values that are for each of them.
//!
//! A day on which not all of a target was read is left out of it, and leaves a gap: the other days tell. What was not read whole is not kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use model::tracking::policy::START_UP_SECS_MAX;
use model::tracking::{
    FORECAST_DAYS, FORECAST_MINUTES, Reading, Series, TargetName, TrackingKey, TrackingPolicy,
    fresh_for,
};
use model::{Seconds, Timestamp};

use crate::tracking::ask::{self, Frame, Outcome};
use crate::tracking::question::{Question, Slot};
use crate::tracking::values::Answer;
use crate::tracking::{Look, Seen};

/// A day, whatever the clocks do.
const DAY_SECS: i64 = 86_400;
/// The time that a forecast compares at least.
const COMPARED: Seconds = Seconds(FORECAST_MINUTES * 60);
/// How long after the time of day the season ends, where no peak is asked for.
const AHEAD: Seconds = Seconds(KEPT_FOR.0 + START_UP_SECS_MAX + COMPARED.0);
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
            let of_fleet = asked.entry(question.key.clone()).or_default();
            of_fleet.push(question.of_earlier_days(peak));
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
            let answer = days.by_slot.get(&question.slot).cloned();
            let part = question.slot.part();
            let series = (answer.unwrap_or_default()).series(part, question.period, question.scale);
            (question.slot, series)
        };
        let series: Vec<(Slot, Series)> = questions.iter().map(series).collect();
        if days.are_all_read {
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

/// From how long before the time of day on the days are read, of a metric with such periods, for a forecast that looks so far back for its
/// peak: the age that the newest value may have, and the time that is compared.
pub(crate) const fn before(peak: Seconds, period: Seconds) -> Seconds {
    let compared = COMPARED.0.saturating_add(peak.0);
    Seconds(fresh_for(period).0.saturating_add(compared))
}

/// Until how long after the time of day the days are read for such a forecast: the time that it is kept, the longest time ahead that a
/// forecast is for, and the time that is compared.
pub(crate) const fn ahead(peak: Seconds) -> Seconds {
    Seconds(AHEAD.0.saturating_add(peak.0))
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

/// What the days said of a fleet.
#[derive(Debug)]
struct Days {
    by_slot: BTreeMap<Slot, Answer>,
    /// Whether every day was read whole.
    are_all_read: bool,
}

/// The target that a slot is of; `None` for the counts of tasks. What is of one target is added up: a day of it is whole, or left out.
const fn target(slot: Slot) -> Option<TargetName> {
    match slot {
        Slot::Value(target, _) => Some(target),
        Slot::Tasks(_) => None,
    }
}

/// What the days said, by fleet.
async fn read_days(
    look: &mut Look<'_>,
    seen: &mut Seen,
    questions: &[Question],
    now: Timestamp,
) -> BTreeMap<TrackingKey, Days> {
    let mut days: BTreeMap<TrackingKey, Days> = BTreeMap::new();
    if questions.is_empty() {
        return days;
    }
    for day in 1..=FORECAST_DAYS {
        let then = Seconds(-day * DAY_SECS).after(now);
        let mut answers = Vec::new();
        let mut not_read = BTreeSet::new();
        for (question, outcome) in ask::ask(look, questions.to_vec(), Frame::Around(then)).await {
            let Some(tracked) = seen.tracked.get_mut(&question.key) else {
                continue;
            };
            let gap = match outcome {
                Outcome::Answered(answer, None) => {
                    answers.push((question, answer));
                    continue;
                }
                Outcome::Answered(_, Some(gap)) | Outcome::Failed(gap) => Some(gap),
                Outcome::Refused(_) | Outcome::SeveralSeries => None,
            };
            gap.iter().for_each(|gap| tracked.note(gap));
            not_read.insert((question.key, target(question.slot)));
        }
        for (key, _) in &not_read {
            of_fleet(&mut days, key).are_all_read = false;
        }
        for (question, answer) in answers {
            if not_read.contains(&(question.key.clone(), target(question.slot))) {
                continue;
            }
            let by_slot = &mut of_fleet(&mut days, &question.key).by_slot;
            match by_slot.get_mut(&question.slot) {
                Some(before) => before.extend(answer),
                None => _ = by_slot.insert(question.slot, answer),
            }
        }
    }
    days
}

fn of_fleet<'a>(days: &'a mut BTreeMap<TrackingKey, Days>, key: &TrackingKey) -> &'a mut Days {
    days.entry(key.clone()).or_insert_with(|| Days {
        by_slot: BTreeMap::new(),
        are_all_read: true,
    })
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
