//! Which functions an event is for, and what it makes them look at, as the functions themselves see it.

use control::{About, Capacity, Concern, Departures, Interest as _, OTHER_FUNCTION, Pairs};
use model::trigger::TriggerKind;

/// What the event makes each function look at.
pub(crate) fn looks_at(kind: &TriggerKind) -> String {
    let answers = [
        answer(
            Pairs::concern(kind),
            |service| format!("the pair that `{service}` belongs to (spot-fallback)"),
            "every service that is opted in (spot-fallback)",
        ),
        answer(
            Capacity::concern(kind),
            |cluster| format!("the groups under `{cluster}` (cluster-scaler)"),
            "every group that is opted in (cluster-scaler)",
        ),
        answer(
            Departures::concern(kind),
            |named| format!("the {named} (instance-drain)"),
            "every instance that is opted in (instance-drain)",
        ),
    ];
    let looks: Vec<&str> = answers
        .iter()
        .filter_map(|it| it.as_ref().ok())
        .flatten()
        .map(String::as_str)
        .collect();
    match (looks.is_empty(), kind.service(), kind.cluster()) {
        (false, _, _) => looks.join("; "),
        (true, None, Some(cluster)) if kind.instances().next().is_none() => {
            format!("nothing: the event names no service for the task in `{cluster}`")
        }
        (true, _, _) => {
            // That an event is for another function says less than why that one does not look.
            let mut whys = answers.iter().filter_map(|it| it.as_ref().err());
            let why = whys.find(|it| **it != OTHER_FUNCTION);
            format!("nothing ({})", why.copied().unwrap_or(OTHER_FUNCTION))
        }
    }
}

/// What one function looks at, or why it looks at nothing.
fn answer<K>(
    concern: Concern<K>,
    one: impl Fn(&K) -> String,
    everything: &str,
) -> Result<Vec<String>, &'static str> {
    match concern {
        Concern::Look(About::Named(named)) => Ok(named.iter().map(one).collect()),
        Concern::Look(About::Everything) => Ok(vec![everything.to_owned()]),
        Concern::Nothing(why) => Err(why),
    }
}
