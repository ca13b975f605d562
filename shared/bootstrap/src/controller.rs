//! The steps of the flow, put together as the settings say.

use std::sync::Arc;

use act::Actor;
use calls::Budget;
use control::{Controller, Pairs};
use ledger::{DynamoDbLedger, Ledger, MemoryLedger};
use model::policy::Installation;
use observe::Observer;

use crate::clients::Clients;
use crate::settings::Settings;

/// A controller of spot-fallback, under this name.
#[must_use]
pub fn controller(function: &'static str, settings: &Settings, clients: Clients) -> Controller {
    let Clients {
        ecs,
        application_autoscaling,
        autoscaling,
        dynamodb,
        clock,
        calls,
    } = clients;
    let budget = Arc::new(Budget::new(settings.ecs_rate_share_percent));
    let ledger = match &settings.ledger_table {
        Some(table) => Ledger::DynamoDb(DynamoDbLedger::new(dynamodb, table)),
        None => Ledger::Memory(MemoryLedger::new()),
    };
    Controller {
        function,
        region: Some(settings.region.clone()),
        clusters: settings.clusters.clone(),
        installation: Installation {
            schedule_interval: settings.schedule_interval,
        },
        duty: Pairs {
            observer: Observer::new(
                ecs.clone(),
                application_autoscaling,
                autoscaling,
                Arc::clone(&budget),
                clock.clone(),
            ),
            actor: Actor::new(ecs, budget, settings.mode),
        },
        decide: control::DECIDE,
        ledger: Arc::new(ledger),
        clock,
        calls,
        look_again_after: control::LOOK_AGAIN_AFTER,
    }
}
