//! What an alarm makes of its datapoints.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html>

use crate::state::{Alarm, AlarmState, Comparison, MissingData};

/// How many periods more than it evaluates an alarm looks back, where data is missing.
pub(super) const EXTRA_PERIODS: u32 = 2;

/// Whether a value breaches a threshold; both in thousandths.
const fn breaches(comparison: Comparison, value: i64, threshold: i64) -> bool {
    match comparison {
        Comparison::GreaterThanOrEqual => value >= threshold,
        Comparison::GreaterThan => value > threshold,
        Comparison::LessThan => value < threshold,
        Comparison::LessThanOrEqual => value <= threshold,
    }
}

/// The state that an alarm comes to; `None` where it stays as it is. `values` are those of its periods, newest first, as many as
/// it evaluates and [`EXTRA_PERIODS`] more.
pub(super) fn judge(alarm: &Alarm, values: &[Option<i64>]) -> Option<AlarmState> {
    let periods = usize::try_from(alarm.evaluation_periods).unwrap_or(usize::MAX);
    let needed = usize::try_from(alarm.datapoints_to_alarm).unwrap_or(usize::MAX);
    let marks: Vec<Option<bool>> = values
        .iter()
        .map(|it| it.map(|value| breaches(alarm.comparison, value, alarm.threshold_milli)))
        .collect();
    // The newest datapoints that are there, up to as many as are evaluated.
    let known: Vec<bool> = marks.iter().filter_map(|it| *it).take(periods).collect();
    let bad = known.iter().filter(|it| **it).count();
    if bad >= needed {
        return Some(AlarmState::Alarm);
    }
    let missing = periods.saturating_sub(known.len());
    if missing == 0 {
        return Some(AlarmState::Ok);
    }
    match alarm.missing_data {
        MissingData::Breaching if bad + missing >= needed => Some(AlarmState::Alarm),
        MissingData::Breaching | MissingData::NotBreaching => Some(AlarmState::Ok),
        MissingData::Missing if known.is_empty() => Some(AlarmState::InsufficientData),
        MissingData::Ignore if known.is_empty() => None,
        MissingData::Missing if is_premature(&marks, needed) => Some(AlarmState::Alarm),
        MissingData::Ignore if is_premature(&marks, needed) => None,
        MissingData::Missing | MissingData::Ignore => Some(AlarmState::Ok),
    }
}

/// Whether the oldest datapoint that breaches is at least as old as the datapoints that an alarm takes, and everything newer
/// breaches or is missing.
fn is_premature(marks: &[Option<bool>], needed: usize) -> bool {
    marks
        .iter()
        .rposition(|it| *it == Some(true))
        .is_some_and(|oldest| {
            oldest + 1 >= needed && marks.iter().take(oldest).all(|it| *it != Some(false))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{MetricKey, Stat, Statistic, Watched};

    fn alarm(needed: u32, periods: u32, missing_data: MissingData) -> Alarm {
        let watched = Watched::metric(
            MetricKey::new("N", "m", &[]),
            Stat::Of(Statistic::Average),
            60,
        );
        let alarm = Alarm::new("a", watched, Comparison::GreaterThan, 100).takes(needed, periods);
        Alarm {
            missing_data,
            ..alarm
        }
    }

    /// Oldest first, as AWS's tables have them: `0` is good, `X` breaches, `-` is missing.
    fn check(marks: &str, needed: u32, periods: u32, wanted: [&str; 4]) {
        let values: Vec<Option<i64>> = marks
            .chars()
            .rev()
            .map(|it| match it {
                '0' => Some(0),
                'X' => Some(200),
                _ => None,
            })
            .collect();
        let got = [
            MissingData::Missing,
            MissingData::Ignore,
            MissingData::Breaching,
            MissingData::NotBreaching,
        ]
        .map(|it| judge(&alarm(needed, periods, it), &values).map_or("stays", AlarmState::as_str));
        assert_eq!(got, wanted, "{marks}");
    }

    #[test]
    fn three_of_three_as_aws_documents_it() {
        check("0-X-X", 3, 3, ["OK"; 4]);
        check("----0", 3, 3, ["OK"; 4]);
        check("-----", 3, 3, ["INSUFFICIENT_DATA", "stays", "ALARM", "OK"]);
        check("0XX-X", 3, 3, ["ALARM"; 4]);
        check("--X--", 3, 3, ["ALARM", "stays", "ALARM", "OK"]);
    }

    #[test]
    fn two_of_three_as_aws_documents_it() {
        check("0-X-X", 2, 3, ["ALARM"; 4]);
        check("00X0X", 2, 3, ["ALARM"; 4]);
        check("0-X--", 2, 3, ["ALARM", "stays", "ALARM", "OK"]);
        check("----0", 2, 3, ["OK", "OK", "ALARM", "OK"]);
        check("---X-", 2, 3, ["ALARM", "stays", "ALARM", "OK"]);
    }
}
