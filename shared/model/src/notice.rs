//! What was said about instances that go away, or may: notices of EC2 and of AWS Health, and the lifecycle actions of an Auto Scaling
//! group. They are part of [`crate::trigger`].

use std::collections::BTreeSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{AutoScalingGroupName, InstanceId, LifecycleHookName};

/// What was said about one instance or several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct InstanceNotice {
    /// The instances, as the event's detail names them. Never empty.
    pub instances: BTreeSet<InstanceId>,
    /// Other instances, for which the same maintenance is over or was called off; empty where the notice is another.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub resolved: BTreeSet<InstanceId>,
    /// What was said about each of them.
    #[serde(flatten)]
    pub notice: Notice,
}

impl InstanceNotice {
    /// What was said about each instance that is named.
    pub fn of_each(&self) -> impl Iterator<Item = (&InstanceId, Notice)> {
        let over = match &self.notice {
            Notice::Maintenance {
                code,
                health_event,
                starts_at,
                is_over: _,
            } => Some(Notice::Maintenance {
                code: code.clone(),
                health_event: health_event.clone(),
                starts_at: *starts_at,
                is_over: true,
            }),
            Notice::SpotInterruption { .. }
            | Notice::CapacityReservationInterruption { .. }
            | Notice::Rebalance
            | Notice::StateChanged { .. } => None,
        };
        let resolved = over
            .into_iter()
            .flat_map(|over| self.resolved.iter().map(move |id| (id, over.clone())));
        let instances = self.instances.iter();
        instances
            .map(|id| (id, self.notice.clone()))
            .chain(resolved)
    }
}

/// What EC2, or AWS Health, said about an instance. Its texts are cut at 128 characters, without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
pub enum Notice {
    /// Spot takes the instance, as a rule two minutes after the event's time.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html>
    SpotInterruption {
        /// EC2's own word for what becomes of the instance: `terminate`, `stop` or `hibernate`; empty where it was not said.
        action: String,
    },
    /// The owner of a Capacity Reservation that is lent out takes it back, as a rule two minutes after the event's time.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/interruptible-capacity-reservations.html>
    CapacityReservationInterruption {
        /// EC2's own word for what becomes of the instance; empty where it was not said.
        action: String,
    },
    /// The instance is at an elevated risk of an interruption. No time is given, and none may follow.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/rebalance-recommendations.html>
    Rebalance,
    /// The instance is in another state.
    StateChanged {
        /// The state that it is in now.
        state: MachineState,
    },
    /// AWS will work on the instance or on its host: a scheduled change of AWS Health.
    /// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-instances-status-check_sched.html>
    Maintenance {
        /// AWS Health's own name for it, such as `AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED`; empty where it was not said.
        code: String,
        /// Which event of AWS Health says so: the end of its ARN, which tells it from others of the same code.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        health_event: Option<String>,
        /// When it is to begin, where that was said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        starts_at: Option<Timestamp>,
        /// Whether it is over, or was called off.
        is_over: bool,
    },
}

impl Notice {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SpotInterruption { .. } => "spot_interruption",
            Self::CapacityReservationInterruption { .. } => "capacity_reservation_interruption",
            Self::Rebalance => "rebalance",
            Self::StateChanged { .. } => "state_changed",
            Self::Maintenance { .. } => "maintenance",
        }
    }
}

/// The state of an EC2 instance.
/// <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceState.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MachineState {
    /// `pending`.
    Pending,
    /// `running`.
    Running,
    /// `stopping`.
    Stopping,
    /// `stopped`.
    Stopped,
    /// `shutting-down`.
    ShuttingDown,
    /// `terminated`.
    Terminated,
    /// A state that EC2 did not have when this was written.
    Other,
}

impl MachineState {
    /// EC2's own name of the state; `other` for [`Self::Other`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::ShuttingDown => "shutting-down",
            Self::Terminated => "terminated",
            Self::Other => "other",
        }
    }
}

/// An instance that waits in a lifecycle hook of its Auto Scaling group on its way out.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html>
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LifecycleAction {
    /// The group.
    pub group: AutoScalingGroupName,
    /// The hook that it waits in.
    pub hook: LifecycleHookName,
    /// The instance.
    pub instance: InstanceId,
    /// The token of this one action, for the calls that prolong or complete it. It is sent back to Auto Scaling; no text for
    /// people holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Where the instance comes from, such as `AutoScalingGroup` or `WarmPool`; cut at 128 characters, without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// Where it goes, such as `EC2` or `WarmPool`; cut at 128 characters, without control characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<String>,
}

