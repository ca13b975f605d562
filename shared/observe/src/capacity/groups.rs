//! The Auto Scaling groups under the providers: which are opted in, and what they are.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::operation::describe_launch_configurations::DescribeLaunchConfigurationsOutput;
use aws_sdk_autoscaling::types::AutoScalingGroup;
use calls::RateBucket;
use model::capacity::{Group, GroupPolicy, Provider, ProviderKey, ProviderPassedOver};
use model::snapshot::{Gap, GapCause};
use model::{AutoScalingGroupName, InstanceType};

use crate::capacity::providers::OverGroup;
use crate::capacity::read_group::{self, LaunchConfiguration};
use crate::capacity::{Eyes, Look};
use crate::limits::{
    AUTO_SCALING_PAGE, DESCRIBE_AUTO_SCALING_GROUPS_MAX, DESCRIBE_LAUNCH_CONFIGURATIONS_MAX,
};
use crate::look::unreadable;
use crate::markets::{self, DESCRIBE_AUTO_SCALING_GROUPS};

const DESCRIBE_LAUNCH_CONFIGURATIONS: &str = "autoscaling:DescribeLaunchConfigurations";

/// Launch configurations by name, or why one is not known.
pub(crate) type LaunchConfigurations = BTreeMap<String, Result<LaunchConfiguration, Gap>>;

/// Describes the groups. The answer has the providers whose group is opted in; the others are passed over.
pub(crate) async fn read(
    look: &mut Look<'_>,
    over_groups: Vec<OverGroup>,
    passed_over: &mut BTreeMap<ProviderKey, ProviderPassedOver>,
) -> BTreeMap<ProviderKey, Provider> {
    let autoscaling = &look.observer.autoscaling;
    let names: BTreeSet<&AutoScalingGroupName> = over_groups.iter().map(|it| &it.group).collect();
    let names: Vec<&AutoScalingGroupName> = names.into_iter().collect();
    let mut described = BTreeMap::new();
    for batch in names.chunks(DESCRIBE_AUTO_SCALING_GROUPS_MAX) {
        described.extend(markets::groups(look, autoscaling, batch).await);
    }
    let opted_in = described.values().filter_map(|read| match read {
        Ok(Some(group)) => read_group::is_opted_in(group).then_some(group),
        Ok(None) | Err(_) => None,
    });
    let configurations = opted_in.filter_map(read_group::launch_configuration_name);
    let configurations = configurations.map(str::to_owned).collect();
    let configurations = launch_configurations(look, &configurations).await;

    let mut managed = BTreeMap::new();
    for over in over_groups {
        let key = over.key.clone();
        let why = match described.get(&over.group) {
            Some(Ok(Some(group))) => match provider(over, group, &configurations) {
                Ok(Some(provider)) => {
                    managed.insert(key, provider);
                    continue;
                }
                Ok(None) => ProviderPassedOver::NotOptedIn,
                Err(gap) => ProviderPassedOver::Unread { gap },
            },
            Some(Ok(None)) | None => ProviderPassedOver::GroupNotFound {
                group: over.group.to_string(),
            },
            Some(Err(gap)) => ProviderPassedOver::Unread { gap: gap.clone() },
        };
        passed_over.insert(key, why);
    }
    managed
}

/// Joins a provider and its group. `None`: the group is not opted in.
fn provider(
    over: OverGroup,
    group: &AutoScalingGroup,
    configurations: &LaunchConfigurations,
) -> Result<Option<Provider>, Gap> {
    let tags = read_group::tags(group);
    let Some(policy) = GroupPolicy::from_tags(&tags) else {
        return Ok(None);
    };
    let tagged_types = match &policy {
        Ok(policy) => policy.instance_types.as_slice(),
        Err(_) => &[],
    };
    let (group, gaps) = join(&over.group, group, tagged_types, configurations)?;
    Ok(Some(Provider {
        key: over.key,
        managed_scaling: over.managed_scaling,
        managed_termination_protection: over.managed_termination_protection,
        managed_draining: over.managed_draining,
        other_clusters: BTreeSet::new(),
        group,
        policy,
        gaps,
    }))
}

/// Reads a group with what its launch configuration and its tag tell of its types, and what of that could not be read.
///
/// # Errors
/// What makes the group unreadable.
pub(crate) fn join(
    name: &AutoScalingGroupName,
    group: &AutoScalingGroup,
    tagged_types: &[InstanceType],
    configurations: &LaunchConfigurations,
) -> Result<(Group, Vec<Gap>), Gap> {
    let mut gaps = Vec::new();
    let configuration = match read_group::launch_configuration_name(group) {
        Some(name) => match configurations.get(name) {
            Some(Ok(configuration)) => Some(configuration),
            Some(Err(gap)) => {
                gaps.push(gap.clone());
                None
            }
            None => None,
        },
        None => None,
    };
    let unreadable = |fault: &str| unreadable(DESCRIBE_AUTO_SCALING_GROUPS, name.as_str(), fault);
    let source = read_group::Source {
        name,
        group,
        configuration,
        tagged_types,
    };
    let mut faults = Vec::new();
    let read = source.read(read_group::tags(group), &mut faults);
    let group = read.map_err(|fault| unreadable(&fault))?;
    gaps.extend(faults.iter().map(|fault| unreadable(fault)));
    Ok((group, gaps))
}

/// Reads these launch configurations. Every one is in the answer.
pub(crate) async fn launch_configurations<O: Eyes>(
    look: &mut Look<'_, O>,
    names: &BTreeSet<String>,
) -> LaunchConfigurations {
    let operation = DESCRIBE_LAUNCH_CONFIGURATIONS;
    let autoscaling = look.observer.autoscaling();
    let names: Vec<&String> = names.iter().collect();
    let mut found = LaunchConfigurations::new();
    for batch in names.chunks(DESCRIBE_LAUNCH_CONFIGURATIONS_MAX) {
        let about = match batch {
            [one] => one.as_str(),
            _ => "*",
        };
        let send = |token| {
            autoscaling
                .describe_launch_configurations()
                .set_launch_configuration_names(Some(
                    batch.iter().map(|it| (*it).clone()).collect(),
                ))
                .max_records(AUTO_SCALING_PAGE)
                .set_next_token(token)
                .send()
        };
        let take = |page: DescribeLaunchConfigurationsOutput| {
            for it in page.launch_configurations() {
                let name = it.launch_configuration_name().unwrap_or_default();
                let read = read_group::launch_configuration(it)
                    .map_err(|fault| unreadable(operation, name, &fault));
                found.insert(name.to_owned(), read);
            }
            page.next_token
        };
        let bucket = RateBucket::AutoScaling;
        let rest = look.pages(bucket, operation, about, send, take).await.err();
        for name in batch {
            found.entry((*name).clone()).or_insert_with(|| {
                Err(rest.clone().unwrap_or_else(|| Gap {
                    operation: operation.to_owned(),
                    resource: (*name).clone(),
                    cause: GapCause::NotFound,
                    detail: "the answer does not have the launch configuration".to_owned(),
                }))
            });
        }
    }
    found
}
