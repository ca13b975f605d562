//! The numbers of departures.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::units::{Counted, Seconds};

/// The tasks on an instance that are not STOPPED.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskCounts {
    /// Of services, and still to run.
    pub service: u32,
    /// Without a service, and still to run: ECS does not replace them.
    pub standalone: u32,
    /// Told to stop and not stopped yet, daemons' left out.
    pub stopping: u32,
    /// Daemons': they stop last, and nothing waits for them.
    pub daemon: u32,
}

impl TaskCounts {
    /// The tasks that are waited for: all but daemons'.
    #[must_use]
    pub const fn left(&self) -> u32 {
        self.service
            .saturating_add(self.standalone)
            .saturating_add(self.stopping)
    }
}

impl fmt::Display for TaskCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            standalone,
            stopping,
            daemon,
        } = self;
        write!(
            f,
            "{} left: {service} of services, {standalone} standalone, {stopping} stopping; {daemon} of daemons",
            Counted(self.left(), "task")
        )
    }
}

/// The numbers of one group, or of the instances of a cluster that are in no group. Everything is a count of instances unless its name
/// says otherwise. Of a look at single instances they count these only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DepartureNumbers {
    /// Instances that were looked at.
    pub looked_at: u32,
    /// Of these, those that are certainly going away.
    pub leaving: u32,
    /// Of these, those that are DRAINING.
    pub draining: u32,
    /// Of these, those without a task but daemons'.
    pub drained: u32,
    /// Those that leave and are not registered in the cluster yet.
    pub not_registered: u32,
    /// Those that EC2 took, or will have taken, before they were DRAINING.
    pub too_late: u32,
    /// Those that are DRAINING by whoever's hand, leaving or not.
    pub draining_any: u32,
    /// Those that only may leave: rebalance recommendations, lost agents, and planned maintenance that is not near yet.
    pub perhaps: u32,
    /// Tasks left on the instances that leave, daemons' left out.
    pub tasks_left: u32,
    /// Of these, tasks that ECS cannot move, or not in time.
    pub tasks_stuck: u32,
    /// How long the instance that has been DRAINING longest has been; zero where none is, and `None` where the ledger does not tell.
    #[serde(
        rename = "oldest_drain_secs",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub oldest_drain: Option<Seconds>,
}

impl fmt::Display for DepartureNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            looked_at,
            leaving,
            draining,
            drained,
            not_registered,
            too_late,
            draining_any,
            perhaps,
            tasks_left,
            tasks_stuck,
            oldest_drain,
        } = self;
        write!(
            f,
            "instances: {looked_at} looked at, {leaving} leaving, of which {draining} draining and {drained} drained, \
             {not_registered} not registered, {too_late} too late; {draining_any} draining in all, "
        )?;
        match oldest_drain {
            Some(oldest_drain) => write!(f, "the oldest for {oldest_drain}")?,
            None => f.write_str("for how long is not known")?,
        }
        write!(
            f,
            "; {perhaps} may leave; tasks: {tasks_left} left, of which {tasks_stuck} stuck"
        )
    }
}
