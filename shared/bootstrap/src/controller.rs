//! The steps of the flow, put together as the settings say.

use std::sync::Arc;

use act::{Actor, CapacityActor, DrainActor};
use calls::Budget;
use control::{Capacity, Controller, Departures, Duty, Pairs, Tracking};
use ledger::{DynamoDbLedger, Ledger, MemoryLedger};
use model::policy::Installation;
use observe::{CapacityObserver, DrainObserver, Observer, TrackingObserver};

use crate::clients::Clients;
use crate::settings::Settings;

/// A duty as settings and clients make it: its observer and its actor.
pub trait Assemble: Duty {
    /// Puts it together. Both draw from the budget, which is the process's.
    fn assemble(settings: &Settings, clients: &Clients, budget: Arc<Budget>) -> Self;
}

impl Assemble for Pairs {
    fn assemble(settings: &Settings, clients: &Clients, budget: Arc<Budget>) -> Self {
        let observer = Observer::new(
            clients.ecs.clone(),
            clients.application_autoscaling.clone(),
            clients.autoscaling.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        );
        Self {
            observer,
            actor: Actor::new(clients.ecs.clone(), budget, settings.mode),
        }
    }
}

impl Assemble for Capacity {
    fn assemble(settings: &Settings, clients: &Clients, budget: Arc<Budget>) -> Self {
        let (ecs, autoscaling) = (&clients.ecs, &clients.autoscaling);
        let observer = CapacityObserver::new(
            ecs.clone(),
            autoscaling.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        );
        Self {
            observer: observer.of_clusters(settings.clusters.iter().cloned()),
            actor: CapacityActor::new(ecs.clone(), autoscaling.clone(), budget, settings.mode),
        }
    }
}

impl Assemble for Departures {
    fn assemble(settings: &Settings, clients: &Clients, budget: Arc<Budget>) -> Self {
        let (ecs, autoscaling) = (&clients.ecs, &clients.autoscaling);
        let observer = DrainObserver::new(
            ecs.clone(),
            autoscaling.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        );
        Self {
            observer: observer.of_clusters(settings.clusters.iter().cloned()),
            actor: DrainActor::new(ecs.clone(), autoscaling.clone(), budget, settings.mode),
        }
    }
}

impl Assemble for Tracking {
    fn assemble(settings: &Settings, clients: &Clients, budget: Arc<Budget>) -> Self {
        let observer = TrackingObserver::new(
            clients.ecs.clone(),
            clients.autoscaling.clone(),
            clients.application_autoscaling.clone(),
            clients.cloudwatch.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        );
        Self {
            observer: observer.of_clusters(settings.clusters.iter().cloned()),
            actor: Actor::new(clients.ecs.clone(), budget, settings.mode),
        }
    }
}

/// A controller of a duty, under this name.
#[must_use]
pub fn controller<D: Assemble>(
    function: &'static str,
    settings: &Settings,
    clients: Clients,
) -> Controller<D> {
    // The share of AWS's rates that the process keeps to.
    let budget = Arc::new(Budget::new(settings.ecs_rate_share_percent));
    let duty = D::assemble(settings, &clients, budget);
    let ledger = match &settings.ledger_table {
        Some(table) => Ledger::DynamoDb(DynamoDbLedger::new(clients.dynamodb, table)),
        None => Ledger::Memory(MemoryLedger::new()),
    };
    Controller {
        function,
        region: Some(settings.region.clone()),
        clusters: settings.clusters.clone(),
        installation: Installation {
            schedule_interval: settings.schedule_interval,
        },
        duty,
        decide: D::DECIDE,
        ledger: Arc::new(ledger),
        clock: clients.clock,
        calls: clients.calls,
        look_again_after: control::LOOK_AGAIN_AFTER,
    }
}
