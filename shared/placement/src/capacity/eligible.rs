//! Which instances a task may be put on: placement constraints and the attributes that its task definition requires.
//!
//! Of an instance that does not exist yet not everything is known. What merely is not known of it counts as met: one has to be launched
//! to find out, and once one is there it tells. What cannot be decided of any instance (see [`crate::query`]) allows none, and is named.

use std::collections::{BTreeMap, BTreeSet};

use model::capacity::{CapacityService, Constraint, ContainerInstance, TaskShape, Unplaceable};

use super::types::is_capability;
use crate::query::{
    self, Cause, Condition, Expression, Facts, FutureInstance, Unlisted, Unsupported, Verdict,
};

/// Whether a task may be put on an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Allowed {
    Yes,
    No(Unplaceable),
}

/// What a task asks of an instance beyond room.
#[derive(Debug)]
pub(crate) struct Rules<'a> {
    /// The attributes that the task definition requires.
    required: Option<&'a BTreeMap<String, Option<String>>>,
    expressions: Vec<(&'a str, Result<Expression, String>)>,
    /// A constraint that this version does not know.
    unknown: Option<&'a str>,
    /// Whether each task of the service needs an instance of its own.
    pub(crate) is_distinct: bool,
    /// Whether some expression asks for more than attributes.
    asks_beyond_attributes: bool,
}

impl<'a> Rules<'a> {
    pub(crate) fn new(service: Option<&'a CapacityService>, shape: Option<&'a TaskShape>) -> Self {
        let of_service = service.map_or(&[][..], |it| &it.constraints);
        let of_shape = shape.map_or(&[][..], |it| &it.constraints);
        let mut rules = Self {
            required: shape
                .map(|it| &it.required_attributes)
                .filter(|it| !it.is_empty()),
            expressions: Vec::new(),
            unknown: None,
            is_distinct: false,
            asks_beyond_attributes: false,
        };
        for constraint in of_service.iter().chain(of_shape) {
            match constraint {
                Constraint::DistinctInstance => rules.is_distinct = true,
                Constraint::MemberOf { expression } => {
                    let parsed = query::parse(expression).map_err(|error| error.to_string());
                    if let Ok(parsed) = &parsed {
                        rules.asks_beyond_attributes |= parsed
                            .conditions()
                            .iter()
                            .any(|it| attribute_of(it).is_none());
                    }
                    rules.expressions.push((expression, parsed));
                }
                Constraint::Other { name } => {
                    rules.unknown.get_or_insert(name);
                }
            }
        }
        rules
    }

    /// Whether every instance will do.
    pub(crate) const fn is_open(&self) -> bool {
        self.required.is_none() && self.expressions.is_empty() && self.unknown.is_none()
    }

    /// The attributes that matter.
    fn attributes(&self) -> impl Iterator<Item = &str> {
        let required = self.required.into_iter().flat_map(BTreeMap::keys);
        let asked = self
            .expressions
            .iter()
            .filter_map(|(_, parsed)| parsed.as_ref().ok())
            .flat_map(Expression::conditions)
            .filter_map(attribute_of);
        required.map(String::as_str).chain(asked)
    }

    /// Whether a registered instance will do, with so many tasks RUNNING on it.
    pub(crate) fn allow(&self, container: &ContainerInstance, running: u32) -> Allowed {
        let facts = Facts {
            attributes: &container.attributes,
            unlisted: Unlisted::Absent,
            ec2_instance_id: container.ec2_instance.as_ref().map(|id| id.as_str()),
            agent_connected: Some(true),
            agent_version: container.agent_version.as_deref(),
            registered_at: container.registered_at,
            running_tasks_count: Some(running),
        };
        self.decide(&facts, false, true)
    }

    /// Whether an instance that does not exist yet will do. `has_siblings` says whether the attributes of others were seen.
    pub(crate) fn allow_future(&self, future: &FutureInstance, has_siblings: bool) -> Allowed {
        self.decide(&future.facts(), !has_siblings, false)
    }

    /// `is_first`: nothing is known of what an agent of the group is able to do. `is_there`: it is registered, and what is not known of
    /// it will not be known later either.
    fn decide(&self, facts: &Facts<'_>, is_first: bool, is_there: bool) -> Allowed {
        if let Some(name) = self.unknown {
            return unsupported(name, name);
        }
        for (name, value) in self.required.into_iter().flatten() {
            if !has(facts, name, value.as_deref(), is_first) {
                let constraint = match value {
                    Some(value) => format!("{name} = {value}"),
                    None => name.clone(),
                };
                return Allowed::No(Unplaceable::ConstraintNotMet { constraint });
            }
        }
        for (text, parsed) in &self.expressions {
            let parsed = match parsed {
                Ok(parsed) => parsed,
                Err(error) => return unsupported(text, error),
            };
            match query::matches(parsed, facts) {
                Verdict::Yes => {}
                Verdict::No => {
                    return Allowed::No(Unplaceable::ConstraintNotMet {
                        constraint: (*text).to_owned(),
                    });
                }
                Verdict::Unknown(Unsupported { part, cause }) => match cause {
                    Cause::NotKnown if is_there => return unsupported(text, &part),
                    Cause::NotKnown => {}
                    Cause::TaskGroup
                    | Cause::Pattern { .. }
                    | Cause::EqualTimes
                    | Cause::NumbersOrTexts => return unsupported(text, &part),
                },
            }
        }
        Allowed::Yes
    }
}

