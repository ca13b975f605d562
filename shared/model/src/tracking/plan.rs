//! Plans for tracked services: the desired count that follows a metric, and why.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::{Action, Plan};
use crate::tracking::bounds::BoundsInForce;
use crate::tracking::hold::TrackingHold;
use crate::tracking::key::TrackingKey;
use crate::tracking::numbers::TrackingNumbers;
use crate::tracking::target::TargetName;
use crate::units::Seconds;

/// What was decided about tracked services.
pub type TrackingPlan = Plan<TrackingStep, TrackingHold>;

/// One change, complete: nothing is left to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrackingStep {
    /// The tracked service.
    pub subject: TrackingKey,
    /// What to do: always a desired count of the tracked service itself.
    pub action: Action,
    /// Why, with the numbers.
    pub reason: TrackingStepReason,
    /// The numbers of the service.
    pub numbers: TrackingNumbers,
}

/// Why a step is taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum TrackingStepReason {
    /// The load needs more tasks than are asked for.
    ScaleOut {
        /// The target that needs the most; of equal ones the first by name.
        target: TargetName,
        /// How many tasks it needs.
        needed: u32,
        /// Whether the forecast, and not the load itself, needs that many.
        is_forecast: bool,
        /// What keeps this step from going as far as it needs.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capped_by: Option<Cap>,
    },
    /// For the whole of the window no target has needed as many tasks as are asked for.
    ScaleIn {
        /// The most tasks that any target needed within the window.
        needed_max: u32,
        /// The most that any target will need by the forecast, where that is more. It counts every task that ran, as all does that
        /// lowering goes by.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        forecast: Option<u32>,
        /// The window.
        #[serde(rename = "window_secs")]
        window: Seconds,
    },
    /// Fewer tasks are asked for than the least that is allowed now.
    BelowMinimum {
        /// The bounds.
        bounds: BoundsInForce,
    },
    /// More tasks are asked for than the most that is allowed now.
    AboveMaximum {
        /// The bounds.
        bounds: BoundsInForce,
    },
}

/// What keeps a step from going as far as the load needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cap {
    /// How far one step may raise the desired count.
    Step,
    /// The most tasks that are allowed.
    Maximum,
}

impl TrackingStepReason {
    /// Every name, in the order of the variants.
    pub const NAMES: [&'static str; 4] =
        ["scale_out", "scale_in", "below_minimum", "above_maximum"];

    /// A stable name, for metrics and records.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::ScaleOut { .. } => "scale_out",
            Self::ScaleIn { .. } => "scale_in",
            Self::BelowMinimum { .. } => "below_minimum",
            Self::AboveMaximum { .. } => "above_maximum",
        }
    }
}

impl TrackingStep {
    /// The desired counts, before and after.
    #[must_use]
    pub const fn counts(&self) -> (u32, u32) {
        let Action::SetDesiredCount { from, to, .. } = &self.action;
        (*from, *to)
    }
}

impl fmt::Display for TrackingStepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScaleOut {
                target,
                needed,
                is_forecast,
                capped_by,
            } => {
                let what = if *is_forecast { "the forecast of " } else { "" };
                write!(f, "{what}`{target}` needs {needed}")?;
                match capped_by {
                    None => Ok(()),
                    Some(Cap::Step) => f.write_str(", and one step goes no further"),
                    Some(Cap::Maximum) => f.write_str(", and no more are allowed"),
                }
            }
            Self::ScaleIn {
                needed_max,
                forecast,
                window,
            } => {
                write!(f, "for {window} no target needed more than {needed_max}, ")?;
                match forecast {
                    None => f.write_str("and the tolerance above it is kept"),
                    Some(forecast) => write!(
                        f,
                        "the forecast needs {forecast} with every task counted, and the tolerance above that is kept"
                    ),
                }
            }
            Self::BelowMinimum { bounds } => write!(f, "allowed are {bounds}"),
            Self::AboveMaximum { bounds } => write!(f, "allowed are {bounds}"),
        }
    }
}

impl fmt::Display for TrackingStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            subject,
            action,
            reason,
            numbers,
        } = self;
        write!(
            f,
            "step `{subject}` {}: {action}, because {reason} ({numbers})",
            reason.as_str()
        )
    }
}
