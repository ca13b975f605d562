//! What an expression comes to.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::functions;
use super::parse::{Expr, Operator};
use super::value::{Line, Points, Value, over, times, truth};

/// What an expression is evaluated among.
pub(crate) trait Env {
    /// Another query's value.
    ///
    /// # Errors
    /// Where there is none.
    fn value(&self, id: &str) -> Result<Value, String>;

    /// The period of a metric, in seconds; `None` for an expression.
    fn metric_period_secs(&self, id: &str) -> Option<i64>;

    /// All metrics, with their ids.
    fn metrics(&self) -> Vec<(String, Line)>;

    /// From when until when values are wanted, in seconds since 1970; the end is not part of it.
    fn window_secs(&self) -> (i64, i64);

    /// The period of a series that is made from nothing, in seconds.
    fn default_period_secs(&self) -> i64;
}

/// Evaluates an expression. A point that cannot be divided is dropped, and noted.
///
/// # Errors
/// What is wrong, in words.
pub(crate) fn evaluate(expr: &Expr, env: &dyn Env, dropped: &Cell<bool>) -> Result<Value, String> {
    Scope { env, dropped }.value(expr)
}

pub(super) struct Scope<'a> {
    pub(super) env: &'a dyn Env,
    dropped: &'a Cell<bool>,
}

impl Scope<'_> {
    pub(super) fn value(&self, expr: &Expr) -> Result<Value, String> {
        match expr {
            Expr::Number(number) => Ok(Value::Scalar(*number)),
            Expr::Id(id) => self.env.value(id),
            Expr::Word(word) => Err(format!("Unexpected '{word}'")),
            Expr::Text(text) => Err(format!("Unexpected \"{text}\"")),
            Expr::List(items) => self.list(items),
            Expr::Negative(inner) => {
                self.binary(Operator::Minus, Value::Scalar(0), self.value(inner)?)
            }
            Expr::Binary(operator, left, right) => {
                self.binary(*operator, self.value(left)?, self.value(right)?)
            }
            Expr::Call(name, arguments) => functions::call(self, name, arguments),
        }
    }

    fn list(&self, items: &[Expr]) -> Result<Value, String> {
        let mut lines = Vec::new();
        for item in items {
            match self.value(item)? {
                Value::Series(line) => lines.push(line),
                Value::Array(more) => lines.extend(more),
                Value::Scalar(_) => return Err("An array must hold time series".to_owned()),
            }
        }
        Ok(Value::Array(lines))
    }

    fn apply(&self, operator: Operator, left: i128, right: i128) -> Option<i128> {
        let result = match operator {
            Operator::Plus => left.checked_add(right),
            Operator::Minus => left.checked_sub(right),
            Operator::Times => times(left, right),
            Operator::Over => over(left, right),
            Operator::Less => Some(truth(left < right)),
            Operator::LessOrEqual => Some(truth(left <= right)),
            Operator::Greater => Some(truth(left > right)),
            Operator::GreaterOrEqual => Some(truth(left >= right)),
            Operator::Equal => Some(truth(left == right)),
            Operator::NotEqual => Some(truth(left != right)),
            Operator::And => Some(truth(left != 0 && right != 0)),
            Operator::Or => Some(truth(left != 0 || right != 0)),
        };
        if result.is_none() {
            self.dropped.set(true);
        }
        result
    }

    pub(super) fn binary(
        &self,
        operator: Operator,
        left: Value,
        right: Value,
    ) -> Result<Value, String> {
        let two = |one: &Line, other: &Line| Value::Series(self.two(operator, one, other));
        match (left, right) {
            (Value::Scalar(left), Value::Scalar(right)) => self
                .apply(operator, left, right)
                .map(Value::Scalar)
                .ok_or_else(|| "A number is divided by zero".to_owned()),
            (Value::Series(line), Value::Scalar(number)) => Ok(Value::Series(
                line.map(|_, it| self.apply(operator, it, number)),
            )),
            (Value::Scalar(number), Value::Series(line)) => Ok(Value::Series(
                line.map(|_, it| self.apply(operator, number, it)),
            )),
            (Value::Series(left), Value::Series(right)) => Ok(two(&left, &right)),
            (Value::Array(lines), Value::Array(others)) => {
                if lines.len() != others.len() {
                    return Err("Two arrays must have as many time series".to_owned());
                }
                let pairs = lines.iter().zip(&others);
                Ok(Value::Array(
                    pairs
                        .map(|(one, other)| self.two(operator, one, other))
                        .collect(),
                ))
            }
            (Value::Array(lines), Value::Scalar(number)) => Ok(Value::Array(
                lines
                    .iter()
                    .map(|line| line.map(|_, it| self.apply(operator, it, number)))
                    .collect(),
            )),
            (Value::Scalar(number), Value::Array(lines)) => Ok(Value::Array(
                lines
                    .iter()
                    .map(|line| line.map(|_, it| self.apply(operator, number, it)))
                    .collect(),
            )),
            (Value::Array(lines), Value::Series(other)) => Ok(Value::Array(
                lines
                    .iter()
                    .map(|it| self.two(operator, it, &other))
                    .collect(),
            )),
            (Value::Series(one), Value::Array(lines)) => Ok(Value::Array(
                lines
                    .iter()
                    .map(|it| self.two(operator, &one, it))
                    .collect(),
            )),
        }
    }

    /// Two series: where only one has a value, the other one's is 0.
    fn two(&self, operator: Operator, left: &Line, right: &Line) -> Line {
        let times: BTreeSet<i64> = left
            .points
            .keys()
            .chain(right.points.keys())
            .copied()
            .collect();
        let at = |points: &Points, at: &i64| points.get(at).copied().unwrap_or(0);
        let points = times.into_iter().filter_map(|time| {
            let result = self.apply(operator, at(&left.points, &time), at(&right.points, &time));
            Some((time, result?))
        });
        Line {
            label: left.label.clone(),
            period_secs: left.period_secs.max(right.period_secs),
            points: points.collect(),
        }
    }
}
