//! Plans: steps (what to change, from what, to what, why) and holds (what is left alone, and why).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use crate::hold::{Hold, HoldReason, Role};
use crate::ids::ServiceKey;
use crate::units::Seconds;

/// What was decided. Everything that was looked at is the subject of exactly one step or one hold.
/// The steps and holds are spot-fallback's where nothing else is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan<S = Step, H = Hold> {
    /// What to change, in the order of urgency.
    pub steps: Vec<S>,
    /// What is left alone, by subject.
    pub holds: Vec<H>,
}

impl<S, H> Default for Plan<S, H> {
    fn default() -> Self {
        Self {
            steps: Vec::new(),
            holds: Vec::new(),
        }
    }
}

/// One change, complete: nothing is left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The primary that this is for.
    pub subject: ServiceKey,
    /// What to do.
    pub action: Action,
    /// Why, with the numbers.
    pub reason: StepReason,
}

/// What a step does. Absolute values, never increments; `from` is the precondition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum Action {
    /// Set a service's desired count, if it still is what was seen.
    SetDesiredCount {
        /// The service.
        service: ServiceKey,
        /// The desired count that was seen.
        from: u32,
        /// The desired count that is wanted.
        to: u32,
    },
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetDesiredCount { service, from, to } => {
                write!(
                    f,
                    "set the desired count of `{service}` from {from} to {to}"
                )
            }
        }
    }
}

/// The tasks of a pair, counted.
///
/// *ready*: RUNNING, to run, not UNHEALTHY. *starting*: to run, not yet RUNNING, younger than the start grace.
/// *leaving*: told to stop and still up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// The primary's desired count.
    pub desired: u32,
    /// The primary's ready tasks.
    pub ready: u32,
    /// The primary's starting tasks.
    pub starting: u32,
    /// The primary's leaving tasks that Spot takes and that still serve.
    pub leaving: u32,
    /// desired − ready − starting, never below 0.
    pub deficit: u32,
    /// The standby's desired count.
    pub standby_desired: u32,
    /// The standby's ready tasks.
    pub standby_ready: u32,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            desired,
            ready,
            starting,
            leaving,
            deficit,
            standby_desired,
            standby_ready,
        } = self;
        write!(
            f,
            "desired {desired}, ready {ready}, starting {starting}, leaving {leaving}, deficit {deficit}; \
             standby {standby_desired}, of which ready {standby_ready}"
        )
    }
}

/// Why a step is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum StepReason {
    /// The primary lacks tasks.
    Cover {
        /// The numbers.
        counts: Counts,
        /// What made waiting pointless.
        evidence: Evidence,
    },
    /// Standby tasks have been unneeded for the whole hold-down.
    GiveBack {
        /// The numbers.
        counts: Counts,
        /// The most standby tasks that were needed within the hold-down.
        needed_max: u32,
        /// The hold-down.
        #[serde(rename = "hold_down_secs")]
        hold_down: Seconds,
    },
}

impl StepReason {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Cover { .. } => "cover",
            Self::GiveBack { .. } => "give_back",
        }
    }
}

impl fmt::Display for StepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cover { counts, evidence } => write!(f, "{evidence} ({counts})"),
            Self::GiveBack {
                counts,
                needed_max,
                hold_down,
            } => write!(
                f,
                "for {hold_down} no more than {needed_max} standby tasks were needed ({counts})"
            ),
        }
    }
}

