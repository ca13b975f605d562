//! What an expression comes to: a number, a series, or several series. Numbers are whole billionths.

use std::collections::BTreeMap;

/// One, in billionths.
pub(crate) const ONE: i128 = 1_000_000_000;
/// A thousandth, in billionths.
pub(crate) const MILLI: i128 = 1_000_000;

/// Values by the second in which their period begins.
pub(crate) type Points = BTreeMap<i64, i128>;

/// A series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What people call it.
    pub(crate) label: String,
    /// The length of its periods, in seconds.
    pub(crate) period_secs: i64,
    /// Its values.
    pub(crate) points: Points,
}

/// What an expression comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A number.
    Scalar(i128),
    /// A series.
    Series(Line),
    /// Several series.
    Array(Vec<Line>),
}

/// A quotient, rounded to the nearest; halves go up. `None` where nothing can be divided.
pub(crate) fn div_round(dividend: i128, divisor: i128) -> Option<i128> {
    let (dividend, divisor) = if divisor < 0 {
        (dividend.checked_neg()?, divisor.checked_neg()?)
    } else {
        (dividend, divisor)
    };
    dividend
        .checked_add(divisor / 2)?
        .checked_div_euclid(divisor)
}

/// A product of billionths.
pub(crate) fn times(one: i128, other: i128) -> Option<i128> {
    div_round(one.checked_mul(other)?, ONE)
}

/// A quotient of billionths.
pub(crate) fn over(one: i128, other: i128) -> Option<i128> {
    div_round(one.checked_mul(ONE)?, other)
}

/// 1 or 0.
pub(crate) const fn truth(flag: bool) -> i128 {
    if flag { ONE } else { 0 }
}

impl Line {
    /// The same series with other values; what has none is left out.
    pub(crate) fn map(&self, change: impl Fn(i64, i128) -> Option<i128>) -> Self {
        let points = self.points.iter();
        Self {
            points: points
                .filter_map(|(at, it)| Some((*at, change(*at, *it)?)))
                .collect(),
            label: self.label.clone(),
            period_secs: self.period_secs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotients_are_rounded_to_the_nearest() {
        for (dividend, divisor, wanted) in [
            (7, 2, Some(4)),
            (-7, 2, Some(-3)),
            (7, -2, Some(-3)),
            (1, 3, Some(0)),
            (2, 3, Some(1)),
            (1, 0, None),
        ] {
            assert_eq!(
                div_round(dividend, divisor),
                wanted,
                "{dividend} / {divisor}"
            );
        }
        assert_eq!(over(ONE, 3 * ONE), Some(333_333_333));
        assert_eq!(times(ONE / 2, 3 * ONE), Some(3 * ONE / 2));
        assert_eq!(times(i128::MAX, 2), None);
    }
}
