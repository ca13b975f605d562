//! What happens to the world: a script of Spot's capacity, and what goes wrong besides.

use clap::ValueEnum;
use jiff::SignedDuration;
use model::Timestamp;
use model::strategy::FARGATE_SPOT;
use world::{Config, Delivery, Fault, FaultRule, Faults, RangeMs, World};

use crate::cli::Scenario;
use crate::lab::ec2::drought;
use crate::lab::function::Name;

/// Spot capacity that is never short for this service, in tasks.
const PLENTY: u32 = 300;
/// From the first steady state to the drought, in seconds.
pub(crate) const CALM_SECS: i64 = 120;
/// One dry spell and one wet spell of `drought-flap`, in seconds.
const FLAP_DRY_SECS: i64 = 240;
const FLAP_WET_SECS: i64 = 150;
/// How long the world is watched at most after Spot has returned for good, in seconds.
pub(crate) const RETURN_SECS_MAX: i64 = 2 * 3_600;

/// The times of a scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Script {
    /// When Spot runs dry for the first time.
    pub(crate) drought_at: Timestamp,
    /// When the tables of the drought are shown.
    pub(crate) during_at: Timestamp,
    /// When Spot returns for good.
    pub(crate) return_at: Timestamp,
}

/// The scenario's name, as it is written on the command line.
pub(crate) fn name(scenario: Scenario) -> String {
    let value = scenario.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}

impl Scenario {
    /// One sentence for the heading.
    pub(crate) const fn about(self) -> &'static str {
        match self {
            Self::Workshop => "Spot runs dry at once and returns later",
            Self::DroughtFlap => "Spot comes and goes every few minutes",
            Self::Lossy => "as `workshop`, with events lost, late, twice and out of order",
            Self::Throttled => {
                "as `workshop`, while the API throttles, fails and answers from the past"
            }
            Self::WorkshopEc2 => "many tasks come to groups of EC2 instances, and go",
            Self::Ec2Drought => "Spot has no instances for a service on EC2, and returns later",
            Self::WorkshopInterruption => {
                "Spot takes an instance with three tasks behind a load balancer"
            }
            Self::InterruptionStorm => "Spot warns many instances at once",
            Self::Tracking => "a day of traffic on a pair, and Spot runs short in its middle",
        }
    }

    /// The functions that run.
    pub(crate) const fn functions(self) -> &'static [Name] {
        match self {
            Self::Workshop | Self::DroughtFlap | Self::Lossy | Self::Throttled => {
                &[Name::SpotFallback]
            }
            Self::WorkshopEc2 => &[Name::ClusterScaler],
            Self::Ec2Drought => &[Name::SpotFallback, Name::ClusterScaler],
            Self::WorkshopInterruption => {
                &[Name::SpotFallback, Name::ClusterScaler, Name::InstanceDrain]
            }
            Self::InterruptionStorm => &[Name::InstanceDrain],
            Self::Tracking => &[Name::SpotFallback, Name::ServiceScaler],
        }
    }

    /// The world before anything happens.
    pub(crate) fn config(self, seed: u64) -> Config {
        let mut config = Config::new(seed);
        match self {
            Self::Workshop
            | Self::DroughtFlap
            | Self::WorkshopEc2
            | Self::Ec2Drought
            | Self::WorkshopInterruption
            | Self::InterruptionStorm
            | Self::Tracking => {}
            Self::Lossy => {
                config.delivery = Delivery {
                    duplicate_per_mille: 300,
                    late_per_mille: 300,
                    lost_per_mille: 400,
                    lose_guaranteed: true,
                    swap_per_mille: 200,
                    ..Delivery::default()
                };
            }
            Self::Throttled => {
                let rule = |fault, per_mille| FaultRule {
                    operation: None,
                    about: None,
                    fault,
                    per_mille,
                    times: None,
                    // The workshop itself is set up in peace.
                    during: Some((later(config.start, CALM_SECS), Timestamp::MAX)),
                };
                config.faults = Faults {
                    rules: vec![rule(Fault::Throttle, 150), rule(Fault::ServerError, 50)],
                    stale_per_mille: 200,
                    stale_age: Some(RangeMs::new(500, 5_000)),
                };
            }
        }
        config
    }

    /// Writes Spot's capacity into the world's agenda.
    pub(crate) fn write(self, world: &mut World, minutes: u32) -> Script {
        let dry_secs = i64::from(minutes) * 60;
        let drought_at = later(world.now(), CALM_SECS);
        let return_at = later(drought_at, dry_secs);
        match self {
            Self::Workshop | Self::Lossy | Self::Throttled => {
                world.set_capacity_everywhere(FARGATE_SPOT, drought_at, 0);
            }
            Self::DroughtFlap => {
                let mut at = drought_at;
                while at < return_at {
                    world.set_capacity_everywhere(FARGATE_SPOT, at, 0);
                    at = later(at, FLAP_DRY_SECS);
                    if at < return_at {
                        world.set_capacity_everywhere(FARGATE_SPOT, at, PLENTY);
                    }
                    at = later(at, FLAP_WET_SECS);
                }
            }
            Self::Ec2Drought => drought::write(world, drought_at, return_at),
            Self::WorkshopEc2
            | Self::WorkshopInterruption
            | Self::InterruptionStorm
            | Self::Tracking => {}
        }
        world.set_capacity_everywhere(FARGATE_SPOT, return_at, PLENTY);
        // Late enough for the interrupted tasks to be gone and the standby to be up.
        let covered_secs = match self {
            Self::Workshop | Self::DroughtFlap | Self::Lossy | Self::Throttled => 210,
            // Instances have to boot before tasks start.
            Self::WorkshopEc2
            | Self::Ec2Drought
            | Self::WorkshopInterruption
            | Self::InterruptionStorm
            | Self::Tracking => 300,
        };
        let during_at = later(drought_at, (dry_secs / 2).min(covered_secs));
        Script {
            drought_at,
            during_at,
            return_at,
        }
    }
}

/// `at`, so many seconds later.
pub(crate) fn later(at: Timestamp, secs: i64) -> Timestamp {
    at.saturating_add(SignedDuration::from_secs(secs))
        .unwrap_or(Timestamp::MAX)
}
