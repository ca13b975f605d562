//! Which container instance a task goes to: what fits, what the constraints allow, and what the strategy prefers among those.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-placement.html>

use std::collections::{BTreeMap, BTreeSet};

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
///
/// Instances that share all values that the strategy spreads over are a group. Within a group the order of instances depends on each
/// one alone, so that a task that is placed moves one instance, and the groups' first ones are compared.
#[derive(Debug)]
pub(crate) struct Search {
    needs: Needs,
    distinct: bool,
    strategy: Vec<PlaceStrategy>,
    /// In the order of their ids.
    seats: Vec<Seat>,
    /// For each group: its instances, the best one first.
    groups: BTreeMap<Values, BTreeSet<(Rank, usize)>>,
    /// For each line of the strategy that spreads over an attribute: how many tasks each value has.
    spread: Vec<Vec<u32>>,
    dice: Dice,
}

/// For each line of the strategy: the number of an instance's value in `spread`.
type Values = [usize; STRATEGY_LINES_MAX];
/// For each line of the strategy: how much worse an instance is.
type Rank = [u64; STRATEGY_LINES_MAX];

#[derive(Debug)]
struct Seat {
    id: String,
    free: Resources,
    /// The tasks of the same group of tasks.
    group_tasks: u32,
    values: Values,
}

impl Search {
    /// Looks at all instances. A query that cannot be read holds for none; the API refuses such queries.
    pub(crate) fn new(state: &State, asked: &Asked, dice: Dice) -> Self {
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
            groups: BTreeMap::new(),
            dice,
        };
        let mut known: Vec<BTreeMap<String, usize>> = vec![BTreeMap::new(); search.strategy.len()];
        for instance in instances(state, asked) {
            let group_tasks = group_tasks(state, instance, &asked.group);
            let values = search.values_of(instance, group_tasks, &mut known);
            let lack = lack(state, instance, asked, &queries, group_tasks);
            if lack.is_none() {
                search.seats.push(Seat {
                    id: instance.id().to_owned(),
                    free: instance.remaining.clone(),
                    group_tasks,
                    values,
                });
                search.offer(search.seats.len() - 1);
            }
        }
        search
    }

    /// The numbers of an instance's values, whose tasks are counted.
    fn values_of(
        &mut self,
        instance: &ContainerInstance,
        group_tasks: u32,
        known: &mut [BTreeMap<String, usize>],
    ) -> Values {
        let mut values = Values::default();
        let lines = self.strategy.iter().zip(&mut self.spread);
        for ((line, counts), (known, value)) in lines.zip(known.iter_mut().zip(&mut values)) {
            let next = known.len();
            *value = *known.entry(attribute_of(instance, line)).or_insert(next);
            if *value == counts.len() {
                counts.push(0);
            }
            if let Some(count) = counts.get_mut(*value) {
                *count += group_tasks;
            }
        }
        values
    }

    /// Puts an instance among those that take tasks.
    fn offer(&mut self, index: usize) {
        let rank = self.own_rank(index);
        if let Some(seat) = self.seats.get(index) {
            let group = self.groups.entry(seat.values).or_default();
            group.insert((rank, index));
        }
    }

    /// The best instance for one more task, which is counted as placed there.
    pub(crate) fn take(&mut self) -> Option<String> {
        let firsts = self
            .groups
            .iter()
            .filter_map(|(values, group)| Some((*values, *group.first()?)));
        let best = firsts.min_by_key(|(values, (own, index))| (self.rank(*values, *own), *index));
        let (values, (own, index)) = best?;
        if let Some(group) = self.groups.get_mut(&values) {
            group.remove(&(own, index));
        }
        for (counts, value) in self.spread.iter_mut().zip(values) {
            if let Some(count) = counts.get_mut(value) {
                *count += 1;
            }
        }
        let seat = self.seats.get_mut(index)?;
        seat.free.take(&self.needs);
        seat.group_tasks += 1;
        let id = seat.id.clone();
        if !self.distinct && seat.free.lack(&self.needs).is_none() {
            self.offer(index);
        }
        Some(id)
    }

    /// Another search has filled an instance.
    pub(crate) fn forget(&mut self, id: &str) {
        if let Some(index) = self.seats.iter().position(|it| it.id == id) {
            for group in self.groups.values_mut() {
                group.retain(|(_, it)| *it != index);
            }
        }
    }

    /// What depends on an instance alone.
    fn own_rank(&self, index: usize) -> Rank {
        let mut rank = Rank::default();
        let Some(seat) = self.seats.get(index) else {
            return rank;
        };
        for (line, slot) in self.strategy.iter().zip(&mut rank) {
            *slot = match line {
                // Drawn anew with each task that it gets.
                PlaceStrategy::Random => {
                    let number = u64::from(seat.group_tasks);
                    let mut rng = self.dice.rng("random placement", &seat.id, number);
                    rng.u64(0..1 << 32)
                }
                PlaceStrategy::Spread(field) if field == "instanceId" => {
                    u64::from(seat.group_tasks)
                }
                PlaceStrategy::Spread(_) => 0,
                PlaceStrategy::Binpack(BinpackBy::Cpu) => u64::from(seat.free.cpu_units),
                PlaceStrategy::Binpack(BinpackBy::Memory) => u64::from(seat.free.memory_mib),
            };
        }
        rank
    }

    /// The whole rank: with what depends on the tasks of others.
    fn rank(&self, values: Values, own: Rank) -> Rank {
        let mut rank = own;
        let lines = self.strategy.iter().zip(&self.spread);
        for ((line, counts), (value, slot)) in lines.zip(values.into_iter().zip(&mut rank)) {
            let is_shared = matches!(line, PlaceStrategy::Spread(field) if field != "instanceId");
            if is_shared {
                *slot = counts.get(value).copied().map_or(0, u64::from);
            }
        }
        rank
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
