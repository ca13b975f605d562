//! The table of EC2 instance types: its form, the types that the workshop uses, and AWS's published catalogue.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use model::InstanceType;
use model::capacity::resources::Resources;
use model::instance_type::{CpuArchitecture, InstanceTypeFacts, Trunking, all, lookup};

const TABLE: &str = include_str!("../src/instance_type/instance_types.csv");

fn facts(name: &str) -> Option<InstanceTypeFacts> {
    lookup(&name.parse::<InstanceType>().unwrap())
}

/// The table's lines, read by other means than the search.
fn lines() -> Vec<Vec<&'static str>> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#') && !line.starts_with("instance_type,"))
        .map(|line| line.split(',').collect())
        .collect()
}

/// What an instance registers without and with trunking, in one line.
fn check(name: &str, want: &str) {
    let found = facts(name).map_or("not in the table".to_owned(), |facts| {
        let without = facts.registers(Trunking::Disabled);
        let with = facts.registers(Trunking::Enabled);
        assert_eq!(
            Resources {
                network_interfaces: without.network_interfaces,
                ..with
            },
            without,
            "trunking changes the interfaces only"
        );
        format!(
            "{} CPU units, {} of {} MiB, {} GPUs, {} interfaces, awsvpc tasks {} or {}, {}",
            without.cpu_units,
            without.memory_mib,
            facts.memory_mib,
            without.gpus,
            facts.network_interfaces,
            without.network_interfaces,
            with.network_interfaces,
            facts.architecture,
        )
    });
    assert_eq!(found, want, "{name}");
}

#[test]
fn the_table_is_sorted_complete_and_free_of_duplicates() {
    let lines = lines();
    assert!(lines.len() > 1_000, "{}", lines.len());
    assert!(lines.iter().all(|fields| fields.len() == 7));
    assert!(lines.windows(2).all(|pair| pair[0][0] < pair[1][0]));
    assert_eq!(all().count(), lines.len(), "a line cannot be read");
    assert!(TABLE.is_ascii());
    assert!(TABLE.len() < 45_000, "{}", TABLE.len());
}

#[test]
fn every_type_is_found_with_the_facts_of_its_own_line() {
    for fields in lines() {
        let facts = facts(fields[0]).unwrap_or_else(|| panic!("{} is not found", fields[0]));
        assert_eq!(facts.vcpus.to_string(), fields[1]);
        assert_eq!(facts.memory_mib.to_string(), fields[2]);
        let gpus = if fields[3].is_empty() { "0" } else { fields[3] };
        assert_eq!(facts.gpus.to_string(), gpus);
        assert_eq!(facts.network_interfaces.to_string(), fields[4]);
        let limit = facts.trunking_task_limit.map(|limit| limit.to_string());
        assert_eq!(limit.unwrap_or_default(), fields[5]);
        assert_eq!(
            facts.architecture == CpuArchitecture::Arm64,
            fields[6] == "arm64"
        );
        assert!(facts.vcpus > 0 && facts.memory_mib > 0 && facts.network_interfaces > 0);
    }
}

#[test]
fn a_type_that_is_not_in_the_table_has_no_facts() {
    let first = lines().first().unwrap()[0];
    let last = lines().last().unwrap()[0];
    for name in [
        "0",
        "zzz",
        "t3",
        "t3.",
        "t3.smal",
        "t3.smalll",
        "T3.SMALL",
        "instance_type",
        "#",
        "t3.small,2",
        "m5.largé",
        &format!("{first}x"),
        &format!("{last}x"),
        &first[1..],
        &last[..last.len() - 1],
    ] {
        assert_eq!(facts(name), None, "{name}");
    }
}

#[test]
fn the_workshops_types_are_known() {
    check(
        "t3.small",
        "2048 CPU units, 1904 of 2048 MiB, 0 GPUs, 3 interfaces, awsvpc tasks 2 or 2, x86_64",
    );
    for name in ["m5.large", "m5d.large", "m5a.large", "m5ad.large"] {
        check(
            name,
            "2048 CPU units, 7618 of 8192 MiB, 0 GPUs, 3 interfaces, awsvpc tasks 2 or 10, x86_64",
        );
    }
    for name in [
        "m4.large",
        "m5dn.large",
        "m5n.large",
        "t2.large",
        "t3.large",
    ] {
        let facts = facts(name).unwrap();
        let registered = (facts.cpu_units(), facts.registered_memory_mib());
        assert_eq!(registered, (2_048, 7_618), "{name}");
    }
    let oldest = facts("m3.large").unwrap();
    let registered = (oldest.cpu_units(), oldest.registered_memory_mib());
    assert_eq!(registered, (2_048, 7_142));
}

