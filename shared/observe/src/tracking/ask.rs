//! Asking CloudWatch.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cloudwatch::types::{MessageData, MetricDataResult, StatusCode};
use aws_smithy_types::DateTime;
use calls::{RateBucket, one_line};
use model::snapshot::{Gap, GapCause};
use model::{Seconds, Timestamp};

use crate::look::Pages;
use crate::read_task::time;
use crate::tracking::Look;
use crate::tracking::batch::{Batch, batches};
use crate::tracking::limits::{FILLED_LATELY, GET_METRIC_DATA_PAGES_MAX, RECENT_MAX};
use crate::tracking::question::Question;
use crate::tracking::values::Answer;

const GET_METRIC_DATA: &str = "cloudwatch:GetMetricData";
/// How CloudWatch names a value that it left out because it is no number.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MessageData.html>
const ARITHMETIC_ERROR: &str = "ArithmeticError";
/// How the codes begin by which CloudWatch says that it will never answer a query.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CommonErrors.html>
const REFUSALS: [&str; 3] = ["Validation", "InvalidParameter", "MissingParameter"];

/// What became of a question.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// It was answered; in part, if there is a gap.
    Answered(Answer, Option<Gap>),
    /// It was not.
    Failed(Gap),
    /// CloudWatch refuses it; in its own words.
    Refused(String),
    /// It was answered with several series, of which none is the one that is asked for.
    SeveralSeries,
}

/// The time that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Frame {
    /// As far back as the questions go, up to this time.
    UpTo(Timestamp),
    /// Around this time of an earlier day, as far as the questions go back and ahead.
    Around(Timestamp),
}

/// Asks the questions. Every one has an outcome. One that CloudWatch refuses takes all others of its call with it: a call that is refused is
/// asked again in halves, so that one refusal among 256 costs 16 calls more, and what is found is left out of later looks.
pub(crate) async fn ask(
    look: &mut Look<'_>,
    questions: Vec<Question>,
    frame: Frame,
) -> Vec<(Question, Outcome)> {
    let refusals = &look.observer.known_refusals;
    let now = look.now();
    let mut outcomes = Vec::with_capacity(questions.len());
    let mut open = Vec::new();
    for question in questions {
        match refusals.get(&question, frame, now) {
            Some(detail) => outcomes.push((question, Outcome::Refused(detail))),
            None => open.push(question),
        }
    }
    let mut waiting = batches(open);
    waiting.reverse();
    while let Some(batch) = waiting.pop() {
        let answered = ask_batch(look, &batch, frame).await;
        let is_refused = answered.iter().any(|it| matches!(it, Outcome::Refused(_)));
        if is_refused && batch.questions.len() > 1 {
            let (first, second) = batch.halves();
            waiting.extend([second, first]);
            continue;
        }
        for (question, outcome) in batch.questions.into_iter().zip(answered) {
            if let Outcome::Refused(detail) = &outcome {
                refusals.keep(&question, frame, now, detail);
            }
            outcomes.push((question, outcome));
        }
    }
    outcomes
}

/// The outcomes, in the order of the questions.
async fn ask_batch(look: &mut Look<'_>, batch: &Batch, frame: Frame) -> Vec<Outcome> {
    let about = match batch.questions.as_slice() {
        [one] => one.key.to_string(),
        _ => "*".to_owned(),
    };
    let (queries, returned) = batch.queries();
    let (start, end) = bounds(batch, frame);
    let (start, end) = (DateTime::from_secs(start), DateTime::from_secs(end));
    let mut told = Told::default();
    let mut pages = Pages::limited_to(GET_METRIC_DATA_PAGES_MAX);
    let rest = loop {
        let request = look
            .observer
            .cloudwatch
            .get_metric_data()
            .set_metric_data_queries(Some(queries.clone()))
            .start_time(start)
            .end_time(end)
            .set_next_token(pages.token())
            .send();
        let bucket = RateBucket::MetricRead;
        let page = look.call(bucket, GET_METRIC_DATA, &about, request).await;
        let turned = page.and_then(|page| {
            told.messages(page.messages());
            told.take_page(page.metric_data_results());
            pages.turn(GET_METRIC_DATA, &about, page.next_token)
        });
        match turned {
            Ok(true) => {}
            Ok(false) => break None,
            Err(gap) => break Some(gap),
        }
    };
    let is_refusal = told.by_id.is_empty() && rest.as_ref().is_some_and(is_refusal);
    let outcome = |(question, id): (&Question, String)| match &rest {
        Some(gap) if is_refusal => Outcome::Refused(gap.detail.clone()),
        Some(_) | None => settled(question, frame, told.outcome(question, &id, rest.as_ref())),
    };
    let questions = batch.questions.iter().zip(returned);
    questions.map(outcome).collect()
}

