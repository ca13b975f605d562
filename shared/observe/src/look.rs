//! One look: its calls, and the time of its first answer.

use std::future::Future;
use std::sync::Arc;

use calls::{AwsClock, Budget, Caller, Deadline, RateBucket, SdkFailure, one_line};
use model::Timestamp;
use model::snapshot::{Gap, GapCause};

use crate::Observer;
use crate::limits::PAGES_MAX;

/// One look. Calls are made one after the other, so that the same AWS gives the same snapshot. `O` is whose look it is.
#[derive(Debug)]
pub(crate) struct Look<'a, O = Observer> {
    pub(crate) observer: &'a O,
    clock: &'a AwsClock,
    caller: Caller,
    taken_at: Option<Timestamp>,
    calls: u32,
}

impl<'a, O> Look<'a, O> {
    pub(crate) fn new(
        observer: &'a O,
        clock: &'a AwsClock,
        budget: &Arc<Budget>,
        deadline: Deadline,
    ) -> Self {
        Self {
            observer,
            clock,
            caller: Caller::new(Arc::clone(budget), deadline),
            taken_at: None,
            calls: 0,
        }
    }

    /// Makes one call. An error answer tells the time as well as any other.
    pub(crate) async fn call<T, E: SdkFailure>(
        &mut self,
        bucket: RateBucket,
        operation: &'static str,
        resource: &str,
        request: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Gap> {
        let answers = self.clock.answers();
        let result = self.caller.call(bucket, operation, resource, request).await;
        self.calls = self.calls.saturating_add(1);
        if self.taken_at.is_none() && self.clock.answers() > answers {
            self.taken_at = self.clock.latest();
        }
        result.map_err(Gap::from)
    }

    /// Reads a list to its end: `send` asks for the page with a token, `take` keeps a page and gives back its `nextToken`.
    ///
    /// # Errors
    /// When a page cannot be read, or the list does not end. The pages before it were taken.
    pub(crate) async fn pages<T, E: SdkFailure, F: Future<Output = Result<T, E>>>(
        &mut self,
        bucket: RateBucket,
        operation: &'static str,
        resource: &str,
        send: impl Fn(Option<String>) -> F,
        mut take: impl FnMut(T) -> Option<String>,
    ) -> Result<(), Gap> {
        let mut pages = Pages::default();
        loop {
            let request = send(pages.token());
            let page = self.call(bucket, operation, resource, request).await?;
            if !pages.turn(operation, resource, take(page))? {
                return Ok(());
            }
        }
    }

    /// Whether no further call can be made.
    pub(crate) fn is_over(&self) -> bool {
        self.caller.deadline().is_over()
    }

    /// The time of the first answer. Everything that was seen is at least this young.
    pub(crate) const fn taken_at(&self) -> Option<Timestamp> {
        self.taken_at
    }

    /// AWS's time: that of the first answer; before it, what other looks learnt.
    pub(crate) fn now(&self) -> Option<Timestamp> {
        self.taken_at.or_else(|| self.clock.latest())
    }

    /// How many calls were asked for.
    pub(crate) const fn calls(&self) -> u32 {
        self.calls
    }
}

/// The pages of a list: where the next one begins, and that there is an end to them.
#[derive(Debug)]
pub(crate) struct Pages {
    token: Option<String>,
    seen: u32,
    max: u32,
}

impl Default for Pages {
    fn default() -> Self {
        Self::limited_to(PAGES_MAX)
    }
}

impl Pages {
    /// A list of which at most so many pages are read; with more it does not end.
    pub(crate) const fn limited_to(max: u32) -> Self {
        Self {
            token: None,
            seen: 0,
            max,
        }
    }

    /// The token to ask for the next page with.
    pub(crate) fn token(&self) -> Option<String> {
        self.token.clone()
    }

    /// How many pages ended with a token.
    pub(crate) const fn turned(&self) -> u32 {
        self.seen
    }

    /// Takes the token that a page ended with. `true`: there is a next page.
    ///
    /// # Errors
    /// When the list does not end.
    pub(crate) fn turn(
        &mut self,
        operation: &'static str,
        resource: &str,
        token: Option<String>,
    ) -> Result<bool, Gap> {
        let gap = |cause, detail| Gap {
            operation: operation.to_owned(),
            resource: resource.to_owned(),
            cause,
            detail,
        };
        let Some(token) = token.filter(|token| !token.is_empty()) else {
            return Ok(false);
        };
        self.seen = self.seen.saturating_add(1);
        if self.token.as_ref() == Some(&token) {
            let detail = format!(
                "page {} gave the same nextToken as the one before",
                self.seen
            );
            return Err(gap(GapCause::Unreachable, detail));
        }
        if self.seen >= self.max {
            let detail = format!("the list goes on after {} pages", self.max);
            return Err(gap(GapCause::BudgetSpent, detail));
        }
        self.token = Some(token);
        Ok(true)
    }
}

/// The gap that an answer leaves which lacks what it must have.
pub(crate) fn unreadable(operation: &str, resource: &str, detail: &str) -> Gap {
    Gap {
        operation: operation.to_owned(),
        resource: resource.to_owned(),
        cause: GapCause::Unreachable,
        detail: one_line(detail),
    }
}

/// The gap of one line of `failures[]`: `what` failed, and belongs to `resource`.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Failure.html>
pub(crate) fn of_failure(
    operation: &str,
    resource: &str,
    what: &str,
    failure: &aws_sdk_ecs::types::Failure,
) -> Gap {
    let reason = failure.reason().unwrap_or("no reason given");
    let detail = match failure.detail() {
        Some(detail) => format!("{what}: {reason}: {detail}"),
        None => format!("{what}: {reason}"),
    };
    Gap {
        operation: operation.to_owned(),
        resource: resource.to_owned(),
        cause: match reason {
            MISSING => GapCause::NotFound,
            _ => GapCause::Other,
        },
        detail: one_line(&detail),
    }
}

/// The reason of a failure that says that there is no such thing.
pub(crate) const MISSING: &str = "MISSING";

#[cfg(test)]
mod tests {
    use super::*;

    fn turn(pages: &mut Pages, token: &str) -> Result<bool, GapCause> {
        pages
            .turn("ecs:ListTasks", "demo", Some(token.to_owned()))
            .map_err(|gap| gap.cause)
    }

    #[test]
    fn a_list_ends_by_itself_or_is_ended() {
        let mut pages = Pages::default();
        assert_eq!(turn(&mut pages, "a"), Ok(true));
        assert_eq!(pages.token().as_deref(), Some("a"));
        assert_eq!(turn(&mut pages, "b"), Ok(true));
        assert_eq!(turn(&mut pages, "b"), Err(GapCause::Unreachable));
        assert_eq!(turn(&mut pages, ""), Ok(false));
        assert_eq!(pages.turn("ecs:ListTasks", "demo", None), Ok(false));

        // Two tokens that take turns are ended as well.
        let mut pages = Pages::default();
        let ended = (0_u32..).find(|page| {
            let token = if page % 2 == 0 { "even" } else { "odd" };
            turn(&mut pages, token) == Err(GapCause::BudgetSpent)
        });
        assert_eq!(ended, Some(PAGES_MAX - 1));
    }
}
