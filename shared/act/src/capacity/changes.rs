//! Draining container instances and taking that back: `ecs:UpdateContainerInstancesState`.

use model::capacity::CapacityAction;
use model::outcome::OutcomeResult;
use model::{ClusterName, ContainerInstanceArn, InstanceId};

use crate::hand::{Hand, precondition};
use crate::instances::{Found, Instance, reread};
use crate::occupied::{self, Occupied, in_words};
use crate::status::{ACTIVE, DRAINING, set};

/// A step that sets a container instance's status.
#[derive(Debug)]
pub(crate) struct Change {
    cluster: ClusterName,
    container_instance: ContainerInstanceArn,
    instance: InstanceId,
    to: To,
}

/// What an instance is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// DRAINING, where so many non-daemon tasks were seen.
    Draining { tasks: u32 },
    /// ACTIVE.
    Active,
}

impl To {
    const fn before(self) -> &'static str {
        match self {
            Self::Draining { .. } => ACTIVE,
            Self::Active => DRAINING,
        }
    }

    const fn after(self) -> &'static str {
        match self {
            Self::Draining { .. } => DRAINING,
            Self::Active => ACTIVE,
        }
    }
}

impl Change {
    pub(crate) fn of(action: &CapacityAction) -> Option<Self> {
        let (cluster, container_instance, instance, to) = match action {
            CapacityAction::Drain {
                cluster,
                container_instance,
                instance,
                tasks,
            } => {
                let to = To::Draining { tasks: *tasks };
                (cluster, container_instance, instance, to)
            }
            CapacityAction::Activate {
                cluster,
                container_instance,
                instance,
            } => (cluster, container_instance, instance, To::Active),
            CapacityAction::SetDesiredCapacity { .. } | CapacityAction::Terminate { .. } => {
                return None;
            }
        };
        Some(Self {
            cluster: cluster.clone(),
            container_instance: container_instance.clone(),
            instance: instance.clone(),
            to,
        })
    }

    /// The step that makes a drained container instance ACTIVE again.
    pub(crate) const fn to_active(
        cluster: ClusterName,
        container_instance: ContainerInstanceArn,
        instance: InstanceId,
    ) -> Self {
        Self {
            cluster,
            container_instance,
            instance,
            to: To::Active,
        }
    }

    pub(crate) const fn cluster(&self) -> &ClusterName {
        &self.cluster
    }

    pub(crate) const fn instance(&self) -> &InstanceId {
        &self.instance
    }

    /// Whether one call can set both.
    pub(crate) fn goes_with(&self, other: &Self) -> bool {
        self.cluster == other.cluster && self.to.after() == other.to.after()
    }

    /// The instance, if its status is what the plan saw; the outcome, if not. An instance that is ACTIVE again needs nothing; one that
    /// somebody else has drained is not taken for one of Ballast's.
    fn judge<'a>(&self, found: &'a Found) -> Result<&'a Instance, OutcomeResult> {
        if self.to == To::Active && found.with_status(ACTIVE, &self.instance).is_ok() {
            return Err(OutcomeResult::AlreadySo);
        }
        found.with_status(self.to.before(), &self.instance)
    }

    /// Whether the instance's tasks must be counted to tell whether they are what the plan saw. ECS's own count has daemons in it: with
    /// more than the plan saw there may be a task that was placed since, and that nobody has found room elsewhere for; with fewer it may
    /// leave out tasks that are told to stop.
    fn must_be_counted(&self, found: &Instance) -> bool {
        match self.to {
            To::Active => false,
            To::Draining { tasks: 0 } => !found.is_surely_empty(),
            To::Draining { tasks } => i64::from(found.tasks_counted) != i64::from(tasks),
        }
    }

    /// Whether the tasks that were counted are as many as the plan saw; the outcome, if not.
    fn judge_tasks(&self, occupied: &Occupied) -> Result<(), OutcomeResult> {
        let To::Draining { tasks } = self.to else {
            return Ok(());
        };
        let holders = occupied.of(&self.container_instance)?;
        if u32::try_from(holders.len()) == Ok(tasks) {
            return Ok(());
        }
        let found = match holders.len() {
            0 | 1 => in_words(holders),
            many => format!("{many} tasks: {}", in_words(holders)),
        };
        Err(precondition(found))
    }
}

/// Sets container instances of one cluster, at most [`super::STEPS_PER_READ_MAX`], to one status.
pub(crate) async fn write(hand: &Hand<'_>, changes: &[Change]) -> Vec<OutcomeResult> {
    let Some(first) = changes.first() else {
        return Vec::new();
    };
    let arns: Vec<&ContainerInstanceArn> =
        changes.iter().map(|it| &it.container_instance).collect();
    let found = reread(hand, &first.cluster, &arns).await;
    let found: Vec<Found> = arns.iter().map(|arn| found.of(arn)).collect();
    let mut judged: Vec<Result<&Instance, OutcomeResult>> = changes
        .iter()
        .zip(&found)
        .map(|(change, found)| change.judge(found))
        .collect();
    let counted: Vec<&Change> = changes
        .iter()
        .zip(&judged)
        .filter(|(change, judged)| {
            judged
                .as_ref()
                .is_ok_and(|found| change.must_be_counted(found))
        })
        .map(|(change, _)| change)
        .collect();
    let to_count: Vec<&ContainerInstanceArn> =
        counted.iter().map(|it| &it.container_instance).collect();
    let occupied = occupied::read(hand, &first.cluster, &to_count).await;
    for (change, judged) in changes.iter().zip(&mut judged) {
        if to_count.contains(&&change.container_instance)
            && judged.is_ok()
            && let Err(result) = change.judge_tasks(&occupied)
        {
            *judged = Err(result);
        }
    }
    let open: Vec<&ContainerInstanceArn> = changes
        .iter()
        .zip(&judged)
        .filter(|(_, judged)| judged.is_ok())
        .map(|(change, _)| &change.container_instance)
        .collect();
    let status = first.to.after();
    let mut written = set(hand, &first.cluster, status, &open).await.into_iter();
    judged
        .into_iter()
        .map(|judged| match judged {
            Ok(_) => written
                .next()
                .map_or(OutcomeResult::OutOfTime, |it| it.of_one_that_stays(status)),
            Err(result) => result,
        })
        .collect()
}
