//! Everything that a record can say is in the runbook.

use model::capacity::{CapacityHoldReason, CapacityStepReason};
use model::drain::{DrainHoldReason, DrainStepReason, StuckReason};
use model::plan::HoldReason;
use model::tracking::{TrackingHoldReason, TrackingStepReason};
use placement::capacity::pools::LaunchCause;

use crate::{read, rows, section};

/// Each of `names` begins a row of a table of the runbook.
fn in_the_runbook<'a>(names: impl IntoIterator<Item = &'a str>, what: &str) {
    begin_rows(&read("docs/runbook.md"), names, what);
}

/// Each of `names` begins a row of a table of the runbook's part of this heading.
fn in_the_part<'a>(heading: &str, names: impl IntoIterator<Item = &'a str>, what: &str) {
    let runbook = read("docs/runbook.md");
    begin_rows(section(&runbook, heading), names, what);
}

/// The tables of the runbook's part of this heading have no row for a name that is none of these.
fn nothing_else_is_in_the_part(heading: &str, names: &[&str]) {
    let runbook = read("docs/runbook.md");
    for row in rows(section(&runbook, heading)) {
        let name = row[0].trim_matches('`');
        assert!(
            name == row[0] || names.contains(&name),
            "{} is in `{heading}`, and no record says it",
            row[0]
        );
    }
}

fn begin_rows<'a>(document: &str, names: impl IntoIterator<Item = &'a str>, what: &str) {
    let rows = rows(document);
    for name in names {
        let cell = format!("`{name}`");
        let count = rows.iter().filter(|row| row[0] == cell).count();
        assert!(count >= 1, "{what} {cell} has no row in the runbook");
    }
}

#[test]
fn everything_that_a_record_can_say_is_in_the_runbook() {
    in_the_runbook(HoldReason::NAMES, "the hold");
    in_the_runbook(control::Failure::NAMES, "the error type");
    in_the_runbook(["cover", "give_back"], "the step");
    in_the_runbook(
        [
            "spot_shortage",
            "deadline_near",
            "spot_instances_short",
            "spot_instances_draining",
            "spot_took_tasks",
            "overdue",
            "persisted",
        ],
        "the evidence",
    );
    in_the_runbook(
        [
            "done",
            "already_so",
            "not_written",
            "precondition_failed",
            "refused",
            "failed",
            "out_of_time",
        ],
        "the outcome",
    );
    in_the_runbook(
        [
            "access_denied",
            "throttled",
            "not_found",
            "budget_spent",
            "out_of_time",
            "unreachable",
            "other",
        ],
        "the gap's cause",
    );
    in_the_runbook(
        [
            "not_ours",
            "task_not_stopping",
            "service_event_without_meaning",
            "test_notification",
            "other_account",
            "other_region",
            "other_cluster",
            "standalone_task",
            "other_function",
            "launch_lifecycle_action",
            "not_a_scheduled_change",
            "names_no_instance",
            "elsewhere",
            "instance_not_leaving",
            "alarm_without_data",
            "alarm_not_in_alarm",
            "looked_lately",
        ],
        "the ignored event's reason",
    );
}

#[test]
fn every_law_of_an_audit_is_in_the_runbook() {
    let runbook = read("docs/runbook.md");
    let laws = section(&runbook, "## The audit's laws");
    let of_functions: [(&str, &[&str]); 4] = [
        ("spot-fallback", &placement::audit::LAWS),
        ("cluster-scaler", &placement::capacity::audit::LAWS),
        ("instance-drain", &placement::drain::audit::LAWS),
        ("service-scaler", &placement::tracking::audit::LAWS),
    ];
    for (function, names) in of_functions {
        let (_, rest) = laws.split_once(&format!("\n`{function}`:")).unwrap();
        let said = rest.split(". See").next().unwrap();
        let said: Vec<&str> = said.split('`').skip(1).step_by(2).collect();
        assert_eq!(said, names, "the laws of `{function}` in the runbook");
    }
}

