//! Tasks that leave with their instances, and what ECS said about room for them.

use super::judge::Judge;
use super::{SECOND, at, secs};

impl Judge<'_> {
    /// When ECS said that no instance has room, oldest first.
    pub(super) fn no_room(&self) -> Vec<i128> {
        let primary = &self.facts.pair.primary;
        let by_event = self.situation.room_reports.iter();
        let by_event = by_event.filter(|(it, _)| *it == primary.key);
        let by_event = by_event.map(|(_, time)| time.map_or(0, at));
        let lines = primary.not_placed.iter();
        let lines = lines.filter(|it| !it.text.contains("attribute") && !it.text.contains("AGENT"));
        let mut all: Vec<i128> = by_event.chain(lines.map(|it| at(it.at))).collect();
        all.iter_mut().for_each(|it| *it = (*it).min(0));
        all.sort_unstable();
        all
    }

    pub(super) fn no_room_lately(&self) -> Option<i128> {
        let last = *self.no_room().last()?;
        (last > -120 * SECOND).then_some(last)
    }

    /// From when to when ECS has said so without a pause of more than three minutes, where that is longer than any scale-out.
    pub(super) fn no_room_for_long(&self) -> Option<(i128, i128)> {
        let on_instances = |share: &&model::snapshot::ProviderShare| {
            let spot = share.market == model::strategy::Market::Spot;
            spot && share.item.provider.as_str() != "FARGATE_SPOT"
                && share.item.base + share.item.weight > 0
        };
        let primary = &self.facts.pair.primary;
        primary.capacity.iter().find(on_instances)?;
        let mut all = self.no_room();
        all.push(0);
        // Everything before the last long pause is another story.
        let pause = all.windows(2).rposition(|it| it[1] - it[0] > 180 * SECOND);
        let story = &all[pause.map_or(0, |index| index + 1)..all.len() - 1];
        let (first, last) = (*story.first()?, *story.last()?);
        let policy = self.facts.policy;
        let long = secs(policy.settle)
            .max(secs(policy.start_grace))
            .max(240 * SECOND);
        (last - first >= long).then_some((first, last))
    }

    /// Since when, as far as one may believe, none of the tasks on instances that drain was replaced.
    pub(super) fn stalled_since(&self) -> Option<i128> {
        let past = self.past.as_ref()?;
        if self.facts.counts.starting > 0 {
            return None;
        }
        if !self.facts.pair.primary.all_to_run_read {
            return past.stalled.map(|(_, since)| since);
        }
        if self.facts.unreplaced == 0 {
            return None;
        }
        let still = past
            .stalled
            .filter(|(tasks, _)| *tasks <= self.facts.unreplaced);
        Some(still.map_or(past.looked, |(_, since)| since))
    }

    /// Whether, by `then`, these tasks are known to leave for want of Spot instances.
    pub(super) fn told_apart(&self, then: i128) -> bool {
        let stalled = self
            .stalled_since()
            .is_some_and(|since| then - since >= 30 * SECOND);
        stalled || self.no_room_lately().is_some()
    }
}
