//! Which functions an event is for, and what it makes them look at, as the functions themselves see it.

use std::fmt::Display;

use control::{About, Capacity, Concern, Departures, Interest, OTHER_FUNCTION, Pairs, Tracking};
use model::drain::DrainKey;
use model::trigger::TriggerKind;

/// The most things that one function looks at and a line names; the rest is counted.
const NAMES_SHOWN_MAX: usize = 5;

/// What the event makes each function look at.
pub(crate) fn looks_at(kind: &TriggerKind) -> String {
    let each = [
        concern::<Pairs>(kind, "spot-fallback", |named| match named {
            Some(service) => format!("the pair that `{service}` belongs to"),
            None => "every service that is opted in".to_owned(),
        }),
        concern::<Capacity>(kind, "cluster-scaler", |named| match named {
            Some(cluster) => format!("the groups under `{cluster}`"),
            None => "every group that is opted in".to_owned(),
        }),
        concern::<Departures>(kind, "instance-drain", |named| match named {
            Some(DrainKey::Instance { instance }) => format!("the instance `{instance}`"),
            Some(key @ (DrainKey::Group { .. } | DrainKey::Cluster { .. })) => format!("the {key}"),
            None => "every instance that is opted in".to_owned(),
        }),
        concern::<Tracking>(kind, "service-scaler", |named| match named {
            Some(service) => format!("the tracked service `{service}`"),
            None => "every tracked service".to_owned(),
        }),
    ];
    let (looks, nothing): (Vec<_>, Vec<_>) = each.into_iter().partition(Result::is_ok);
    let looks: Vec<String> = looks.into_iter().flatten().collect();
    let mut whys = nothing.into_iter().filter_map(Result::err);
    let of_another = |why: &&str| *why != OTHER_FUNCTION;
    match (looks.is_empty(), kind.service(), kind.cluster()) {
        (false, _, _) => looks.join("; "),
        (true, None, Some(cluster)) if is_about_a_task(kind) => {
            format!("nothing: the event names no service for the task in `{cluster}`")
        }
        (true, _, _) => {
            let why = whys.find(of_another).unwrap_or(OTHER_FUNCTION);
            format!("nothing ({why})")
        }
    }
}

/// What one function looks at, or why at nothing.
fn concern<I: Interest>(
    kind: &TriggerKind,
    function: &str,
    text: impl Fn(Option<&I::Named>) -> String,
) -> Result<String, &'static str>
where
    I::Named: Display,
{
    let mut texts: Vec<String> = match I::concern(kind) {
        Concern::Look(About::Named(names)) => names.iter().map(|it| text(Some(it))).collect(),
        Concern::Look(About::Everything) => vec![text(None)],
        Concern::Nothing(why) => return Err(why),
    };
    let more = texts.len().saturating_sub(NAMES_SHOWN_MAX);
    texts.truncate(NAMES_SHOWN_MAX);
    if more > 0 {
        texts.push(format!("{more} more"));
    }
    Ok(format!("{} ({function})", texts.join(", ")))
}

/// A standalone task's event names its cluster, and no service to look at.
const fn is_about_a_task(kind: &TriggerKind) -> bool {
    matches!(
        kind,
        TriggerKind::TaskInterrupted(_) | TriggerKind::TaskStopped(_)
    )
}
