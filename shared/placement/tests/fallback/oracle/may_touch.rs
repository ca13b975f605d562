//! What keeps Ballast from touching a pair, or from giving back.

use std::collections::BTreeSet;

use jiff::Timestamp;
use model::memory::PairMemory;
use model::policy::PairPolicy;
use model::snapshot::{Controller, Gap, Pair, Scheduling, Service, ServiceStatus, Standby};
use model::strategy::Market;

use super::{SECOND, at, secs};
use crate::random::Situation;

/// What somebody else's hand, or the delay of our own, means for a pair.
pub(super) enum Writer {
    Ours,
    NotVisible {
        until: i128,
    },
    Foreign {
        until: i128,
        noticed: i128,
    },
    Adopted,
    /// The standby is younger than the last write.
    Nobody,
}

pub(super) fn writer(memory: &PairMemory, policy: &PairPolicy, standby: &Service) -> Writer {
    let found = standby.desired_count;
    let Some(wrote) = memory.wrote else {
        return Writer::Ours;
    };
    let made = standby.created_at.map_or(i128::MIN, at);
    if made > (at(wrote.at) + 30 * SECOND).min(at(Timestamp::MAX)) {
        return Writer::Nobody;
    }
    if found == wrote.to {
        return Writer::Ours;
    }
    let visible = (at(wrote.at) + 30 * SECOND).min(at(Timestamp::MAX));
    match (found == wrote.from, visible > 0, wrote.confirmed) {
        (true, true, _) => return Writer::NotVisible { until: visible },
        (true, false, false) => return Writer::Ours,
        _ => {}
    }
    let known = memory.foreign.filter(|it| it.found == found);
    let noticed = known.map_or(0, |it| at(it.noticed_at));
    let until = (noticed + secs(policy.foreign_hold)).min(at(Timestamp::MAX));
    if until > 0 {
        Writer::Foreign { until, noticed }
    } else {
        Writer::Adopted
    }
}

/// Every reason not to touch the pair.
pub(super) fn refusals(pair: &Pair) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut say = |is: bool, what: &str| {
        if is {
            found.insert(what.to_owned());
        }
    };
    let Ok(policy) = &pair.policy else {
        say(true, "settings_unusable");
        return found;
    };
    let primary = &pair.primary;
    say(policy.paused, "paused");
    say(
        primary.status != ServiceStatus::Active,
        "primary_not_active",
    );
    say(primary.scheduling == Scheduling::Daemon, "daemon primary");
    say(
        primary.controller != Controller::Ecs,
        "foreign_controller primary",
    );
    say(pair.standby == Standby::Missing, "standby_missing");
    say(pair.standby == Standby::Unknown, "standby_unread");
    let Standby::Present(standby) = &pair.standby else {
        return found;
    };
    say(
        standby.status != ServiceStatus::Active,
        "standby_not_active",
    );
    say(standby.scheduling == Scheduling::Daemon, "daemon standby");
    say(
        standby.controller != Controller::Ecs,
        "foreign_controller standby",
    );
    let of = standby.tags.get("ballast:standby-of").map(String::as_str);
    say(
        of != Some(primary.key.service.as_str()),
        "standby_not_tagged",
    );
    say(
        standby.tags.contains_key("ballast:standby"),
        "standby_is_primary",
    );
    say(
        primary.task_definition != standby.task_definition,
        "task_definition_differs",
    );
    let scaled = standby.scaled_by_application_auto_scaling == Some(true);
    say(scaled, "standby_scaled_by_application_auto_scaling");
    let on_spot = standby
        .capacity
        .iter()
        .any(|it| it.market == Market::Spot && (it.item.weight, it.item.base) != (0, 0));
    say(on_spot, "standby_on_spot");
    found
}

/// The gaps that keep a look at this pair from being complete.
pub(super) fn holes(situation: &Situation, pair: &Pair) -> Vec<Gap> {
    let cluster = pair.primary.key.cluster.to_string();
    let primary = pair.primary.key.to_string();
    let standby = format!("{primary}-standby");
    let about = |gap: &&Gap| ["*", &cluster, &primary, &standby].contains(&gap.resource.as_str());
    let shared = situation.snapshot.gaps.iter().filter(about);
    pair.gaps.iter().chain(shared).cloned().collect()
}
