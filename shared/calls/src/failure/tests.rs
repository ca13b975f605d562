use std::io;

use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::error::ErrorMetadata;

use super::*;

type ListError = SdkError<ErrorMetadata, HttpResponse>;

fn answer(status: u16) -> HttpResponse {
    HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty())
}

fn service_error(status: u16, code: Option<&str>, message: Option<&str>) -> ListError {
    let mut metadata = ErrorMetadata::builder();
    if let Some(code) = code {
        metadata = metadata.code(code);
    }
    if let Some(message) = message {
        metadata = metadata.message(message);
    }
    SdkError::service_error(metadata.build(), answer(status))
}

fn check(error: ListError, cause: GapCause, detail: &str) {
    let failure = Failure::of_sdk("ecs:ListTasks", "demo/web", error);
    assert_eq!(
        failure.gap,
        Gap {
            operation: "ecs:ListTasks".to_owned(),
            resource: "demo/web".to_owned(),
            cause,
            detail: detail.to_owned(),
        }
    );
    assert!(failure.sent);
    assert_eq!(
        failure.to_string(),
        format!("`ecs:ListTasks` for `demo/web` failed: {}", cause.as_str())
    );
    assert!(failure.source().is_some(), "the source is kept");
}

#[test]
fn answers_are_classified_by_code_then_by_status() {
    for (status, code, cause) in [
        (400, "AccessDeniedException", GapCause::AccessDenied),
        (403, "ExpiredToken", GapCause::AccessDenied),
        (400, "ThrottlingException", GapCause::Throttled),
        (400, "ServiceNotFoundException", GapCause::NotFound),
        (400, "ServiceNotActiveException", GapCause::NotFound),
        (400, "ClusterNotFoundException", GapCause::NotFound),
        (500, "ServerException", GapCause::Other),
        // A code that says something else wins over the status.
        (404, "InvalidParameterException", GapCause::Other),
    ] {
        check(
            service_error(status, Some(code), Some("why\nnot")),
            cause,
            &format!("{code}: why not"),
        );
    }
    for (status, cause) in [
        (403, GapCause::AccessDenied),
        (404, GapCause::NotFound),
        (429, GapCause::Throttled),
        (503, GapCause::Unreachable),
        (500, GapCause::Other),
    ] {
        check(
            service_error(status, None, None),
            cause,
            &format!("HTTP status {status}"),
        );
    }
}

#[test]
fn without_an_answer_the_chain_is_walked() {
    let refused = io::Error::new(io::ErrorKind::ConnectionRefused, "connection refused");
    check(
        SdkError::dispatch_failure(ConnectorError::io(refused.into())),
        GapCause::Unreachable,
        "dispatch failure: io error: connection refused",
    );
    check(
        SdkError::timeout_error("no answer within 3 s"),
        GapCause::Unreachable,
        "request has timed out: no answer within 3 s",
    );
    check(
        SdkError::response_error("expected `{`", answer(200)),
        GapCause::Unreachable,
        "response error: expected `{`",
    );
    check(
        SdkError::construction_failure("no Region"),
        GapCause::Other,
        "failed to construct request: no Region",
    );
}

#[test]
fn foreign_texts_are_cut_and_kept_on_one_line() {
    let page = format!("<html>\r\n{}", "x".repeat(2_000));
    let line = one_line(&page);
    assert_eq!(line.chars().count(), DETAIL_CHARACTERS_MAX + 1);
    assert!(line.starts_with("<html>  xxx") && line.ends_with("x…"));
}
