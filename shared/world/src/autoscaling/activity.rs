//! Scaling activities, and their events.
//! <https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html>

use serde_json::{Value, json};

use crate::events::{iso, iso_secs};
use crate::state::{ACTIVITIES_MAX, Activity, ActivityStatus, Hook, Transition};
use crate::world::World;

/// The events of activities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActivityEvent {
    Launched,
    LaunchFailed,
    Terminated,
}

impl ActivityEvent {
    const fn detail_type(self) -> &'static str {
        match self {
            Self::Launched => "EC2 Instance Launch Successful",
            Self::LaunchFailed => "EC2 Instance Launch Unsuccessful",
            Self::Terminated => "EC2 Instance Terminate Successful",
        }
    }

    /// Where the instance comes from, and where it goes.
    const fn way(self) -> (&'static str, &'static str) {
        match self {
            Self::Launched | Self::LaunchFailed => ("EC2", "AutoScalingGroup"),
            Self::Terminated => ("AutoScalingGroup", "EC2"),
        }
    }

    const fn status_code(self) -> &'static str {
        match self {
            // AWS's own word for a success that is told.
            Self::Launched | Self::Terminated => "InProgress",
            Self::LaunchFailed => "Failed",
        }
    }
}

/// What an activity begins with.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) description: String,
    pub(super) cause: String,
    pub(super) zone: Option<String>,
    pub(super) instance: Option<String>,
}

impl World {
    /// Begins an activity, and gives its id.
    pub(super) fn begin_activity(&mut self, group: &str, begun: Begun) -> String {
        let now = self.now;
        let Some(known) = self.state.groups.get_mut(group) else {
            return String::new();
        };
        known.activities_made += 1;
        let number = known.activities_made;
        let id = self.dice.uuid("activity", group, number);
        known.activities.push_front(Activity {
            number,
            id: id.clone(),
            description: begun.description,
            cause: begun.cause,
            zone: begun.zone,
            instance: begun.instance,
            started_at: now,
            ended_at: None,
            status: ActivityStatus::InProgress,
            status_message: None,
            progress: 0,
        });
        // What goes on is kept: its end is told.
        while known.activities.len() > ACTIVITIES_MAX
            && known
                .activities
                .back()
                .is_some_and(|it| it.ended_at.is_some())
        {
            known.activities.pop_back();
        }
        id
    }

    /// Changes an activity that is still known.
    pub(super) fn set_activity(
        &mut self,
        group: &str,
        id: &str,
        status: ActivityStatus,
        message: Option<String>,
    ) {
        let now = self.now;
        let Some(activity) = self.activity_mut(group, id) else {
            return;
        };
        activity.status = status;
        activity.status_message = message.or_else(|| activity.status_message.take());
        match status {
            ActivityStatus::InProgress => {}
            ActivityStatus::MidLifecycleAction => activity.progress = 60,
            ActivityStatus::Successful | ActivityStatus::Failed | ActivityStatus::Cancelled => {
                activity.progress = 100;
                activity.ended_at = Some(now);
            }
        }
    }

    fn activity_mut(&mut self, group: &str, id: &str) -> Option<&mut Activity> {
        let activities = &mut self.state.groups.get_mut(group)?.activities;
        activities.iter_mut().find(|it| it.id == id)
    }

    /// Sends the event of an activity that ended.
    pub(super) fn send_activity(&mut self, group: &str, id: &str, event: ActivityEvent) {
        let Some(activity) = self
            .state
            .groups
            .get(group)
            .and_then(|it| it.activities.iter().find(|it| it.id == id))
        else {
            return;
        };
        let mut resources = vec![self.group_arn(group)];
        resources.extend(
            activity
                .instance
                .as_deref()
                .map(|it| self.ec2_instance_arn(it)),
        );
        let (origin, destination) = event.way();
        let detail = json!({
            "StatusCode": event.status_code(),
            "Description": activity.description,
            "AutoScalingGroupName": group,
            "ActivityId": activity.id,
            "Details": self.activity_details(activity),
            "RequestId": activity.id,
            "StatusMessage": activity.status_message.as_deref().unwrap_or_default(),
            "EndTime": iso(activity.ended_at.unwrap_or(self.now)),
            "EC2InstanceId": activity.instance.as_deref().unwrap_or_default(),
            "StartTime": iso(activity.started_at),
            "Cause": activity.cause,
            "Origin": origin,
            "Destination": destination,
        });
        let subject = activity.id.clone();
        self.send(
            "aws.autoscaling",
            event.detail_type(),
            &resources,
            detail,
            &subject,
            0,
        );
    }

    /// The details of an activity, with AWS's own keys.
    pub(crate) fn activity_details(&self, activity: &Activity) -> Value {
        match &activity.zone {
            Some(zone) => json!({
                "Subnet ID": self.subnet_id(zone),
                "Availability Zone": zone,
            }),
            None => json!({}),
        }
    }

    /// The subnet of a zone.
    pub(crate) fn subnet_id(&self, zone: &str) -> String {
        format!("subnet-{}", self.dice.hex(17, "subnet", zone, 0))
    }

    /// An instance's ARN.
    #[must_use]
    pub fn ec2_instance_arn(&self, id: &str) -> String {
        format!(
            "arn:aws:ec2:{}:{}:instance/{id}",
            self.config.region, self.config.account
        )
    }

    /// Sends the event of a lifecycle hook that holds an instance.
    pub(super) fn send_hook_event(
        &mut self,
        instance: &str,
        group: &str,
        (name, hook): (&str, &Hook),
        token: &str,
    ) {
        let transition = hook.transition;
        let state = self.state.instances.get(instance);
        let is_warmed = state.is_some_and(|it| it.lifecycle_state.is_warmed());
        let (detail_type, origin, destination) = match transition {
            Transition::Launching => (
                "EC2 Instance-launch Lifecycle Action",
                "EC2",
                "AutoScalingGroup",
            ),
            Transition::Terminating => (
                "EC2 Instance-terminate Lifecycle Action",
                if is_warmed {
                    "WarmPool"
                } else {
                    "AutoScalingGroup"
                },
                "EC2",
            ),
        };
        let mut detail = json!({
            "LifecycleActionToken": token,
            "AutoScalingGroupName": group,
            "LifecycleHookName": name,
            "EC2InstanceId": instance,
            "LifecycleTransition": transition.as_str(),
            "Origin": origin,
            "Destination": destination,
        });
        if let (Some(metadata), Some(detail)) =
            (&hook.notification_metadata, detail.as_object_mut())
        {
            detail.insert("NotificationMetadata".to_owned(), json!(metadata));
        }
        if let Some(target) = &hook.notification_target {
            self.send_hook_message(target, detail.clone(), token);
        }
        let arn = self.group_arn(group);
        self.send("aws.autoscaling", detail_type, &[arn], detail, token, 0);
    }

    /// The time as activities have it.
    pub(super) fn at_text(&self) -> String {
        iso_secs(self.now)
    }
}
