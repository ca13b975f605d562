//! Are more tasks counted than can have run?
//!
//! How many tasks ran is told by the sample count of their CPU, of which there is one a minute for each task, or one every 20 seconds where
//! the service's `monitoring` says so (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_MetricConfiguration.html>). ECS tells
//! of a service only by its revisions which of the two it is, so that a tag says it. Where that is wrong, three times as many tasks are
//! counted as ran, and every load of a metric for each task is three times too large: the service would climb to its maximum.
//!
//! Guaranteed: a deployment, which may run twice as many for a while, a scale-in whose counts are still seen, and one period that is odd
//! are no miscount. A load of a period that began before it was over is not followed, however long that period is, and is no peak for a
//! forecast to start from. The tag sets right what is followed at once: what was counted is read anew. Where the ledger does not answer,
//! it is not known what ran a moment ago, and nothing new is said.
//!
//! Absent: counts that are too small. Where values come less often than the tag says, periods are missing, and nothing is lowered.

use jiff::Timestamp;
use model::Seconds;
use model::ids::ServiceKey;
use model::snapshot::Service;
use model::tracking::readings::{FRESH_FOR, Part};
use model::tracking::{Fleet, Miscount, TrackingMemory, UnusableMetric};

use super::case;
use super::levels;
use super::pace::{Need, SETTLED_AFTER};

/// So many tenths of the tasks that can have run are too many: between the two of a deployment with a maximum of 200 % and the three of a
/// wrong tag.
pub const TENTHS_TOO_MANY: i64 = 25;

/// So many settled periods in a row must show it.
pub const PERIODS_TOO_MANY: usize = 3;

/// A miscount is remembered for so long after it was seen last, unless the tag is changed: when tasks are added, what was counted before is
/// for a while not too many for what can run now.
pub const KEPT_FOR: Seconds = Seconds(600);

/// What was asked for so long ago may still be counted: a load balancer lets a task go within an hour at most, the newest settled count may be
/// six minutes old, and the first of the three in a row is older by as many periods.
/// <https://docs.aws.amazon.com/elasticloadbalancing/latest/application/edit-target-group-attributes.html#deregistration-delay>
pub const ASKED_FOR: Seconds = Seconds(4_200);

/// When it goes on being seen, what is remembered is renewed no more often than this.
const RENEWED_AFTER: Seconds = Seconds(300);

/// What was counted wrong is remembered for so much longer, because it is still looked at: longer than any peak, and than the values of
/// an hour's periods are new enough.
const PAST_FOR: Seconds = Seconds(21_600);

/// That more tasks are counted than can have run, or were a short while ago; or so long ago that what was counted then is looked at still.
pub(crate) fn find(
    fleet: &Fleet,
    memory: Option<&TrackingMemory>,
    now: Timestamp,
) -> Option<Miscount> {
    let memory = memory?;
    let before = memory.miscount.as_ref();
    let before = before.filter(|it| now < PAST_FOR.after(counted_from(it)));
    let is_new =
        before.is_none_or(|it| !is_in_force(it, fleet, now) || RENEWED_AFTER.after(it.at) <= now);
    let shown = shown(fleet, memory, now).filter(|_| is_new);
    shown.or_else(|| before.cloned())
}

/// Whether a metric of each task is not followed because of it: it lasts, or what the metric needs now was counted while it did.
pub(crate) fn spoils(
    miscount: &Miscount,
    fleet: &Fleet,
    need: Option<&Need>,
    now: Timestamp,
) -> bool {
    let counted_then = need.is_some_and(|it| it.measured_from < counted_from(miscount));
    let is_by_this_tag = miscount.resolution == fleet.resolution;
    is_in_force(miscount, fleet, now) || (is_by_this_tag && counted_then)
}

/// Whether it lasts.
fn is_in_force(miscount: &Miscount, fleet: &Fleet, now: Timestamp) -> bool {
    miscount.resolution == fleet.resolution && now < counted_from(miscount)
}

/// From when on what is counted counts again.
pub(crate) fn counted_from(miscount: &Miscount) -> Timestamp {
    KEPT_FOR.after(miscount.at)
}

/// Why no metric of each task can be followed.
pub(crate) fn why(miscount: &Miscount) -> UnusableMetric {
    UnusableMetric::TaskCounts {
        service: miscount.service.clone(),
        counted: miscount.counted,
        at_most: miscount.at_most,
    }
}

/// That more tasks are counted than can have run.
fn shown(fleet: &Fleet, memory: &TrackingMemory, now: Timestamp) -> Option<Miscount> {
    let primary = &fleet.primary;
    let of_primary = can_run(primary).max(asked_for(memory, now));
    let said = |part, key: &ServiceKey, at_most: u32| {
        let counted_milli = counted_throughout(fleet, part, now)?;
        let too_many = i64::from(at_most).saturating_mul(TENTHS_TOO_MANY * 100);
        let is_too_many = at_most > 0 && counted_milli >= too_many;
        is_too_many.then(|| Miscount {
            at: now,
            resolution: fleet.resolution,
            service: key.clone(),
            counted: u32::try_from(counted_milli / 1_000).unwrap_or(u32::MAX),
            at_most,
        })
    };
    said(Part::Primary, &primary.key, of_primary).or_else(|| {
        // What a standby ran a moment ago is not remembered. It never stands in for more than its primary.
        let standby = case::standby(fleet)?;
        let at_most = can_run(standby).max(of_primary);
        said(Part::Standby, &standby.key, at_most)
    })
}

/// The most tasks that may run of a service, by what ECS answers.
fn can_run(service: &Service) -> u32 {
    let there = service.running_count.saturating_add(service.pending_count);
    there.max(service.desired_count)
}

/// The most tasks that were asked for lately, by what is remembered. The last write counts however old it is: what somebody else took away
/// since is not noticed yet.
fn asked_for(memory: &TrackingMemory, now: Timestamp) -> u32 {
    let is_recent = |at: Timestamp| now < ASKED_FOR.after(at);
    let asked = levels::asked_since(memory, ASKED_FOR.before(now));
    let before = memory.wrote.filter(|it| is_recent(it.at));
    let foreign = memory.foreign.filter(|it| is_recent(it.noticed_at));
    let counts = [
        memory.wrote.map(|it| it.to),
        before.map(|it| it.from),
        asked,
        foreign.map(|it| it.found),
    ];
    counts.into_iter().flatten().max().unwrap_or(0)
}

/// The smallest count of the last settled periods, in thousandths of a task; `None` where there are too few, or none that is new enough.
fn counted_throughout(fleet: &Fleet, part: Part, now: Timestamp) -> Option<i64> {
    let settled_by = SETTLED_AFTER.before(now);
    let new_from = Seconds(FRESH_FOR.0.saturating_add(SETTLED_AFTER.0)).before(now);
    let series = fleet.task_counts.iter().find(|it| it.part == part)?;
    let settled = series
        .points
        .partition_point(|it| series.period.after(it.at) <= settled_by);
    let from = settled.checked_sub(PERIODS_TOO_MANY)?;
    let latest = series.points.get(from..settled)?;
    let is_new = new_from <= series.period.after(latest.last()?.at);
    let least = latest.iter().map(|it| it.value_milli).min();
    least.filter(|_| is_new)
}
