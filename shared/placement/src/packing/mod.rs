//! Vector bin packing: which tasks go on which instances, and what must be launched for the rest.
//!
//! Guaranteed: every placement keeps to the room, the host ports, the distinct instances, the constraints and the limits; what
//! is placed and what is not add up to what was asked; a task that is not placed finds no room left anywhere in the answer, and
//! its [`Refusal`] says why nothing more was launched for it; the same problem and [`Effort`] give the same answer, and more
//! iterations from the same seed never a worse one. Better is: fewer tasks unplaced, then less cost, then fewer new instances.
//!
//! Assumed: [`Bin::free`] is what AWS reported, possibly stale; ECS places by its own strategies, so the answer says what
//! suffices and not what ECS will do.
//!
//! Absent: time, prices (a cost is a number) and the cluster query language (constraints come worked out, as [`Eligibility`]).
//!
//! The room of ACTIVE instances is used first, then that of instances on their way, then new ones are opened. A spread over
//! zones is a preference, as it is for ECS, and never a reason not to place or to launch.

mod answer;
mod bound;
mod compiled;
mod first;
mod fit;
mod improve;
mod index_set;
mod missing;
mod open;
mod problem;
mod refusal;
mod state;
mod uniform;
pub mod vector;

pub use answer::{Dimension, Effort, Packing, Place, Placement, Refusal, Unplaced};
pub use index_set::IndexSet;
pub use problem::{
    Bin, DistinctKey, Eligibility, GroupId, Offer, Problem, Readiness, Spread, TaskGroup,
};

/// Packs.
///
/// An effort of 0 iterations gives the first answer: groups from the largest to the smallest, each on the first instance with
/// room for it, and where there is none on the offer that costs least for what it takes.
pub fn pack(problem: &Problem, effort: Effort) -> Packing {
    let compiled = compiled::Compiled::new(problem);
    let first = first::first_answer(&compiled);
    let best = if effort.iterations == 0 {
        first
    } else {
        search_on(&compiled, first, effort)
    };
    best.into_packing(problem, &compiled)
}

/// The best of what the searches find and the first answer. Each search is, with more iterations, the shorter one and then more.
fn search_on(
    compiled: &compiled::Compiled<'_>,
    first: state::State,
    effort: Effort,
) -> state::State {
    let Effort { iterations, seed } = effort;
    let uniform = uniform::in_fewest_bins(compiled, effort);
    // Where the stronger search applies the general one has little to add.
    let general = if uniform.is_some() {
        iterations / 16
    } else {
        iterations
    };
    let improved = improve::improve(compiled, first, general, seed);
    match uniform {
        Some(uniform) if uniform.worth(compiled) < improved.worth(compiled) => uniform,
        Some(_) | None => improved,
    }
}
