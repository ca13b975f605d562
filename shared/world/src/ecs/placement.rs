//! Which container instance a task goes to: what fits, what the constraints allow, and what the strategy prefers among those.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html>

use std::collections::BTreeMap;

use model::ClusterName;
use serde_json::{Value, json};

use super::instances::Facts;
use super::query::{Query, QueryError};
use super::resources::{Lack, Needs, Resources};
use crate::dice::Dice;
use crate::state::{ContainerInstance, State, TaskDefinition};

/// Lines of one placement strategy.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateService.html>
const STRATEGY_LINES_MAX: usize = 5;

/// A placement constraint of a service or a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Constraint {
    /// No two tasks of one group on an instance.
    DistinctInstance,
    /// Only instances that a cluster query holds for.
    MemberOf(String),
}

/// A line of a placement strategy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlaceStrategy {
    /// Any instance.
    Random,
    /// Evenly over the values of an attribute, such as `attribute:ecs.availability-zone`, or over instances (`instanceId`).
    Spread(String),
    /// The instance with the least left.
    Binpack(BinpackBy),
}

/// What the least left is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinpackBy {
    /// CPU units.
    Cpu,
    /// Memory.
    Memory,
}

/// A constraint or strategy that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlacementError {
    /// A cluster query that cannot be read.
    #[error("Invalid expression: {0}")]
    Query(String),
    /// A type that is neither of the two.
    #[error("`{0}` is not a placement constraint type")]
    Constraint(String),
    /// A type or a field that is not known.
    #[error("`{0}` is not a placement strategy")]
    Strategy(String),
    /// More lines than allowed.
    #[error("a placement strategy has at most {STRATEGY_LINES_MAX} lines")]
    TooManyLines,
}

impl From<QueryError> for PlacementError {
    fn from(error: QueryError) -> Self {
        Self::Query(error.to_string())
    }
}

impl Constraint {
    /// Reads a constraint of the wire, and its query.
    pub(crate) fn read(kind: &str, expression: Option<&str>) -> Result<Self, PlacementError> {
        match kind {
            "distinctInstance" => Ok(Self::DistinctInstance),
            "memberOf" => {
                let text = expression.unwrap_or_default();
                Query::parse(text)?;
                Ok(Self::MemberOf(text.to_owned()))
            }
            other => Err(PlacementError::Constraint(other.to_owned())),
        }
    }

    pub(crate) fn to_wire(&self) -> Value {
        match self {
            Self::DistinctInstance => json!({ "type": "distinctInstance" }),
            Self::MemberOf(text) => json!({ "type": "memberOf", "expression": text }),
        }
    }
}

impl PlaceStrategy {
    /// Reads a line of the wire. `host` means `instanceId`.
    pub(crate) fn read(kind: &str, field: Option<&str>) -> Result<Self, PlacementError> {
        let field = field.unwrap_or_default();
        match (kind, field.to_ascii_lowercase().as_str()) {
            ("random", _) => Ok(Self::Random),
            ("binpack", "cpu") => Ok(Self::Binpack(BinpackBy::Cpu)),
            ("binpack", "memory") => Ok(Self::Binpack(BinpackBy::Memory)),
            ("spread", "instanceid" | "host") => Ok(Self::Spread("instanceId".to_owned())),
            ("spread", _) if field.starts_with("attribute:") => Ok(Self::Spread(field.to_owned())),
            _ => Err(PlacementError::Strategy(format!("{kind} {field}"))),
        }
    }

    pub(crate) fn to_wire(&self) -> Value {
        match self {
            Self::Random => json!({ "type": "random" }),
            Self::Spread(field) => json!({ "type": "spread", "field": field }),
            Self::Binpack(BinpackBy::Cpu) => json!({ "type": "binpack", "field": "cpu" }),
            Self::Binpack(BinpackBy::Memory) => json!({ "type": "binpack", "field": "memory" }),
        }
    }

    /// A strategy has a bounded number of lines.
    pub(crate) fn check(lines: Vec<Self>) -> Result<Vec<Self>, PlacementError> {
        if lines.len() > STRATEGY_LINES_MAX {
            return Err(PlacementError::TooManyLines);
        }
        Ok(lines)
    }
}

