//! The Auto Scaling groups that are opted in, with their instances.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_autoscaling::operation::describe_auto_scaling_groups::DescribeAutoScalingGroupsOutput;
use aws_sdk_autoscaling::types::{AutoScalingGroup, Filter};
use calls::RateBucket;
use model::capacity::GroupPolicy;
use model::drain::policy::TAG_INSTANCE_DRAIN;
use model::drain::{
    DrainGroup, DrainKey, DrainPolicy, InstancePassedOver, LookedInstance, Membership,
};
use model::snapshot::Gap;
use model::{AutoScalingGroupName, InstanceId};

use crate::capacity::groups::{self, LaunchConfigurations};
use crate::capacity::read_group;
use crate::drain::Look;
use crate::drain::membership;
use crate::drain::pools::{self, Pool};
use crate::limits::{AUTO_SCALING_PAGE, DESCRIBE_AUTO_SCALING_GROUPS_MAX};
use crate::look::unreadable;
use crate::markets::{self, DESCRIBE_AUTO_SCALING_GROUPS};

/// The filter for the name of a tag.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_Filter.html>
const TAG_KEY: &str = "tag-key";

/// Groups by name.
pub(crate) type Named = BTreeMap<AutoScalingGroupName, Result<Described, Gap>>;

/// What a group that was named is.
#[derive(Debug)]
pub(crate) enum Described {
    /// It carries the tag; and its warm pool.
    OptedIn(Box<DrainGroup>, Option<Pool>),
    /// It does not.
    NotOptedIn,
    /// AWS left it out of its answer: it was deleted.
    NotFound,
}

/// Describes these groups. Every one is in the answer; one that is opted in has all its instances.
pub(crate) async fn named(look: &mut Look<'_>, names: &BTreeSet<AutoScalingGroupName>) -> Named {
    let autoscaling = &look.observer.autoscaling;
    let names: Vec<&AutoScalingGroupName> = names.iter().collect();
    let mut described = Named::new();
    // The types that a launch configuration tells are asked for in a look at everything only.
    let configurations = LaunchConfigurations::new();
    for batch in names.chunks(DESCRIBE_AUTO_SCALING_GROUPS_MAX) {
        let of_batch = markets::groups(look, autoscaling, batch).await;
        described.extend(of_batch.into_iter().map(|(name, read)| {
            let found = read.and_then(|answer| match answer {
                None => Ok(Described::NotFound),
                Some(answer) => Ok(match group(&name, &answer, &configurations)? {
                    None => Described::NotOptedIn,
                    Some(group) => Described::OptedIn(Box::new(group), pools::of(&answer)),
                }),
            });
            (name, found)
        }));
    }
    described
}

/// Lists the groups that carry the tag, with all their instances but those of their warm pools, and these pools. What cannot be read goes to
/// `gaps`: a group may be missing.
pub(crate) async fn opted_in(
    look: &mut Look<'_>,
    gaps: &mut Vec<Gap>,
) -> (BTreeMap<DrainKey, DrainGroup>, Vec<Pool>) {
    let with_tag = Filter::builder()
        .name(TAG_KEY)
        .values(TAG_INSTANCE_DRAIN.name)
        .build();
    let (answers, rest) = list(look, Some(with_tag)).await;
    gaps.extend(rest);
    let answers: Vec<&AutoScalingGroup> = answers.iter().collect();
    let (opted_in, unread) = read(look, &answers).await;
    gaps.extend(unread.into_iter().map(|(_, gap)| gap));
    let pools = answers.into_iter().filter_map(pools::of);
    (opted_in, pools.collect())
}

/// Where the instances of all groups are.
#[derive(Debug)]
pub(crate) struct Every {
    /// The groups that carry the tag, with all their instances but those of their warm pools.
    pub(crate) opted_in: BTreeMap<DrainKey, DrainGroup>,
    /// Why the instances of the others are not looked after.
    pub(crate) others: BTreeMap<InstanceId, InstancePassedOver>,
    /// Why the list did not come to its end. `None`: what it does not show is in no group, or in a warm pool.
    pub(crate) rest: Option<Gap>,
    /// The warm pools of the groups that carry the tag.
    pub(crate) pools: Vec<Pool>,
    /// Those of the other groups.
    pub(crate) other_pools: Vec<Pool>,
}

/// Lists all groups of the account and Region, and where these instances are.
pub(crate) async fn every(look: &mut Look<'_>, wanted: &BTreeSet<InstanceId>) -> Every {
    let (answers, rest) = list(look, None).await;
    let carries_tag =
        |it: &&AutoScalingGroup| DrainPolicy::from_tags(&read_group::tags(it)).is_some();
    let (tagged, untagged): (Vec<&AutoScalingGroup>, Vec<&AutoScalingGroup>) =
        answers.iter().partition(carries_tag);
    let of_all = |all: &[&AutoScalingGroup]| all.iter().filter_map(|it| pools::of(it)).collect();
    let (pools, other_pools) = (of_all(&tagged), of_all(&untagged));
    let (opted_in, unread) = read(look, &tagged).await;
    let mut others = BTreeMap::new();
    for answer in untagged {
        let group: Option<AutoScalingGroupName> = answer
            .auto_scaling_group_name()
            .and_then(|it| it.parse().ok());
        let why = InstancePassedOver::NotOptedIn {
            group,
            cluster: None,
        };
        others.extend(ids(answer, wanted).map(|id| (id, why.clone())));
    }
    for (answer, gap) in unread {
        let why = InstancePassedOver::Unread { gap };
        others.extend(ids(answer, wanted).map(|id| (id, why.clone())));
    }
    Every {
        opted_in,
        others,
        rest,
        pools,
        other_pools,
    }
}