/// The outcome without the values that CloudWatch has put where none was published yet.
fn settled(question: &Question, frame: Frame, outcome: Outcome) -> Outcome {
    match (outcome, frame) {
        (Outcome::Answered(mut answer, gap), Frame::UpTo(now)) if question.is_filled() => {
            let lately = FILLED_LATELY.0.saturating_add(question.period.0);
            answer.keep_until(Seconds(-lately).after(now));
            Outcome::Answered(answer, gap)
        }
        (outcome, Frame::UpTo(_) | Frame::Around(_)) => outcome,
    }
}

fn is_refusal(gap: &Gap) -> bool {
    let is_other = match gap.cause {
        GapCause::Other => true,
        GapCause::AccessDenied
        | GapCause::Throttled
        | GapCause::NotFound
        | GapCause::BudgetSpent
        | GapCause::OutOfTime
        | GapCause::Unreachable => false,
    };
    is_other && REFUSALS.iter().any(|it| gap.detail.starts_with(it))
}

/// Beginning and end in seconds, at whole periods: CloudWatch answers those the fastest, and a period that is cut would be a wrong value.
/// Periods of less than a minute are not asked for where CloudWatch keeps none any more: of a call that goes back farther it may give nothing.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html>
fn bounds(batch: &Batch, frame: Frame) -> (i64, i64) {
    let align = batch.align.0.max(1);
    let down = |secs: i64| secs.div_euclid(align).saturating_mul(align);
    let up = |secs: i64| down(secs.saturating_add(align).saturating_sub(1));
    match frame {
        Frame::UpTo(now) => {
            let now = now.as_second();
            let start = down(now.saturating_sub(batch.span.0));
            let start = if batch.is_short_lived() {
                start.max(up(now.saturating_sub(RECENT_MAX.0)))
            } else {
                start
            };
            // A second that has begun belongs to a period that has begun.
            (start, up(now.saturating_add(1)))
        }
        Frame::Around(then) => {
            let (start, end) = (batch.span.before(then), batch.ahead.after(then));
            (down(start.as_second()), up(end.as_second()))
        }
    }
}

/// What the pages told.
#[derive(Debug, Default)]
struct Told {
    by_id: BTreeMap<String, Series>,
    /// What is said of the whole call.
    of_all: Option<String>,
}

/// What the pages told of one id.
#[derive(Debug, Default)]
struct Series {
    answer: Answer,
    status: Option<StatusCode>,
    /// Why the answer is not whole.
    why: Option<String>,
    /// What it is called: a query that groups gives a series of each group, under one id and several labels.
    /// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-metrics-insights-querylanguage.html>
    labels: BTreeSet<String>,
    /// Whether a page gave several series of it.
    is_several: bool,
}

impl Told {
    fn messages(&mut self, messages: &[MessageData]) {
        if let Some(message) = messages.first() {
            self.of_all = Some(text(message));
        }
    }

    fn take_page(&mut self, results: &[MetricDataResult]) {
        let mut ids = BTreeSet::new();
        for result in results {
            let Some(id) = result.id() else {
                continue;
            };
            let series = self.by_id.entry(id.to_owned()).or_default();
            series.is_several |= !ids.insert(id);
            series.take(result);
        }
    }

    /// The outcome of a question whose series has this id. `rest` is why no further page was read.
    fn outcome(&self, question: &Question, id: &str, rest: Option<&Gap>) -> Outcome {
        let gap = |cause, detail: &str| Gap {
            operation: GET_METRIC_DATA.to_owned(),
            resource: question.key.to_string(),
            cause,
            detail: one_line(detail),
        };
        let Some(series) = self.by_id.get(id) else {
            let nothing = || gap(GapCause::Unreachable, "the answer has nothing of it");
            return Outcome::Failed(rest.cloned().unwrap_or_else(nothing));
        };
        // A metric may be called otherwise on each page; it has one series.
        if series.is_several || (series.labels.len() > 1 && question.is_expression()) {
            return Outcome::SeveralSeries;
        }
        let said = series.why.as_ref().or(self.of_all.as_ref());
        let because = |what: &str| match said {
            Some(said) => format!("{what}: {said}"),
            None => what.to_owned(),
        };
        let lacks = match &series.status {
            // On the page that was read last, with more to come.
            Some(StatusCode::PartialData) if rest.is_some() => rest.cloned(),
            Some(StatusCode::Complete) => said.map(|it| gap(GapCause::Other, it)),
            Some(StatusCode::Forbidden) => Some(gap(GapCause::AccessDenied, &because("Forbidden"))),
            Some(other) => Some(gap(GapCause::Other, &because(other.as_str()))),
            None => Some(gap(GapCause::Unreachable, "the answer has no status")),
        };
        let mut answer = series.answer.clone();
        answer.complete(lacks.is_none());
        Outcome::Answered(answer, lacks)
    }
}

