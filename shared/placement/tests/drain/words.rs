//! Random words: what was said about instances, and what is remembered of them.

use model::InstanceId;
use model::drain::{CauseKind, DepartureCause, DrainKey, MaintenanceKey, Reversal};
use model::trigger::{MachineState, Notice, NoticeHint};

use crate::random::{Tape, departure, memory};
use crate::scene::Scene;

/// The ages of warnings, around every limit.
const AGES_SECS: [i64; 14] = [
    10, 0, 9, 30, 60, 95, 119, 120, 121, 299, 300, 3_599, 3_600, 86_400,
];

const CODES: [&str; 5] = [
    "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_INSTANCE_REBOOT_MAINTENANCE_SCHEDULED",
    "AWS_EC2_PERSISTENT_INSTANCE_RETIREMENT_SCHEDULED",
    "AWS_EC2_INSTANCE_NETWORK_MAINTENANCE_SCHEDULED",
    "",
];

/// When maintenance begins, in seconds before now.
const MAINTENANCE_SECS: [i64; 8] = [-600, -1_800, -1_801, -90_000, 0, 10, 3_599, 3_600];

/// What EC2 does with the instance that it warned of so long ago: two warnings of one moment are the same warning.
fn action(secs: i64) -> String {
    let action = match secs {
        60 | 299 => "hibernate",
        95 => "stop",
        119 => "",
        _ => "terminate",
    };
    action.to_owned()
}

/// Which event of AWS Health says it: mostly the same.
fn event(tape: &mut Tape) -> Option<String> {
    let event = match tape.roll(6) {
        0 => None,
        1 => Some("2"),
        _ => Some("1"),
    };
    event.map(ToOwned::to_owned)
}

pub(crate) fn said(scene: &mut Scene, id: &InstanceId, tape: &mut Tape) {
    let (at, action) = match tape.roll(10) {
        8 => (None, action(0)),
        9 => (Some(scene.ago(-30)), action(0)),
        _ => {
            let secs = tape.of(&AGES_SECS);
            (Some(scene.ago(secs)), action(secs))
        }
    };
    let notice = match tape.roll(12) {
        0..=3 => Notice::SpotInterruption { action },
        4 => Notice::CapacityReservationInterruption { action },
        5 | 6 => Notice::Rebalance,
        7..=9 => Notice::StateChanged {
            state: tape.of(&[
                MachineState::Stopping,
                MachineState::Stopped,
                MachineState::ShuttingDown,
                MachineState::Terminated,
                MachineState::Running,
                MachineState::Pending,
                MachineState::Other,
            ]),
        },
        10.. => Notice::Maintenance {
            code: tape.of(&CODES).to_owned(),
            health_event: event(tape),
            starts_at: (!tape.one_in(6)).then(|| scene.ago(tape.of(&MAINTENANCE_SECS))),
            is_over: tape.one_in(4),
        },
    };
    scene.hints.notices.push(NoticeHint {
        at,
        instance: id.clone(),
        notice,
    });
}

pub(crate) fn cause(scene: &Scene, secs: i64, tape: &mut Tape) -> DepartureCause {
    let at = scene.ago(secs);
    match tape.roll(9) {
        0 | 1 => DepartureCause::SpotInterruption {
            warned_at: at,
            action: action(secs),
        },
        2 => DepartureCause::CapacityReservationInterruption { warned_at: at },
        3 => DepartureCause::Terminating { since: at },
        4 => DepartureCause::Stopping { at },
        5 => DepartureCause::Maintenance {
            code: CODES[tape.roll(3)].to_owned(),
            health_event: event(tape),
            starts_at: scene.ago(tape.of(&MAINTENANCE_SECS)),
        },
        6 | 7 => DepartureCause::Rebalance { at },
        _ => DepartureCause::AgentLost { since: at },
    }
}

pub(crate) fn remembered(scene: &mut Scene, of: &DrainKey, id: &InstanceId, tape: &mut Tape) {
    let secs = tape.of(&AGES_SECS);
    let mut causes: Vec<DepartureCause> = Vec::new();
    for _ in 0..=tape.roll(2) {
        causes.push(cause(scene, secs, tape));
    }
    causes.sort_by_key(DepartureCause::kind);
    causes.dedup_by_key(|it| it.kind());
    let moment = scene.ago(tape.of(&[10, 59, 60, 61, 400]));
    let reversed = tape.one_in(4).then(|| Reversal {
        at: scene.ago(tape.of(&[100, 21_599, 21_600])),
        cause: CauseKind::Rebalance,
    });
    let activated = tape.one_in(6).then(|| Reversal {
        at: scene.ago(60),
        cause: tape.of(&[
            CauseKind::Rebalance,
            CauseKind::AgentLost,
            CauseKind::Maintenance,
        ]),
    });
    let stop_said_at = tape.one_in(8).then(|| scene.ago(tape.of(&[30, 119, 120])));
    let maintenance_said = tape.one_in(6).then(|| {
        let key = MaintenanceKey::new(CODES[tape.roll(5)], event(tape).as_deref());
        (key, scene.ago(tape.of(&[20, 3_000])))
    });
    let maintenance_said = maintenance_said.into_iter().collect();
    let has_other = tape.one_in(6);
    let other_maintenance = has_other.then(|| {
        let starts_at = scene.ago(tape.of(&MAINTENANCE_SECS));
        let key = MaintenanceKey::new(CODES[tape.roll(3)], event(tape).as_deref());
        (key, starts_at)
    });
    let other_maintenance = other_maintenance.into_iter().collect();
    let is_waiting = scene.looked(id).member.as_ref();
    let is_waiting = is_waiting.is_some_and(|it| it.waits_in_hook);
    if let Some(departure) = departure(scene, of, id) {
        departure.causes = causes;
        departure.activated = activated;
        departure.stop_said_at = stop_said_at;
        departure.maintenance_said = maintenance_said;
        departure.other_maintenance = other_maintenance;
        if is_waiting {
            departure.heartbeat_at = (tape.roll(2) == 1).then_some(moment);
            departure.completed_at = tape.one_in(6).then_some(moment);
        }
    }
    if let (Some(memory), Some(reversal)) = (memory(scene, of), reversed) {
        memory.reversed.insert(id.clone(), reversal);
    }
}
