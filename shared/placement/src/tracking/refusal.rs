//! Can the service be tracked at all?

use model::policy::TAG_STANDBY_OF;
use model::snapshot::{PassedOver, Scheduling, ServiceStatus};
use model::tracking::{Fleet, TrackingHoldReason, TrackingPolicy};

/// The policy, or the reason why the service is not looked after. The first fault is named.
pub(crate) fn touchable(fleet: &Fleet) -> Result<&TrackingPolicy, TrackingHoldReason> {
    let service = &fleet.primary;
    let policy = match &fleet.policy {
        Ok(policy) => policy,
        Err(faults) => {
            return Err(TrackingHoldReason::PolicyFaults {
                faults: faults.clone(),
            });
        }
    };
    if service.tags.contains_key(TAG_STANDBY_OF.name) {
        return Err(TrackingHoldReason::IsStandby);
    }
    if service.status != ServiceStatus::Active {
        return Err(TrackingHoldReason::NotActive {
            status: service.status.as_str().to_owned(),
        });
    }
    match service.scheduling {
        Scheduling::Replica => Ok(policy),
        Scheduling::Daemon => Err(TrackingHoldReason::IsDaemon),
    }
}

/// Why a service that was passed over is left alone.
pub(crate) fn passed_over(why: &PassedOver) -> TrackingHoldReason {
    match why {
        PassedOver::NotOptedIn | PassedOver::StandbyWithoutPrimary { .. } => {
            TrackingHoldReason::NotOptedIn
        }
        PassedOver::NotFound => TrackingHoldReason::NotFound,
        PassedOver::Unread { gap } => TrackingHoldReason::Unread { gap: gap.clone() },
    }
}
