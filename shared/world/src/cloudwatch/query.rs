//! Queries: metrics and expressions over them, for GetMetricData and for alarms.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use super::math::{self, Env, Expr, Line, MILLI, Value};
use crate::state::{MetricQuery, MetricStat, QuerySource, State};

/// What a query came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Evaluated {
    /// Its id.
    pub(crate) id: String,
    /// Its series: one, or of an expression several. Values are in billionths.
    pub(crate) lines: Vec<Line>,
    /// Whether a point was left out because it could not be divided.
    pub(crate) has_dropped: bool,
    /// Whether it is part of the answer.
    pub(crate) return_data: bool,
}

/// From when until when values are wanted, in seconds since 1970; the end is not part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) now_secs: i64,
    pub(crate) from_secs: i64,
    pub(crate) to_secs: i64,
}

/// Queries that can be evaluated: their ids are good and different, and their expressions can be read.
#[derive(Debug)]
pub(crate) struct Queries<'a> {
    queries: &'a [MetricQuery],
    expressions: BTreeMap<&'a str, Expr>,
}

/// Whether an id is one: letters, digits and underscores, the first one a lowercase letter.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataQuery.html>
fn is_id(id: &str) -> bool {
    (1..=255).contains(&id.len())
        && id.starts_with(|it: char| it.is_ascii_lowercase())
        && id
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || it == b'_')
}

impl<'a> Queries<'a> {
    /// Reads queries.
    ///
    /// # Errors
    /// What is wrong, in CloudWatch's way of words.
    pub(crate) fn read(queries: &'a [MetricQuery]) -> Result<Self, String> {
        let mut ids = BTreeSet::new();
        let mut expressions = BTreeMap::new();
        for query in queries {
            let id = query.id.as_str();
            if !is_id(id) {
                return Err(format!(
                    "The value {id} for parameter MetricDataQueries.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
                ));
            }
            if !ids.insert(id) {
                return Err(format!(
                    "The values for parameter id in MetricDataQueries are not unique: {id}."
                ));
            }
            if let QuerySource::Expression(text) = &query.source {
                let expr = math::parse(text).map_err(|why| in_expression(id, &why))?;
                expressions.insert(id, expr);
            }
        }
        for (id, expr) in &expressions {
            let mut names = Vec::new();
            expr.names(&mut names);
            if let Some(unknown) = names.into_iter().find(|it| !ids.contains(it)) {
                return Err(in_expression(
                    id,
                    &format!("Unknown identifier '{unknown}'"),
                ));
            }
        }
        Ok(Self {
            queries,
            expressions,
        })
    }

    /// Evaluates all of them, in their order.
    ///
    /// # Errors
    /// What is wrong with an expression, in words.
    pub(crate) fn evaluate(&self, state: &State, window: Window) -> Result<Vec<Evaluated>, String> {
        let known = RefCell::new(BTreeMap::new());
        let results = self.queries.iter().map(|query| {
            let dropped = Cell::new(false);
            let scope = Among {
                queries: self,
                state,
                window,
                open: vec![query.id.as_str()],
                known: &known,
                dropped: &dropped,
            };
            let lines = match scope
                .of(query)
                .map_err(|why| in_expression(&query.id, &why))?
            {
                Value::Series(line) => vec![line],
                Value::Array(lines) => lines,
                Value::Scalar(_) => {
                    let why = "The result must be a time series or an array of time series";
                    return Err(in_expression(&query.id, why));
                }
            };
            Ok(Evaluated {
                id: query.id.clone(),
                lines: labelled(query, lines),
                has_dropped: dropped.get(),
                return_data: query.return_data,
            })
        });
        results.collect()
    }
}

fn in_expression(id: &str, why: &str) -> String {
    format!("Error in expression '{id}': {why}")
}

/// The label that the caller gave; else a metric's own, and an expression's id. Several series add their own.
fn labelled(query: &MetricQuery, mut lines: Vec<Line>) -> Vec<Line> {
    let is_metric = matches!(query.source, QuerySource::Metric(_));
    let one = lines.len() == 1;
    for line in &mut lines {
        match &query.label {
            Some(label) if one => label.clone_into(&mut line.label),
            Some(label) => line.label = format!("{label} {}", line.label),
            None if is_metric || !one => {}
            None => query.id.clone_into(&mut line.label),
        }
    }
    lines
}

