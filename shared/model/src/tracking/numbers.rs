//! The numbers of a tracked service, as a step and a hold show them.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::tracking::bounds::BoundsInForce;
use crate::tracking::target::TargetName;

/// How many tasks one target needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetNeed {
    /// The target.
    pub target: TargetName,
    /// When the period of the newest usable value began; `None` where there is no value, or none that is new enough.
    pub measured_at: Option<Timestamp>,
    /// The load at that time: so many thousandths of a task would have served it exactly at the target. Tasks that did not
    /// serve throughout the period are left out of it: they had just started, or stopped within it.
    pub load_milli_tasks: Option<i64>,
    /// The load if all that were counted had, where that is more. Raising goes by the former, lowering by this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_of_all_milli_tasks: Option<i64>,
    /// The tasks that the load needs now.
    pub needed: Option<u32>,
    /// The most tasks that the load needed within the scale-in window. `None` where the window has too many gaps to tell.
    pub needed_max: Option<u32>,
    /// The tasks that the load will need by the forecast, where one is asked for and there is a day, or a peak, that tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast: Option<u32>,
    /// What that comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forecast_from: Option<ForecastFrom>,
}

/// What a forecast comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForecastFrom {
    /// The load that it starts from, in thousandths of a task: the newest, or the largest of the last `ballast:forecast-peak-secs`.
    /// Of the tasks alone that served throughout it.
    pub peak_milli_tasks: i64,
    /// When the period of that load began.
    pub peak_at: Timestamp,
    /// By how many thousandths of it the load grew at this time of the days before; `None` where no day tells.
    pub growth_milli: Option<u32>,
}

/// A tracked service, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingNumbers {
    /// The service's desired count.
    pub desired: u32,
    /// Its RUNNING tasks, as ECS counts them: a task that is unhealthy or was told to stop counts until it leaves RUNNING.
    pub running: u32,
    /// Its tasks on their way, as ECS counts them.
    pub pending: u32,
    /// The standby's RUNNING tasks: they serve the same load.
    pub standby_running: u32,
    /// What each target needs, by its name.
    pub targets: Vec<TargetNeed>,
    /// The bounds that count now; `None` where the policy has faults.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<BoundsInForce>,
}

impl TrackingNumbers {
    /// Tasks that are asked for, and neither run nor are on their way.
    #[must_use]
    pub const fn missing(&self) -> u32 {
        self.desired
            .saturating_sub(self.running.saturating_add(self.pending))
    }
}

/// A number of thousandths, with its decimal point.
pub(crate) struct Thousandths(pub(crate) i64);

impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1_000, self.0.rem_euclid(1_000))
    }
}

impl fmt::Display for TargetNeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            target,
            measured_at,
            load_milli_tasks,
            load_of_all_milli_tasks,
            needed,
            needed_max,
            forecast,
            forecast_from,
        } = self;
        write!(f, "{target}")?;
        match (measured_at, load_milli_tasks, needed) {
            (Some(at), Some(load), Some(needed)) => {
                write!(f, " {needed} (load {} tasks at {at:.0}", Thousandths(*load))?
            }
            _ => write!(f, " unknown (no value that is new enough")?,
        }
        if let Some(load) = load_of_all_milli_tasks {
            let load = Thousandths(*load);
            write!(f, ", {load} with tasks that just started or stopped")?;
        }
        if let Some(most) = needed_max {
            write!(f, ", at most {most} in the window")?;
        }
        if let Some(forecast) = forecast {
            write!(f, ", forecast {forecast}")?;
        }
        if let Some(from) = forecast_from {
            f.write_str(" (")?;
            // The newest load is shown already.
            if Some(from.peak_at) != *measured_at {
                let peak = Thousandths(from.peak_milli_tasks);
                write!(f, "peak {peak} tasks at {:.0}, ", from.peak_at)?;
            }
            match from.growth_milli {
                Some(milli) => write!(f, "days grew {}.{} %)", milli / 10, milli % 10)?,
                None => f.write_str("no day tells)")?,
            }
        }
        f.write_str(")")
    }
}

impl fmt::Display for TrackingNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            desired,
            running,
            pending,
            standby_running,
            targets,
            bounds,
        } = self;
        write!(
            f,
            "desired {desired}, running {running}, pending {pending}; standby running {standby_running}"
        )?;
        for target in targets {
            write!(f, "; {target}")?;
        }
        if let Some(bounds) = bounds {
            write!(f, "; allowed {bounds}")?;
        }
        Ok(())
    }
}
