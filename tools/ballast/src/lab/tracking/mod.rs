//! A day of traffic on a pair of services, with a shortage of Spot in its middle: service-scaler and spot-fallback, and the same day
//! with fixed counts and without them.

pub(crate) mod day;
pub(crate) mod decisions;
pub(crate) mod figures;
pub(crate) mod hours;
pub(crate) mod picture;
pub(crate) mod stage;
pub(crate) mod traffic;
pub(crate) mod verdict;
