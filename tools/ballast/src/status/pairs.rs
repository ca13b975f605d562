//! The services of a cluster, as Ballast counts their tasks, and what it would do about each: the plan of the functions' own rules.
//!
//! Absent: the ledger. The plan is that of a function that has never seen these services, so that waiting times begin now.

use std::collections::BTreeMap;

use model::ServiceKey;
use model::plan::{Counts, Plan};
use model::policy::Installation;
use model::snapshot::{Gap, Pair, Snapshot, Standby};
use model::trigger::Hints;
use placement::fallback::count;
use serde::Serialize;

use crate::output::{Screen, Tone, cell, titled};

/// The reasons that need no further word in a table: all is well, or the service is none of Ballast's.
const QUIET: [&str; 3] = ["at_rest", "covered", "not_opted_in"];

/// One service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ServiceRow {
    pub(crate) service: String,
    /// The standby that its tag names, where that can be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) standby: Option<String>,
    /// Only for a pair that could be counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) counts: Option<Counts>,
    /// What Ballast would do, or why it would do nothing.
    #[serde(flatten)]
    pub(crate) remark: Option<Remark>,
    /// What could not be observed of the pair.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) gaps: Vec<Gap>,
}

/// The step or the hold of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Remark {
    /// The reason's name, as records and the runbook have it.
    pub(crate) reason: String,
    /// The reason in words.
    pub(crate) text: String,
}

/// The services of the snapshot: pairs first, then those that are in none.
pub(crate) fn rows(snapshot: &Snapshot) -> Vec<ServiceRow> {
    let decision = placement::decide(
        snapshot,
        &Installation::default(),
        &BTreeMap::new(),
        &Hints::default(),
        snapshot.taken_at,
    );
    let mut remarks = remarks(&decision.plan);
    let mut row = |key: &ServiceKey, pair: Option<&Pair>| ServiceRow {
        service: key.service.to_string(),
        standby: pair
            .and_then(|it| it.policy.as_ref().ok())
            .map(|policy| policy.standby.to_string()),
        counts: pair.and_then(|it| counts(it, snapshot)),
        remark: remarks.remove(key),
        gaps: pair.map(|it| it.gaps.clone()).unwrap_or_default(),
    };
    let mut rows: Vec<ServiceRow> = snapshot
        .pairs
        .iter()
        .map(|(key, pair)| row(key, Some(pair)))
        .collect();
    rows.extend(snapshot.passed_over.keys().map(|key| row(key, None)));
    rows
}

/// Each service is in one step or in one hold.
fn remarks(plan: &Plan) -> BTreeMap<ServiceKey, Remark> {
    let steps = plan.steps.iter().map(|step| {
        let remark = Remark {
            reason: step.reason.as_str().to_owned(),
            text: format!("{}, because {}", step.action, step.reason),
        };
        (step.subject.clone(), remark)
    });
    let holds = plan.holds.iter().map(|hold| {
        let remark = Remark {
            reason: hold.reason.as_str().to_owned(),
            text: hold.reason.to_string(),
        };
        (hold.subject.clone(), remark)
    });
    steps.chain(holds).collect()
}

fn counts(pair: &Pair, snapshot: &Snapshot) -> Option<Counts> {
    match (&pair.policy, &pair.standby) {
        (Ok(policy), Standby::Present(standby)) => {
            Some(count::counts(pair, standby, policy, snapshot.taken_at))
        }
        (Ok(_), Standby::Missing | Standby::Unknown) | (Err(_), _) => None,
    }
}

