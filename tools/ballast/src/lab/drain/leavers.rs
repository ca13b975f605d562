//! What an instance takes with it, by the world's own timeline: between two looks a task may end by itself, just before its instance goes.

use model::Timestamp;
use world::World;

/// Reads the timeline on, from where it was read last.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    read: usize,
}

/// An instance that left its cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Leaver {
    pub(super) at: Timestamp,
    pub(super) instance: String,
    /// The tasks that were on it, and ended with it.
    pub(super) tasks: usize,
}

impl Leavers {
    /// Those that left since the last call, in order.
    pub(super) fn since_last(&mut self, world: &World) -> Vec<Leaver> {
        let entries = world.timeline().entries();
        // A timeline that was taken out begins anew.
        let from = if self.read > entries.len() {
            0
        } else {
            self.read
        };
        self.read = entries.len();
        let new = entries.iter().skip(from);
        new.filter_map(|entry| {
            let (instance, tasks) = leaver(&entry.text)?;
            Some(Leaver {
                at: entry.at,
                instance: instance.to_owned(),
                tasks,
            })
        })
        .collect()
    }
}

/// The instance and its tasks, in a line that says that it left.
fn leaver(text: &str) -> Option<(&str, usize)> {
    let (instance, rest) = text.split_once(" left ")?;
    let (_, tasks) = rest.rsplit_once(" with ")?;
    let tasks = tasks.strip_suffix(" tasks")?.parse().ok()?;
    Some((instance, tasks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_left_is_told_from_others() {
        let text = "i-00000000000000001 left container-demo with 3 tasks";
        assert_eq!(leaver(text), Some(("i-00000000000000001", 3)));
        for other in [
            "i-00000000000000001 is DRAINING",
            "container-demo/web serves with 3 of 9 tasks",
        ] {
            assert_eq!(leaver(other), None, "{other}");
        }
    }
}
