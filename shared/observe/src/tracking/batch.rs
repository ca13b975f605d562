//! Questions that go into one call of GetMetricData.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::MetricDataQuery;
use model::Seconds;

use crate::tracking::limits::{
    GET_METRIC_DATA_POINTS_MAX, GET_METRIC_DATA_QUERIES_MAX, MINUTE, RECENT_MAX,
};
use crate::tracking::question::Question;

/// Questions that are asked together.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) questions: Vec<Question>,
    /// What the beginning and the end are whole multiples of, so that every period is whole.
    pub(crate) align: Seconds,
    /// How far back the question goes that goes back the farthest.
    pub(crate) span: Seconds,
    /// How far ahead the question goes that goes ahead the farthest.
    pub(crate) ahead: Seconds,
}

/// Of what questions must be for one call to answer them.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    /// What alarms define, CloudWatch may refuse, so that it is not asked together with what is surely well formed.
    is_of_alarm: bool,
    /// What goes back farther than CloudWatch keeps periods of less than a minute is not asked together with those: their call is cut.
    is_long: bool,
    align: i64,
}

impl Kind {
    fn of(question: &Question) -> Self {
        Self {
            is_of_alarm: question.alarm.is_some(),
            is_long: RECENT_MAX < question.span && !is_short_lived(question),
            align: question.period.0.max(MINUTE.0),
        }
    }
}

/// Puts questions together: as few calls as CloudWatch's bounds allow.
pub(crate) fn batches(questions: Vec<Question>) -> Vec<Batch> {
    let mut alone = Vec::new();
    let mut together: BTreeMap<Kind, Vec<Question>> = BTreeMap::new();
    for question in questions {
        let kind = Kind::of(&question);
        if can_be_renamed(&question) {
            together.entry(kind).or_default().push(question);
        } else {
            alone.push(Batch::of(question, Seconds(kind.align)));
        }
    }
    let mut batches = Vec::new();
    for (kind, questions) in together {
        cut(Seconds(kind.align), questions, &mut batches);
    }
    batches.extend(alone);
    batches
}

/// Cuts questions of one kind where a call, or a page of its answer, is full. Those that go back the farthest are asked together, so that a
/// long window of one service does not make all others go back as far.
///
/// What lies ahead of the time asked about counts too. A further page would be read, but there is none of a call with an expression.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricDataResult.html>
fn cut(align: Seconds, mut questions: Vec<Question>, batches: &mut Vec<Batch>) {
    questions.sort_by_key(|it| Reverse(it.span.0));
    // The queries of the open call, by the length of their periods.
    let mut queries: BTreeMap<Seconds, usize> = BTreeMap::new();
    let mut open: Option<Batch> = None;
    for question in questions {
        let (period, more) = (question.period, question.queries.len());
        let with = |queries: &mut BTreeMap<Seconds, usize>| {
            let of_period = queries.entry(period).or_default();
            *of_period = of_period.saturating_add(more);
        };
        if let Some(batch) = &mut open {
            let mut joined = queries.clone();
            with(&mut joined);
            let ahead = batch.ahead.max(question.ahead);
            let length = Seconds(batch.span.0.saturating_add(ahead.0));
            if fits(&joined, length, align) {
                queries = joined;
                batch.ahead = ahead;
                batch.questions.push(question);
                continue;
            }
        }
        queries = BTreeMap::new();
        with(&mut queries);
        batches.extend(open.replace(Batch::of(question, align)));
    }
    batches.extend(open);
}

/// Whether one call, and one page of its answer, holds so many queries of such periods, over a time of this length.
fn fits(queries: &BTreeMap<Seconds, usize>, length: Seconds, align: Seconds) -> bool {
    let count = (queries.values()).fold(0_usize, |sum, it| sum.saturating_add(*it));
    let points = queries.iter().fold(0_i64, |sum, (period, count)| {
        let count = i64::try_from(*count).unwrap_or(i64::MAX);
        sum.saturating_add(points_max(length, align, *period).saturating_mul(count))
    });
    count <= GET_METRIC_DATA_QUERIES_MAX && points <= GET_METRIC_DATA_POINTS_MAX
}

