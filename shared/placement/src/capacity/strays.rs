//! Instances that were bought for tasks and take none of them: the group launched another type, or in another zone, than the tasks need.
//!
//! Which type is launched, and where, is the group's choice. Once instances were asked for because tasks fit on nothing that is there or
//! on its way, each one that comes in since, empty, and that none of these tasks fits on, stands for one that was asked for: it is not
//! asked for again. One more is tried after 5 minutes, and each time that this comes to nothing the pause doubles, up to an hour. As soon
//! as nothing more is needed than what is there or on its way, all of it is forgotten.
//!
//! Guaranteed: however often is looked, no more of them are asked for at once than the tasks need, and afterwards one at a time. What
//! a look with gaps does not see in the cluster counts as one of them as well.
//!
//! Assumed: without a memory those that came in within the last hour are meant.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::capacity::{ProviderMemory, Sought, Unplaceable, Unplaced};
use model::{InstanceId, InstanceType};

use super::case::{Member, MemberState};
use super::launching::{PAUSE_MAX, pause};

/// What was asked for earlier and may have come to nothing.
#[derive(Clone, Default)]
pub(crate) struct Newcomers<'a> {
    sought: Option<Sought>,
    /// The empty instances that came in since.
    empty: BTreeSet<&'a InstanceId>,
    /// Whether one more may be tried.
    may_try: bool,
}

/// Instances that none of the tasks that lack room fits on, and for which nothing else is bought now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Strays {
    pub(crate) instances: u32,
    /// The type of the first.
    pub(crate) instance_type: Option<InstanceType>,
    /// Whose tasks they were launched for; the first of these.
    pub(crate) whose: String,
    pub(crate) times: u32,
    pub(crate) until: Timestamp,
}

impl<'a> Newcomers<'a> {
    /// `memory` is `None` where what was asked for is not known.
    pub(crate) fn new(
        memory: Option<&ProviderMemory>,
        members: &[Member<'a>],
        now: Timestamp,
    ) -> Self {
        let unknown = Sought {
            since: PAUSE_MAX.before(now),
            times: 1,
            until: PAUSE_MAX.after(now),
        };
        let Some(sought) = memory.map_or(Some(unknown), |memory| memory.sought) else {
            return Self::default();
        };
        let came_since = |member: &&Member<'_>| {
            if let Some(launched_at) = member.instance.launched_at {
                return sought.since <= launched_at;
            }
            let registered_at = member.container.and_then(|it| it.registered_at);
            let unregistered = memory.and_then(|it| it.unregistered.get(member.id).copied());
            let came_at = registered_at.or(unregistered);
            came_at.is_none_or(|at| sought.since < at)
        };
        let is_empty = |member: &&Member<'_>| match member.state {
            MemberState::Active | MemberState::Launching => !member.is_used(),
            MemberState::Overdue
            | MemberState::Disconnected
            | MemberState::Draining(_)
            | MemberState::DrainedElsewhere
            | MemberState::Leaving
            | MemberState::OutOfService => false,
        };
        let empty = members.iter().filter(is_empty).filter(came_since);
        Self {
            sought: Some(sought),
            empty: empty.map(|it| it.id).collect(),
            may_try: sought.until <= now,
        }
    }

    /// The same once these drain.
    pub(crate) fn without(&self, drained: &BTreeSet<&'a InstanceId>) -> Self {
        let mut left = self.clone();
        left.empty.retain(|it| !drained.contains(it));
        left
    }

    /// How many of `opened` new instances may be asked for; `usable` are those that tasks were put on.
    pub(crate) fn may_open(&self, opened: u32, usable: &BTreeSet<&InstanceId>) -> u32 {
        match self.of_no_use(usable) {
            0 => opened,
            of_no_use => opened
                .saturating_sub(of_no_use)
                .max(u32::from(self.may_try))
                .min(opened),
        }
    }

    fn of_no_use(&self, usable: &BTreeSet<&InstanceId>) -> u32 {
        u32::try_from(self.empty.difference(usable).count()).unwrap_or(u32::MAX)
    }

    /// What to say where nothing more is asked for.
    pub(crate) fn strays(
        &self,
        members: &[Member<'a>],
        usable: &BTreeSet<&InstanceId>,
        whose: String,
    ) -> Option<Strays> {
        let sought = self.sought?;
        let mut of_no_use = self.empty.difference(usable);
        let first = *of_no_use.next()?;
        let member = members.iter().find(|it| it.id == first)?;
        Some(Strays {
            instances: self.of_no_use(usable),
            instance_type: member.instance.instance_type.clone(),
            whose,
            times: sought.times,
            until: sought.until,
        })
    }
}

/// Forgets what was asked for once nothing more is needed and no pool is waited for.
pub(crate) fn forget(memory: &mut ProviderMemory, opened: u32, unplaced: &[Unplaced]) {
    let awaits_pool = |it: &Unplaced| matches!(it.why, Unplaceable::NoPoolLeft { .. });
    if opened == 0 && !unplaced.iter().any(awaits_pool) {
        memory.sought = None;
    }
}

/// Remembers that more is asked for because tasks fit on nothing that is there. `again`: what came since is of no use to them.
pub(crate) fn note_raise(memory: &mut ProviderMemory, again: bool, now: Timestamp) {
    memory.sought = Some(match memory.sought {
        None => Sought {
            since: now,
            times: 1,
            until: pause(1).after(now),
        },
        Some(before) if again && before.until <= now => {
            let times = before.times.saturating_add(1);
            Sought {
                times,
                until: pause(times).after(now),
                ..before
            }
        }
        Some(before) => Sought {
            until: pause(before.times).after(now).max(before.until),
            ..before
        },
    });
}
