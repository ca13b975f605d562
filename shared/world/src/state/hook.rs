//! Lifecycle hooks. <https://docs.aws.amazon.com/autoscaling/ec2/userguide/lifecycle-hooks.html>

use jiff::Timestamp;

use super::group::words;

/// The heartbeat timeout where a hook names none, in seconds.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
pub const HEARTBEAT_TIMEOUT_DEFAULT_SECS: u32 = 3_600;
/// The shortest and the longest heartbeat timeout, in seconds.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_PutLifecycleHook.html>
pub const HEARTBEAT_TIMEOUT_SECS: std::ops::RangeInclusive<u32> = 30..=7_200;
/// The longest time in a wait state whatever the heartbeats, in seconds; or 100 times the heartbeat timeout if that is shorter.
/// <https://docs.aws.amazon.com/autoscaling/ec2/APIReference/API_LifecycleHook.html>
pub const GLOBAL_TIMEOUT_MAX_SECS: u32 = 172_800;

words! {
    /// When a hook holds an instance.
    Transition {
        /// Before it comes into service.
        Launching = "autoscaling:EC2_INSTANCE_LAUNCHING",
        /// Before it is terminated.
        Terminating = "autoscaling:EC2_INSTANCE_TERMINATING",
    }
}

words! {
    /// How a hook ends.
    HookResult {
        /// Go on.
        Continue = "CONTINUE",
        /// Terminate the instance, and skip the hooks that are left.
        Abandon = "ABANDON",
    }
}

/// A lifecycle hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// When it holds an instance.
    pub transition: Transition,
    /// How long it waits without a heartbeat, in seconds.
    pub heartbeat_timeout_secs: u32,
    /// What happens when that time is over.
    pub default_result: HookResult,
    /// A text that its event carries.
    pub notification_metadata: Option<String>,
    /// The ARN of the queue or topic that gets a message beside the event.
    pub notification_target: Option<String>,
    /// The ARN of the role that may send it. It is only shown.
    pub role: Option<String>,
}

impl Hook {
    /// A hook with AWS's defaults: an hour, and ABANDON.
    #[must_use]
    pub const fn new(transition: Transition) -> Self {
        Self {
            transition,
            heartbeat_timeout_secs: HEARTBEAT_TIMEOUT_DEFAULT_SECS,
            default_result: HookResult::Abandon,
            notification_metadata: None,
            notification_target: None,
            role: None,
        }
    }

    /// The longest time in the wait state, in seconds.
    #[must_use]
    pub fn global_timeout_secs(&self) -> u32 {
        self.heartbeat_timeout_secs
            .saturating_mul(100)
            .min(GLOBAL_TIMEOUT_MAX_SECS)
    }
}

/// An instance's wait for one hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookWait {
    /// The hook's name.
    pub(crate) hook: String,
    /// A UUID that names this action.
    pub(crate) token: String,
    /// When it ends without a heartbeat.
    pub(crate) until: Timestamp,
    /// When it ends whatever the heartbeats.
    pub(crate) ends_at: Timestamp,
}
