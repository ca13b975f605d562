//! Asking CloudWatch.

use std::collections::BTreeMap;

use aws_sdk_cloudwatch::types::{MessageData, MetricDataResult, StatusCode};
use aws_smithy_types::DateTime;
use calls::{RateBucket, one_line};
use model::Timestamp;
use model::snapshot::{Gap, GapCause};

use crate::look::Pages;
use crate::read_task::time;
use crate::tracking::Look;
use crate::tracking::batch::{Batch, batches};
use crate::tracking::limits::GET_METRIC_DATA_PAGES_MAX;
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
}

/// The time that is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Frame {
    /// As far back as the questions go, up to this time.
    UpTo(Timestamp),
    /// Exactly this, whatever the questions say.
    Between(Timestamp, Timestamp),
}

/// Asks the questions. Every one has an outcome.
pub(crate) async fn ask(
    look: &mut Look<'_>,
    questions: Vec<Question>,
    frame: Frame,
) -> Vec<(Question, Outcome)> {
    let mut outcomes = Vec::with_capacity(questions.len());
    for batch in batches(questions) {
        let answered = ask_batch(look, &batch, frame).await;
        let is_refused = answered.iter().any(|it| matches!(it, Outcome::Refused(_)));
        if is_refused && batch.questions.len() > 1 {
            // One of them is the reason: each is asked for itself.
            for question in batch.questions {
                let single = Batch {
                    questions: vec![question],
                    align: batch.align,
                    span: batch.span,
                };
                let answered = ask_batch(look, &single, frame).await;
                outcomes.extend(single.questions.into_iter().zip(answered));
            }
        } else {
            outcomes.extend(batch.questions.into_iter().zip(answered));
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
            for result in page.metric_data_results() {
                told.take(result);
            }
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
        Some(_) | None => told.outcome(&id, &question.key.to_string(), rest.as_ref()),
    };
    let questions = batch.questions.iter().zip(returned);
    questions.map(outcome).collect()
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

/// Beginning and end, at whole periods: CloudWatch answers those the fastest, and a period that is cut would be a wrong value.
fn bounds(batch: &Batch, frame: Frame) -> (DateTime, DateTime) {
    let align = batch.align.0.max(1);
    let down = |secs: i64| secs.div_euclid(align).saturating_mul(align);
    let up = |secs: i64| down(secs.saturating_add(align).saturating_sub(1));
    let (start, end) = match frame {
        Frame::UpTo(now) => {
            // A second that has begun belongs to a period that has begun.
            let now = now.as_second();
            let start = now.saturating_sub(batch.span.0);
            (start, now.saturating_add(1))
        }
        Frame::Between(start, end) => (start.as_second(), end.as_second()),
    };
    (
        DateTime::from_secs(down(start)),
        DateTime::from_secs(up(end)),
    )
}

/// What the pages told.
#[derive(Debug, Default)]
struct Told {
    by_id: BTreeMap<String, (Answer, Option<StatusCode>)>,
    /// Why an answer is not whole, by id.
    why: BTreeMap<String, String>,
    /// What is said of the whole call.
    of_all: Option<String>,
}

impl Told {
    fn messages(&mut self, messages: &[MessageData]) {
        if let Some(message) = messages.first() {
            self.of_all = Some(text(message));
        }
    }

    fn take(&mut self, result: &MetricDataResult) {
        let Some(id) = result.id() else {
            return;
        };
        let (answer, status) = self.by_id.entry(id.to_owned()).or_default();
        // The last page on which a series is tells how it ended.
        *status = result.status_code().cloned();
        for (at, value) in result.timestamps().iter().zip(result.values()) {
            answer.take(time(Some(at)), *value);
        }
        let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        if count(result.timestamps().len()) != count(result.values().len()) {
            answer.note_unusable();
        }
        for message in result.messages() {
            if message.code() == Some(ARITHMETIC_ERROR) {
                answer.note_unusable();
            } else {
                self.why.insert(id.to_owned(), text(message));
            }
        }
    }

    /// The outcome of the question whose series has this id. `rest` is why no further page was read.
    fn outcome(&self, id: &str, resource: &str, rest: Option<&Gap>) -> Outcome {
        let gap = |cause, detail: &str| Gap {
            operation: GET_METRIC_DATA.to_owned(),
            resource: resource.to_owned(),
            cause,
            detail: one_line(detail),
        };
        let Some((answer, status)) = self.by_id.get(id) else {
            let nothing = || gap(GapCause::Unreachable, "the answer has nothing of it");
            return Outcome::Failed(rest.cloned().unwrap_or_else(nothing));
        };
        let said = self.why.get(id).or(self.of_all.as_ref());
        let because = |what: &str| match said {
            Some(said) => format!("{what}: {said}"),
            None => what.to_owned(),
        };
        let lacks = match status {
            // On the page that was read last, with more to come.
            Some(StatusCode::PartialData) if rest.is_some() => rest.cloned(),
            Some(StatusCode::Complete) => said.map(|it| gap(GapCause::Other, it)),
            Some(StatusCode::Forbidden) => Some(gap(GapCause::AccessDenied, &because("Forbidden"))),
            Some(other) => Some(gap(GapCause::Other, &because(other.as_str()))),
            None => Some(gap(GapCause::Unreachable, "the answer has no status")),
        };
        let mut answer = answer.clone();
        answer.complete(lacks.is_none());
        Outcome::Answered(answer, lacks)
    }
}

fn text(message: &MessageData) -> String {
    let code = message.code().unwrap_or("no code");
    format!("{code}: {}", message.value().unwrap_or_default())
}
