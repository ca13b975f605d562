//! What groups are at the moment of writing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::types::{AutoScalingGroup, LifecycleState};
use calls::{RateBucket, one_line};
use model::capacity::policy::TAG_CLUSTER_SCALER;
use model::outcome::OutcomeResult;
use model::snapshot::{Gap, GapCause};
use model::{AutoScalingGroupName, InstanceId};

use crate::hand::{Hand, precondition};
use crate::reread::unread;

const DESCRIBE_AUTO_SCALING_GROUPS: &str = "autoscaling:DescribeAutoScalingGroups";

/// The value of the tag that lets Ballast change a group.
const ACT: &str = "act";

/// The desired capacity type that counts instances, and that none means.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_AutoScalingGroup.html>
const UNITS: &str = "units";

/// A group, moments before it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was described.
    Group(Group),
    /// AWS says that it does not exist.
    Missing,
    /// It could not be read.
    Unread(Gap),
}

/// What is compared with the plan.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Group {
    /// The value of `ballast:cluster-scaler`.
    pub(crate) consent: Option<String>,
    /// AWS's word while it is being deleted.
    pub(crate) deleting: Option<String>,
    /// AWS's word for what the desired capacity counts, where that is not instances.
    pub(crate) counts: Option<String>,
    pub(crate) desired_capacity: i32,
    pub(crate) min_size: i32,
    pub(crate) max_size: i32,
    pub(crate) instances: BTreeMap<InstanceId, Member>,
}

/// An instance of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// AWS's word for where it is in its life.
    pub(crate) lifecycle: String,
    pub(crate) is_protected: bool,
}

impl Found {
    /// The group, if it may be changed; the outcome, if not.
    pub(crate) fn may_be_changed(&self) -> Result<&Group, OutcomeResult> {
        let group = match self {
            Self::Group(group) => group,
            Self::Missing => return Err(precondition("no such group")),
            Self::Unread(gap) => return Err(unread(gap)),
        };
        let name = TAG_CLUSTER_SCALER.name;
        match &group.consent {
            Some(consent) if consent == ACT => {}
            Some(other) => return Err(precondition(format!("tag `{name}` is `{other}`"))),
            None => return Err(precondition(format!("no tag `{name}`"))),
        }
        if let Some(status) = &group.deleting {
            return Err(precondition(format!("the group's status is `{status}`")));
        }
        match &group.counts {
            Some(counts) => Err(precondition(format!("desired capacity type `{counts}`"))),
            None => Ok(group),
        }
    }

    /// The group, where it was read.
    pub(crate) const fn group(&self) -> Option<&Group> {
        match self {
            Self::Group(group) => Some(group),
            Self::Missing | Self::Unread(_) => None,
        }
    }
}

impl Member {
    /// Whether it is on its way out, or out.
    pub(crate) fn is_leaving(&self) -> bool {
        self.lifecycle.starts_with("Terminat")
    }
}

/// What was found of groups.
#[derive(Debug, Default)]
pub(crate) struct Groups(BTreeMap<AutoScalingGroupName, Found>);

impl Groups {
    /// What was found of one group.
    pub(crate) fn of(&self, name: &AutoScalingGroupName) -> Found {
        self.0.get(name).cloned().unwrap_or_else(|| {
            Found::Unread(Gap {
                operation: DESCRIBE_AUTO_SCALING_GROUPS.to_owned(),
                resource: name.to_string(),
                cause: GapCause::Other,
                detail: "it was not asked for".to_owned(),
            })
        })
    }
}

impl Groups {
    /// Takes over what was found later.
    pub(crate) fn update(&mut self, later: Self) {
        self.0.extend(later.0);
    }
}

/// Reads these groups again with one call, at most 100; one call takes 50. Their answer is one page.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
pub(crate) async fn reread(
    hand: &Hand<'_>,
    names: impl Iterator<Item = &AutoScalingGroupName>,
) -> Groups {
    let names: BTreeSet<&AutoScalingGroupName> = names.collect();
    let about = match names.first() {
        Some(one) if names.len() == 1 => one.as_str(),
        _ => "*",
    };
    let request = hand
        .autoscaling
        .describe_auto_scaling_groups()
        .set_auto_scaling_group_names(Some(names.iter().map(ToString::to_string).collect()))
        .send();
    let operation = DESCRIBE_AUTO_SCALING_GROUPS;
    let bucket = RateBucket::AutoScaling;
    let answer = hand.caller.call(bucket, operation, about, request).await;
    let mut groups = Groups::default();
    match answer {
        Ok(answer) => {
            for name in names {
                let found = answer
                    .auto_scaling_groups()
                    .iter()
                    .find(|it| it.auto_scaling_group_name() == Some(name.as_str()));
                // A group that does not exist is left out of the answer, without a failure.
                let found = found.map_or(Found::Missing, |it| read(name, it));
                groups.0.insert(name.clone(), found);
            }
        }
        Err(failure) => {
            for name in names {
                groups
                    .0
                    .insert(name.clone(), Found::Unread(failure.gap.clone()));
            }
        }
    }
    groups
}

fn read(name: &AutoScalingGroupName, answer: &AutoScalingGroup) -> Found {
    let consent = answer
        .tags()
        .iter()
        .find(|tag| tag.key() == Some(TAG_CLUSTER_SCALER.name));
    let numbers = (
        answer.desired_capacity(),
        answer.min_size(),
        answer.max_size(),
    );
    let (Some(desired_capacity), Some(min_size), Some(max_size)) = numbers else {
        return Found::Unread(Gap {
            operation: DESCRIBE_AUTO_SCALING_GROUPS.to_owned(),
            resource: name.to_string(),
            cause: GapCause::Unreachable,
            detail: "the answer lacks the group's sizes".to_owned(),
        });
    };
    let instances = answer.instances().iter().filter_map(|it| {
        let member = Member {
            lifecycle: one_line(
                it.lifecycle_state()
                    .map_or("unknown", LifecycleState::as_str),
            ),
            is_protected: it.protected_from_scale_in().unwrap_or(false),
        };
        Some((it.instance_id()?.parse().ok()?, member))
    });
    Found::Group(Group {
        consent: consent.map(|tag| one_line(tag.value().unwrap_or_default())),
        deleting: answer.status().map(one_line),
        counts: answer
            .desired_capacity_type()
            .filter(|it| !["", UNITS].contains(it))
            .map(one_line),
        desired_capacity,
        min_size,
        max_size,
        instances: instances.collect(),
    })
}
