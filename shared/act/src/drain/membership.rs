//! Whether instances that are to take tasks again stay in their groups: `autoscaling:DescribeAutoScalingInstances`.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::AutoScalingInstanceDetails;
use calls::{RateBucket, one_line};
use model::InstanceId;
use model::outcome::OutcomeResult;

use crate::hand::{Hand, precondition};
use crate::reread::unread;

const DESCRIBE_AUTO_SCALING_INSTANCES: &str = "autoscaling:DescribeAutoScalingInstances";

/// The most instances of one DescribeAutoScalingInstances, and the longest id that it takes: a longer one, which no instance of EC2 has,
/// fails the whole call.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingInstances.html>
const INSTANCES_PER_READ_MAX: usize = 50;
const INSTANCE_ID_CHARACTERS_MAX: usize = 19;

/// The state of an instance that its group keeps.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-lifecycle.html>
const IN_SERVICE: &str = "InService";

/// Of these instances, those that are on their way out of their group or could not be read, with the outcome of the step. One that is in
/// no group stays.
pub(crate) async fn leaving(
    hand: &Hand<'_>,
    instances: &[&InstanceId],
) -> BTreeMap<InstanceId, OutcomeResult> {
    let ids: Vec<&InstanceId> = instances
        .iter()
        .copied()
        .filter(|it| it.as_str().len() <= INSTANCE_ID_CHARACTERS_MAX)
        .collect();
    let mut leaving = BTreeMap::new();
    for batch in ids.chunks(INSTANCES_PER_READ_MAX) {
        let request = hand
            .autoscaling
            .describe_auto_scaling_instances()
            .set_instance_ids(Some(batch.iter().map(ToString::to_string).collect()))
            .send();
        let about = match batch {
            [one] => one.as_str(),
            _ => "*",
        };
        let bucket = RateBucket::AutoScaling;
        let answer = hand
            .caller
            .call(bucket, DESCRIBE_AUTO_SCALING_INSTANCES, about, request)
            .await;
        match answer {
            Ok(answer) => {
                let found = answer.auto_scaling_instances();
                let judged = batch.iter().filter_map(|id| {
                    let found = found
                        .iter()
                        .find(|it| it.instance_id() == Some(id.as_str()))?;
                    Some(((*id).clone(), judge(found)?))
                });
                leaving.extend(judged);
            }
            Err(failure) => {
                let result = unread(&failure.gap);
                leaving.extend(batch.iter().map(|id| ((*id).clone(), result.clone())));
            }
        }
    }
    leaving
}

/// The outcome for an instance that its group does not keep in service.
fn judge(found: &AutoScalingInstanceDetails) -> Option<OutcomeResult> {
    let state = found.lifecycle_state().unwrap_or_default();
    (state != IN_SERVICE).then(|| {
        let group = found.auto_scaling_group_name().unwrap_or_default();
        precondition(one_line(&format!("{state} in group `{group}`")))
    })
}
