//! What a look at EC2 capacity says to the loop.

use std::collections::BTreeSet;

use model::ClusterName;
use model::capacity::{CapacitySnapshot, ProviderKey, ProviderPassedOver};
use model::snapshot::{Gap, Scope};

use crate::record::Seen;
use crate::trouble::Trouble;

/// The providers that are looked after: what is remembered is remembered of them.
pub(super) fn keys(snapshot: &CapacitySnapshot) -> BTreeSet<ProviderKey> {
    snapshot
        .providers()
        .map(|(_, provider)| provider.key.clone())
        .collect()
}

/// Everything that could not be observed, each once.
pub(super) fn gaps(snapshot: &CapacitySnapshot) -> BTreeSet<Gap> {
    let of_clusters = snapshot.clusters.values().flat_map(|it| &it.gaps);
    let of_providers = snapshot
        .providers()
        .flat_map(|(_, provider)| &provider.gaps);
    let unread = snapshot
        .passed_over
        .values()
        .filter_map(ProviderPassedOver::gap);
    snapshot
        .gaps
        .iter()
        .chain(of_clusters)
        .chain(of_providers)
        .chain(unread)
        .cloned()
        .collect()
}

/// How much was seen.
pub(super) fn counted(snapshot: &CapacitySnapshot) -> Seen {
    let instances = snapshot
        .providers()
        .map(|(_, provider)| provider.group.instances.len());
    let tasks = snapshot.clusters.values().map(|it| it.tasks.len());
    Seen {
        providers: Some(snapshot.providers().count()),
        instances: Some(instances.sum()),
        tasks: Some(tasks.sum()),
        passed_over: snapshot.passed_over.len(),
        ..Seen::default()
    }
}

/// What a look left open, and these providers, by their clusters.
pub(super) fn trouble(
    snapshot: &CapacitySnapshot,
    subjects: &BTreeSet<ProviderKey>,
) -> Trouble<ClusterName> {
    let mut trouble = Trouble {
        concerned: clusters_of(subjects),
        seen: snapshot.clusters.keys().cloned().collect(),
        beyond: !snapshot.gaps.is_empty(),
        ..Trouble::default()
    };
    for (name, cluster) in &snapshot.clusters {
        let providers = cluster.providers.values();
        let mut gaps = providers.flat_map(|it| &it.gaps).chain(&cluster.gaps);
        if gaps.next().is_some() {
            trouble.concerned.insert(name.clone());
        }
    }
    for (key, why) in &snapshot.passed_over {
        trouble.seen.insert(key.cluster.clone());
        if why.gap().is_some() {
            trouble.concerned.insert(key.cluster.clone());
        }
    }
    trouble
}

/// Nothing was seen of what was asked for.
pub(super) fn trouble_blind(scope: &Scope) -> Trouble<ClusterName> {
    let concerned: BTreeSet<ClusterName> = match scope {
        Scope::Clusters(clusters) => clusters.iter().cloned().collect(),
        Scope::Services(keys) => keys.iter().map(|it| it.cluster.clone()).collect(),
        Scope::Departures { .. } => BTreeSet::new(),
    };
    Trouble {
        // No name stands for every cluster.
        beyond: concerned.is_empty(),
        concerned,
        ..Trouble::default()
    }
}

/// The clusters of these providers.
pub(super) fn clusters_of(keys: &BTreeSet<ProviderKey>) -> BTreeSet<ClusterName> {
    keys.iter().map(|key| key.cluster.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use model::Timestamp;
    use model::capacity::ClusterCapacity;
    use model::snapshot::GapCause;

    use super::*;
    use crate::coalesce::Message;
    use crate::duty::About;

    fn gap() -> Gap {
        Gap {
            operation: "ecs:DescribeTasks".to_owned(),
            resource: "a".to_owned(),
            cause: GapCause::Throttled,
            detail: "slow down".to_owned(),
        }
    }

    fn cluster(name: &str, gaps: Vec<Gap>) -> (ClusterName, ClusterCapacity) {
        let name: ClusterName = name.parse().unwrap();
        let cluster = ClusterCapacity {
            cluster: name.clone(),
            default_strategy: vec![],
            providers: BTreeMap::new(),
            instances: BTreeMap::new(),
            tasks: vec![],
            services: BTreeMap::new(),
            task_definitions: BTreeMap::new(),
            gaps,
        };
        (name, cluster)
    }

    /// Clusters `a` (with these gaps) and `b`, and a provider of `c` that is passed over.
    fn snapshot(gaps: Vec<Gap>, why: ProviderPassedOver, beyond: Vec<Gap>) -> CapacitySnapshot {
        CapacitySnapshot {
            taken_at: Timestamp::UNIX_EPOCH,
            clusters: [cluster("a", gaps), cluster("b", vec![])].into(),
            passed_over: [("c/spare".parse().unwrap(), why)].into(),
            gaps: beyond,
        }
    }

    /// Which messages about the clusters `a` to `d`, and about everything, go back to the queue.
    fn check(trouble: &Trouble<ClusterName>, want: &[&str]) {
        let named = ["a", "b", "c", "d"].map(|it| (it, About::one(it.parse().unwrap())));
        let messages = named.into_iter().chain([("all", About::Everything)]);
        let messages = messages.map(|(id, about)| Message {
            id: Some(id.parse().unwrap()),
            about,
        });
        let kept = trouble.messages(messages.collect()).unwrap();
        let ids: Vec<&str> = kept.iter().map(|it| it.item_identifier.as_str()).collect();
        assert_eq!(ids, want, "{trouble:?}");
    }

    #[test]
    fn the_messages_of_the_clusters_concerned_go_back() {
        let of = |snapshot: &CapacitySnapshot, subjects: &[&str]| {
            let subjects = subjects.iter().map(|it| it.parse().unwrap()).collect();
            trouble(snapshot, &subjects)
        };
        let well = || ProviderPassedOver::NotOptedIn;
        check(&of(&snapshot(vec![], well(), vec![]), &[]), &[]);
        let failed = of(&snapshot(vec![], well(), vec![]), &["b/large"]);
        check(&failed, &["b", "all"]);
        let gaps = snapshot(vec![gap()], well(), vec![]);
        check(&of(&gaps, &[]), &["a", "all"]);
        let unread = snapshot(vec![], ProviderPassedOver::Unread { gap: gap() }, vec![]);
        check(&of(&unread, &[]), &["c", "all"]);
        // What was not seen may be behind a list that could not be read to its end.
        let beyond = snapshot(vec![], well(), vec![gap()]);
        check(&of(&beyond, &[]), &["d", "all"]);
        // A gap that is told at several places is one gap.
        assert_eq!(gaps_of_all(), 1);
        let blind = |names: &[&str]| {
            let names = names.iter().map(|it| it.parse().unwrap()).collect();
            trouble_blind(&Scope::Clusters(names))
        };
        check(&blind(&["a"]), &["a", "all"]);
        check(&blind(&[]), &["a", "b", "c", "d", "all"]);
    }

    fn gaps_of_all() -> usize {
        let unread = ProviderPassedOver::Unread { gap: gap() };
        gaps(&snapshot(vec![gap()], unread, vec![gap()])).len()
    }
}