#[test]
fn published_examples_and_special_types_come_out() {
    // The example of AWS's page on trunking.
    check(
        "c5.large",
        "2048 CPU units, 3809 of 4096 MiB, 0 GPUs, 3 interfaces, awsvpc tasks 2 or 10, x86_64",
    );
    // Refused by name on that page, though their families are not.
    check(
        "c5.metal",
        "98304 CPU units, 182845 of 196608 MiB, 0 GPUs, 15 interfaces, awsvpc tasks 14 or 14, x86_64",
    );
    check(
        "m6g.medium",
        "1024 CPU units, 3809 of 4096 MiB, 0 GPUs, 2 interfaces, awsvpc tasks 1 or 4, arm64",
    );
    check(
        "p4d.24xlarge",
        "98304 CPU units, 1097072 of 1179648 MiB, 8 GPUs, 60 interfaces, awsvpc tasks 59 or 120, x86_64",
    );
    check(
        "t3a.small",
        "2048 CPU units, 1904 of 2048 MiB, 0 GPUs, 2 interfaces, awsvpc tasks 1 or 1, x86_64",
    );
    check("mac2.metal", "not in the table");
}

/// The memory rule, computed the long way for every type.
#[test]
fn registered_memory_is_93_percent_rounded_down() {
    for (name, facts) in all() {
        let exact = u64::from(facts.memory_mib) * 93 / 100;
        assert_eq!(u64::from(facts.registered_memory_mib()), exact, "{name}");
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "where the catalogue is is a setting of the test, not of the crate"
)]
fn shared() -> PathBuf {
    std::env::var_os("BALLAST_SHARED").map_or_else(
        || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
        PathBuf::from,
    )
}

#[test]
fn the_published_catalogue_agrees() {
    let path = shared().join("data/catalog/us-east-1_catalog.csv.gz");
    if !path.exists() {
        eprintln!(
            "skipped: the published catalogue is not in {}",
            path.display()
        );
        return;
    }
    let unzip = Command::new("gzip")
        .arg("-dc")
        .arg(&path)
        .stderr(Stdio::inherit())
        .output();
    let Ok(unzip) = unzip else {
        eprintln!("skipped: `gzip` is not installed");
        return;
    };
    assert!(unzip.status.success(), "the catalogue cannot be unpacked");
    let text = String::from_utf8(unzip.stdout).unwrap();
    let mut columns: BTreeMap<&str, usize> = BTreeMap::new();
    let mut compared = 0;
    for line in text.lines() {
        let fields: Vec<&str> = line.split(',').collect();
        if columns.is_empty() {
            columns = fields.into_iter().zip(0..).collect();
            continue;
        }
        let field = |name: &str| fields[columns[name]];
        // The catalogue has no interfaces for retired types, and the table then has no line.
        let (name, interfaces) = (field("instance_type"), field("enis"));
        // Two types of the first generations, where EC2's own answer and the catalogue differ in memory.
        if interfaces.is_empty() || ["m1.medium", "r3.large"].contains(&name) {
            continue;
        }
        let facts = facts(name).unwrap_or_else(|| panic!("{name} is not in the table"));
        assert_eq!(facts.vcpus.to_string(), field("vcpu"), "{name}");
        let memory_gib: f64 = field("ram_gb").parse().unwrap();
        let difference = (f64::from(facts.memory_mib) - memory_gib * 1_024.0).abs();
        assert!(
            difference <= 10.0,
            "{name}: {} MiB, {memory_gib} GiB",
            facts.memory_mib
        );
        assert_eq!(facts.network_interfaces.to_string(), interfaces, "{name}");
        compared += 1;
    }
    assert!(compared > 900, "only {compared} types were compared");
}
