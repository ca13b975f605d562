//! Questions that go into one call of GetMetricData.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::MetricDataQuery;
use model::Seconds;

use crate::tracking::limits::{GET_METRIC_DATA_POINTS_MAX, GET_METRIC_DATA_QUERIES_MAX, MINUTE};
use crate::tracking::question::Question;

/// Questions that are asked together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) questions: Vec<Question>,
    /// What the beginning and the end are whole multiples of, so that every period is whole.
    pub(crate) align: Seconds,
    /// How far back the question goes that goes back the farthest.
    pub(crate) span: Seconds,
}

/// Puts questions together: as few calls as CloudWatch's bounds allow. What alarms define, CloudWatch may refuse, so that it is not asked
/// together with what is surely well formed.
pub(crate) fn batches(questions: Vec<Question>) -> Vec<Batch> {
    let mut alone = Vec::new();
    let mut together: BTreeMap<(bool, i64), Vec<Question>> = BTreeMap::new();
    for question in questions {
        let align = question.period.0.max(MINUTE.0);
        if can_be_renamed(&question) {
            let kind = (question.alarm.is_some(), align);
            together.entry(kind).or_default().push(question);
        } else {
            alone.push(Batch {
                align: Seconds(align),
                span: question.span,
                questions: vec![question],
            });
        }
    }
    let mut batches = Vec::new();
    for ((_, align), questions) in together {
        cut(Seconds(align), questions, &mut batches);
    }
    batches.extend(alone);
    batches
}

/// Cuts questions of one kind where a call, or a page of its answer, is full.
fn cut(align: Seconds, questions: Vec<Question>, batches: &mut Vec<Batch>) {
    let span = questions.iter().map(|it| it.span.0).max().unwrap_or(0);
    let points = |question: &Question| {
        let of_query = span / question.period.0.max(1) + 2;
        let queries = i64::try_from(question.queries.len()).unwrap_or(i64::MAX);
        of_query.saturating_mul(queries)
    };
    let (mut queries, mut points_sum) = (0_usize, 0_i64);
    let mut batch = Vec::new();
    for question in questions {
        let (more, more_points) = (question.queries.len(), points(&question));
        let is_full = queries.saturating_add(more) > GET_METRIC_DATA_QUERIES_MAX
            || points_sum.saturating_add(more_points) > GET_METRIC_DATA_POINTS_MAX;
        if is_full && !batch.is_empty() {
            batches.push(Batch {
                questions: std::mem::take(&mut batch),
                align,
                span: Seconds(span),
            });
            (queries, points_sum) = (0, 0);
        }
        queries = queries.saturating_add(more);
        points_sum = points_sum.saturating_add(more_points);
        batch.push(question);
    }
    if !batch.is_empty() {
        batches.push(Batch {
            questions: batch,
            align,
            span: Seconds(span),
        });
    }
}

impl Batch {
    /// The queries, and the ids of those that give a question's series, in the order of the questions. Of several questions the ids are
    /// told apart.
    pub(crate) fn queries(&self) -> (Vec<MetricDataQuery>, Vec<String>) {
        if let [one] = self.questions.as_slice() {
            return (one.queries.clone(), vec![one.returned.clone()]);
        }
        let mut queries = Vec::new();
        let mut returned = Vec::new();
        for (index, question) in self.questions.iter().enumerate() {
            let renamed = |id: &str| format!("q{index}_{id}");
            let ids: BTreeSet<&str> = question.queries.iter().filter_map(|it| it.id()).collect();
            for query in &question.queries {
                let mut query = query.clone();
                query.id = query.id.as_deref().map(renamed);
                query.expression = query.expression.map(|it| rename(&it, &ids, renamed));
                queries.push(query);
            }
            returned.push(renamed(&question.returned));
        }
        (queries, returned)
    }
}

/// What in an expression means all metrics of the call, or holds names that are none of its ids: such an expression is left as it is, and
/// asked alone. Texts in quotes are what `SEARCH`, `METRICS` with a filter and `DB_PERF_INSIGHTS` take.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html>
const NOT_RENAMED: [&str; 5] = ["'", "\"", "METRICS", "SELECT", "select"];

fn can_be_renamed(question: &Question) -> bool {
    let mut expressions = question.queries.iter().filter_map(|it| it.expression());
    expressions.all(|it| NOT_RENAMED.iter().all(|word| !it.contains(word)))
}

/// An expression with other ids. An id begins with a lower-case letter; functions are in capital letters.
fn rename(expression: &str, ids: &BTreeSet<&str>, renamed: impl Fn(&str) -> String) -> String {
    let is_of_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let mut out = String::with_capacity(expression.len());
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let length = if is_of_name(first) {
            rest.find(|it| !is_of_name(it)).unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        if ids.contains(word) {
            out.push_str(&renamed(word));
        } else {
            out.push_str(word);
        }
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_renamed_and_nothing_else() {
        let ids = BTreeSet::from(["m1", "m10", "e", "sum"]);
        let renamed = |it: &str| format!("q7_{it}");
        for (expression, want) in [
            ("m1/m10", "q7_m1/q7_m10"),
            ("SUM([m1, m10]) * 1e3", "SUM([q7_m1, q7_m10]) * 1e3"),
            (
                "IF(m1 > 5, sum, FILL(m10, REPEAT))",
                "IF(q7_m1 > 5, q7_sum, FILL(q7_m10, REPEAT))",
            ),
            ("m100 + m1_a + am1", "m100 + m1_a + am1"),
            ("-m1 – é", "-q7_m1 – é"),
        ] {
            assert_eq!(rename(expression, &ids, renamed), want);
        }
    }
}
