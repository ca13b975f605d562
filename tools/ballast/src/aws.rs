//! The clients of `status` and `replay`: the same calls, budget and clock that the functions use.

use std::sync::Arc;

use act::Actor;
use bootstrap::Clients;
use calls::{Budget, Caller, Deadline};
use control::Controller;
use ledger::{Ledger, MemoryLedger};
use model::RegionName;
use model::policy::{Installation, Mode};
use observe::Observer;

use crate::cli::Endpoint;
use crate::error::CliError;

/// How much of each ECS rate bucket a command may use, in percent: the functions have theirs beside it.
const RATE_SHARE_PERCENT: u32 = 25;

/// The clients.
#[derive(Debug)]
pub(crate) struct Aws {
    clients: Clients,
    budget: Arc<Budget>,
    region: Option<RegionName>,
}

impl Aws {
    /// Clients with the credentials of the environment. Nothing is called yet.
    pub(crate) fn connect(endpoint: &Endpoint) -> Result<Self, CliError> {
        Ok(Self {
            clients: Clients::load(&endpoint.region, endpoint.endpoint_url.as_deref())
                .map_err(CliError::Credentials)?,
            budget: Arc::new(Budget::new(RATE_SHARE_PERCENT)),
            region: endpoint.region.parse().ok(),
        })
    }

    /// The ECS client.
    pub(crate) const fn ecs(&self) -> &aws_sdk_ecs::Client {
        &self.clients.ecs
    }

    /// Makes calls within the budget, until the deadline.
    pub(crate) fn caller(&self, deadline: Deadline) -> Caller {
        Caller::new(Arc::clone(&self.budget), deadline)
    }

    /// Looks as the functions do.
    pub(crate) fn observer(&self) -> Observer {
        Observer::new(
            self.clients.ecs.clone(),
            self.clients.application_autoscaling.clone(),
            self.clients.autoscaling.clone(),
            Arc::clone(&self.budget),
            self.clients.clock.clone(),
        )
    }

    /// Decides as the function of this name does, and writes nothing: its mode is observe, its memory is empty and its own.
    pub(crate) fn controller(&self, function: &'static str) -> Controller {
        Controller {
            function,
            region: self.region.clone(),
            clusters: Vec::new(),
            installation: Installation::default(),
            observer: self.observer(),
            decide: placement::decide,
            actor: Actor::new(
                self.clients.ecs.clone(),
                Arc::clone(&self.budget),
                Mode::Observe,
            ),
            ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
            clock: self.clients.clock.clone(),
            calls: self.clients.calls.clone(),
        }
    }
}