/// What is to be placed: tasks that are all alike.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) cluster: ClusterName,
    /// Only instances of this provider; `None` (the launch type) means all of the cluster.
    pub(crate) provider: Option<String>,
    /// The tasks' group.
    pub(crate) group: String,
    pub(crate) needs: Needs,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) required_attributes: Vec<(String, Option<String>)>,
    pub(crate) strategy: Vec<PlaceStrategy>,
}

impl Asked {
    /// Adds what a task definition asks for.
    pub(crate) fn with_definition(mut self, definition: &TaskDefinition) -> Self {
        let own = definition.placement_constraints.iter();
        self.constraints
            .extend(own.map(|it| Constraint::MemberOf(it.clone())));
        self.required_attributes = definition.requires_attributes.clone();
        self
    }
}

/// The strategy of tasks that name none: spread over zones, then over instances.
/// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement-strategies.html>
fn default_strategy() -> Vec<PlaceStrategy> {
    ["attribute:ecs.availability-zone", "instanceId"]
        .map(|it| PlaceStrategy::Spread(it.to_owned()))
        .to_vec()
}

/// A search for places: the instances that have room, kept up to date as tasks are placed.
#[derive(Debug)]
pub(crate) struct Search {
    needs: Needs,
    distinct: bool,
    strategy: Vec<PlaceStrategy>,
    seats: Vec<Seat>,
    /// For each line of the strategy that spreads over an attribute: how many tasks each value has.
    spread: Vec<Vec<u32>>,
    /// How many tasks were asked for, for the random strategy.
    asked: u64,
}

#[derive(Debug)]
struct Seat {
    id: String,
    free: Resources,
    /// The tasks of the same group.
    group_tasks: u32,
    /// For each line of the strategy: the number of this instance's value in `spread`.
    values: [usize; STRATEGY_LINES_MAX],
}

impl Search {
    /// Looks at all instances. A query that cannot be read holds for none; the API refuses such queries.
    pub(crate) fn new(state: &State, asked: &Asked) -> Self {
        let queries = queries(asked);
        let strategy = if asked.strategy.is_empty() {
            default_strategy()
        } else {
            asked.strategy.clone()
        };
        let mut search = Self {
            needs: asked.needs.clone(),
            distinct: asked.constraints.contains(&Constraint::DistinctInstance),
            spread: strategy.iter().map(|_| Vec::new()).collect(),
            strategy,
            seats: Vec::new(),
            asked: 0,
        };
        let mut known: Vec<BTreeMap<String, usize>> = vec![BTreeMap::new(); search.strategy.len()];
        for instance in instances(state, asked) {
            let group_tasks = group_tasks(state, instance, &asked.group);
            let mut values = [0; STRATEGY_LINES_MAX];
            for (index, line) in search.strategy.iter().enumerate() {
                let (Some(known), Some(counts), Some(value)) = (
                    known.get_mut(index),
                    search.spread.get_mut(index),
                    values.get_mut(index),
                ) else {
                    continue;
                };
                let next = known.len();
                *value = *known.entry(attribute_of(instance, line)).or_insert(next);
                if *value == counts.len() {
                    counts.push(0);
                }
                if let Some(count) = counts.get_mut(*value) {
                    *count += group_tasks;
                }
            }
            let lack = lack(state, instance, asked, &queries, group_tasks);
            if lack.is_none() {
                search.seats.push(Seat {
                    id: instance.id().to_owned(),
                    free: instance.remaining.clone(),
                    group_tasks,
                    values,
                });
            }
        }
        search
    }

    /// The best instance for one more task, which is counted as placed there.
    pub(crate) fn take(&mut self, dice: Dice) -> Option<String> {
        self.asked += 1;
        let best = (0..self.seats.len()).min_by_key(|index| self.rank(*index, dice))?;
        let seat = self.seats.get_mut(best)?;
        seat.free.take(&self.needs);
        seat.group_tasks += 1;
        for (counts, value) in self.spread.iter_mut().zip(seat.values) {
            if let Some(count) = counts.get_mut(value) {
                *count += 1;
            }
        }
        let id = seat.id.clone();
        if self.distinct || seat.free.lack(&self.needs).is_some() {
            self.seats.swap_remove(best);
        }
        Some(id)
    }

