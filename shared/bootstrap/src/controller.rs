//! The steps of the flow, put together as the settings say.

use std::sync::Arc;

use act::{Actor, CapacityActor, DrainActor, TrackingActor};
use calls::Budget;
use control::{Capacity, Controller, Departures, Duty, Pairs, Tracking};
use ledger::{DynamoDbLedger, Ledger, MemoryLedger};
use model::policy::Installation;
use observe::{CapacityObserver, DrainObserver, Observer, TrackingObserver};

use crate::clients::Clients;
use crate::settings::Settings;

/// A controller of spot-fallback, under this name.
#[must_use]
pub fn controller(function: &'static str, settings: &Settings, clients: Clients) -> Controller {
    let budget = budget(settings);
    let duty = Pairs {
        observer: Observer::new(
            clients.ecs.clone(),
            clients.application_autoscaling.clone(),
            clients.autoscaling.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        ),
        actor: Actor::new(clients.ecs.clone(), budget, settings.mode),
    };
    with_duty(function, settings, clients, duty)
}

/// A controller of cluster-scaler, under this name.
#[must_use]
pub fn capacity_controller(
    function: &'static str,
    settings: &Settings,
    clients: Clients,
) -> Controller<Capacity> {
    let budget = budget(settings);
    let duty = Capacity {
        observer: CapacityObserver::new(
            clients.ecs.clone(),
            clients.autoscaling.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        )
        .of_clusters(settings.clusters.iter().cloned()),
        actor: CapacityActor::new(
            clients.ecs.clone(),
            clients.autoscaling.clone(),
            budget,
            settings.mode,
        ),
    };
    with_duty(function, settings, clients, duty)
}

/// A controller of instance-drain, under this name.
#[must_use]
pub fn departure_controller(
    function: &'static str,
    settings: &Settings,
    clients: Clients,
) -> Controller<Departures> {
    let budget = budget(settings);
    let duty = Departures {
        observer: DrainObserver::new(
            clients.ecs.clone(),
            clients.autoscaling.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        )
        .of_clusters(settings.clusters.iter().cloned()),
        actor: DrainActor::new(
            clients.ecs.clone(),
            clients.autoscaling.clone(),
            budget,
            settings.mode,
        ),
    };
    with_duty(function, settings, clients, duty)
}

/// A controller of service-scaler, under this name.
#[must_use]
pub fn tracking_controller(
    function: &'static str,
    settings: &Settings,
    clients: Clients,
) -> Controller<Tracking> {
    let budget = budget(settings);
    let duty = Tracking {
        observer: TrackingObserver::new(
            clients.ecs.clone(),
            clients.autoscaling.clone(),
            clients.application_autoscaling.clone(),
            clients.cloudwatch.clone(),
            Arc::clone(&budget),
            clients.clock.clone(),
        )
        .of_clusters(settings.clusters.iter().cloned()),
        actor: TrackingActor::new(clients.ecs.clone(), budget, settings.mode),
    };
    with_duty(function, settings, clients, duty)
}

/// The share of AWS's rates that the process keeps to.
fn budget(settings: &Settings) -> Arc<Budget> {
    Arc::new(Budget::new(settings.ecs_rate_share_percent))
}

/// What is the same for every function.
fn with_duty<D: Duty>(
    function: &'static str,
    settings: &Settings,
    clients: Clients,
    duty: D,
) -> Controller<D> {
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
