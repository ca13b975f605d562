//! The limits that the API documents, and pages.

use serde_json::Value;

use crate::error::ApiError;

/// Services in one DescribeServices call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeServices.html>
pub const DESCRIBE_SERVICES_MAX: usize = 10;
/// Tasks in one DescribeTasks call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeTasks.html>
pub const DESCRIBE_TASKS_MAX: usize = 100;
/// Clusters in one DescribeClusters call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeClusters.html>
pub const DESCRIBE_CLUSTERS_MAX: usize = 100;
/// Names in one DescribeCapacityProviders call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html>
pub const DESCRIBE_CAPACITY_PROVIDERS_MAX: usize = 100;
/// Providers on one page of DescribeCapacityProviders.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeCapacityProviders.html>
pub const CAPACITY_PROVIDERS_PAGE_MAX: usize = 10;
/// Container instances in one DescribeContainerInstances call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_DescribeContainerInstances.html>
pub const DESCRIBE_CONTAINER_INSTANCES_MAX: usize = 100;
/// Container instances in one UpdateContainerInstancesState call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateContainerInstancesState.html>
pub const UPDATE_INSTANCES_STATE_MAX: usize = 10;
/// Tasks in one UpdateTaskProtection call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateTaskProtection.html>
pub const UPDATE_TASK_PROTECTION_MAX: usize = 10;
/// Tasks in one GetTaskProtection call.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_GetTaskProtection.html>
pub const GET_TASK_PROTECTION_MAX: usize = 100;
/// Entries on one page of ListTasks, ListClusters and ListServices.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListTasks.html>
pub const LIST_PAGE_MAX: usize = 100;
/// Entries on a page of ListServices where the caller does not say.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ListServices.html>
pub const LIST_SERVICES_PAGE_DEFAULT: usize = 10;
/// Tasks of one service. <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html>
pub const DESIRED_COUNT_MAX: i64 = 5_000;
/// Scalable targets on a page.
/// <https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DescribeScalableTargets.html>
pub const SCALABLE_TARGETS_PAGE_MAX: usize = 50;
/// Names in one DescribeAutoScalingGroups call, which is also the default page.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
pub const AUTO_SCALING_GROUPS_PAGE_DEFAULT: usize = 50;
/// Groups on one page.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_DescribeAutoScalingGroups.html>
pub const AUTO_SCALING_GROUPS_PAGE_MAX: usize = 100;
/// Providers in one strategy.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CapacityProviderStrategyItem.html>
pub const STRATEGY_PROVIDERS_MAX: usize = 20;

/// A page of a list that is in the order of its keys, and the token of the next one. A token holds the last key of its page, so
/// that an entry that appears or goes between two pages moves no other.
pub(crate) fn page<'a, T>(
    entries: impl Iterator<Item = (&'a str, T)>,
    token: Option<&str>,
    size: usize,
) -> Result<(Vec<T>, Option<String>), ApiError> {
    let after = token.map(read_token).transpose()?;
    let mut rest =
        entries.filter(|(key, _)| after.as_ref().is_none_or(|after| *key > after.as_str()));
    let mut items = Vec::new();
    let mut last = "";
    for (key, item) in rest.by_ref().take(size) {
        last = key;
        items.push(item);
    }
    let next = rest.next().is_some().then(|| write_token(last));
    Ok((items, next))
}

/// The size of a page that a caller asked for.
pub(crate) fn page_size(asked: Option<i64>, default: usize, max: usize) -> Result<usize, ApiError> {
    match asked {
        None => Ok(default),
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|it| (1..=max).contains(it))
            .ok_or_else(|| {
                ApiError::invalid_parameter(format!(
                    "maxResults must be between 1 and {max}, inclusive."
                ))
            }),
    }
}

/// Tokens are opaque to callers; hexadecimal keeps them safe in every wire.
fn write_token(key: &str) -> String {
    key.bytes().map(|it| format!("{it:02x}")).collect()
}

fn read_token(token: &str) -> Result<String, ApiError> {
    let wrong = || ApiError::invalid_parameter("Invalid token");
    let digits: Vec<char> = token.chars().collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).ok())
        .collect::<Option<_>>()
        .ok_or_else(wrong)?;
    String::from_utf8(bytes).map_err(|_| wrong())
}

/// A list of failures, as the describe operations have it.
pub(crate) fn failure(arn: &str, reason: &str) -> Value {
    serde_json::json!({ "arn": arn, "reason": reason })
}
