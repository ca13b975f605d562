//! Which functions an event is for, and what it makes them look at, as the functions themselves see it.

use std::collections::BTreeSet;
use std::fmt::Display;

use clap::ValueEnum;
use control::{About, Capacity, Concern, Departures, Interest, OTHER_FUNCTION, Pairs, Tracking};
use model::drain::DrainKey;
use model::trigger::TriggerKind;

use crate::lab::function::Name;

/// The most things that one function looks at and a line names; the rest is counted.
const NAMES_SHOWN_MAX: usize = 5;

/// What the event makes each function look at.
pub(crate) fn looks_at(kind: &TriggerKind) -> String {
    let each = [
        concern::<Pairs>(kind, Name::SpotFallback, |named| match named {
            Some(service) => format!("the pair that `{service}` belongs to"),
            None => "every service that is opted in".to_owned(),
        }),
        concern::<Capacity>(kind, Name::ClusterScaler, |named| match named {
            Some(cluster) => format!("the groups under `{cluster}`"),
            None => "every group that is opted in".to_owned(),
        }),
        concern::<Departures>(kind, Name::InstanceDrain, |named| match named {
            Some(DrainKey::Instance { instance }) => format!("the instance `{instance}`"),
            Some(key @ (DrainKey::Group { .. } | DrainKey::Cluster { .. })) => format!("the {key}"),
            None => "every instance that is opted in".to_owned(),
        }),
        concern::<Tracking>(kind, Name::ServiceScaler, |named| match named {
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
    function: Name,
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
    Ok(format!("{} ({})", texts.join(", "), function.as_str()))
}

/// The functions that look because of these events, in their order.
pub(crate) fn looking<'a>(kinds: impl Iterator<Item = &'a TriggerKind> + Clone) -> BTreeSet<Name> {
    let looks = |function: &Name| {
        kinds.clone().any(|kind| match function {
            Name::SpotFallback => leads_to_a_look::<Pairs>(kind),
            Name::ClusterScaler => leads_to_a_look::<Capacity>(kind),
            Name::InstanceDrain => leads_to_a_look::<Departures>(kind),
            Name::ServiceScaler => leads_to_a_look::<Tracking>(kind),
        })
    };
    let functions = Name::value_variants().iter();
    functions.copied().filter(looks).collect()
}

fn leads_to_a_look<I: Interest>(kind: &TriggerKind) -> bool {
    match I::concern(kind) {
        Concern::Look(_) => true,
        Concern::Nothing(_) => false,
    }
}

/// A standalone task's event names its cluster, and no service to look at.
const fn is_about_a_task(kind: &TriggerKind) -> bool {
    matches!(
        kind,
        TriggerKind::TaskInterrupted(_) | TriggerKind::TaskStopped(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each function that a line names plans, and no other one does; so with every sample of the repository.
    #[test]
    fn the_functions_that_look_are_those_of_the_line() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../events");
        let mut seen = BTreeSet::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let Ok(invocation) = trigger::parse_bytes(&std::fs::read(&path).unwrap()) else {
                continue;
            };
            for trigger in invocation.items.into_iter().filter_map(|it| it.read.ok()) {
                let line = looks_at(&trigger.kind);
                let functions = looking(std::iter::once(&trigger.kind));
                for name in Name::value_variants() {
                    let is_named = line.contains(&format!("({})", name.as_str()));
                    assert_eq!(is_named, functions.contains(name), "{path:?}: {line}");
                }
                seen.extend(functions);
            }
        }
        assert!(seen.iter().eq(Name::value_variants()), "{seen:?}");
    }

    #[test]
    fn a_function_is_asked_for_by_its_name() {
        for name in Name::value_variants() {
            let value = name.to_possible_value().unwrap();
            assert_eq!(value.get_name(), name.as_str());
        }
    }
}
