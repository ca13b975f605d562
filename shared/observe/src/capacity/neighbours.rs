//! Who else sizes the groups: scaling policies and scheduled actions.
//!
//! Both lists can be asked for one group, or for all groups of the account. With several groups the latter is less calls, unless the
//! account has far more policies than Ballast has groups: then the groups are asked for one by one.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use aws_sdk_autoscaling::operation::describe_policies::DescribePoliciesOutput;
use aws_sdk_autoscaling::operation::describe_scheduled_actions::DescribeScheduledActionsOutput;
use aws_sdk_autoscaling::types::{PredictiveScalingMode, ScalingPolicy};
use calls::{RateBucket, SdkFailure};
use model::AutoScalingGroupName;
use model::capacity::{Provider, ProviderKey};
use model::snapshot::Gap;

use crate::capacity::Look;
use crate::limits::AUTO_SCALING_PAGE;
use crate::look::Pages;

const DESCRIBE_POLICIES: &str = "autoscaling:DescribePolicies";
const DESCRIBE_SCHEDULED_ACTIONS: &str = "autoscaling:DescribeScheduledActions";

/// The names of what sizes each group, or why they are not known.
type Named = BTreeMap<AutoScalingGroupName, Result<BTreeSet<String>, Gap>>;

/// A page of a list: groups' names, each with the name of what sizes it; and the next page's token.
type Page = (Vec<(String, String)>, Option<String>);

/// Fills in the scaling policies and scheduled actions of the providers' groups.
pub(crate) async fn read(look: &mut Look<'_>, managed: &mut BTreeMap<ProviderKey, Provider>) {
    let groups: BTreeSet<AutoScalingGroupName> =
        managed.values().map(|it| it.group.name.clone()).collect();
    let policies = policies(look, &groups).await;
    let actions = scheduled_actions(look, &groups).await;
    for provider in managed.values_mut() {
        let Provider { group, gaps, .. } = provider;
        group.scaling_policies = of_group(&policies, &group.name, gaps);
        group.scheduled_actions = of_group(&actions, &group.name, gaps);
    }
}

fn of_group(named: &Named, group: &AutoScalingGroupName, gaps: &mut Vec<Gap>) -> BTreeSet<String> {
    match named.get(group) {
        Some(Ok(names)) => names.clone(),
        Some(Err(gap)) => {
            gaps.push(gap.clone());
            BTreeSet::new()
        }
        None => BTreeSet::new(),
    }
}

async fn policies(look: &mut Look<'_>, groups: &BTreeSet<AutoScalingGroupName>) -> Named {
    let autoscaling = &look.observer.autoscaling;
    let send = |group, token| {
        autoscaling
            .describe_policies()
            .set_auto_scaling_group_name(group)
            .max_records(AUTO_SCALING_PAGE)
            .set_next_token(token)
            .send()
    };
    let read = |page: DescribePoliciesOutput| {
        let enabled = page.scaling_policies().iter().filter(|it| is_on(it));
        let names = enabled.filter_map(|it| {
            let group = it.auto_scaling_group_name()?.to_owned();
            Some((group, it.policy_name().unwrap_or("?").to_owned()))
        });
        (names.collect(), page.next_token)
    };
    named(look, DESCRIBE_POLICIES, groups, send, read).await
}

/// Whether a policy may change the group. One that only forecasts does not.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/predictive-scaling-policy-overview.html>
fn is_on(policy: &ScalingPolicy) -> bool {
    let forecasts_only = policy
        .predictive_scaling_configuration()
        // ForecastOnly is the default of the API.
        .is_some_and(|it| it.mode() != Some(&PredictiveScalingMode::ForecastAndScale));
    policy.enabled().unwrap_or(true) && !forecasts_only
}