/// The services, counted.
pub(crate) fn table(rows: &[ServiceRow], screen: Screen) -> String {
    if rows.is_empty() {
        return "Services: none\n".to_owned();
    }
    // The lab's tables show the truth of a world, and nobody's opinion of it.
    let has_remarks = rows.iter().any(|row| row.remark.is_some());
    let mut header = vec![
        "Service",
        "Desired",
        "Ready",
        "Starting",
        "Leaving",
        "Deficit",
        "Standby",
        "StandbyDesired",
        "StandbyReady",
    ];
    header.extend(has_remarks.then_some("Remark"));
    let mut table = screen.table(&header);
    for row in rows {
        let number = |tone: Tone, read: fn(&Counts) -> u32| match &row.counts {
            Some(counts) if read(counts) > 0 => cell(tone, read(counts)),
            Some(_) => cell(Tone::Plain, 0),
            None => cell(Tone::Plain, "-"),
        };
        let mut cells = vec![
            cell(Tone::Plain, &row.service),
            number(Tone::Plain, |counts| counts.desired),
            number(Tone::Good, |counts| counts.ready),
            number(Tone::Notice, |counts| counts.starting),
            number(Tone::Bad, |counts| counts.leaving),
            number(Tone::Bad, |counts| counts.deficit),
            cell(Tone::Plain, row.standby.as_deref().unwrap_or("-")),
            number(Tone::Notice, |counts| counts.standby_desired),
            number(Tone::Good, |counts| counts.standby_ready),
        ];
        cells.extend(row.remark.as_ref().map(|it| cell(tone(it), &it.reason)));
        table.add_row(cells);
    }
    let mut text = titled("Services", &table);
    for row in rows {
        for line in notes(row, screen) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn tone(remark: &Remark) -> Tone {
    if QUIET.contains(&remark.reason.as_str()) {
        Tone::Plain
    } else {
        Tone::Bad
    }
}

/// What the table's one word does not say, a line each.
fn notes(row: &ServiceRow, screen: Screen) -> Vec<String> {
    let service = &row.service;
    let loud = row
        .remark
        .iter()
        .filter(|it| !QUIET.contains(&it.reason.as_str()));
    let mut notes: Vec<String> = loud
        .map(|it| {
            let reason = screen.paint(Tone::Bad, &it.reason);
            format!("`{service}` {reason}: {}", it.text)
        })
        .collect();
    let gaps = row.gaps.iter();
    notes.extend(gaps.map(|gap| format!("`{service}` not observed: {gap}")));
    notes
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_covered_pair_an_unusable_one_and_a_stranger() {
        let counts = Counts {
            desired: 10,
            ready: 3,
            starting: 1,
            leaving: 2,
            deficit: 6,
            standby_desired: 6,
            standby_ready: 5,
        };
        let row =
            |service: &str, standby: Option<&str>, counts, reason: &str, text: &str| ServiceRow {
                service: service.to_owned(),
                standby: standby.map(ToOwned::to_owned),
                counts,
                remark: Some(Remark {
                    reason: reason.to_owned(),
                    text: text.to_owned(),
                }),
                gaps: Vec::new(),
            };
        let missing = "there is no service `api-standby` in the cluster";
        let rows = [
            row(
                "web",
                Some("web-standby"),
                Some(counts),
                "covered",
                "all is well",
            ),
            row("api", Some("api-standby"), None, "standby_missing", missing),
            row("batch", None, None, "not_opted_in", "it carries no tag"),
        ];
        expect![[r#"
            Services
            +---------+---------+-------+----------+---------+---------+-------------+----------------+--------------+-----------------+
            | Service | Desired | Ready | Starting | Leaving | Deficit | Standby     | StandbyDesired | StandbyReady | Remark          |
            +==========================================================================================================================+
            | web     | 10      | 3     | 1        | 2       | 6       | web-standby | 6              | 5            | covered         |
            | api     | -       | -     | -        | -       | -       | api-standby | -              | -            | standby_missing |
            | batch   | -       | -     | -        | -       | -       | -           | -              | -            | not_opted_in    |
            +---------+---------+-------+----------+---------+---------+-------------+----------------+--------------+-----------------+
            `api` standby_missing: there is no service `api-standby` in the cluster
        "#]].assert_eq(&table(&rows, Screen::plain()));
    }
}
