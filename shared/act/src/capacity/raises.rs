//! Raising groups: `autoscaling:SetDesiredCapacity`.

use calls::RateBucket;
use model::AutoScalingGroupName;
use model::capacity::CapacityAction;
use model::outcome::OutcomeResult;

use crate::capacity::SET_DESIRED_CAPACITY;
use crate::capacity::groups::{Found, reread};
use crate::hand::{Hand, failed, precondition};
use crate::may_have_been_applied;
use crate::refusals::refusal;

/// A step that raises a group.
#[derive(Debug)]
pub(crate) struct Raise {
    group: AutoScalingGroupName,
    from: u32,
    to: u32,
}

impl Raise {
    pub(crate) fn of(action: &CapacityAction) -> Option<Self> {
        match action {
            CapacityAction::SetDesiredCapacity { group, from, to } => Some(Self {
                group: group.clone(),
                from: *from,
                to: *to,
            }),
            CapacityAction::Drain { .. }
            | CapacityAction::Activate { .. }
            | CapacityAction::Terminate { .. } => None,
        }
    }

    /// Whether the step may be taken; the outcome, if not.
    fn judge(&self, found: &Found) -> Result<i32, OutcomeResult> {
        let Self { from, to, .. } = self;
        if to <= from {
            let detail = format!(
                "from {from} to {to} is not upwards: a group is only lowered by terminating its instances"
            );
            return Err(OutcomeResult::Refused { detail });
        }
        let group = found.may_be_changed()?;
        let desired = group.desired_capacity;
        if u32::try_from(desired) == Ok(*to) {
            return Err(OutcomeResult::AlreadySo);
        }
        if u32::try_from(desired) != Ok(*from) {
            return Err(precondition(format!("desired capacity {desired}")));
        }
        let Ok(to) = i32::try_from(*to) else {
            return Err(OutcomeResult::Refused {
                detail: format!("{to} is more than EC2 Auto Scaling can count"),
            });
        };
        if to > group.max_size {
            return Err(precondition(format!("maximum size {}", group.max_size)));
        }
        if to < group.min_size {
            return Err(precondition(format!("minimum size {}", group.min_size)));
        }
        Ok(to)
    }
}

/// Raises groups, one after the other.
pub(crate) async fn write(hand: &Hand<'_>, raises: &[Raise]) -> Vec<OutcomeResult> {
    let groups = reread(hand, raises.iter().map(|it| &it.group)).await;
    let mut results = Vec::with_capacity(raises.len());
    for raise in raises {
        results.push(if hand.is_over() {
            OutcomeResult::OutOfTime
        } else {
            match raise.judge(&groups.of(&raise.group)) {
                Ok(to) => set(hand, raise, to).await,
                Err(result) => result,
            }
        });
    }
    results
}

async fn set(hand: &Hand<'_>, raise: &Raise, to: i32) -> OutcomeResult {
    let request = hand
        .autoscaling
        .set_desired_capacity()
        .auto_scaling_group_name(raise.group.as_str())
        .desired_capacity(to)
        .honor_cooldown(false)
        .send();
    let answer = hand
        .caller
        .call(
            RateBucket::AutoScaling,
            SET_DESIRED_CAPACITY,
            raise.group.as_str(),
            request,
        )
        .await;
    let failure = match answer {
        Ok(_empty) => return OutcomeResult::Done,
        Err(failure) => failure,
    };
    if let Some(result) = refusal(&failure) {
        return result;
    }
    if may_have_been_applied(failure.gap.cause) {
        let groups = reread(hand, std::iter::once(&raise.group)).await;
        let found = groups.of(&raise.group);
        if found.group().is_some_and(|it| it.desired_capacity == to) {
            return OutcomeResult::AlreadySo;
        }
    }
    failed(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::groups::Group;

    /// The outcome of a step between two numbers on a group that may be changed, of 1 to 9 instances.
    fn check(from: u32, to: u32, change: impl FnOnce(&mut Group), want: &str) {
        let mut group = Group {
            consent: Some("act".to_owned()),
            desired_capacity: 2,
            min_size: 1,
            max_size: 9,
            ..Group::default()
        };
        change(&mut group);
        let raise = Raise {
            group: "web".parse().unwrap(),
            from,
            to,
        };
        let got = match raise.judge(&Found::Group(group.clone())) {
            Ok(to) => format!("go to {to}"),
            Err(result) => result.to_string(),
        };
        assert_eq!(got, want, "{raise:?} {group:?}");
    }

    #[test]
    fn a_group_is_raised_only_where_it_is_as_it_was_seen() {
        check(2, 5, |_| {}, "go to 5");
        check(2, 9, |_| {}, "go to 9");
        check(1, 2, |_| {}, "already so");
        let failed = |found: &str| format!("precondition failed: found {found}");
        check(3, 5, |_| {}, &failed("desired capacity 2"));
        check(2, 10, |_| {}, &failed("maximum size 9"));
        check(2, 5, |it| it.min_size = 6, &failed("minimum size 6"));
        check(
            2,
            5,
            |it| it.consent = None,
            &failed("no tag `ballast:cluster-scaler`"),
        );
        check(
            2,
            5,
            |it| it.consent = Some("advise".to_owned()),
            &failed("tag `ballast:cluster-scaler` is `advise`"),
        );
        check(
            2,
            5,
            |it| it.deleting = Some("Delete in progress".to_owned()),
            &failed("the group's status is `Delete in progress`"),
        );
        for to in [1, 2] {
            check(
                2,
                to,
                |_| {},
                &format!(
                    "refused: from 2 to {to} is not upwards: a group is only lowered by terminating its instances"
                ),
            );
        }
    }
}