/// The most datapoints of a time of this length, where it is made longer at both ends up to whole multiples of `align`.
fn points_max(length: Seconds, align: Seconds, period: Seconds) -> i64 {
    let align = align.0.max(1);
    let periods = length.0.saturating_add(align).saturating_sub(1) / align;
    let longest = periods.saturating_add(1).saturating_mul(align);
    longest / period.0.max(1)
}

/// Whether CloudWatch keeps its values for [`RECENT_MAX`] alone: it is made of periods of less than a minute.
fn is_short_lived(question: &Question) -> bool {
    let mut stats = question.queries.iter().filter_map(|it| it.metric_stat());
    stats.any(|it| it.period().is_some_and(|it| i64::from(it) < MINUTE.0))
}

impl Batch {
    /// One question.
    fn of(question: Question, align: Seconds) -> Self {
        Self {
            align,
            span: question.span,
            ahead: question.ahead,
            questions: vec![question],
        }
    }

    /// Whether something is asked for of which CloudWatch keeps the values for [`RECENT_MAX`] alone.
    pub(crate) fn is_short_lived(&self) -> bool {
        self.questions.iter().any(is_short_lived)
    }

    /// The same questions in two calls, for the same time.
    pub(crate) fn halves(mut self) -> (Self, Self) {
        let second = Self {
            questions: self.questions.split_off(self.questions.len() / 2),
            align: self.align,
            span: self.span,
            ahead: self.ahead,
        };
        (self, second)
    }

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
    use aws_sdk_cloudwatch::types::MetricStat;
    use model::tracking::{Part, TargetName, TrackingKey};

    use super::*;
    use crate::tracking::question::Slot;
    use crate::tracking::values::Scale;

    /// A question of one query.
    fn question(period_secs: i64, span_secs: i64) -> Question {
        let period = i32::try_from(period_secs).unwrap();
        let stat = MetricStat::builder().period(period).build();
        Question {
            key: TrackingKey("demo/web".parse().unwrap()),
            slot: Slot::Value(TargetName::Cpu, Part::Primary),
            queries: vec![MetricDataQuery::builder().id("m").metric_stat(stat).build()],
            returned: "m".to_owned(),
            period: Seconds(period_secs),
            of_periods: Seconds(period_secs),
            scale: Scale::ONE,
            span: Seconds(span_secs),
            ahead: Seconds::ZERO,
            alarm: None,
        }
    }

    /// How many questions each call has, what its periods are whole multiples of, and how far back it goes.
    fn check(questions: Vec<Question>, want: &[(usize, i64, i64)]) {
        let batches = batches(questions);
        let of = |it: &Batch| (it.questions.len(), it.align.0, it.span.0);
        let got: Vec<(usize, i64, i64)> = batches.iter().map(of).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn nobody_is_asked_for_as_much_as_somebody_else_needs() {
        let of = |count: usize, period, span| (0..count).map(move |_| question(period, span));
        let long_and_short = of(900, 60, 2_100).chain(of(100, 60, 10_800));
        check(
            long_and_short.collect(),
            &[(500, 60, 10_800), (500, 60, 2_100)],
        );
        // Periods of a day, as those of an alarm may be, lengthen no other call.
        let days = of(3, 86_400, 345_600).chain(of(2, 300, 2_100));
        let all = days.chain(of(2, 60, 2_100)).chain(of(2, 20, 2_100));
        check(
            all.collect(),
            &[(4, 60, 2_100), (2, 300, 2_100), (3, 86_400, 345_600)],
        );
        // 10,800 / 20 + 2 = 542 values each: 185 of them fill a page.
        check(
            of(200, 20, 10_800).collect(),
            &[(185, 60, 10_800), (15, 60, 10_800)],
        );
        // The tasks that an hour's values are for are counted for hours, apart from periods that are not kept for so long.
        let hours = of(1, 60, 17_940).chain(of(1, 20, 17_940));
        check(
            hours.chain(of(2, 60, 2_100)).collect(),
            &[(3, 60, 17_940), (1, 60, 17_940)],
        );
    }

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
