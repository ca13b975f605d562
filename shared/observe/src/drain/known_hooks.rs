//! The lifecycle hooks that this process has read of groups, kept for a while: a hook changes rarely, and each group's cost a call of the 2.5
//! a second that EC2 Auto Scaling takes.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};

use model::drain::LifecycleHook;
use model::{AutoScalingGroupName, LifecycleHookName, Seconds, Timestamp};

use crate::limits::{HOOKS_KEPT_FOR, HOOKS_KEPT_MAX};

/// The hooks of a group for instances on their way out, by name.
pub(crate) type Hooks = BTreeMap<LifecycleHookName, LifecycleHook>;

/// Into how many parts [`HOOKS_KEPT_FOR`] is cut: what a process reads first is kept for one to all of them, so that what it read in
/// one look is not all read again in one look.
const PARTS: i64 = 5;

/// The hooks of groups.
#[derive(Debug, Default)]
pub(crate) struct KnownHooks {
    by_group: Mutex<BTreeMap<AutoScalingGroupName, Known>>,
}

#[derive(Debug)]
struct Known {
    until: Timestamp,
    hooks: Hooks,
}

impl KnownHooks {
    /// The hooks of a group. `None`: they were not read, or too long ago.
    pub(crate) fn get(&self, group: &AutoScalingGroupName, now: Timestamp) -> Option<Hooks> {
        let kept = self.by_group.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.get(group).filter(|it| now < it.until)?;
        Some(known.hooks.clone())
    }

    /// Keeps what was read at `now`.
    pub(crate) fn keep(&self, group: &AutoScalingGroupName, hooks: Hooks, now: Timestamp) {
        let mut kept = self.by_group.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known = kept.contains_key(group);
        let lasts = if is_known {
            HOOKS_KEPT_FOR
        } else {
            first_kept_for(group)
        };
        // Groups that were deleted stay behind; starting over is simpler than knowing which.
        if !is_known && kept.len() >= HOOKS_KEPT_MAX {
            kept.clear();
        }
        let until = lasts.after(now);
        kept.insert(group.clone(), Known { until, hooks });
    }
}

/// How long the hooks of a group are kept that were never read before.
fn first_kept_for(group: &AutoScalingGroupName) -> Seconds {
    let mut hasher = DefaultHasher::new();
    group.hash(&mut hasher);
    let parts = 1_u64.saturating_add(hasher.finish() % PARTS.unsigned_abs());
    let parts = i64::try_from(parts).unwrap_or(PARTS);
    Seconds(HOOKS_KEPT_FOR.0.saturating_mul(parts) / PARTS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_second(1_772_442_000 + secs).unwrap()
    }

    fn group(number: usize) -> AutoScalingGroupName {
        format!("workers-{number}").parse().unwrap()
    }

    /// How many of 1,000 groups are read at each minute, where every group's hooks are asked for in every minute.
    #[test]
    fn what_was_read_in_one_look_is_read_again_in_five() {
        let known = KnownHooks::default();
        let reads = |minute: i64| {
            let now = at(minute * 60);
            let missing = (0..1_000).filter(|number| known.get(&group(*number), now).is_none());
            let missing: Vec<usize> = missing.collect();
            for number in &missing {
                known.keep(&group(*number), Hooks::new(), now);
            }
            missing.len()
        };
        assert_eq!(reads(0), 1_000);
        for minute in 1..=15 {
            let count = reads(minute);
            assert!((150..=250).contains(&count), "{count} at {minute}");
        }
    }

    #[test]
    fn nothing_is_kept_longer_than_it_may_and_more_groups_than_are_kept_begin_anew() {
        let known = KnownHooks::default();
        for number in 0..HOOKS_KEPT_MAX {
            known.keep(&group(number), Hooks::new(), at(0));
            known.keep(&group(number), Hooks::new(), at(1));
        }
        let is_known = |number: usize, secs| known.get(&group(number), at(secs)).is_some();
        let (last, late) = (HOOKS_KEPT_FOR.0, HOOKS_KEPT_FOR.0 + 1);
        assert!(is_known(3, last) && !is_known(3, late));
        assert!(is_known(HOOKS_KEPT_MAX - 1, 59));
        known.keep(&group(HOOKS_KEPT_MAX), Hooks::new(), at(2));
        assert!(!is_known(3, 2) && is_known(HOOKS_KEPT_MAX, 2));
    }
}