/// What made waiting pointless.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "evidence", rename_all = "snake_case")]
pub enum Evidence {
    /// ECS reported that Spot has no capacity for the primary.
    SpotShortage {
        /// When it was reported.
        reported_at: Timestamp,
    },
    /// Interrupted tasks end so soon that a standby task started later would be late.
    DeadlineNear {
        /// When the first of them ends.
        first_deadline: Timestamp,
        /// The latest moment at which raising was early enough.
        latest_moment: Timestamp,
        /// How long a task of this pair takes to start.
        #[serde(rename = "start_up_secs")]
        start_up: Seconds,
    },
    /// For longer than a scale-out takes, ECS has found no container instance for tasks of a service on Spot instances, again and again.
    SpotInstancesShort {
        /// The first of these reports.
        since: Timestamp,
        /// The latest of them.
        latest: Timestamp,
    },
    /// Tasks are on Spot instances that drain, which an interruption ends two minutes after its warning, and ECS cannot or does not
    /// replace them.
    SpotInstancesDraining {
        /// How many of them are not replaced.
        tasks: u32,
        /// How many tasks are covered besides, because Spot took them, they do not start, or they have been missing for the settle time.
        others: u32,
        /// When ECS last found no room for a task of the service, where it said so lately.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_room_at: Option<Timestamp>,
        /// Since when ECS has started no task in the place of any of them, as far as it was watched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_replaced_since: Option<Timestamp>,
    },
    /// Spot took tasks a short while ago, and they are still missing.
    SpotTookTasks {
        /// How many interrupted tasks are missing and were not replaced.
        tasks: u32,
        /// How many tasks are covered besides, because they do not start or have been missing for the settle time.
        others: u32,
    },
    /// Tasks were made and do not start.
    Overdue {
        /// How many tasks have been on their way for longer than the start grace.
        tasks: u32,
        /// How many tasks are covered besides, because they have been missing for the settle time.
        others: u32,
        /// The start grace.
        #[serde(rename = "start_grace_secs")]
        start_grace: Seconds,
    },
    /// The deficit has lasted, whatever its cause.
    Persisted {
        /// Since when there has been a deficit of at least the covered size.
        since: Timestamp,
        /// The settle time.
        #[serde(rename = "settle_secs")]
        settle: Seconds,
    },
}

impl Evidence {
    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SpotShortage { .. } => "spot_shortage",
            Self::DeadlineNear { .. } => "deadline_near",
            Self::SpotInstancesShort { .. } => "spot_instances_short",
            Self::SpotInstancesDraining { .. } => "spot_instances_draining",
            Self::SpotTookTasks { .. } => "spot_took_tasks",
            Self::Overdue { .. } => "overdue",
            Self::Persisted { .. } => "persisted",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpotShortage { reported_at } => {
                write!(f, "ECS found no Spot capacity at {reported_at:.0}")
            }
            Self::DeadlineNear {
                first_deadline,
                latest_moment,
                start_up,
            } => write!(
                f,
                "interrupted tasks end from {first_deadline:.0} on and a task starts in {start_up}, so that {latest_moment:.0} was the \
                 latest moment to wait for"
            ),
            Self::SpotInstancesShort { since, latest } => write!(
                f,
                "no instance had room for a task from {since:.0} to {latest:.0}, which is longer than a scale-out takes"
            ),
            Self::SpotInstancesDraining {
                tasks,
                others,
                no_room_at,
                not_replaced_since,
            } => {
                write!(f, "{tasks} tasks are on Spot instances that drain, and ")?;
                match (no_room_at, not_replaced_since) {
                    (Some(at), _) => {
                        write!(f, "ECS found no room for replacements at {at:.0}")?;
                    }
                    (None, Some(since)) => {
                        write!(f, "ECS has started no replacement since {since:.0}")?;
                    }
                    (None, None) => write!(f, "ECS does not replace them")?,
                }
                besides(f, *others)
            }
            Self::SpotTookTasks { tasks, others } => {
                write!(f, "Spot took {tasks} tasks that are still missing")?;
                besides(f, *others)
            }
            Self::Overdue {
                tasks,
                others,
                start_grace,
            } => {
                write!(f, "{tasks} tasks did not start within {start_grace}")?;
                besides(f, *others)
            }
            Self::Persisted { since, settle } => {
                write!(
                    f,
                    "the deficit has lasted since {since:.0}, longer than {settle}"
                )
            }
        }
    }
}

fn besides(f: &mut fmt::Formatter<'_>, others: u32) -> fmt::Result {
    if others == 0 {
        return Ok(());
    }
    write!(f, " and {others} more have been missing for long enough")
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            action,
            reason,
        } = self;
        write!(
            f,
            "step `{subject}` {}: {action}, because {reason}",
            reason.as_str()
        )
    }
}

impl<S: fmt::Display, H: fmt::Display> fmt::Display for Plan<S, H> {
    /// One line for each step, then one for each hold: what an operator reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { steps, holds } = self;
        for step in steps {
            writeln!(f, "{step}")?;
        }
        for hold in holds {
            writeln!(f, "{hold}")?;
        }
        Ok(())
    }
}
