//! The functions of expressions.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#metric-math-syntax-functions-list>

use std::collections::{BTreeMap, BTreeSet};

use super::eval::Scope;
use super::parse::Expr;
use super::value::{Line, ONE, Points, Value, div_round, over};

/// Calls a function.
///
/// # Errors
/// What is wrong with its arguments, in words.
pub(super) fn call(scope: &Scope<'_>, name: &str, arguments: &[Expr]) -> Result<Value, String> {
    match (name, arguments) {
        ("SUM" | "AVG" | "MIN" | "MAX" | "DATAPOINT_COUNT", [of]) => {
            gathered(name, scope.value(of)?)
        }
        ("METRIC_COUNT", [of]) => match scope.value(of)? {
            Value::Array(lines) => Ok(Value::Scalar(number_of(lines.len()))),
            Value::Scalar(_) | Value::Series(_) => Err(wrong(name)),
        },
        ("ABS", [of]) => each(name, scope.value(of)?, |line| {
            line.map(|_, it| it.checked_abs())
        }),
        ("CEIL", [of]) => each(name, scope.value(of)?, |line| {
            line.map(|_, it| it.checked_neg()?.div_euclid(ONE).checked_mul(-ONE))
        }),
        ("FLOOR", [of]) => each(name, scope.value(of)?, |line| {
            line.map(|_, it| it.div_euclid(ONE).checked_mul(ONE))
        }),
        ("DIFF", [of]) => each(name, scope.value(of)?, |line| {
            stepwise(line, |_, change| Some(change))
        }),
        ("RATE", [of]) => each(name, scope.value(of)?, |line| {
            stepwise(line, |secs, change| div_round(change, i128::from(secs)))
        }),
        ("PERIOD", [Expr::Id(id)]) => scope
            .env
            .metric_period_secs(id)
            .map(|it| Value::Scalar(i128::from(it) * ONE))
            .ok_or_else(|| "PERIOD takes a metric, not the result of an expression".to_owned()),
        ("METRICS", []) => Ok(metrics(scope, "")),
        ("METRICS", [Expr::Text(part)]) => Ok(metrics(scope, part)),
        ("TIME_SERIES", [of]) => match scope.value(of)? {
            Value::Scalar(number) => Ok(Value::Series(constant(scope, number))),
            Value::Series(_) | Value::Array(_) => Err(wrong(name)),
        },
        ("FILL", [of, with]) => fill(scope, scope.value(of)?, with),
        ("IF", [condition, then]) => choose(scope, condition, then, None),
        ("IF", [condition, then, otherwise]) => choose(scope, condition, then, Some(otherwise)),
        _ => Err(wrong(name)),
    }
}

fn wrong(name: &str) -> String {
    format!("The arguments of {name} are not of its form")
}

fn number_of(count: usize) -> i128 {
    i128::try_from(count).unwrap_or(i128::MAX / ONE) * ONE
}

fn each(name: &str, value: Value, change: impl Fn(&Line) -> Line) -> Result<Value, String> {
    match value {
        Value::Series(line) => Ok(Value::Series(change(&line))),
        Value::Array(lines) => Ok(Value::Array(lines.iter().map(change).collect())),
        Value::Scalar(_) => Err(wrong(name)),
    }
}

fn metrics(scope: &Scope<'_>, part: &str) -> Value {
    let metrics = scope.env.metrics().into_iter();
    Value::Array(
        metrics
            .filter(|(id, _)| id.contains(part))
            .map(|it| it.1)
            .collect(),
    )
}

fn gather(name: &str, values: &[i128], of: usize) -> Option<i128> {
    match name {
        "SUM" => values
            .iter()
            .try_fold(0_i128, |sum, it| sum.checked_add(*it)),
        "AVG" => {
            let sum = values
                .iter()
                .try_fold(0_i128, |sum, it| sum.checked_add(*it))?;
            over(sum, number_of(of))
        }
        "MIN" => values.iter().copied().min(),
        "MAX" => values.iter().copied().max(),
        "DATAPOINT_COUNT" => Some(number_of(values.len())),
        _ => None,
    }
}

/// Of one series a number, of several series a series.
fn gathered(name: &str, value: Value) -> Result<Value, String> {
    match value {
        Value::Scalar(_) => Err(wrong(name)),
        Value::Series(line) => {
            let values: Vec<i128> = line.points.values().copied().collect();
            Ok(Value::Scalar(
                gather(name, &values, values.len()).unwrap_or(0),
            ))
        }
        Value::Array(lines) => {
            let mut by_time: BTreeMap<i64, Vec<i128>> = BTreeMap::new();
            for (at, value) in lines.iter().flat_map(|it| &it.points) {
                by_time.entry(*at).or_default().push(*value);
            }
            // What is missing counts as 0 in a mean.
            let of = lines.len();
            let points = by_time.iter();
            Ok(Value::Series(Line {
                label: name.to_owned(),
                period_secs: lines.iter().map(|it| it.period_secs).max().unwrap_or(60),
                points: points
                    .filter_map(|(at, values)| Some((*at, gather(name, values, of)?)))
                    .collect(),
            }))
        }
    }
}

