//! Whose events have not been dealt with.
//!
//! Guaranteed: of a batch, exactly those messages go back to the queue whose subject had a step that was refused, failed or ran out of
//! time, or a gap. One broken subject neither holds up the others nor has their messages handled again, and in the end moved to the
//! dead-letter queue.

use std::collections::{BTreeMap, BTreeSet};

use crate::coalesce::Message;
use crate::duty::About;
use crate::record::BatchItemFailure;

/// What something went wrong with, as events name it: services for pairs and for what follows metrics, clusters for capacity providers, instances and their groups
/// for departures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble<N> {
    /// What is concerned, and what could not be read.
    pub concerned: BTreeSet<N>,
    /// Everything that was seen.
    pub seen: BTreeSet<N>,
    /// What belongs to something else that may be concerned, such as a standby to its primary, as every look so far saw it: a later
    /// look that sees nothing knows only the primary.
    pub belongs_to: BTreeMap<N, N>,
    /// Whether something could not be seen that belongs to nothing that has a name: what was not seen may be behind it.
    pub beyond: bool,
}

impl<N> Default for Trouble<N> {
    fn default() -> Self {
        Self {
            concerned: BTreeSet::new(),
            seen: BTreeSet::new(),
            belongs_to: BTreeMap::new(),
            beyond: false,
        }
    }
}

impl<N: Ord> Trouble<N> {
    /// Adds another round's.
    pub(crate) fn extend(&mut self, other: Self) {
        self.concerned.extend(other.concerned);
        self.seen.extend(other.seen);
        self.belongs_to.extend(other.belongs_to);
        self.beyond |= other.beyond;
    }

    fn concerns(&self, about: &About<N>) -> bool {
        match about {
            About::Named(names) => names.iter().any(|name| {
                let whole = self.belongs_to.get(name).unwrap_or(name);
                self.concerned.contains(name)
                    || self.concerned.contains(whole)
                    || (self.beyond && !self.seen.contains(name))
            }),
            About::Everything => self.beyond || !self.concerned.is_empty(),
        }
    }

    /// The messages that the queue is to keep. `None`: one of them has no id, so that only the whole batch can go back.
    pub(crate) fn messages(&self, messages: Vec<Message<N>>) -> Option<Vec<BatchItemFailure>> {
        messages
            .into_iter()
            .filter(|it| self.concerns(&it.about))
            .map(|it| {
                Some(BatchItemFailure {
                    item_identifier: it.id?,
                })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use model::ServiceKey;
    use model::snapshot::Scope;

    use super::*;
    use crate::duty::Duty;
    use crate::pairs::Pairs;

    fn key(name: &str) -> ServiceKey {
        format!("demo/{name}").parse().unwrap()
    }

    fn trouble(services: &[&str], seen: &[&str], beyond: bool) -> Trouble<ServiceKey> {
        Trouble {
            concerned: services.iter().map(|it| key(it)).collect(),
            seen: seen.iter().map(|it| key(it)).collect(),
            belongs_to: BTreeMap::new(),
            beyond,
        }
    }

    /// The messages of `a`, `b` and a schedule that go back.
    fn check(trouble: &Trouble<ServiceKey>, want: &[&str]) {
        let message = |id: &str, about: About<ServiceKey>| Message {
            id: Some(id.parse().unwrap()),
            about,
        };
        let messages = vec![
            message("a", About::one(key("a"))),
            message("b", About::one(key("b"))),
            message("all", About::Everything),
        ];
        let kept = trouble.messages(messages).unwrap();
        let ids: Vec<&str> = kept.iter().map(|it| it.item_identifier.as_str()).collect();
        assert_eq!(ids, want, "{trouble:?}");
    }

    #[test]
    fn only_the_messages_concerned_go_back() {
        check(&trouble(&[], &["a", "b"], false), &[]);
        check(&trouble(&["a"], &["a", "b"], false), &["a", "all"]);
        check(&trouble(&["c"], &["a", "b", "c"], false), &["all"]);
        // What was seen is not behind a list that could not be read to its end; what was not seen may be.
        check(&trouble(&[], &["a"], true), &["b", "all"]);
        let blind = Pairs::trouble_blind(&Scope::Services(BTreeSet::from([key("a"), key("b")])));
        check(&blind, &["a", "b", "all"]);
        check(
            &Pairs::trouble_blind(&Scope::Clusters(vec![])),
            &["a", "b", "all"],
        );
    }

    #[test]
    fn without_an_id_the_whole_batch_goes_back() {
        let message = || Message {
            id: None,
            about: About::one(key("a")),
        };
        let well = trouble(&["b"], &["a", "b"], false);
        assert_eq!(well.messages(vec![message()]), Some(vec![]));
        let ill = trouble(&["a"], &["a", "b"], false);
        assert_eq!(ill.messages(vec![message()]), None);
    }

    #[test]
    fn a_later_look_that_sees_nothing_concerns_the_standby_too() {
        let mut first = trouble(&[], &["a", "b"], false);
        first.belongs_to.insert(key("b"), key("a"));
        check(&first, &[]);
        let primary: BTreeSet<ServiceKey> = [key("a")].into();
        first.extend(Pairs::trouble_blind(&Scope::Services(primary)));
        check(&first, &["a", "b", "all"]);
    }
}
