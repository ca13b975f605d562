//! Tasks that belong to no service: RunTask.
//! <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RunTask.html>

use model::ClusterName;
use serde_json::Value;

use super::placement::{Asked, Constraint, PlaceStrategy, Search, lacks};
use super::resources::Needs;
use crate::life::{Place, Placement};
use crate::pool::{Pool, PoolKey};
use crate::world::World;

/// What RunTask was asked for, for tasks of one provider or launch type.
#[derive(Debug, Clone)]
pub(crate) struct RunSpec {
    pub(crate) cluster: ClusterName,
    pub(crate) group: String,
    pub(crate) started_by: String,
    pub(crate) task_definition: String,
    /// The provider, or the launch type.
    pub(crate) on: String,
    /// Whether `on` is a provider.
    pub(crate) by_strategy: bool,
    pub(crate) needs: Needs,
    pub(crate) constraints: Vec<Constraint>,
    pub(crate) strategy: Vec<PlaceStrategy>,
    pub(crate) overrides: Option<Value>,
}

/// Why a task was not made: what it is about, by ARN, and the reason.
pub(crate) type RunFailure = (Option<String>, String);

impl World {
    /// Makes one task that belongs to no service, or says why not.
    pub(crate) fn run_one(&mut self, spec: &RunSpec) -> Result<String, Vec<RunFailure>> {
        if !self.uses_instances(&spec.cluster, &spec.on, spec.by_strategy) {
            return self.run_in_pool(spec);
        }
        let asked = self.asked_by_run(spec);
        let seat = Search::new(&self.state, &asked, self.dice).take();
        let place = match seat {
            Some(instance) => Place::Instance(instance),
            None if spec.by_strategy && self.may_wait(&spec.cluster, &spec.on) => {
                Place::Later(spec.on.clone())
            }
            None => {
                let reasons = lacks(&self.state, &asked).into_iter();
                return Err(reasons
                    .map(|(arn, lack)| (Some(arn), lack.reason().to_owned()))
                    .collect());
            }
        };
        let waits = matches!(place, Place::Later(_));
        let id = self.make(spec, place);
        if waits {
            self.run_specs.insert(id.clone(), asked);
        }
        Ok(id)
    }

    fn asked_by_run(&self, spec: &RunSpec) -> Asked {
        let provider = spec.by_strategy.then(|| spec.on.clone());
        let asked = Asked {
            cluster: spec.cluster.clone(),
            provider,
            group: spec.group.clone(),
            needs: spec.needs.clone(),
            constraints: spec.constraints.clone(),
            required_attributes: Vec::new(),
            strategy: spec.strategy.clone(),
        };
        match self.state.task_definitions.get(&spec.task_definition) {
            Some(definition) => asked.with_definition(definition),
            None => asked,
        }
    }

    fn run_in_pool(&mut self, spec: &RunSpec) -> Result<String, Vec<RunFailure>> {
        let zone = self
            .config
            .zones
            .iter()
            .map(|it| it.as_str())
            .filter(|zone| {
                let pool = self.pools.get(&PoolKey::new(&spec.on, zone));
                pool.is_none_or(Pool::has_room)
            })
            .min_by_key(|zone| {
                let pool = self.pools.get(&PoolKey::new(&spec.on, zone));
                pool.map_or(0, |it| it.kept.len())
            });
        let Some(zone) = zone.map(str::to_owned) else {
            let text = if spec.on.starts_with("FARGATE") {
                "Capacity is unavailable at this time. Please try again later or in a different availability zone"
            } else {
                "RESOURCE:CPU"
            };
            return Err(vec![(None, text.to_owned())]);
        };
        Ok(self.make(spec, Place::Slot(PoolKey::new(&spec.on, &zone))))
    }

    fn make(&mut self, spec: &RunSpec, place: Place) -> String {
        let launch_type = if spec.on.starts_with("FARGATE") {
            "FARGATE"
        } else {
            "EC2"
        };
        self.start_task(Placement {
            cluster: spec.cluster.clone(),
            service: None,
            group: spec.group.clone(),
            started_by: spec.started_by.clone(),
            task_definition: spec.task_definition.clone(),
            provider: spec.by_strategy.then(|| spec.on.clone()),
            launch_type: launch_type.to_owned(),
            place,
            needs: spec.needs.clone(),
            daemon: false,
            overrides: spec.overrides.clone(),
        })
    }
}
