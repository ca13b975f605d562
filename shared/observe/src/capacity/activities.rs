//! What a group did lately: launches that are under way or failed, and when its instances were launched.

use std::collections::BTreeMap;

use aws_sdk_autoscaling::types::{self as autoscaling, ScalingActivityStatusCode};

use calls::{RateBucket, one_line};
use model::capacity::{Activity, Group, Provider};
use model::snapshot::Gap;
use model::{AvailabilityZone, InstanceId, Timestamp};

use crate::capacity::{Eyes, Look};
use crate::limits::{ACTIVITY_AGE_MAX, ACTIVITY_PAGES_MAX, AUTO_SCALING_PAGE};
use crate::look::{Pages, unreadable};
use crate::read_task::time;

const DESCRIBE_SCALING_ACTIVITIES: &str = "autoscaling:DescribeScalingActivities";

/// What the description of a launch begins with; the instance's id follows, once there is one.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-verify-scaling-activity.html>
const LAUNCHING: &str = "Launching a new EC2 instance";

/// What the description of a termination begins with; the instance's id follows.
/// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-verify-scaling-activity.html>
const TERMINATING: &str = "Terminating EC2 instance";

/// What stands before the id where an instance is terminated out of its group's warm pool. AWS publishes no sample; its users quote it.
const FROM_WARM_POOL: &str = " from warm pool";

/// How much is kept of a status message, and of a description, in characters.
const STATUS_MESSAGE_CHARACTERS_MAX: usize = 512;
const DESCRIPTION_CHARACTERS_MAX: usize = 256;

/// Reads the newest activities of a provider's group, and fills them in.
pub(crate) async fn read(look: &mut Look<'_>, provider: &mut Provider) {
    let goes_on = |_: &BTreeMap<_, _>, pages| pages < ACTIVITY_PAGES_MAX;
    read_of_group(look, &mut provider.group, &mut provider.gaps, goes_on).await;
}

/// Reads the newest activities of a group, and fills them in; page by page as long as `goes_on` says so of when which instances began to
/// terminate, as far as the pages read tell, and of how many these are. The answer is when which instances began to terminate.
pub(crate) async fn read_of_group<O: Eyes>(
    look: &mut Look<'_, O>,
    group: &mut Group,
    gaps: &mut Vec<Gap>,
    goes_on: impl Fn(&BTreeMap<InstanceId, Timestamp>, u32) -> bool,
) -> BTreeMap<InstanceId, Timestamp> {
    let about = group.name.to_string();
    let since = look.now().map(|now| ACTIVITY_AGE_MAX.before(now));
    let mut newest = Newest {
        since,
        activities: Vec::new(),
        launched_at: BTreeMap::new(),
        terminating_since: BTreeMap::new(),
    };
    let mut pages = Pages::default();
    loop {
        let request = look
            .observer
            .autoscaling()
            .describe_scaling_activities()
            .auto_scaling_group_name(&about)
            .max_records(AUTO_SCALING_PAGE)
            .set_next_token(pages.token())
            .send();
        let page = look
            .call(
                RateBucket::AutoScaling,
                DESCRIBE_SCALING_ACTIVITIES,
                &about,
                request,
            )
            .await;
        let turned = page.and_then(|page| {
            let is_recent = newest.take(&about, page.activities(), gaps);
            let token = page.next_token.filter(|_| is_recent);
            pages.turn(DESCRIBE_SCALING_ACTIVITIES, &about, token)
        });
        match turned {
            Ok(true) if goes_on(&newest.terminating_since, pages.turned()) => {}
            Ok(true) => break,
            Ok(false) => break,
            Err(gap) => {
                gaps.push(gap);
                break;
            }
        }
    }
    for (id, launched_at) in newest.launched_at {
        if let Some(instance) = group.instances.get_mut(&id) {
            instance.launched_at = Some(launched_at);
        }
    }
    group.activities = newest.activities;
    newest.terminating_since
}

/// The newest activities, as they come: newest first.
struct Newest {
    /// From when on they are of interest.
    since: Option<Timestamp>,
    activities: Vec<Activity>,
    launched_at: BTreeMap<InstanceId, Timestamp>,
    terminating_since: BTreeMap<InstanceId, Timestamp>,
}

impl Newest {
    /// Takes a page. `false`: what follows is too old.
    fn take(&mut self, about: &str, page: &[autoscaling::Activity], gaps: &mut Vec<Gap>) -> bool {
        for answer in page {
            let Some(started_at) = time(answer.start_time()) else {
                let detail = "an activity has no `StartTime`";
                gaps.push(unreadable(DESCRIBE_SCALING_ACTIVITIES, about, detail));
                continue;
            };
            if self.since.is_some_and(|since| started_at < since) {
                return false;
            }
            let description = answer.description().unwrap_or_default();
            if let Some(rest) = description.strip_prefix(TERMINATING)
                && let Some(id) = instance_id(rest.strip_prefix(FROM_WARM_POOL).unwrap_or(rest))
            {
                self.terminating_since.entry(id).or_insert(started_at);
            }
            let Some(rest) = description.strip_prefix(LAUNCHING) else {
                continue;
            };
            if let Some(id) = instance_id(rest) {
                self.launched_at.entry(id).or_insert(started_at);
            }
            if is_of_interest(answer.status_code()) {
                self.activities.push(activity(answer, started_at));
            }
        }
        true
    }
}

/// The instance that a launch led to, or that is terminated: the id behind the colon.
fn instance_id(rest: &str) -> Option<InstanceId> {
    let word = rest.strip_prefix(':')?.split_whitespace().next()?;
    let id = word.trim_end_matches(['.', ',']);
    id.starts_with("i-").then(|| id.parse().ok()).flatten()
}

