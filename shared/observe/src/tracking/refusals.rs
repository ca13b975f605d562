//! Queries that CloudWatch has refused.
//!
//! A query that CloudWatch refuses takes all others of its call with it, and finding it costs calls. It is refused until somebody defines
//! the alarm anew, so that a process leaves it out of its calls for a while and says the reason that CloudWatch gave.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use aws_sdk_cloudwatch::types::MetricDataQuery;
use model::{AlarmName, Seconds, Timestamp};

use crate::tracking::ask::Frame;
use crate::tracking::question::Question;

/// How long a refused query is not asked for again, as long as the alarm defines it so: what CloudWatch refuses may still become right by
/// itself, such as where an account is given a permission.
pub(crate) const KEPT_FOR: Seconds = Seconds(600);
/// Of how many alarms it is kept.
const KEPT_MAX: usize = 5_000;

/// An alarm, and whether its recent values are meant.
type Key = (AlarmName, bool);

/// What was refused.
#[derive(Debug, Default)]
pub(crate) struct KnownRefusals {
    by_alarm: Mutex<BTreeMap<Key, Known>>,
}

#[derive(Debug)]
struct Known {
    until: Timestamp,
    /// What was asked: an alarm may have been defined anew.
    queries: Vec<MetricDataQuery>,
    /// CloudWatch's own words.
    detail: String,
}

fn key(question: &Question, frame: Frame) -> Option<Key> {
    let is_recent = match frame {
        Frame::UpTo(_) => true,
        Frame::Around(_) => false,
    };
    Some((question.alarm.clone()?, is_recent))
}

impl KnownRefusals {
    /// Why the question is not asked, in CloudWatch's own words.
    pub(crate) fn get(
        &self,
        question: &Question,
        frame: Frame,
        now: Option<Timestamp>,
    ) -> Option<String> {
        let (key, now) = key(question, frame).zip(now)?;
        let kept = self.by_alarm.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(&key)?;
        let holds = now < known.until && known.queries == question.queries;
        holds.then(|| known.detail.clone())
    }

    /// Notes that a question was refused. What is no alarm's definition is asked for again: the look itself makes it well formed, and a
    /// gap tells of it each time.
    pub(crate) fn keep(
        &self,
        question: &Question,
        frame: Frame,
        now: Option<Timestamp>,
        detail: &str,
    ) {
        let Some((key, now)) = key(question, frame).zip(now) else {
            return;
        };
        let mut kept = self.by_alarm.lock().unwrap_or_else(PoisonError::into_inner);
        // Alarms that are gone stay behind; starting over is simpler than knowing which.
        if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
            kept.clear();
        }
        let known = Known {
            until: KEPT_FOR.after(now),
            queries: question.queries.clone(),
            detail: detail.to_owned(),
        };
        kept.insert(key, known);
    }
}

#[cfg(test)]
mod tests {
    use model::tracking::{Part, TargetName, TrackingKey};

    use super::*;
    use crate::tracking::question::Slot;
    use crate::tracking::values::Scale;

    fn question(alarm: Option<&str>, expression: &str) -> Question {
        let query = MetricDataQuery::builder().id("e").expression(expression);
        Question {
            key: TrackingKey("demo/web".parse().unwrap()),
            slot: Slot::Value(TargetName::Alarm, Part::Fleet),
            queries: vec![query.build()],
            returned: "e".to_owned(),
            period: Seconds(60),
            of_periods: Seconds(60),
            scale: Scale::ONE,
            span: Seconds(2_100),
            ahead: Seconds::ZERO,
            alarm: alarm.map(|it| it.parse().unwrap()),
        }
    }

    #[test]
    fn a_refusal_holds_for_a_while_and_for_this_definition() {
        let now = Timestamp::from_second(1_772_442_000).unwrap();
        let recent = Frame::UpTo(now);
        let earlier = Frame::Around(now);
        let refusals = KnownRefusals::default();
        let refused = question(Some("backlog"), "odd(m)");
        refusals.keep(&refused, recent, Some(now), "ValidationError: odd");
        let before = Seconds(599).after(now);
        let check = |question: &Question, frame, at, is_known: bool| {
            let known = refusals.get(question, frame, Some(at));
            assert_eq!(known.as_deref(), is_known.then_some("ValidationError: odd"));
        };
        check(&refused, recent, before, true);
        check(&refused, recent, KEPT_FOR.after(now), false);
        check(&refused, earlier, now, false);
        check(&question(Some("backlog"), "m"), recent, now, false);
        check(&question(Some("other"), "odd(m)"), recent, now, false);
        let own = question(None, "odd(m)");
        refusals.keep(&own, recent, Some(now), "ValidationError: odd");
        check(&own, recent, now, false);
    }

    #[test]
    fn more_alarms_than_are_kept_begin_anew() {
        let now = Timestamp::from_second(1_772_442_000).unwrap();
        let recent = Frame::UpTo(now);
        let refusals = KnownRefusals::default();
        let of = |number: usize| question(Some(&format!("alarm-{number}")), "odd(m)");
        let is_known = |number| refusals.get(&of(number), recent, Some(now)).is_some();
        (0..KEPT_MAX).for_each(|number| refusals.keep(&of(number), recent, Some(now), "odd"));
        refusals.keep(&of(3), recent, Some(now), "odd");
        assert!(is_known(0) && is_known(KEPT_MAX - 1));
        refusals.keep(&of(KEPT_MAX), recent, Some(now), "odd");
        assert!(!is_known(0) && is_known(KEPT_MAX));
    }
}
