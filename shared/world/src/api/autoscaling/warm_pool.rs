//! Reading warm pools.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{PAGE_DEFAULT, Paging, paged};
use crate::autoscaling::group_not_found;
use crate::error::ApiError;
use crate::state::{State, WarmPool};
use crate::world::World;

/// The status of a pool that goes with its last instance.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_WarmPoolConfiguration.html>
const PENDING_DELETE: &str = "PendingDelete";

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::api) struct DescribeWarmPool {
    auto_scaling_group_name: String,
    #[serde(flatten)]
    paging: Paging,
}

impl World {
    /// At most 50 instances are on a page. A group without a warm pool has none in it.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeWarmPool.html>
    pub(in crate::api) fn describe_warm_pool(
        &self,
        state: &State,
        input: &DescribeWarmPool,
    ) -> Result<Value, ApiError> {
        let group =
            (state.groups.get(&input.auto_scaling_group_name)).ok_or_else(group_not_found)?;
        let pool = group.warm_pool.as_ref();
        let ids = pool.into_iter().flat_map(|it| &it.instances);
        let instances = ids.filter_map(|id| state.instances.get(id));
        let entries: Vec<(String, Value)> = instances
            .map(|it| {
                let json = self.group_instance_json(state, it, "Healthy", "Unhealthy");
                (it.id.clone(), Value::Object(json))
            })
            .collect();
        let sizes = (PAGE_DEFAULT, PAGE_DEFAULT);
        let mut answer = paged(&entries, &input.paging, sizes, "Instances")?;
        if let (Some(pool), Some(answer)) = (pool, answer.as_object_mut()) {
            answer.insert("WarmPoolConfiguration".to_owned(), configuration_json(pool));
        }
        Ok(answer)
    }
}

/// What a pool is to be.
pub(super) fn configuration_json(pool: &WarmPool) -> Value {
    let mut json = json!({"MinSize": pool.min_size, "PoolState": pool.state.as_str()});
    if let (true, Some(json)) = (pool.deleting, json.as_object_mut()) {
        json.insert("Status".to_owned(), json!(PENDING_DELETE));
    }
    json
}