async fn scheduled_actions(look: &mut Look<'_>, groups: &BTreeSet<AutoScalingGroupName>) -> Named {
    let autoscaling = &look.observer.autoscaling;
    let send = |group, token| {
        autoscaling
            .describe_scheduled_actions()
            .set_auto_scaling_group_name(group)
            .max_records(AUTO_SCALING_PAGE)
            .set_next_token(token)
            .send()
    };
    let read = |page: DescribeScheduledActionsOutput| {
        let actions = page.scheduled_update_group_actions().iter();
        let names = actions.filter_map(|it| {
            let group = it.auto_scaling_group_name()?.to_owned();
            Some((group, it.scheduled_action_name().unwrap_or("?").to_owned()))
        });
        (names.collect(), page.next_token)
    };
    named(look, DESCRIBE_SCHEDULED_ACTIONS, groups, send, read).await
}

/// Reads a list for these groups. Every one is in the answer.
async fn named<T, E: SdkFailure, F: Future<Output = Result<T, E>>>(
    look: &mut Look<'_>,
    operation: &'static str,
    groups: &BTreeSet<AutoScalingGroupName>,
    send: impl Fn(Option<String>, Option<String>) -> F,
    read: impl Fn(T) -> Page,
) -> Named {
    let mut named: Named = groups
        .iter()
        .map(|it| (it.clone(), Ok(BTreeSet::new())))
        .collect();
    if groups.len() > 1 {
        let pages_max = u32::try_from(groups.len()).unwrap_or(u32::MAX);
        let list = list(look, operation, None, pages_max, &send, &read).await;
        match list {
            Ok(Some(list)) => {
                for (group, name) in list {
                    if let Some(Ok(names)) = find(&mut named, &group) {
                        names.insert(name);
                    }
                }
                return named;
            }
            Ok(None) => {}
            Err(gap) => {
                for names in named.values_mut() {
                    *names = Err(gap.clone());
                }
                return named;
            }
        }
    }
    for (group, names) in &mut named {
        let list = list(look, operation, Some(group), u32::MAX, &send, &read).await;
        *names = list.map(|list| list.into_iter().flatten().map(|(_, name)| name).collect());
    }
    named
}

fn find<'a>(named: &'a mut Named, group: &str) -> Option<&'a mut Result<BTreeSet<String>, Gap>> {
    named.get_mut(&group.parse().ok()?)
}

/// Reads the list of a group, or of all. `None`: it has more pages than that.
async fn list<T, E: SdkFailure, F: Future<Output = Result<T, E>>>(
    look: &mut Look<'_>,
    operation: &'static str,
    group: Option<&AutoScalingGroupName>,
    pages_max: u32,
    send: impl Fn(Option<String>, Option<String>) -> F,
    read: impl Fn(T) -> Page,
) -> Result<Option<Vec<(String, String)>>, Gap> {
    let about = group.map_or("*", AutoScalingGroupName::as_str);
    let mut all = Vec::new();
    let mut pages = Pages::default();
    loop {
        let request = send(group.map(ToString::to_string), pages.token());
        let page = look
            .call(RateBucket::AutoScaling, operation, about, request)
            .await?;
        let (names, token) = read(page);
        all.extend(names);
        if !pages.turn(operation, about, token)? {
            return Ok(Some(all));
        }
        if pages.turned() >= pages_max {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_autoscaling::types::PredictiveScalingConfiguration;

    use super::*;

    #[test]
    fn policies_that_are_off_or_only_forecast_size_nothing() {
        let predictive = |mode: &str| {
            let configuration = PredictiveScalingConfiguration::builder()
                .set_metric_specifications(Some(Vec::new()))
                .mode(mode.into())
                .build();
            ScalingPolicy::builder().predictive_scaling_configuration(configuration)
        };
        for (policy, want) in [
            (ScalingPolicy::builder(), true),
            (ScalingPolicy::builder().enabled(true), true),
            (ScalingPolicy::builder().enabled(false), false),
            (predictive("ForecastAndScale"), true),
            (predictive("ForecastOnly"), false),
        ] {
            let policy = policy.build();
            assert_eq!(is_on(&policy), want, "{policy:?}");
        }
    }
}
