//! May this pair be touched at all? Each refusal is a hold that says why, and nothing of the pair is changed.

use model::plan::{HoldReason, Role};
use model::policy::{PairPolicy, TAG_STANDBY, TAG_STANDBY_OF};
use model::snapshot::{Controller, Pair, Scheduling, Service, ServiceStatus, Standby};
use model::strategy::Market;

use super::Look;

/// The policy and the standby of a pair that may be touched; or why it may not, the most basic reason first.
///
/// # Errors
/// The reason of the hold.
pub(crate) fn touchable<'a>(look: &Look<'a>) -> Result<(&'a PairPolicy, &'a Service), HoldReason> {
    let pair = look.pair;
    let policy = match &pair.policy {
        Ok(policy) => policy,
        Err(faults) => {
            return Err(HoldReason::SettingsUnusable {
                faults: faults.clone(),
            });
        }
    };
    if policy.paused {
        return Err(HoldReason::Paused);
    }
    let primary = &pair.primary;
    if primary.status != ServiceStatus::Active {
        return Err(HoldReason::PrimaryNotActive {
            status: primary.status.as_str().to_owned(),
        });
    }
    movable(primary, Role::Primary)?;
    let standby = present(pair, policy)?;
    belongs(&pair.primary, standby)?;
    if standby.status != ServiceStatus::Active {
        return Err(HoldReason::StandbyNotActive {
            status: standby.status.as_str().to_owned(),
        });
    }
    movable(standby, Role::Standby)?;
    suits(primary, standby)?;
    Ok((policy, standby))
}

/// A desired count exists, and ECS itself deploys the service.
fn movable(service: &Service, role: Role) -> Result<(), HoldReason> {
    if service.scheduling == Scheduling::Daemon {
        return Err(HoldReason::Daemon { role });
    }
    if service.controller != Controller::Ecs {
        return Err(HoldReason::ForeignController {
            role,
            controller: service.controller.as_str().to_owned(),
        });
    }
    Ok(())
}

fn present<'a>(pair: &'a Pair, policy: &PairPolicy) -> Result<&'a Service, HoldReason> {
    if policy.standby == pair.primary.key.service {
        return Err(HoldReason::StandbyIsPrimary);
    }
    match &pair.standby {
        Standby::Present(standby) => Ok(standby),
        Standby::Missing => Err(HoldReason::StandbyMissing {
            standby: policy.standby.clone(),
        }),
        Standby::Unknown => Err(HoldReason::StandbyUnread {
            gaps: pair.gaps.clone(),
        }),
    }
}

/// The standby says itself whose it is, and belongs to nobody else: however many primaries name it, its tag names one. So the answer does
/// not depend on which other pairs were looked at.
fn belongs(primary: &Service, standby: &Service) -> Result<(), HoldReason> {
    if standby.tags.contains_key(TAG_STANDBY.name) {
        return Err(HoldReason::StandbyIsPrimary);
    }
    let found = standby.tags.get(TAG_STANDBY_OF.name);
    if found.map(String::as_str) != Some(primary.key.service.as_str()) {
        return Err(HoldReason::StandbyNotTagged {
            found: found.map(|text| text.chars().take(256).collect()),
        });
    }
    Ok(())
}

/// The standby would run the same thing, on other capacity, and nobody else sets its count.
fn suits(primary: &Service, standby: &Service) -> Result<(), HoldReason> {
    let on_spot = standby
        .capacity
        .iter()
        .find(|share| share.places_tasks() && share.market == Market::Spot);
    if let Some(share) = on_spot {
        return Err(HoldReason::StandbyOnSpot {
            provider: share.item.provider.clone(),
        });
    }
    if primary.task_definition != standby.task_definition {
        return Err(HoldReason::TaskDefinitionDiffers {
            primary: primary.task_definition.clone(),
            standby: standby.task_definition.clone(),
        });
    }
    if standby.scaled_by_application_auto_scaling == Some(true) {
        return Err(HoldReason::StandbyScaledByApplicationAutoScaling);
    }
    Ok(())
}
