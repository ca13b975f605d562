//! The clients of `status` and `replay`: the same calls, budget and clock that the functions use.

use std::sync::Arc;

use bootstrap::{Assemble, Clients, Settings};
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

/// The Region of whatever is not AWS itself, unless it is said otherwise.
const ENDPOINT_REGION: &str = "us-west-2";

/// The clients.
#[derive(Debug)]
pub(crate) struct Aws {
    clients: Clients,
    budget: Arc<Budget>,
    region: RegionName,
}

impl Aws {
    /// Clients with the credentials of the environment. Nothing is called yet.
    pub(crate) fn connect(endpoint: &Endpoint) -> Result<Self, CliError> {
        let region = region(endpoint, std::env::var("AWS_DEFAULT_REGION").ok())?;
        let url = endpoint.endpoint_url.as_deref();
        let clients =
            Clients::load(region.as_str(), url).map_err(|missing| CliError::Credentials {
                missing,
                hint: if url.is_some_and(is_loopback) {
                    "; for a lab any values do: `AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x`"
                } else {
                    ""
                },
            })?;
        Ok(Self {
            clients,
            budget: Arc::new(Budget::new(RATE_SHARE_PERCENT)),
            region,
        })
    }

    /// The Region that is asked.
    pub(crate) const fn region(&self) -> &RegionName {
        &self.region
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
    pub(crate) fn controller<D: Assemble>(&self, function: &'static str) -> Controller<D> {
        let installation = Installation::default();
        let settings = Settings {
            mode: Mode::Observe,
            clusters: Vec::new(),
            ledger_table: None,
            ecs_rate_share_percent: RATE_SHARE_PERCENT,
            schedule_interval: installation.schedule_interval,
            region: self.region.clone(),
        };
        Controller {
            function,
            region: Some(self.region.clone()),
            clusters: Vec::new(),
            installation,
            duty: D::assemble(&settings, &self.clients, Arc::clone(&self.budget)),
            decide: D::DECIDE,
            ledger: Arc::new(Ledger::Memory(MemoryLedger::new())),
            clock: self.clients.clock.clone(),
            calls: self.clients.calls.clone(),
            look_again_after: control::LOOK_AGAIN_AFTER,
        }
    }
}

/// The Region that was asked for, else the one that most AWS tools take from the environment; a world at an address of its own has one
/// by default, AWS has none.
/// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html>
fn region(endpoint: &Endpoint, default: Option<String>) -> Result<RegionName, CliError> {
    let of_the_endpoint = endpoint
        .endpoint_url
        .as_ref()
        .map(|_| ENDPOINT_REGION.to_owned());
    let region = [endpoint.region.clone(), default, of_the_endpoint]
        .into_iter()
        .flatten()
        .find(|it| !it.is_empty())
        .ok_or_else(|| {
            CliError::Argument(
                "no Region: set `AWS_REGION` or `AWS_DEFAULT_REGION`, or give `--region`"
                    .to_owned(),
            )
        })?;
    region
        .parse()
        .map_err(|error: model::IdError| CliError::Argument(error.to_string()))
}

/// Whether an address is this computer's own.
fn is_loopback(url: &str) -> bool {
    let after = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = after.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next(),
        None => authority.split(':').next(),
    };
    let host = host.unwrap_or_default();
    host == "localhost"
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_region_is_asked_for_or_is_that_of_an_endpoint() {
        let check = |asked: Option<&str>, default: Option<&str>, url: Option<&str>, want| {
            let endpoint = Endpoint {
                endpoint_url: url.map(str::to_owned),
                region: asked.map(str::to_owned),
            };
            let found = region(&endpoint, default.map(str::to_owned));
            let found = found.map_err(|error| (error.exit_code(), error.to_string()));
            assert_eq!(found.map(|it| it.to_string()), want);
        };
        let none = "no Region: set `AWS_REGION` or `AWS_DEFAULT_REGION`, or give `--region`";
        let url = Some("http://127.0.0.1:1");
        check(
            Some("eu-west-1"),
            Some("eu-west-2"),
            url,
            Ok("eu-west-1".to_owned()),
        );
        check(None, Some("eu-west-2"), url, Ok("eu-west-2".to_owned()));
        check(Some(""), Some(""), url, Ok("us-west-2".to_owned()));
        check(None, None, None, Err((2, none.to_owned())));
    }

    #[test]
    fn loopback_is_told_from_elsewhere() {
        for here in [
            "http://127.0.0.1:4566",
            "http://localhost/x",
            "http://[::1]:80",
            "127.0.0.9",
        ] {
            assert!(is_loopback(here), "{here}");
        }
        for there in [
            "https://ecs.us-west-2.amazonaws.com",
            "http://127.example.org",
            "http://10.0.0.1:80",
            "",
        ] {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
