//! Whose events have not been dealt with.
//!
//! Guaranteed: of a batch, exactly those messages go back to the queue whose pair had a step that was refused, failed or ran out of
//! time, or a gap. One broken pair neither holds up the others nor has their messages handled again, and in the end moved to the
//! dead-letter queue.

use std::collections::{BTreeMap, BTreeSet};

use model::ServiceKey;
use model::policy::TAG_STANDBY;
use model::snapshot::{PassedOver, Scope, Snapshot, Standby};

use crate::coalesce::{About, Message};
use crate::record::BatchItemFailure;

/// The services that something went wrong with.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// The services of the pairs concerned, and those that could not be read.
    services: BTreeSet<ServiceKey>,
    /// Every service that was seen.
    seen: BTreeSet<ServiceKey>,
    /// Which primary a standby belongs to, as every look so far saw it: a later look that sees nothing knows only the primary.
    primaries: BTreeMap<ServiceKey, ServiceKey>,
    /// Whether something could not be seen that belongs to no single service: a service that was not seen may be behind it.
    beyond: bool,
}

impl Trouble {
    /// Nothing was seen of what was asked for.
    pub(crate) fn blind(scope: &Scope) -> Self {
        match scope {
            Scope::Services(keys) => Self {
                services: keys.clone(),
                ..Self::default()
            },
            Scope::Clusters(_) => Self {
                beyond: true,
                ..Self::default()
            },
        }
    }

    /// What a look left open, and the pairs of these primaries.
    pub(crate) fn of(snapshot: &Snapshot, primaries: &BTreeSet<ServiceKey>) -> Self {
        let mut trouble = Self {
            beyond: !snapshot.gaps.is_empty(),
            ..Self::default()
        };
        for (key, pair) in &snapshot.pairs {
            let both = || {
                let standby = match &pair.standby {
                    Standby::Present(standby) => Some(standby.key.clone()),
                    Standby::Missing | Standby::Unknown => {
                        let named = pair.primary.tags.get(TAG_STANDBY.name);
                        let name = named.and_then(|name| name.parse().ok());
                        name.map(|name| ServiceKey::new(key.cluster.clone(), name))
                    }
                };
                [Some(key.clone()), standby].into_iter().flatten()
            };
            trouble.seen.extend(both());
            let belongs = both().map(|service| (service, key.clone()));
            trouble.primaries.extend(belongs);
            if !pair.gaps.is_empty() || primaries.contains(key) {
                trouble.services.extend(both());
            }
        }
        for (key, why) in &snapshot.passed_over {
            trouble.seen.insert(key.clone());
            match why {
                PassedOver::Unread { .. } => _ = trouble.services.insert(key.clone()),
                PassedOver::NotOptedIn
                | PassedOver::NotFound
                | PassedOver::StandbyWithoutPrimary { .. } => {}
            }
        }
        trouble
    }

    /// Adds another round's.
    pub(crate) fn extend(&mut self, other: Self) {
        self.services.extend(other.services);
        self.seen.extend(other.seen);
        self.primaries.extend(other.primaries);
        self.beyond |= other.beyond;
    }

    fn concerns(&self, about: &About) -> bool {
        match about {
            About::Service(key) => {
                let primary = self.primaries.get(key).unwrap_or(key);
                self.services.contains(key)
                    || self.services.contains(primary)
                    || (self.beyond && !self.seen.contains(key))
            }
            About::Everything => self.beyond || !self.services.is_empty(),
        }
    }

    /// The messages that the queue is to keep. `None`: one of them has no id, so that only the whole batch can go back.
    pub(crate) fn messages(&self, messages: Vec<Message>) -> Option<Vec<BatchItemFailure>> {
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
    use super::*;

    fn key(name: &str) -> ServiceKey {
        format!("demo/{name}").parse().unwrap()
    }

    fn trouble(services: &[&str], seen: &[&str], beyond: bool) -> Trouble {
        Trouble {
            services: services.iter().map(|it| key(it)).collect(),
            seen: seen.iter().map(|it| key(it)).collect(),
            primaries: BTreeMap::new(),
            beyond,
        }
    }

    /// The messages of `a`, `b` and a schedule that go back.
    fn check(trouble: &Trouble, want: &[&str]) {
        let message = |id: &str, about: About| Message {
            id: Some(id.parse().unwrap()),
            about,
        };
        let messages = vec![
            message("a", About::Service(key("a"))),
            message("b", About::Service(key("b"))),
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
        let blind = Trouble::blind(&Scope::Services(BTreeSet::from([key("a"), key("b")])));
        check(&blind, &["a", "b", "all"]);
        check(
            &Trouble::blind(&Scope::Clusters(vec![])),
            &["a", "b", "all"],
        );
    }

    #[test]
    fn without_an_id_the_whole_batch_goes_back() {
        let message = || Message {
            id: None,
            about: About::Service(key("a")),
        };
        let well = trouble(&["b"], &["a", "b"], false);
        assert_eq!(well.messages(vec![message()]), Some(vec![]));
        let ill = trouble(&["a"], &["a", "b"], false);
        assert_eq!(ill.messages(vec![message()]), None);
    }

    #[test]
    fn a_later_look_that_sees_nothing_concerns_the_standby_too() {
        let mut first = trouble(&[], &["a", "b"], false);
        first.primaries.insert(key("b"), key("a"));
        check(&first, &[]);
        let primary: BTreeSet<ServiceKey> = [key("a")].into();
        first.extend(Trouble::blind(&Scope::Services(primary)));
        check(&first, &["a", "b", "all"]);
    }
}
