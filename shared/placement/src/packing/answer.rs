//! What packing came to.

use model::capacity::HostPort;

/// How long to look for something better than the first answer, in iterations, not in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Effort {
    /// How many times a part of the answer is taken apart and put together again. 0 gives the first answer at once.
    pub iterations: u32,
    /// Where the search starts. The same seed gives the same answer.
    pub seed: u64,
}

impl Effort {
    /// The first answer.
    pub const FIRST: Self = Self {
        iterations: 0,
        seed: 0,
    };
}

/// Where tasks were put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// An index into [`super::Problem::bins`].
    Existing(usize),
    /// An index into [`Packing::opened`].
    New(usize),
}

/// Some tasks of a group on one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Placement {
    /// The instance.
    pub place: Place,
    /// An index into [`super::Problem::groups`].
    pub group: usize,
    /// How many tasks.
    pub count: u32,
}

/// One of the amounts that a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    /// CPU units.
    CpuUnits,
    /// Memory, in MiB.
    MemoryMib,
    /// Whole GPUs.
    Gpus,
    /// Elastic network interfaces.
    NetworkInterfaces,
}

/// Why tasks were put nowhere. No instance that is there had room for them either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There is nothing that may be launched.
    NoOffers,
    /// The placement constraints allow none of the offers.
    NotAllowed,
    /// No allowed offer has as much of this as one task needs.
    TooLarge {
        /// The first such amount.
        dimension: Dimension,
        /// What one task needs.
        needs: u32,
        /// The most that an allowed offer has.
        largest: u32,
    },
    /// Each amount is there, but on no allowed offer all together.
    TooLargeTogether {
        /// The allowed offer that lacks the smallest share of what one task needs.
        closest: usize,
        /// What it lacks the largest share of.
        dimension: Dimension,
        /// What one task needs of it.
        needs: u32,
        /// What it has of it.
        has: u32,
    },
    /// Every allowed offer that is large enough has this host port in use by a daemon or the agent.
    HostPortTaken {
        /// The port, on the first such offer.
        port: HostPort,
    },
    /// An offer would do, but no more of those that would may be launched.
    OffersExhausted,
    /// An offer would do, but the limit of new instances is reached.
    LimitReached {
        /// The limit.
        at_most: u32,
    },
}

/// Tasks of a group that were put nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unplaced {
    /// An index into [`super::Problem::groups`].
    pub group: usize,
    /// How many tasks.
    pub count: u32,
    /// Why.
    pub why: Refusal,
}

/// What packing came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[must_use = "an answer that nobody reads places nothing"]
pub struct Packing {
    /// What goes where, by place, then by group.
    pub placements: Vec<Placement>,
    /// The offer of each new instance, as an index into [`super::Problem::offers`], in ascending order.
    pub opened: Vec<usize>,
    /// What goes nowhere, by group.
    pub unplaced: Vec<Unplaced>,
    /// No packing of all tasks that some offer can take opens fewer new instances, even without any limit on how many.
    pub opened_at_least: u32,
    /// The sum of the costs of what is opened.
    pub cost: u64,
}