#[test]
fn everything_that_a_record_of_capacity_can_say_is_in_the_runbook() {
    let part = "## EC2 capacity: cluster-scaler";
    in_the_part(part, CapacityHoldReason::NAMES, "the hold");
    in_the_part(
        "### Steps about capacity",
        CapacityStepReason::NAMES,
        "the step",
    );
    in_the_part(
        "### Why tasks fit nowhere",
        [
            "too_large",
            "constraint_not_met",
            "constraint_unsupported",
            "types_unknown",
            "no_pool_left",
            "host_port_taken",
            "group_at_maximum",
        ],
        "the reason why a task fits nowhere",
    );
    in_the_part(
        "### Why launches fail",
        LaunchCause::NAMES,
        "the cause of a failed launch",
    );
    in_the_part(
        "### Vetoes",
        [
            "minimum_size",
            "headroom_unknown",
            "suspended_process",
            "deployment",
            "unhealthy",
            "incomplete",
            "memory_unavailable",
            "tasks_without_room",
            "launching",
        ],
        "the veto",
    );
    in_the_part(
        "### Neighbours",
        [
            "managed_scaling",
            "managed_termination_protection",
            "scaling_policy",
            "scheduled_action",
            "warm_pool",
            "other_cluster",
        ],
        "the neighbour",
    );
}

#[test]
fn everything_that_a_record_of_departures_can_say_is_in_the_runbook() {
    let part = "## Departures: instance-drain";
    in_the_part(part, DrainHoldReason::NAMES, "the hold");
    for heading in [
        "### Holds of groups",
        "### Holds of leaving instances",
        "### Holds of lifecycle actions",
    ] {
        nothing_else_is_in_the_part(heading, &DrainHoldReason::NAMES);
    }
    let steps = "### Steps about departures";
    in_the_part(steps, DrainStepReason::NAMES, "the step");
    nothing_else_is_in_the_part(steps, &DrainStepReason::NAMES);
    let stuck = "### Why tasks are stuck";
    in_the_part(stuck, StuckReason::NAMES, "the reason of stuck tasks");
    nothing_else_is_in_the_part(stuck, &StuckReason::NAMES);
    let causes = [
        "spot_interruption",
        "capacity_reservation_interruption",
        "terminating",
        "stopping",
        "maintenance",
        "rebalance",
        "agent_lost",
    ];
    in_the_part("### Why an instance leaves", causes, "the cause");
    nothing_else_is_in_the_part("### Why an instance leaves", &causes);
}

#[test]
fn everything_that_a_record_of_target_tracking_can_say_is_in_the_runbook() {
    let holds = "### Holds of tracked services";
    in_the_part(holds, TrackingHoldReason::NAMES, "the hold");
    nothing_else_is_in_the_part(holds, &TrackingHoldReason::NAMES);
    let steps = "### Steps of target tracking";
    in_the_part(steps, TrackingStepReason::NAMES, "the step");
    nothing_else_is_in_the_part(steps, &TrackingStepReason::NAMES);
    let limits = ["no_instance_has_room", "group_at_maximum", "spot_only"];
    let heading = "### Why a raise places nothing";
    in_the_part(heading, limits, "the limit");
    nothing_else_is_in_the_part(heading, &limits);
    let unusable = [
        "alarm_not_found",
        "alarm_is_composite",
        "alarm_watches_no_metric",
        "alarm_has_several_series",
        "alarm_of_another_service",
        "query_refused",
        "target_groups",
        "task_counts",
    ];
    let heading = "### Why a target cannot be followed";
    in_the_part(heading, unusable, "the reason of a target");
    nothing_else_is_in_the_part(heading, &unusable);
}

/// The query for departures asks for fields that a record has.
#[test]
fn the_runbooks_fields_of_departures_are_in_a_record() {
    let runbook = read("docs/runbook.md");
    let (_, rest) = runbook.split_once("and for `instance-drain`").unwrap();
    let text = rest.split("\n\n").next().unwrap();
    let golden = read("shared/control/tests/flow/golden/departures/warning.json");
    let record: serde_json::Value = serde_json::from_str(&golden).unwrap();
    let fields: Vec<&str> = text
        .split([' ', '`', ',', '\n'])
        .filter(|it| it.starts_with("plan.") || it.starts_with("snapshot."))
        .collect();
    assert!(fields.len() >= 5, "{fields:?}");
    for field in fields {
        let pointer = format!("/{}", field.replace('.', "/"));
        assert!(record.pointer(&pointer).is_some(), "`{field}`");
    }
}

#[test]
fn every_alarm_of_the_template_is_in_the_runbook() {
    let template = read("infra/template.yaml");
    let lines: Vec<&str> = template.lines().collect();
    let alarms: Vec<&str> = lines
        .windows(2)
        .filter(|pair| pair[1] == "    Type: AWS::CloudWatch::Alarm")
        .map(|pair| pair[0].trim().trim_end_matches(':'))
        .collect();
    assert!(alarms.len() >= 12, "{alarms:?}");
    in_the_runbook(alarms, "the alarm");
}
