//! Which functions an event is for, and what it makes them look at, as the functions themselves see it.

use control::{About, Capacity, Concern, Interest as _, Pairs};
use model::trigger::TriggerKind;

/// What the event makes each function look at.
pub(crate) fn looks_at(kind: &TriggerKind) -> String {
    let mut looks = Vec::new();
    let why =
        match Pairs::concern(kind) {
            Concern::Look(About::Named(services)) => {
                looks.extend(services.iter().map(|service| {
                    format!("the pair that `{service}` belongs to (spot-fallback)")
                }));
                ""
            }
            Concern::Look(About::Everything) => {
                looks.push("every service that is opted in (spot-fallback)".to_owned());
                ""
            }
            Concern::Nothing(why) => why,
        };
    match Capacity::concern(kind) {
        Concern::Look(About::Named(clusters)) => {
            looks.extend(
                clusters
                    .iter()
                    .map(|cluster| format!("the groups under `{cluster}` (cluster-scaler)")),
            );
        }
        Concern::Look(About::Everything) => {
            looks.push("every group that is opted in (cluster-scaler)".to_owned());
        }
        Concern::Nothing(_) => {}
    }
    match (looks.is_empty(), kind.service(), kind.cluster()) {
        (false, _, _) => looks.join("; "),
        (true, None, Some(cluster)) => {
            format!("nothing: the event names no service for the task in `{cluster}`")
        }
        (true, _, _) => format!("nothing ({why})"),
    }
}
