//! Values of metrics as whole thousandths.

use std::collections::BTreeMap;

use model::tracking::{Part, Point, Series};
use model::{Seconds, Timestamp};

/// The largest value that is counted with. A thousand times as much is still a whole number of 64 bits.
const VALUE_MAX: f64 = 9e15;

/// What CloudWatch gave for one query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    points: BTreeMap<Timestamp, i64>,
    unusable: u32,
    is_complete: bool,
}

impl Answer {
    /// Takes a value. Of two of one period the last counts.
    pub(crate) fn take(&mut self, at: Option<Timestamp>, value: f64) {
        match (at, milli(value)) {
            (Some(at), Some(value_milli)) => _ = self.points.insert(at, value_milli),
            (None, _) | (_, None) => self.note_unusable(),
        }
    }

    /// Leaves out the values of periods that began after this time.
    pub(crate) fn keep_until(&mut self, last: Timestamp) {
        self.points.retain(|at, _| *at <= last);
    }

    /// Notes a value that cannot be counted with.
    pub(crate) fn note_unusable(&mut self) {
        self.unusable = self.unusable.saturating_add(1);
    }

    /// Notes whether CloudWatch gave all values.
    pub(crate) const fn complete(&mut self, is_complete: bool) {
        self.is_complete = is_complete;
    }

    /// Adds the values of another time.
    pub(crate) fn extend(&mut self, other: Self) {
        self.points.extend(other.points);
        self.unusable = self.unusable.saturating_add(other.unusable);
        self.is_complete &= other.is_complete;
    }

    /// The values as a series, each times `numerator` divided by `denominator`, rounded to the nearest.
    pub(crate) fn series(self, part: Part, period: Seconds, scale: Scale) -> Series {
        let points = self.points.into_iter().map(|(at, value_milli)| Point {
            at,
            value_milli: scale.of(value_milli),
        });
        Series {
            part,
            period,
            points: points.collect(),
            unusable: self.unusable,
            is_complete: self.is_complete,
        }
    }
}

/// What a value is multiplied with, as a fraction above 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scale {
    pub(crate) numerator: i64,
    pub(crate) denominator: i64,
}

impl Scale {
    /// The value as it is.
    pub(crate) const ONE: Self = Self {
        numerator: 1,
        denominator: 1,
    };

    /// From the sum over one length of time to the sum over another.
    pub(crate) fn of_times(from: Seconds, to: Seconds) -> Self {
        Self {
            numerator: to.0.max(1),
            denominator: from.0.max(1),
        }
    }

    fn of(self, value: i64) -> i64 {
        let denominator = i128::from(self.denominator.max(1));
        let product = i128::from(value).saturating_mul(i128::from(self.numerator));
        // Half of the denominator, with the sign of the product: to the nearest.
        let half = if product < 0 {
            -(denominator / 2)
        } else {
            denominator / 2
        };
        let quotient = product.saturating_add(half) / denominator;
        let limit = if quotient < 0 { i64::MIN } else { i64::MAX };
        i64::try_from(quotient).unwrap_or(limit)
    }
}

/// A value in thousandths, to the nearest. `None`: it is no number, infinite or too large to count with.
#[expect(
    clippy::float_arithmetic,
    clippy::cast_possible_truncation,
    reason = "CloudWatch speaks in floating point; from here on thousandths are whole"
)]
fn milli(value: f64) -> Option<i64> {
    (value.is_finite() && value.abs() <= VALUE_MAX).then(|| (value * 1_000.0).round() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_thousandths_to_the_nearest() {
        for (value, want) in [
            (0.0, Some(0)),
            (61.2345, Some(61_235)),
            (61.2344, Some(61_234)),
            (-0.0006, Some(-1)),
            (9e15, Some(9_000_000_000_000_000_000)),
            (9.1e15, None),
            (f64::NAN, None),
            (f64::INFINITY, None),
            (f64::NEG_INFINITY, None),
        ] {
            assert_eq!(milli(value), want, "{value}");
        }
    }

    #[test]
    fn scales_round_to_the_nearest_and_stay_in_range() {
        let fifth = Scale::of_times(Seconds(300), Seconds(60));
        assert_eq!(fifth.of(12), 2);
        assert_eq!(fifth.of(13), 3);
        assert_eq!(fifth.of(-13), -3);
        let triple = Scale::of_times(Seconds(20), Seconds(60));
        assert_eq!(triple.of(7), 21);
        assert_eq!(triple.of(i64::MAX), i64::MAX);
        assert_eq!(triple.of(i64::MIN), i64::MIN);
        assert_eq!(Scale::ONE.of(-7), -7);
    }

    #[test]
    fn of_two_values_of_one_period_the_last_counts_and_the_order_does_not() {
        let at = |secs: i64| Timestamp::from_second(1_772_442_000 + secs).ok();
        let mut answer = Answer::default();
        for (secs, value) in [(120, 3.0), (0, 1.0), (60, 2.0), (120, 4.0), (180, f64::NAN)] {
            answer.take(at(secs), value);
        }
        answer.take(None, 5.0);
        answer.complete(true);
        let series = answer.series(Part::Primary, Seconds(60), Scale::ONE);
        let points: Vec<i64> = series.points.iter().map(|it| it.value_milli).collect();
        assert_eq!(points, [1_000, 2_000, 4_000]);
        assert!(series.points.is_sorted_by_key(|it| it.at));
        assert_eq!((series.unusable, series.is_complete), (2, true));
    }
}
