//! Instances that were said to wait in a lifecycle hook and that a look at very many did not find.

use std::collections::BTreeSet;

use model::InstanceId;
use model::drain::{DrainKey, DrainSnapshot, InstancePassedOver};
use model::trigger::Hints;
use observe::DrainObserver;

use crate::departures::events::named;

/// The instances that were said to wait in a hook and that were found in no group, where too many were named to ask about each: one may be on its
/// way out of a warm pool, which no list of groups shows, and only its event tells that it waits. They alone are looked at next, and so are asked
/// about by their ids.
pub(super) fn unfound(snapshot: &DrainSnapshot, hints: &Hints) -> BTreeSet<DrainKey> {
    let groups = snapshot.groups.values();
    let looked: usize = groups.map(|it| it.instances.len()).sum();
    let named_count = looked.saturating_add(snapshot.passed_over.len());
    if snapshot.is_full || named_count <= DrainObserver::INSTANCES_ASKED_MAX {
        return BTreeSet::new();
    }
    let told = hints.lifecycle_actions.iter();
    let told: BTreeSet<&InstanceId> = told.map(|(_, action)| &action.instance).collect();
    let unfound = told.into_iter().filter(|id| {
        let why = snapshot.passed_over.get(*id);
        why.is_some_and(is_in_no_group)
    });
    let unfound = unfound.take(DrainObserver::INSTANCES_ASKED_MAX);
    unfound.map(|id| named(id.clone())).collect()
}

/// Whether it is in no group, as far as was seen.
const fn is_in_no_group(why: &InstancePassedOver) -> bool {
    match why {
        InstancePassedOver::NotFound | InstancePassedOver::NotRegistered => true,
        InstancePassedOver::NotOptedIn { group, .. } => group.is_none(),
        InstancePassedOver::LeftToSchedule { .. } | InstancePassedOver::Unread { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::Timestamp;
    use model::snapshot::{Gap, GapCause};
    use model::trigger::LifecycleAction;

    use super::*;

    const TOLD: &str = "i-0123456789abcdef0";

    /// Whether the instance that was said to wait is looked at by name, where this is why it was passed over beside so many others.
    fn check(why: InstancePassedOver, others: usize, want: bool) {
        let text = format!("{why:?} beside {others}");
        let id: InstanceId = TOLD.parse().unwrap();
        let others = (0..others).map(|it| format!("i-{it:017x}").parse().unwrap());
        let others = others.map(|it| (it, InstancePassedOver::NotFound));
        let snapshot = DrainSnapshot {
            taken_at: Timestamp::UNIX_EPOCH,
            is_full: false,
            groups: BTreeMap::new(),
            clusters: BTreeMap::new(),
            passed_over: others.chain([(id.clone(), why)]).collect(),
            outside: BTreeMap::new(),
            searched: BTreeSet::new(),
            gaps: Vec::new(),
        };
        let action = LifecycleAction {
            group: "workers".parse().unwrap(),
            hook: "ballast-instance-drain".parse().unwrap(),
            instance: id.clone(),
            token: None,
            origin: None,
            destination: None,
        };
        let hints = Hints {
            lifecycle_actions: vec![(None, action)],
            ..Hints::default()
        };
        let want: BTreeSet<DrainKey> = want.then(|| named(id)).into_iter().collect();
        assert_eq!(unfound(&snapshot, &hints), want, "{text}");
        assert_eq!(unfound(&snapshot, &Hints::default()), [].into(), "{text}");
        let full = DrainSnapshot {
            is_full: true,
            ..snapshot
        };
        assert_eq!(unfound(&full, &hints), [].into(), "{text}");
    }

    #[test]
    fn what_waits_and_was_not_asked_about_is_looked_at_by_name() {
        let in_cluster = || InstancePassedOver::NotOptedIn {
            group: None,
            cluster: Some("demo".parse().unwrap()),
        };
        check(InstancePassedOver::NotFound, 1_000, true);
        check(InstancePassedOver::NotRegistered, 1_000, true);
        check(in_cluster(), 1_000, true);
        // It was asked about by its id.
        check(InstancePassedOver::NotFound, 999, false);
        let group = "workers".parse().unwrap();
        check(InstancePassedOver::LeftToSchedule { group }, 1_000, false);
        let of_other = InstancePassedOver::NotOptedIn {
            group: Some("other".parse().unwrap()),
            cluster: None,
        };
        check(of_other, 1_000, false);
        // Its event comes again.
        let gap = Gap {
            operation: "autoscaling:DescribeAutoScalingGroups".to_owned(),
            resource: "*".to_owned(),
            cause: GapCause::Throttled,
            detail: "slow down".to_owned(),
        };
        check(InstancePassedOver::Unread { gap }, 1_000, false);
    }
}