/// A metric's series over a window.
pub(crate) fn line_of(state: &State, stat: &MetricStat, window: Window) -> Line {
    let period_secs = i64::from(stat.period_secs);
    let series = state.metrics.get(&stat.metric);
    let periods = series.map(|it| {
        let Window {
            now_secs,
            from_secs,
            to_secs,
        } = window;
        it.periods(now_secs, from_secs, to_secs, period_secs)
    });
    let points = periods.into_iter().flatten();
    Line {
        label: stat.metric.name.clone(),
        period_secs,
        points: points
            .filter_map(|(at, sample)| Some((at, sample.value_nano(stat.stat)?)))
            .collect(),
    }
}

/// A value in thousandths, rounded to the nearest.
pub(crate) fn milli_of(nano: i128) -> i64 {
    let milli = math::div_round(nano, MILLI).unwrap_or(nano / MILLI);
    i64::try_from(milli).unwrap_or(if milli < 0 { i64::MIN } else { i64::MAX })
}

/// A query among the others.
struct Among<'a> {
    queries: &'a Queries<'a>,
    state: &'a State,
    window: Window,
    /// The queries that are being evaluated, so that one that needs itself is found.
    open: Vec<&'a str>,
    /// What other queries came to, and whether a point of theirs was dropped.
    known: &'a RefCell<BTreeMap<String, (Value, bool)>>,
    dropped: &'a Cell<bool>,
}

impl<'a> Among<'a> {
    fn of(&self, query: &'a MetricQuery) -> Result<Value, String> {
        match &query.source {
            QuerySource::Metric(stat) => Ok(Value::Series(line_of(self.state, stat, self.window))),
            QuerySource::Expression(_) => {
                let expr = self.queries.expressions.get(query.id.as_str());
                let expr = expr.ok_or_else(|| format!("Unknown identifier '{}'", query.id))?;
                let mut value = math::evaluate(expr, self, self.dropped)?;
                if let Value::Series(line) = &mut value {
                    query.id.clone_into(&mut line.label);
                }
                Ok(value)
            }
        }
    }

    fn find(&self, id: &str) -> Option<&'a MetricQuery> {
        self.queries.queries.iter().find(|it| it.id == id)
    }

    fn all_metrics(&self) -> impl Iterator<Item = (&'a MetricQuery, &'a MetricStat)> {
        let queries = self.queries.queries.iter();
        queries.filter_map(|query| match &query.source {
            QuerySource::Metric(stat) => Some((query, stat)),
            QuerySource::Expression(_) => None,
        })
    }
}

impl Env for Among<'_> {
    fn value(&self, id: &str) -> Result<Value, String> {
        let query = self
            .find(id)
            .ok_or_else(|| format!("Unknown identifier '{id}'"))?;
        if self.open.contains(&id) {
            return Err(format!("'{id}' needs itself"));
        }
        if let Some((value, has_dropped)) = self.known.borrow().get(id) {
            self.dropped.set(self.dropped.get() || *has_dropped);
            return Ok(value.clone());
        }
        let mut open = self.open.clone();
        open.push(query.id.as_str());
        let dropped = Cell::new(false);
        let inner = Among {
            queries: self.queries,
            state: self.state,
            window: self.window,
            open,
            known: self.known,
            dropped: &dropped,
        };
        let value = inner.of(query)?;
        self.dropped.set(self.dropped.get() || dropped.get());
        let known = (value.clone(), dropped.get());
        self.known.borrow_mut().insert(id.to_owned(), known);
        Ok(value)
    }

    fn metric_period_secs(&self, id: &str) -> Option<i64> {
        match &self.find(id)?.source {
            QuerySource::Metric(stat) => Some(i64::from(stat.period_secs)),
            QuerySource::Expression(_) => None,
        }
    }

    fn metrics(&self) -> Vec<(String, Line)> {
        self.all_metrics()
            .map(|(query, stat)| {
                let mut line = line_of(self.state, stat, self.window);
                if let Some(label) = &query.label {
                    label.clone_into(&mut line.label);
                }
                (query.id.clone(), line)
            })
            .collect()
    }

    fn window_secs(&self) -> (i64, i64) {
        (self.window.from_secs, self.window.to_secs)
    }

    fn default_period_secs(&self) -> i64 {
        let periods = self.all_metrics().map(|(_, it)| i64::from(it.period_secs));
        periods.max().unwrap_or(60)
    }
}
