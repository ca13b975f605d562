//! The services of a cluster, as Ballast counts their tasks.

use model::plan::Counts;
use model::snapshot::{Pair, PassedOver, Snapshot, Standby};
use placement::fallback::count;
use serde::Serialize;

use crate::output::{Screen, Tone, cell, titled};

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
    /// What stands in the way, if anything.
    pub(crate) remarks: Vec<String>,
}

/// The services of the snapshot: pairs first, then those that are in none.
pub(crate) fn rows(snapshot: &Snapshot) -> Vec<ServiceRow> {
    let pairs = snapshot.pairs.iter().map(|(key, pair)| {
        let mut row = of_pair(pair, snapshot);
        row.service = key.service.to_string();
        row
    });
    let others = snapshot.passed_over.iter().map(|(key, why)| ServiceRow {
        service: key.service.to_string(),
        standby: None,
        counts: None,
        remarks: vec![why_passed_over(why)],
    });
    pairs.chain(others).collect()
}

fn of_pair(pair: &Pair, snapshot: &Snapshot) -> ServiceRow {
    let mut remarks: Vec<String> = pair
        .gaps
        .iter()
        .map(|gap| format!("not observed: {gap}"))
        .collect();
    let mut counts = None;
    let mut standby = None;
    match &pair.policy {
        Err(faults) => remarks.extend(faults.iter().map(ToString::to_string)),
        Ok(policy) => {
            standby = Some(policy.standby.to_string());
            match &pair.standby {
                Standby::Present(service) => {
                    counts = Some(count::counts(pair, service, policy, snapshot.taken_at));
                }
                Standby::Missing => {
                    remarks.push(format!("there is no service `{}`", policy.standby))
                }
                Standby::Unknown => remarks.push(format!("`{}` could not be read", policy.standby)),
            }
            if policy.paused {
                remarks.push("paused".to_owned());
            }
        }
    }
    if pair.primary.deployment_running() {
        remarks.push("a deployment is running".to_owned());
    }
    ServiceRow {
        service: String::new(),
        standby,
        counts,
        remarks,
    }
}

fn why_passed_over(why: &PassedOver) -> String {
    match why {
        PassedOver::NotOptedIn => "not opted in".to_owned(),
        PassedOver::NotFound => "there is no such service".to_owned(),
        PassedOver::StandbyWithoutPrimary { primary, .. } => {
            format!("says that it is the standby of `{primary}`, which does not name it")
        }
        PassedOver::Unread { gap } => format!("not observed: {gap}"),
    }
}

/// The services, counted.
pub(crate) fn table(rows: &[ServiceRow], screen: Screen) -> String {
    if rows.is_empty() {
        return "Services: none\n".to_owned();
    }
    let mut table = screen.table(&[
        "Service",
        "Desired",
        "Ready",
        "Starting",
        "Leaving",
        "Deficit",
        "Standby",
        "StandbyDesired",
        "StandbyReady",
        "Remark",
    ]);
    for row in rows {
        let number = |tone: Tone, read: fn(&Counts) -> u32| match &row.counts {
            Some(counts) if read(counts) > 0 => cell(tone, read(counts)),
            Some(_) => cell(Tone::Plain, 0),
            None => cell(Tone::Plain, "-"),
        };
        table.add_row(vec![
            cell(Tone::Plain, &row.service),
            number(Tone::Plain, |counts| counts.desired),
            number(Tone::Good, |counts| counts.ready),
            number(Tone::Notice, |counts| counts.starting),
            number(Tone::Bad, |counts| counts.leaving),
            number(Tone::Bad, |counts| counts.deficit),
            cell(Tone::Plain, row.standby.as_deref().unwrap_or("-")),
            number(Tone::Notice, |counts| counts.standby_desired),
            number(Tone::Good, |counts| counts.standby_ready),
            cell(Tone::Plain, row.remarks.join("; ")),
        ]);
    }
    titled("Services", &table)
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
        let row = |service: &str, standby: Option<&str>, counts, remark: &str| ServiceRow {
            service: service.to_owned(),
            standby: standby.map(ToOwned::to_owned),
            counts,
            remarks: if remark.is_empty() {
                Vec::new()
            } else {
                vec![remark.to_owned()]
            },
        };
        let rows = [
            row("web", Some("web-standby"), Some(counts), ""),
            row(
                "api",
                Some("api-standby"),
                None,
                "there is no service `api-standby`",
            ),
            row(
                "batch",
                None,
                None,
                &why_passed_over(&PassedOver::NotOptedIn),
            ),
        ];
        expect![[r#"
            Services
            +---------+---------+-------+----------+---------+---------+-------------+----------------+--------------+-----------------------------------+
            | Service | Desired | Ready | Starting | Leaving | Deficit | Standby     | StandbyDesired | StandbyReady | Remark                            |
            +============================================================================================================================================+
            | web     | 10      | 3     | 1        | 2       | 6       | web-standby | 6              | 5            |                                   |
            | api     | -       | -     | -        | -       | -       | api-standby | -              | -            | there is no service `api-standby` |
            | batch   | -       | -     | -        | -       | -       | -           | -              | -            | not opted in                      |
            +---------+---------+-------+----------+---------+---------+-------------+----------------+--------------+-----------------------------------+
        "#]].assert_eq(&table(&rows, Screen::plain()));
    }
}