fn unsupported(constraint: &str, part: &str) -> Allowed {
    Allowed::No(Unplaceable::ConstraintUnsupported {
        constraint: constraint.to_owned(),
        part: part.to_owned(),
    })
}

fn attribute_of(condition: &Condition) -> Option<&str> {
    match condition {
        Condition::Attribute { name, .. } => Some(name),
        Condition::AgentConnected(_)
        | Condition::Ec2InstanceId(_)
        | Condition::AgentVersion(..)
        | Condition::RegisteredAt(..)
        | Condition::RunningTasksCount(..)
        | Condition::TaskGroup(_) => None,
    }
}

/// Whether the instance has the attribute that a task definition requires, or may have it.
fn has(facts: &Facts<'_>, name: &str, value: Option<&str>, is_first: bool) -> bool {
    match facts.attributes.get(name) {
        Some(held) => value.is_none() || held.as_deref() == value,
        None if is_first && is_capability(name) => true,
        None => match facts.unlisted {
            Unlisted::Absent => false,
            Unlisted::AbsentExcept(names) => names.contains(name),
            Unlisted::Unknown => true,
        },
    }
}

/// The rules of several tasks, each asked once of instances that are alike in what the rules ask for.
pub(crate) struct Classes<'a> {
    rules: Vec<Rules<'a>>,
    keys: BTreeMap<ClassKey<'a>, usize>,
}

type ClassKey<'a> = (
    &'a [Constraint],
    &'a [Constraint],
    Option<&'a BTreeMap<String, Option<String>>>,
);

impl<'a> Classes<'a> {
    pub(crate) const fn new() -> Self {
        Self {
            rules: Vec::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The number of the class of such tasks.
    pub(crate) fn class(
        &mut self,
        service: Option<&'a CapacityService>,
        shape: Option<&'a TaskShape>,
    ) -> usize {
        let key = (
            service.map_or(&[][..], |it| &it.constraints),
            shape.map_or(&[][..], |it| &it.constraints),
            shape.map(|it| &it.required_attributes),
        );
        if let Some(class) = self.keys.get(&key) {
            return *class;
        }
        self.rules.push(Rules::new(service, shape));
        self.keys.insert(key, self.rules.len() - 1);
        self.rules.len() - 1
    }

    pub(crate) fn get(&self, class: usize) -> Option<&Rules<'a>> {
        self.rules.get(class)
    }

    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// Which of the containers, each with its number of RUNNING tasks, each class allows, in their order. `None` for a class that allows all.
    pub(crate) fn allowed(
        &self,
        containers: &[Option<(&ContainerInstance, u32)>],
    ) -> Vec<Option<Vec<bool>>> {
        let names: BTreeSet<&str> = self.rules.iter().flat_map(Rules::attributes).collect();
        let mut representatives: Vec<(&ContainerInstance, u32)> = Vec::new();
        let mut alike: BTreeMap<Vec<Option<Option<&str>>>, usize> = BTreeMap::new();
        let kinds: Vec<Option<usize>> = if self.rules.iter().all(Rules::is_open) {
            Vec::new()
        } else {
            containers
                .iter()
                .map(|container| {
                    let (container, running) = (*container)?;
                    let values: Vec<Option<Option<&str>>> = names
                        .iter()
                        .map(|name| container.attributes.get(*name).map(Option::as_deref))
                        .collect();
                    let next = representatives.len();
                    let kind = *alike.entry(values).or_insert(next);
                    if kind == next {
                        representatives.push((container, running));
                    }
                    Some(kind)
                })
                .collect()
        };
        self.rules
            .iter()
            .map(|rules| {
                if rules.is_open() {
                    return None;
                }
                if rules.asks_beyond_attributes {
                    let allowed = containers.iter().map(|it| {
                        it.is_some_and(|(it, running)| rules.allow(it, running) == Allowed::Yes)
                    });
                    return Some(allowed.collect());
                }
                let of_kinds: Vec<bool> = representatives
                    .iter()
                    .map(|(it, running)| rules.allow(it, *running) == Allowed::Yes)
                    .collect();
                let of = |kind: &Option<usize>| {
                    kind.and_then(|kind| of_kinds.get(kind).copied())
                        .unwrap_or(false)
                };
                Some(kinds.iter().map(of).collect())
            })
            .collect()
    }
}