/// Those of these instances that are in the group.
fn ids(
    answer: &AutoScalingGroup,
    wanted: &BTreeSet<InstanceId>,
) -> impl Iterator<Item = InstanceId> {
    let ids = answer.instances().iter().filter_map(|it| it.instance_id());
    let ids = ids.filter_map(|it| it.parse().ok());
    ids.filter(|it| wanted.contains(it))
}

/// Lists the groups that a filter lets through, or all; and why the list did not come to its end.
async fn list(look: &mut Look<'_>, filter: Option<Filter>) -> (Vec<AutoScalingGroup>, Option<Gap>) {
    let autoscaling = &look.observer.autoscaling;
    let send = |token| {
        autoscaling
            .describe_auto_scaling_groups()
            .set_filters(filter.clone().map(|it| vec![it]))
            .max_records(AUTO_SCALING_PAGE)
            .set_next_token(token)
            .send()
    };
    let mut answers = Vec::new();
    let take = |page: DescribeAutoScalingGroupsOutput| {
        answers.extend(page.auto_scaling_groups.unwrap_or_default());
        page.next_token
    };
    let (bucket, operation) = (RateBucket::AutoScaling, DESCRIBE_AUTO_SCALING_GROUPS);
    let rest = look.pages(bucket, operation, "*", send, take).await.err();
    (answers, rest)
}

/// Reads those of these groups that are opted in; and those that cannot be read, with the reason.
async fn read<'a>(
    look: &mut Look<'_>,
    answers: &[&'a AutoScalingGroup],
) -> (
    BTreeMap<DrainKey, DrainGroup>,
    Vec<(&'a AutoScalingGroup, Gap)>,
) {
    let operation = DESCRIBE_AUTO_SCALING_GROUPS;
    let configurations = answers
        .iter()
        .filter_map(|it| read_group::launch_configuration_name(it));
    let configurations = configurations.map(str::to_owned).collect();
    let configurations = groups::launch_configurations(look, &configurations).await;
    let mut opted_in = BTreeMap::new();
    let mut unread = Vec::new();
    for answer in answers.iter().copied() {
        let name = answer.auto_scaling_group_name().unwrap_or_default();
        let read = name
            .parse()
            .map_err(|error: model::IdError| unreadable(operation, "*", &error.to_string()))
            .and_then(|name| group(&name, answer, &configurations));
        match read {
            Ok(Some(group)) => _ = opted_in.insert(group.key.clone(), group),
            Ok(None) => {}
            Err(gap) => unread.push((answer, gap)),
        }
    }
    (opted_in, unread)
}

/// Reads a group with all its instances. `None`: it is not opted in.
fn group(
    name: &AutoScalingGroupName,
    answer: &AutoScalingGroup,
    configurations: &LaunchConfigurations,
) -> Result<Option<DrainGroup>, Gap> {
    let tags = read_group::tags(answer);
    let Some(policy) = DrainPolicy::from_tags(&tags) else {
        return Ok(None);
    };
    let tagged_types = match GroupPolicy::from_tags(&tags) {
        Some(Ok(policy)) => policy.instance_types,
        Some(Err(_)) | None => Vec::new(),
    };
    let (group, gaps) = groups::join(name, answer, &tagged_types, configurations)?;
    let states = answer.instances().iter();
    let states: BTreeMap<&str, &str> = states
        .filter_map(|it| Some((it.instance_id()?, it.lifecycle_state()?.as_str())))
        .collect();
    let instances = group.instances.values().map(|it| {
        let state = states.get(it.id.as_str()).copied();
        let instance = LookedInstance {
            id: it.id.clone(),
            instance_type: it.instance_type.clone(),
            zone: Some(it.zone.clone()),
            member: Some(Membership {
                lifecycle: state.map_or(it.lifecycle, membership::lifecycle),
                waits_in_hook: state.is_some_and(membership::waits_in_hook),
                is_healthy: it.is_healthy,
                terminating_since: None,
            }),
            registered: None,
            tasks_counted: None,
        };
        (it.id.clone(), instance)
    });
    let instances: BTreeMap<InstanceId, LookedInstance> = instances.collect();
    Ok(Some(DrainGroup {
        key: DrainKey::Group {
            group: name.clone(),
        },
        policy,
        is_proven_ours: true,
        hooks: BTreeMap::new(),
        hooks_read: false,
        in_warm_pool: BTreeSet::new(),
        managed_draining: false,
        managed_scaling: false,
        instances,
        gaps,
        group: Some(group),
    }))
}
