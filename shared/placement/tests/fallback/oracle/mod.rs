//! A second account of the rules, from their text alone: what must be done about a pair, and whether what is said about it is true.
//!
//! Times are nanoseconds here, and everything is counted anew.

mod facts;
mod give_back;
mod instances;
mod judge;
mod may_touch;

use jiff::Timestamp;
use model::snapshot::{Service, Task};

use crate::scene::now;

pub(crate) use judge::judge;

const SECOND: i128 = 1_000_000_000;

/// Nanoseconds after [`now`].
fn at(time: Timestamp) -> i128 {
    time.as_nanosecond() - now().as_nanosecond()
}

fn secs(secs: model::Seconds) -> i128 {
    i128::from(secs.0) * SECOND
}

/// The time, or the end of time where there is no such time.
fn time(at: i128) -> Timestamp {
    let nanos = at + now().as_nanosecond();
    let (first, last) = (
        Timestamp::MIN.as_nanosecond(),
        Timestamp::MAX.as_nanosecond(),
    );
    Timestamp::from_nanosecond(nanos.clamp(first, last)).unwrap()
}

fn count(service: &Service, wanted: impl Fn(&Task) -> bool) -> u32 {
    u32::try_from(service.tasks.iter().filter(|it| wanted(it)).count()).unwrap()
}