/// A notice about one instance, as a hint.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NoticeHint {
    /// The event's own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The instance.
    pub instance: InstanceId,
    /// What was said about it.
    #[serde(flatten)]
    pub notice: Notice,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trigger::TriggerKind;

    /// A trigger is one flat object, and reads back as it was.
    fn check(kind: &TriggerKind, want: &str) {
        let text = serde_json::to_string(kind).unwrap();
        assert_eq!(text, want);
        assert_eq!(serde_json::from_str::<TriggerKind>(&text).unwrap(), *kind);
    }

    fn noticed(notice: Notice) -> TriggerKind {
        TriggerKind::InstanceNoticed(InstanceNotice {
            instances: [
                "i-0b".parse::<InstanceId>().unwrap(),
                "i-0a".parse().unwrap(),
            ]
            .into(),
            resolved: BTreeSet::new(),
            notice,
        })
    }

    /// Of one event some instances may be done with, and others not.
    #[test]
    fn maintenance_is_over_for_the_resolved_alone() {
        let notice = InstanceNotice {
            instances: ["i-0a".parse().unwrap()].into(),
            resolved: ["i-0b".parse().unwrap()].into(),
            notice: Notice::Maintenance {
                code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
                health_event: Some("1a-2b".to_owned()),
                starts_at: None,
                is_over: false,
            },
        };
        let kind = TriggerKind::InstanceNoticed(notice.clone());
        check(
            &kind,
            r#"{"kind":"instance_noticed","instances":["i-0a"],"resolved":["i-0b"],"notice":"maintenance","code":"AWS_EC2_INSTANCE_STOP_SCHEDULED","health_event":"1a-2b","is_over":false}"#,
        );
        let named: Vec<&str> = kind.instances().map(InstanceId::as_str).collect();
        assert_eq!(named, ["i-0a", "i-0b"]);
        let of_each: Vec<(&str, bool)> = notice
            .of_each()
            .map(|(id, it)| {
                let Notice::Maintenance {
                    health_event,
                    is_over,
                    ..
                } = it
                else {
                    panic!("{it:?}");
                };
                assert_eq!(health_event.as_deref(), Some("1a-2b"));
                (id.as_str(), is_over)
            })
            .collect();
        assert_eq!(of_each, [("i-0a", false), ("i-0b", true)]);
    }

    #[test]
    fn notices_read_back_as_they_were() {
        check(
            &noticed(Notice::SpotInterruption {
                action: "terminate".to_owned(),
            }),
            r#"{"kind":"instance_noticed","instances":["i-0a","i-0b"],"notice":"spot_interruption","action":"terminate"}"#,
        );
        check(
            &noticed(Notice::Rebalance),
            r#"{"kind":"instance_noticed","instances":["i-0a","i-0b"],"notice":"rebalance"}"#,
        );
        check(
            &noticed(Notice::StateChanged {
                state: MachineState::ShuttingDown,
            }),
            r#"{"kind":"instance_noticed","instances":["i-0a","i-0b"],"notice":"state_changed","state":"shutting-down"}"#,
        );
        check(
            &noticed(Notice::Maintenance {
                code: "AWS_EC2_INSTANCE_STOP_SCHEDULED".to_owned(),
                health_event: None,
                starts_at: Some("2026-03-14T15:10:09Z".parse().unwrap()),
                is_over: false,
            }),
            r#"{"kind":"instance_noticed","instances":["i-0a","i-0b"],"notice":"maintenance","code":"AWS_EC2_INSTANCE_STOP_SCHEDULED","starts_at":"2026-03-14T15:10:09Z","is_over":false}"#,
        );
    }

    #[test]
    fn lifecycle_actions_name_their_group_and_their_instance() {
        let kind = TriggerKind::InstanceTerminating(LifecycleAction {
            group: "EC2 Spot".parse().unwrap(),
            hook: "drain".parse().unwrap(),
            instance: "i-0a".parse().unwrap(),
            token: None,
            origin: None,
            destination: Some("EC2".to_owned()),
        });
        check(
            &kind,
            r#"{"kind":"instance_terminating","group":"EC2 Spot","hook":"drain","instance":"i-0a","destination":"EC2"}"#,
        );
        assert_eq!(
            kind.group().map(AutoScalingGroupName::as_str),
            Some("EC2 Spot")
        );
        let named: Vec<&str> = kind.instances().map(InstanceId::as_str).collect();
        assert_eq!(named, ["i-0a"]);
        let both = noticed(Notice::Rebalance);
        let named: Vec<&str> = both.instances().map(InstanceId::as_str).collect();
        assert_eq!(named, ["i-0a", "i-0b"]);
        assert_eq!(TriggerKind::Scheduled.instances().count(), 0);
    }
}
