//! What the functions decided in a day: their steps and holds, by reason.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::lab::driver::Invoked;
use crate::lab::function::Name;
use crate::output::{Screen, Tone, cell, titled};

/// What is counted of a decision record.
#[derive(Debug, Deserialize)]
struct Told {
    plan: ToldPlan,
}

#[derive(Debug, Deserialize)]
struct ToldPlan {
    #[serde(default)]
    steps_by_reason: BTreeMap<String, u64>,
    #[serde(default)]
    holds_by_reason: BTreeMap<String, u64>,
}

/// The steps and holds by function and reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Decisions {
    counts: BTreeMap<(Name, Kind, String), u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Step,
    Hold,
}

impl Decisions {
    /// Those of these invocations.
    pub(crate) fn of(invoked: &[Invoked]) -> Self {
        let mut decisions = Self::default();
        let told = invoked
            .iter()
            .filter_map(|it| Some((it.function, it.told.as_ref()?)));
        for (function, told) in told {
            // The driver has read the line before.
            let Ok(Told { plan }) = serde_json::from_str::<Told>(&told.line) else {
                continue;
            };
            for (kind, counts) in [
                (Kind::Step, plan.steps_by_reason),
                (Kind::Hold, plan.holds_by_reason),
            ] {
                for (reason, count) in counts {
                    *decisions
                        .counts
                        .entry((function, kind, reason))
                        .or_default() += count;
                }
            }
        }
        decisions
    }

    /// How many steps a function took for a reason.
    pub(crate) fn steps(&self, function: Name, reason: &str) -> u64 {
        let key = (function, Kind::Step, reason.to_owned());
        self.counts.get(&key).copied().unwrap_or(0)
    }

    /// A row for each reason.
    pub(crate) fn table(&self, screen: Screen) -> String {
        let mut table = screen.table(&["function", "what", "reason", "times"]);
        for ((function, kind, reason), count) in &self.counts {
            let (what, tone) = match kind {
                Kind::Step => ("step", Tone::Good),
                Kind::Hold => ("hold", Tone::Plain),
            };
            table.add_row(vec![
                cell(tone, function.as_str()),
                cell(tone, what),
                cell(tone, reason),
                cell(tone, count),
            ]);
        }
        titled(&screen.paint(Tone::Strong, "Decisions by reason"), &table)
    }
}