/// A series of what its values do from one to the next; the first has none before it.
fn stepwise(line: &Line, of: impl Fn(i64, i128) -> Option<i128>) -> Line {
    let pairs = line.points.iter().zip(line.points.iter().skip(1));
    let points = pairs.filter_map(|((before_at, before), (at, value))| {
        Some((*at, of(at - before_at, value.checked_sub(*before)?)?))
    });
    Line {
        points: points.collect(),
        ..line.clone()
    }
}

/// The periods of the window.
fn grid(scope: &Scope<'_>, period_secs: i64) -> impl Iterator<Item = i64> + use<> {
    let (from, to) = scope.env.window_secs();
    let length = period_secs.max(1);
    let first = from.div_euclid(length);
    let end = (to + length - 1).div_euclid(length);
    (first..end).map(move |it| it * length)
}

fn constant(scope: &Scope<'_>, number: i128) -> Line {
    let period_secs = scope.env.default_period_secs();
    Line {
        label: "TIME_SERIES".to_owned(),
        period_secs,
        points: grid(scope, period_secs).map(|at| (at, number)).collect(),
    }
}

fn fill(scope: &Scope<'_>, value: Value, with: &Expr) -> Result<Value, String> {
    let filler = match with {
        Expr::Word(word) if word == "REPEAT" || word == "LINEAR" => Err(word.as_str()),
        Expr::Number(_)
        | Expr::Id(_)
        | Expr::Word(_)
        | Expr::Text(_)
        | Expr::List(_)
        | Expr::Negative(_)
        | Expr::Binary(..)
        | Expr::Call(..) => Ok(scope.value(with)?),
    };
    if matches!(filler, Ok(Value::Array(_))) {
        return Err(wrong("FILL"));
    }
    each("FILL", value, |line| {
        let times = grid(scope, line.period_secs);
        let points = times.filter_map(|at| {
            let value = line.points.get(&at).copied().or_else(|| match &filler {
                Ok(Value::Scalar(number)) => Some(*number),
                Ok(Value::Series(other)) => other.points.get(&at).copied(),
                Ok(Value::Array(_)) => None,
                Err("REPEAT") => line.points.range(..at).next_back().map(|it| *it.1),
                Err(_) => between(&line.points, at),
            });
            Some((at, value?))
        });
        Line {
            points: points.collect(),
            ..line.clone()
        }
    })
}

/// The value on the straight line from the one before to the one after.
fn between(points: &Points, at: i64) -> Option<i128> {
    let (from_at, from) = points.range(..at).next_back()?;
    let (to_at, to) = points.range(at..).next()?;
    let rise = to
        .checked_sub(*from)?
        .checked_mul(i128::from(at - from_at))?;
    from.checked_add(div_round(rise, i128::from(to_at - from_at))?)
}

fn at(value: &Value, time: i64) -> Result<Option<i128>, String> {
    match value {
        Value::Scalar(number) => Ok(Some(*number)),
        Value::Series(line) => Ok(line.points.get(&time).copied()),
        Value::Array(_) => Err(wrong("IF")),
    }
}

/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html#using-IF-expressions>
fn choose(
    scope: &Scope<'_>,
    condition: &Expr,
    then: &Expr,
    otherwise: Option<&Expr>,
) -> Result<Value, String> {
    let condition = scope.value(condition)?;
    let then = scope.value(then)?;
    let otherwise = otherwise.map(|it| scope.value(it)).transpose()?;
    let mut series = [Some(&condition), Some(&then), otherwise.as_ref()]
        .into_iter()
        .flatten()
        .filter_map(|it| match it {
            Value::Series(line) => Some(line),
            Value::Scalar(_) | Value::Array(_) => None,
        });
    let Some(first) = series.next() else {
        return Err("IF needs a time series".to_owned());
    };
    let times: BTreeSet<i64> = match &condition {
        Value::Series(line) => line.points.keys().copied().collect(),
        Value::Scalar(_) | Value::Array(_) => {
            let all = std::iter::once(first).chain(series);
            all.flat_map(|it| it.points.keys().copied()).collect()
        }
    };
    let by_series = matches!(condition, Value::Series(_));
    let mut points = Points::new();
    for time in times {
        let Some(is_true) = at(&condition, time)?.map(|it| it != 0) else {
            continue;
        };
        let value = if is_true {
            // Where a series says yes and the value is missing, it is 0.
            at(&then, time)?.or(by_series.then_some(0))
        } else {
            otherwise.as_ref().map_or(Ok(None), |it| at(it, time))?
        };
        if let Some(value) = value {
            points.insert(time, value);
        }
    }
    Ok(Value::Series(Line {
        points,
        ..first.clone()
    }))
}
