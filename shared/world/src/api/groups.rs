//! EC2 Auto Scaling, as far as it says how a group's capacity is bought.

use std::collections::BTreeMap;

use model::strategy::Market;
use serde::Deserialize;
use serde_json::{Value, json};

use super::limits::{
    AUTO_SCALING_GROUPS_PAGE_DEFAULT, AUTO_SCALING_GROUPS_PAGE_MAX, page, page_size,
};
use crate::error::ApiError;
use crate::state::{GroupProvider, State};
use crate::world::World;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct DescribeGroups {
    #[serde(default)]
    auto_scaling_group_names: Vec<String>,
    max_records: Option<i64>,
    next_token: Option<String>,
}

impl World {
    pub(super) fn describe_groups(
        &self,
        state: &State,
        input: &DescribeGroups,
    ) -> Result<Value, ApiError> {
        let validation =
            |it: ApiError| ApiError::new("ValidationError", it.message, it.http_status);
        let size = page_size(
            input.max_records,
            AUTO_SCALING_GROUPS_PAGE_DEFAULT,
            AUTO_SCALING_GROUPS_PAGE_MAX,
        )
        .map_err(validation)?;
        let groups: BTreeMap<&str, &GroupProvider> = state
            .providers
            .values()
            .filter(|it| {
                input.auto_scaling_group_names.is_empty()
                    || input.auto_scaling_group_names.contains(&it.group)
            })
            .map(|it| (it.group.as_str(), it))
            .collect();
        let (items, next) = page(groups.into_iter(), input.next_token.as_deref(), size)
            .map_err(|it| ApiError::new("InvalidNextToken", it.message, 400))?;
        let mut answer = json!({
            "AutoScalingGroups": items.iter().map(|it| self.group(it)).collect::<Vec<_>>(),
        });
        if let (Some(token), Some(answer)) = (next, answer.as_object_mut()) {
            answer.insert("NextToken".to_owned(), Value::String(token));
        }
        Ok(answer)
    }

    fn group(&self, group: &GroupProvider) -> Value {
        let name = &group.group;
        let percentage_above_base = match group.market {
            Market::Spot => 0,
            Market::OnDemand | Market::Unknown => 100,
        };
        json!({
            "AutoScalingGroupName": name,
            "AutoScalingGroupARN": self.group_arn(name),
            "MinSize": 0,
            "MaxSize": 10,
            "DesiredCapacity": 0,
            "DefaultCooldown": 300,
            "AvailabilityZones": self.config.zones,
            "HealthCheckType": "EC2",
            "CreatedTime": self.config.start.to_string(),
            "Instances": [],
            "MixedInstancesPolicy": {
                "LaunchTemplate": {
                    "LaunchTemplateSpecification": {
                        "LaunchTemplateName": name,
                        "Version": "$Latest",
                    },
                    "Overrides": group
                        .instance_types
                        .iter()
                        .map(|it| json!({ "InstanceType": it }))
                        .collect::<Vec<_>>(),
                },
                "InstancesDistribution": {
                    "OnDemandAllocationStrategy": "prioritized",
                    "OnDemandBaseCapacity": 0,
                    "OnDemandPercentageAboveBaseCapacity": percentage_above_base,
                    "SpotAllocationStrategy": "capacity-optimized",
                },
            },
        })
    }

    /// The ARN of a declared group.
    pub(crate) fn group_arn(&self, name: &str) -> String {
        format!(
            "arn:aws:autoscaling:{}:{}:autoScalingGroup:{}:autoScalingGroupName/{name}",
            self.config.region,
            self.config.account,
            self.dice.uuid("group", name, 0),
        )
    }
}