/// Whether a launch failed or is under way.
fn is_of_interest(status: Option<&ScalingActivityStatusCode>) -> bool {
    !matches!(
        status,
        Some(ScalingActivityStatusCode::Successful | ScalingActivityStatusCode::Cancelled)
    )
}

fn activity(answer: &autoscaling::Activity, started_at: Timestamp) -> Activity {
    let cut = |text: Option<&str>, characters| {
        let text: String = text.unwrap_or_default().chars().take(characters).collect();
        one_line(&text)
    };
    Activity {
        id: cut(answer.activity_id(), DESCRIPTION_CHARACTERS_MAX),
        started_at,
        status: answer
            .status_code()
            .map_or("Unknown", ScalingActivityStatusCode::as_str)
            .to_owned(),
        status_message: cut(answer.status_message(), STATUS_MESSAGE_CHARACTERS_MAX),
        description: cut(answer.description(), DESCRIPTION_CHARACTERS_MAX),
        zone: answer.details().and_then(zone),
    }
}

/// The zone in an activity's details, a JSON object such as `{"Subnet ID":"subnet-1","Availability Zone":"us-west-2a"}`.
fn zone(details: &str) -> Option<AvailabilityZone> {
    let details: serde_json::Value = serde_json::from_str(details).ok()?;
    details.get("Availability Zone")?.as_str()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use aws_smithy_types::DateTime;

    use super::*;

    fn answer(secs: i64, status: &str, description: &str) -> autoscaling::Activity {
        autoscaling::Activity::builder()
            .activity_id(format!("at-{secs}"))
            .start_time(DateTime::from_secs(secs))
            .status_code(status.into())
            .description(description)
            .build()
    }

    /// What is kept of a page that begins at 2,000 s, of which an hour goes back to 1,000 s.
    fn check(page: &[autoscaling::Activity], goes_on: bool, kept: &[&str], launched: &[&str]) {
        let mut newest = Newest {
            since: Timestamp::from_second(1_000).ok(),
            activities: Vec::new(),
            launched_at: BTreeMap::new(),
            terminating_since: BTreeMap::new(),
        };
        let mut gaps = Vec::new();
        assert_eq!(newest.take("web", page, &mut gaps), goes_on);
        let ids: Vec<&str> = newest.activities.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(ids, kept);
        let instances: Vec<String> = newest
            .launched_at
            .iter()
            .map(|(id, at)| format!("{id} {}", at.as_second()))
            .collect();
        assert_eq!(instances, launched);
        assert!(gaps.is_empty(), "{gaps:?}");
    }

    #[test]
    fn launches_that_failed_or_go_on_are_kept_and_all_tell_the_time() {
        check(
            &[
                answer(2_000, "WaitingForInstanceId", LAUNCHING),
                answer(1_900, "InProgress", "Launching a new EC2 instance: i-2"),
                answer(1_800, "Successful", "Launching a new EC2 instance: i-1"),
                answer(
                    1_700,
                    "Failed",
                    "Launching a new EC2 instance.  Status Reason: no",
                ),
                answer(1_600, "Failed", "Terminating EC2 instance: i-0"),
                answer(1_500, "Cancelled", LAUNCHING),
                answer(1_400, "ComingNextYear", LAUNCHING),
            ],
            true,
            &["at-2000", "at-1900", "at-1700", "at-1400"],
            &["i-1 1800", "i-2 1900"],
        );
    }

    #[test]
    fn terminations_tell_when_they_began() {
        let mut newest = Newest {
            since: None,
            activities: Vec::new(),
            launched_at: BTreeMap::new(),
            terminating_since: BTreeMap::new(),
        };
        let page = [
            answer(
                2_000,
                "MidTerminatingLifecycleAction",
                "Terminating EC2 instance: i-2 - Waiting For Terminate Lifecycle Action",
            ),
            answer(1_900, "InProgress", "Terminating EC2 instance: i-1"),
            answer(1_800, "Failed", "Terminating EC2 instance: i-1"),
            answer(1_700, "InProgress", "Terminating EC2 instance"),
            answer(
                1_600,
                "InProgress",
                "Terminating EC2 instance from warm pool: i-3",
            ),
        ];
        assert!(newest.take("web", &page, &mut Vec::new()));
        let since: Vec<String> = newest
            .terminating_since
            .iter()
            .map(|(id, at)| format!("{id} {}", at.as_second()))
            .collect();
        assert_eq!(since, ["i-1 1900", "i-2 2000", "i-3 1600"]);
        assert!(newest.activities.is_empty());
    }

    #[test]
    fn what_is_too_old_ends_the_reading() {
        check(
            &[
                answer(1_000, "Failed", LAUNCHING),
                answer(999, "Failed", LAUNCHING),
                answer(2_000, "Failed", LAUNCHING),
            ],
            false,
            &["at-1000"],
            &[],
        );
    }

    #[test]
    fn an_activity_without_a_time_is_a_gap() {
        let mut newest = Newest {
            since: None,
            activities: Vec::new(),
            launched_at: BTreeMap::new(),
            terminating_since: BTreeMap::new(),
        };
        let mut gaps = Vec::new();
        let nameless = autoscaling::Activity::builder().build();
        assert!(newest.take("web", &[nameless], &mut gaps));
        assert_eq!(gaps.len(), 1);
    }

    #[test]
    fn details_tell_the_zone() {
        let details = r#"{"Subnet ID":"subnet-1","Availability Zone":"us-west-2a","More":{}}"#;
        assert_eq!(zone(details), "us-west-2a".parse().ok());
        for odd in ["", "us-west-2a", "{}", r#"{"Availability Zone":3}"#] {
            assert_eq!(zone(odd), None, "{odd}");
        }
    }
}