impl Series {
    fn take(&mut self, result: &MetricDataResult) {
        // The last page on which a series is tells how it ended.
        self.status = result.status_code().cloned();
        self.labels.extend(result.label().map(str::to_owned));
        for (at, value) in result.timestamps().iter().zip(result.values()) {
            self.answer.take(time(Some(at)), *value);
        }
        if result.timestamps().len() != result.values().len() {
            self.answer.note_unusable();
        }
        for message in result.messages() {
            if message.code() == Some(ARITHMETIC_ERROR) {
                self.answer.note_unusable();
            } else {
                self.why = Some(text(message));
            }
        }
    }
}

fn text(message: &MessageData) -> String {
    let code = message.code().unwrap_or("no code");
    format!("{code}: {}", message.value().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use aws_sdk_cloudwatch::types::{MetricDataQuery, MetricStat};
    use model::tracking::policy::{FORECAST_MINUTES, START_UP_SECS_MAX};
    use model::tracking::{Part, TargetName, TrackingKey, fresh_for};

    use super::*;
    use crate::tracking::limits::GET_METRIC_DATA_POINTS_MAX;
    use crate::tracking::question::Slot;
    use crate::tracking::season;
    use crate::tracking::values::Scale;

    /// 2026-03-02T09:00:00Z.
    const HOUR: i64 = 1_772_442_000;

    /// A question of metrics with such periods, whose own periods are so long, and which goes so far back.
    fn question(stats_secs: &[i32], period_secs: i64, span_secs: i64) -> Question {
        let query = |period: &i32| {
            let stat = MetricStat::builder().period(*period).build();
            MetricDataQuery::builder().id("m").metric_stat(stat).build()
        };
        Question {
            key: TrackingKey("demo/web".parse().unwrap()),
            slot: Slot::Value(TargetName::Alarm, Part::Fleet),
            queries: stats_secs.iter().map(query).collect(),
            returned: "m".to_owned(),
            period: Seconds(period_secs),
            of_periods: Seconds(period_secs),
            scale: Scale::ONE,
            span: Seconds(span_secs),
            ahead: Seconds::ZERO,
            alarm: None,
        }
    }

    /// The one call that a question leads to.
    fn alone(question: Question) -> Batch {
        batches(vec![question]).pop().unwrap()
    }

    /// How many seconds before the hour a call begins that is made `after` seconds later, and how many after it it ends.
    fn check(stats_secs: &[i32], period_secs: i64, span_secs: i64, after: i64, want: (i64, i64)) {
        let frame = Frame::UpTo(Timestamp::from_second(HOUR + after).unwrap());
        let batch = alone(question(stats_secs, period_secs, span_secs));
        let (start, end) = bounds(&batch, frame);
        assert_eq!((HOUR - start, end - HOUR), want, "{stats_secs:?}");
    }

    #[test]
    fn a_call_is_for_whole_periods_and_for_none_that_is_not_kept() {
        check(&[60], 60, 2_100, 0, (2_100, 60));
        check(&[60], 60, 2_100, 30, (2_100, 60));
        check(&[300], 300, 2_100, 100, (2_100, 300));
        check(&[60], 60, 10_800, 30, (10_800, 60));
        // 20 seconds are kept for three hours: at 09:00:30 the minute from 06:00 on is not asked for any more.
        check(&[20], 20, 2_100, 30, (2_100, 60));
        check(&[20], 20, 10_800, 0, (10_800, 60));
        check(&[20], 20, 10_800, 30, (10_740, 60));
        // An expression over hours of something that is kept for three: two of its whole periods are left, of four.
        check(&[3_600], 3_600, 14_400, 30, (14_400, 3_600));
        check(&[10, 3_600], 3_600, 14_400, 30, (7_200, 3_600));
    }

    /// A thousand times this question, around a time of an earlier day or up to now: how many are in each call. None asks for more values than
    /// a page holds.
    fn check_full(one: &Question, is_earlier_day: bool, want: &[usize]) {
        let what = format!("{:?} back, {:?} ahead", one.span, one.ahead);
        for after in [0, 30, 59] {
            let at = Timestamp::from_second(HOUR + after).unwrap();
            let frame = if is_earlier_day {
                Frame::Around(at)
            } else {
                Frame::UpTo(at)
            };
            let calls = batches(vec![one.clone(); 1_000]);
            for call in &calls {
                let (start, end) = bounds(call, frame);
                let queries = i64::try_from(call.questions.len()).unwrap();
                let points = queries * ((end - start) / one.period.0);
                assert!(points <= GET_METRIC_DATA_POINTS_MAX, "{what}: {points}");
            }
            let counts: Vec<usize> = calls.iter().map(|it| it.questions.len()).collect();
            assert_eq!(counts, want, "{what}, {after} s after the hour");
        }
    }

    #[test]
    fn no_call_asks_for_more_than_a_page_holds() {
        check_full(&question(&[60], 60, 2_100), false, &[500, 500]);
        let of_20_secs = question(&[20], 20, 10_800);
        check_full(&of_20_secs, false, &[185, 185, 185, 185, 185, 75]);
        // The longest peak: 70 minutes back and 105 ahead are up to 176 values.
        let of_day = |peak_secs| question(&[60], 60, 0).of_earlier_days(Seconds(peak_secs));
        check_full(&of_day(3_600), true, &[500, 500]);
        // Peaks of three hours would be 190 and 225: up to 416 values, of which 242 times as many fill a page.
        check_full(&of_day(10_800), true, &[242, 242, 242, 242, 32]);
    }

    #[test]
    fn of_questions_that_go_ahead_by_turns_a_page_holds_all() {
        let at = Timestamp::from_second(HOUR + 30).unwrap();
        let of = |index: i64| Question {
            span: Seconds(50_000 - 60 * index),
            ahead: Seconds(60 * index * index),
            ..question(&[60], 60, 0)
        };
        let calls = batches((0..100).map(of).collect());
        assert_eq!(
            calls.iter().map(|it| it.questions.len()).sum::<usize>(),
            100
        );
        for call in &calls {
            let (start, end) = bounds(call, Frame::Around(at));
            let queries = i64::try_from(call.questions.len()).unwrap();
            assert!(queries * ((end - start) / 60) <= GET_METRIC_DATA_POINTS_MAX);
            for question in &call.questions {
                assert!(start <= question.span.before(at).as_second());
                assert!(question.ahead.after(at).as_second() <= end);
            }
        }
    }

    /// What a day is read of at the second `read_at`, for a metric with such periods and a peak that is looked for so far back, is what a
    /// forecast asks about at every minute until it is read anew: by a newest period that is as old as one may be, or as new as one can be,
    /// and the longest start-up time. The tasks are counted throughout every period that the day is read of.
    fn day_has_what_a_forecast_asks(period_secs: i64, peak_secs: i64, read_at: i64) {
        let question = question(&[], period_secs, 0);
        let counts = Question {
            period: Seconds(20),
            ..question.clone()
        };
        let frame = Frame::Around(Timestamp::from_second(read_at).unwrap());
        let read = |question: &Question| {
            let day = question.of_earlier_days(Seconds(peak_secs));
            let (start, end) = bounds(&alone(day.clone()), frame);
            assert_eq!((start % day.period.0, end % day.period.0), (0, 0));
            (start, end, day.period.0)
        };
        let (start, end, season_secs) = read(&question);
        let (counted_from, counted_until, _) = read(&counts);
        let what = format!("{period_secs} s, peak {peak_secs} s, read at {read_at}");
        assert!(counted_from <= start && end <= counted_until, "{what}");
        let length_secs = ((peak_secs + 59) / 60).max(FORECAST_MINUTES) * 60;
        for now in (read_at..read_at + season::KEPT_FOR.0).step_by(60) {
            let newest = now / period_secs * period_secs;
            let fresh_secs = fresh_for(Seconds(period_secs)).0;
            let oldest = newest - (fresh_secs - (now - newest)) / period_secs * period_secs;
            for period_ends in [oldest, newest] {
                let last_minute = (period_ends - 1) / 60 * 60;
                let from = last_minute + 60 - length_secs;
                let until = last_minute + START_UP_SECS_MAX + length_secs;
                assert!(
                    start <= from / season_secs * season_secs,
                    "{what}, at {now}: {start} > {from}"
                );
                assert!(until <= end, "{what}, at {now}: {until} > {end}");
            }
        }
    }

    #[test]
    fn the_days_are_read_as_far_as_a_forecast_goes() {
        for period_secs in [20, 60, 300, 900, 3_600] {
            for peak_secs in [0, 301, 900, 3_600] {
                for minute in 0..60 {
                    day_has_what_a_forecast_asks(period_secs, peak_secs, HOUR + 60 * minute + 30);
                }
            }
        }
    }
}