    /// Another search has filled an instance.
    pub(crate) fn forget(&mut self, id: &str) {
        self.seats.retain(|it| it.id != id);
    }

    fn rank(&self, index: usize, dice: Dice) -> ([u64; STRATEGY_LINES_MAX], &str) {
        let mut rank = [0; STRATEGY_LINES_MAX];
        let Some(seat) = self.seats.get(index) else {
            return (rank, "");
        };
        for (at, (line, slot)) in self.strategy.iter().zip(&mut rank).enumerate() {
            *slot = match line {
                PlaceStrategy::Random => dice
                    .rng("random placement", &seat.id, self.asked)
                    .u64(0..1 << 32),
                PlaceStrategy::Spread(field) if field == "instanceId" => {
                    u64::from(seat.group_tasks)
                }
                PlaceStrategy::Spread(_) => {
                    let value = seat.values.get(at).copied().unwrap_or(0);
                    let counts = self.spread.get(at).and_then(|it| it.get(value));
                    u64::from(counts.copied().unwrap_or(0))
                }
                PlaceStrategy::Binpack(BinpackBy::Cpu) => u64::from(seat.free.cpu_units),
                PlaceStrategy::Binpack(BinpackBy::Memory) => u64::from(seat.free.memory_mib),
            };
        }
        (rank, &seat.id)
    }
}

/// What a task lacks on each instance that it might have gone to, by ARN.
pub(crate) fn lacks(state: &State, asked: &Asked) -> Vec<(String, Lack)> {
    let queries = queries(asked);
    instances(state, asked)
        .filter_map(|instance| {
            let group_tasks = group_tasks(state, instance, &asked.group);
            let lack = lack(state, instance, asked, &queries, group_tasks)?;
            Some((instance.arn.clone(), lack))
        })
        .collect()
}

/// The ACTIVE instances of a cluster, and of a provider where one is asked for.
fn instances<'a>(
    state: &'a State,
    asked: &'a Asked,
) -> impl Iterator<Item = &'a ContainerInstance> {
    state.container_instances.values().filter(|it| {
        it.cluster == asked.cluster
            && it.status == crate::state::ContainerInstanceStatus::Active
            && (asked.provider.is_none() || it.provider == asked.provider)
    })
}

fn queries(asked: &Asked) -> Vec<Option<Query>> {
    let texts = asked.constraints.iter().filter_map(|it| match it {
        Constraint::DistinctInstance => None,
        Constraint::MemberOf(text) => Some(text),
    });
    texts.map(|text| Query::parse(text).ok()).collect()
}

fn group_tasks(state: &State, instance: &ContainerInstance, group: &str) -> u32 {
    // Distinctness and spreading look at what a task is to do, not at what it still does.
    let live = instance
        .tasks_in(state)
        .filter(|it| it.desired_running && it.group == group);
    u32::try_from(live.count()).unwrap_or(u32::MAX)
}

fn attribute_of(instance: &ContainerInstance, line: &PlaceStrategy) -> String {
    let PlaceStrategy::Spread(field) = line else {
        return String::new();
    };
    let name = field.strip_prefix("attribute:").unwrap_or_default();
    instance
        .attributes
        .get(name)
        .cloned()
        .flatten()
        .unwrap_or_default()
}

fn lack(
    state: &State,
    instance: &ContainerInstance,
    asked: &Asked,
    queries: &[Option<Query>],
    group_tasks: u32,
) -> Option<Lack> {
    if !instance.agent_connected {
        return Some(Lack::Agent);
    }
    let has = |(name, value): &(String, Option<String>)| {
        let own = instance.attributes.get(name);
        own.is_some_and(|own| value.is_none() || own == value)
    };
    if !asked.required_attributes.iter().all(has) {
        return Some(Lack::Attribute);
    }
    let facts = Facts { state, instance };
    let member = |query: &Option<Query>| query.as_ref().is_some_and(|it| it.holds(&facts));
    if !queries.iter().all(member) {
        return Some(Lack::MemberOf);
    }
    if group_tasks > 0 && asked.constraints.contains(&Constraint::DistinctInstance) {
        return Some(Lack::DistinctInstance);
    }
    instance.remaining.lack(&asked.needs)
}
