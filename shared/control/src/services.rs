//! What is the same for the functions that look after services: spot-fallback's pairs and service-scaler's fleets.

use std::collections::{BTreeMap, BTreeSet};

use model::memory::Write;
use model::policy::TAG_STANDBY;
use model::snapshot::{Gap, PassedOver, Scope, Service, Standby};
use model::{ClusterName, ServiceKey};

use crate::coalesce::NAMES_SHOWN_MAX;
use crate::record::Triggers;
use crate::trouble::Trouble;

/// The most services that one look names singly. With more, their clusters are looked at whole, which costs fewer calls: a service of a
/// pair costs two `ListTasks` calls either way, and a sweep finds the services by `ListServices` pages of 100
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>) instead of by name.
pub const SERVICES_PER_LOOK_MAX: usize = 200;

/// What is looked at for these services. An event may name services of several clusters; those of other installations are left out.
pub(crate) fn scope(
    named: BTreeSet<ServiceKey>,
    everything: bool,
    installed: &[ClusterName],
) -> Option<Scope> {
    if everything {
        return Some(Scope::Clusters(installed.to_vec()));
    }
    let is_ours = |it: &ServiceKey| installed.is_empty() || installed.contains(&it.cluster);
    let named: BTreeSet<ServiceKey> = named.into_iter().filter(is_ours).collect();
    if named.is_empty() {
        None
    } else if named.len() > SERVICES_PER_LOOK_MAX {
        let clusters: BTreeSet<ClusterName> = named.into_iter().map(|it| it.cluster).collect();
        Some(Scope::Clusters(clusters.into_iter().collect()))
    } else {
        Some(Scope::Services(named))
    }
}

/// Enters the services that the events named into the record.
pub(crate) fn enter(triggers: &mut Triggers, named: &BTreeSet<ServiceKey>) {
    triggers.services_count = Some(named.len());
    triggers.services = Some(named.iter().take(NAMES_SHOWN_MAX).cloned().collect());
}

/// A subject of a snapshot, as far as its services go.
pub(crate) struct Whole<'a> {
    /// The service that gives the subject its name.
    pub(crate) primary: &'a Service,
    /// The standby beside it. `None`: there is none.
    pub(crate) standby: Option<&'a Standby>,
    /// What could not be observed of it.
    pub(crate) gaps: &'a [Gap],
    /// Whether something else went wrong with it.
    pub(crate) is_concerned: bool,
}

impl Whole<'_> {
    /// Its services, as far as the primary's tag tells.
    fn services(&self) -> impl Iterator<Item = ServiceKey> {
        let key = &self.primary.key;
        let named = || {
            let name = self.primary.tags.get(TAG_STANDBY.name)?.parse().ok()?;
            Some(ServiceKey::new(key.cluster.clone(), name))
        };
        let standby = self.standby.and_then(|standby| match standby {
            Standby::Present(standby) => Some(standby.key.clone()),
            Standby::Missing | Standby::Unknown => named(),
        });
        std::iter::once(key.clone()).chain(standby)
    }
}

/// What a look left open: gaps of its own, subjects that something went wrong with, and services that could not be read.
pub(crate) fn trouble<'a>(
    gaps: &[Gap],
    wholes: impl Iterator<Item = Whole<'a>>,
    passed_over: &BTreeMap<ServiceKey, PassedOver>,
) -> Trouble<ServiceKey> {
    let mut trouble = Trouble {
        beyond: !gaps.is_empty(),
        ..Trouble::default()
    };
    for whole in wholes {
        let services: Vec<ServiceKey> = whole.services().collect();
        let belongs = services.iter().cloned();
        let to = &whole.primary.key;
        trouble
            .belongs_to
            .extend(belongs.map(|it| (it, to.clone())));
        if whole.is_concerned || !whole.gaps.is_empty() {
            trouble.concerned.extend(services.iter().cloned());
        }
        trouble.seen.extend(services);
    }
    for (key, why) in passed_over {
        trouble.seen.insert(key.clone());
        if why.gap().is_some() {
            trouble.concerned.insert(key.clone());
        }
    }
    trouble
}

/// Nothing was seen of what was asked for.
pub(crate) fn trouble_blind(scope: &Scope) -> Trouble<ServiceKey> {
    match scope {
        Scope::Services(keys) => Trouble {
            concerned: keys.clone(),
            ..Trouble::default()
        },
        Scope::Clusters(_) | Scope::Departures { .. } => Trouble {
            beyond: true,
            ..Trouble::default()
        },
    }
}

/// Everything that could not be observed, each once.
pub(crate) fn gaps<'a>(
    of_snapshot: &'a [Gap],
    of_subjects: impl Iterator<Item = &'a Gap>,
    passed_over: &'a BTreeMap<ServiceKey, PassedOver>,
) -> BTreeSet<Gap> {
    let unread = passed_over.values().filter_map(PassedOver::gap);
    of_snapshot
        .iter()
        .chain(of_subjects)
        .chain(unread)
        .cloned()
        .collect()
}

/// Whether a desired count can come of this write: the write happened, or perhaps did not.
pub(crate) const fn explains(write: Write, found: u32) -> bool {
    write.to == found || (!write.confirmed && write.from == found)
}
