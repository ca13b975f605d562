//! What is the invocation's, and what is somebody else's or was seen a moment ago.

use model::trigger::{Envelope, Trigger, TriggerKind};
use model::{AccountId, ClusterName, RegionName, Timestamp};

use crate::duty::Interest;

/// Where the function runs and what it may look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Home {
    /// The function's account; `None` where it is not known, then every account's events are taken.
    pub account: Option<AccountId>,
    /// The function's Region; `None` where it is not known, then every Region's events are taken.
    pub region: Option<RegionName>,
    /// The clusters that the installation is for; empty means every cluster.
    pub clusters: Vec<ClusterName>,
    /// AWS's time at the process's last look at everything; `None` where there was none.
    pub looked_at: Option<Timestamp>,
}

/// Why a trigger that was understood leads to no look. `trigger` and the duty have their own reasons beside these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outside {
    Account,
    Region,
    Cluster,
}

impl Outside {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "other_account",
            Self::Region => "other_region",
            Self::Cluster => "other_cluster",
        }
    }
}

/// Why an event that names nothing leads to no look: everything has been looked at since it came, or a moment before.
pub(crate) const LOOKED_LATELY: &str = "looked_lately";

/// Why a trigger is not this installation's.
pub(crate) fn outside(trigger: &Trigger, home: &Home) -> Option<Outside> {
    let differs = |mine: Option<&str>, theirs: Option<&str>| matches!((mine, theirs), (Some(mine), Some(theirs)) if mine != theirs);
    let Envelope {
        account, region, ..
    } = &trigger.envelope;
    if differs(
        home.account.as_ref().map(AccountId::as_str),
        account.as_ref().map(AccountId::as_str),
    ) {
        return Some(Outside::Account);
    }
    if differs(
        home.region.as_ref().map(RegionName::as_str),
        region.as_ref().map(RegionName::as_str),
    ) {
        return Some(Outside::Region);
    }
    let cluster = trigger.kind.cluster()?;
    (!home.clusters.is_empty() && !home.clusters.contains(cluster)).then_some(Outside::Cluster)
}

/// Whether everything has been looked at since this happened, or a moment before. The schedule is never held back, nor is an event without
/// a time, which AWS does not send.
pub(crate) fn looked_lately<I: Interest>(
    Trigger { envelope, kind }: &Trigger,
    home: &Home,
) -> bool {
    let is_scheduled = matches!(kind, TriggerKind::Scheduled);
    let (Some(apart), Some(looked_at), Some(happened)) =
        (I::LOOKS_APART, home.looked_at, envelope.time)
    else {
        return false;
    };
    !is_scheduled && happened < apart.after(looked_at)
}
