//! The least and the most tasks that are allowed at a time, counted in minutes of the week.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use model::tracking::{Measures, TrackingPolicy};

const DAY: i32 = 24 * 60;
const WEEK: i32 = 7 * DAY;

/// The least and the most. Where a target is of each task, one task is the least there is, unless none may run.
pub(super) fn at(policy: &TrackingPolicy, now: Timestamp) -> (u32, u32) {
    let zone = TimeZone::get(&policy.time_zone).unwrap_or(TimeZone::UTC);
    let local = now.to_zoned(zone);
    let day = i32::from(local.weekday().to_monday_zero_offset());
    let minute = day * DAY + i32::from(local.hour()) * 60 + i32::from(local.minute());
    let (mut least, mut most) = (None, None);
    for window in &policy.windows {
        let (from, until) = (
            i32::from(window.from_minute),
            i32::from(window.until_minute),
        );
        let length = if until > from {
            until - from
        } else {
            until - from + DAY
        };
        let begins = (0..).zip(&window.days).filter(|(_, named)| **named);
        let mut since = begins.map(|(of_day, _)| (minute - of_day * DAY - from).rem_euclid(WEEK));
        if since.any(|it| it < length) {
            least = least.max(Some(window.min_tasks.unwrap_or(policy.bounds.min_tasks)));
            most = most.max(Some(window.max_tasks.unwrap_or(policy.bounds.max_tasks)));
        }
    }
    let least = least.unwrap_or(policy.bounds.min_tasks);
    let most = most.unwrap_or(policy.bounds.max_tasks);
    let mut measures = policy.targets.values().map(|it| it.measures);
    let keeps_one = most > 0 && measures.any(|it| it == Measures::PerTask);
    (if keeps_one { least.max(1) } else { least }, most)
}
