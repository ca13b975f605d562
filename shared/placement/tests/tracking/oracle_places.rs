//! What the oracle knows beside the loads: the bounds of the week, and whether tasks find a place.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use model::memory::Level;
use model::snapshot::{Service, Standby};
use model::strategy::Market;
use model::tracking::{Measures, TrackingMemory};

use crate::oracle_loads::Fleets;

impl Fleets<'_> {
    /// The bounds of now, by the days on which windows begin.
    pub(crate) fn bounds(&self) -> (u32, u32) {
        let zone = TimeZone::get(&self.policy.time_zone).unwrap();
        let local = zone.to_datetime(Timestamp::from_second(self.now).unwrap());
        let always = self.policy.bounds;
        let mut holding = Vec::new();
        for window in &self.policy.windows {
            let holds = |date: Date| {
                let day = usize::try_from(date.weekday().to_monday_zero_offset()).unwrap();
                let at = |minute: u16| date.at(0, 0, 0, 0) + i64::from(minute).minutes();
                let from = at(window.from_minute);
                let mut until = at(window.until_minute);
                if until <= from {
                    until += 1.day();
                }
                window.days[day] && from <= local && local < until
            };
            if holds(local.date()) || holds(local.date().yesterday().unwrap()) {
                holding.push((
                    window.min_tasks.unwrap_or(always.min_tasks),
                    window.max_tasks.unwrap_or(always.max_tasks),
                ));
            }
        }
        let least = holding.iter().map(|it| it.0).max();
        let most = holding.iter().map(|it| it.1).max();
        let (mut least, most) = (
            least.unwrap_or(always.min_tasks),
            most.unwrap_or(always.max_tasks),
        );
        // Without a task nothing of each task can be measured.
        let targets = self.policy.targets.values();
        if least == 0
            && most >= 1
            && targets
                .filter(|it| it.measures == Measures::PerTask)
                .count()
                > 0
        {
            least = 1;
        }
        (least, most)
    }

    /// The pending tasks of a service, unless they have been so for five minutes, or the start-up time, with no more running than were.
    pub(crate) fn coming(&self, service: &Service, since: Option<Level>) -> u32 {
        let long = self.policy.pace.start_up.0.max(300);
        match since {
            Some(Level { tasks, at })
                if service.running_count <= tasks && self.now - at.as_second() >= long =>
            {
                0
            }
            _ => service.pending_count,
        }
    }

    /// Whether tasks that were asked for long ago are not placed, and why is known.
    pub(crate) fn has_nowhere_to_place(&self, memory: &TrackingMemory) -> bool {
        let primary = &self.fleet.primary;
        let line = primary
            .not_placed
            .iter()
            .any(|it| self.now - 300 < it.at.as_second());
        let mut there = primary.running_count;
        let coming = self.coming(primary, memory.pending);
        if !line {
            there += coming;
        }
        if let Some(Standby::Present(it)) = &self.fleet.standby {
            there += it.running_count + self.coming(it, memory.standby_pending);
        }
        let gone = i64::from(primary.desired_count) - i64::from(there);
        let waits = memory
            .pending
            .filter(|_| primary.pending_count > 0 && coming == 0);
        let waits = waits.filter(|_| gone <= i64::from(primary.pending_count));
        let since = memory.missing.or(waits).map(|it| it.at.as_second());
        let is_missing = gone * 10 > i64::from(primary.desired_count);
        let places: Vec<_> = primary
            .capacity
            .iter()
            .filter(|it| it.item.base + it.item.weight > 0)
            .collect();
        let all_full = !places.is_empty()
            && places.iter().all(|it| {
                let group = self.fleet.groups.get(&it.item.provider);
                group.is_some_and(|it| it.desired_capacity >= it.max_size)
            });
        let all_spot = !places.is_empty() && places.iter().all(|it| it.market == Market::Spot);
        is_missing && since.is_some_and(|it| self.now - it > 120) && (line || all_full || all_spot)
    }
}
