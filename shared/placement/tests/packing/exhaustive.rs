//! The best there is, by trying everything.

use placement::packing::{Problem, TaskGroup};

use crate::judge::{Load, bin_allowed, offer_allowed, offer_takes};

/// Tasks placed nowhere, the cost, and the number of new instances.
pub(crate) type Worth = (u32, u64, u32);

struct New {
    offer: usize,
    load: Load,
}

struct Try<'a> {
    problem: &'a Problem,
    tasks: Vec<&'a TaskGroup>,
    there: Vec<Load>,
    new: Vec<New>,
    best: Worth,
    /// Whether a task may be left out.
    may_leave_out: bool,
    judged_by: fn(Worth) -> Worth,
}

/// The best worth of any answer.
pub(crate) fn best(problem: &Problem) -> Worth {
    run(problem, problem.groups.iter(), true, |worth| worth)
}

/// The fewest new instances that take every task that some offer can take, limits aside.
pub(crate) fn fewest_without_limits(problem: &Problem) -> u32 {
    let mut unlimited = problem.clone();
    unlimited.new_bins_at_most = u32::MAX;
    for offer in &mut unlimited.offers {
        offer.at_most = u32::MAX;
    }
    let groups = problem
        .groups
        .iter()
        .filter(|group| (0..problem.offers.len()).any(|offer| offer_takes(problem, group, offer)));
    let fewest = |(left_out, _, opened): Worth| (left_out, u64::from(opened), opened);
    run(&unlimited, groups, false, fewest).2
}

fn run<'a>(
    problem: &'a Problem,
    groups: impl Iterator<Item = &'a TaskGroup>,
    may_leave_out: bool,
    judged_by: fn(Worth) -> Worth,
) -> Worth {
    let mut all = Try {
        problem,
        tasks: groups
            .flat_map(|group| (0..group.count).map(move |_| group))
            .collect(),
        there: (0..problem.bins.len())
            .map(|bin| Load::of_bin(problem, bin))
            .collect(),
        new: Vec::new(),
        best: (u32::MAX, u64::MAX, u32::MAX),
        may_leave_out,
        judged_by,
    };
    all.place(0, 0);
    all.best
}

impl Try<'_> {
    fn place(&mut self, next: usize, left_out: u32) {
        let cost = self
            .new
            .iter()
            .map(|new| self.problem.offers[new.offer].cost);
        let opened = u32::try_from(self.new.len()).expect("a few");
        let worth = (self.judged_by)((left_out, cost.sum(), opened));
        if worth >= self.best {
            return;
        }
        let Some(group) = self.tasks.get(next).copied() else {
            self.best = worth;
            return;
        };
        for bin in 0..self.there.len() {
            let before = self.there[bin].clone();
            if bin_allowed(self.problem, group, bin) && self.there[bin].put(group) {
                self.place(next + 1, left_out);
            }
            self.there[bin] = before;
        }
        for new in 0..self.new.len() {
            let before = self.new[new].load.clone();
            if offer_allowed(self.problem, group, self.new[new].offer)
                && self.new[new].load.put(group)
            {
                self.place(next + 1, left_out);
            }
            self.new[new].load = before;
        }
        if opened < self.problem.new_bins_at_most {
            for offer in 0..self.problem.offers.len() {
                let used = self.new.iter().filter(|new| new.offer == offer).count();
                let mut load = Load::of_offer(self.problem, offer);
                if used < self.problem.offers[offer].at_most as usize
                    && offer_allowed(self.problem, group, offer)
                    && load.put(group)
                {
                    self.new.push(New { offer, load });
                    self.place(next + 1, left_out);
                    self.new.pop();
                }
            }
        }
        if self.may_leave_out {
            self.place(next + 1, left_out + 1);
        }
    }
}
