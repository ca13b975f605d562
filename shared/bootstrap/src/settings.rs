//! The settings of an installation: environment variables, read once, every fault at once.

use calls::SHARE_PERCENT_MAX;
use model::policy::Mode;
use model::settings::{Setting, SettingFault, whole_number};
use model::{ClusterName, RegionName, Seconds};

/// Whether the function may write.
pub const MODE: Setting = Setting {
    name: "BALLAST_MODE",
    allowed: "`observe` or `act`",
    default: "observe",
    meaning: "`observe` looks, plans and records and changes nothing; `act` also carries the plan out.",
};
/// The clusters to look after.
pub const CLUSTERS: Setting = Setting {
    name: "BALLAST_CLUSTERS",
    allowed: "names or ARNs of clusters, separated by commas",
    default: "none: every cluster of the account and Region",
    meaning: "The clusters that the function looks after. Events of other clusters are ignored and counted.",
};
/// The ledger's table.
pub const LEDGER_TABLE: Setting = Setting {
    name: "BALLAST_LEDGER_TABLE",
    allowed: "the name of a DynamoDB table, 3 to 255 letters, digits, `_`, `-` and `.`",
    default: "none: the memory of the process, which is lost with it",
    meaning: "The DynamoDB table that keeps what must be remembered between invocations.",
};
/// The share of ECS's rate limits.
pub const ECS_RATE_SHARE_PERCENT: Setting = Setting {
    name: "BALLAST_ECS_RATE_SHARE_PERCENT",
    allowed: "a whole number from 1 to 1000",
    default: "50",
    meaning: "How much of the request rates that AWS documents the function may use, in percent; more than 100 only where AWS has raised the account's.",
};
/// How often the schedule runs.
pub const SCHEDULE_INTERVAL_SECS: Setting = Setting {
    name: "BALLAST_SCHEDULE_INTERVAL_SECS",
    allowed: "a whole number from 60 to 300",
    default: "60",
    meaning: "How often the function's schedule invokes it, in seconds; must be what the schedule says.",
};

/// Every setting, in the order of the documentation.
pub const SETTINGS: [&Setting; 5] = [
    &MODE,
    &CLUSTERS,
    &LEDGER_TABLE,
    &ECS_RATE_SHARE_PERCENT,
    &SCHEDULE_INTERVAL_SECS,
];

/// The Region, which Lambda always sets.
/// <https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html#configuration-envvars-runtime>
const REGION: Setting = Setting {
    name: "AWS_REGION",
    allowed: "the name of a Region; Lambda sets it",
    default: "none",
    meaning: "The Region that the function works in.",
};

/// What begins every setting of Ballast's; a variable that begins so and is not in [`SETTINGS`] is a fault.
const PREFIX: &str = "BALLAST_";

/// The settings, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether the function may write.
    pub mode: Mode,
    /// The clusters to look after; empty means every cluster.
    pub clusters: Vec<ClusterName>,
    /// The ledger's table; `None` is the memory of the process.
    pub ledger_table: Option<String>,
    /// The share of AWS's request rates, in percent.
    pub ecs_rate_share_percent: u32,
    /// How often the schedule runs.
    pub schedule_interval: Seconds,
    /// The Region.
    pub region: RegionName,
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// Every fault of every variable, unknown ones of Ballast's included.
    pub fn from_env() -> Result<Self, Vec<SettingFault>> {
        // A variable that is not Unicode is none of Ballast's, or is read as a fault.
        let variables = std::env::vars_os().map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        });
        Self::from_variables(&variables.collect())
    }

    /// Reads these variables. An empty variable counts as absent: that is how a template says "not set".
    ///
    /// # Errors
    /// Every fault of every variable, unknown ones of Ballast's included.
    pub fn from_variables(
        variables: &std::collections::BTreeMap<String, String>,
    ) -> Result<Self, Vec<SettingFault>> {
        let get = |setting: &Setting| {
            let value = variables.get(setting.name).map(|it| it.trim());
            value.filter(|it| !it.is_empty())
        };
        let mut faults = Vec::new();
        for (name, value) in variables {
            if name.starts_with(PREFIX) && !SETTINGS.iter().any(|it| it.name == name) {
                faults.push(SettingFault {
                    name: name.chars().take(128).collect(),
                    value: value.chars().take(256).collect(),
                    allowed: "no variable of this name".to_owned(),
                });
            }
        }
        let mode = match get(&MODE) {
            None | Some("observe") => Mode::Observe,
            Some("act") => Mode::Act,
            Some(other) => {
                faults.push(SettingFault::new(&MODE, other));
                Mode::Observe
            }
        };
        let clusters = read_clusters(get(&CLUSTERS), &mut faults);
        let ledger_table = get(&LEDGER_TABLE).map(str::to_owned);
        if let Some(table) = &ledger_table
            && !is_table_name(table)
        {
            faults.push(SettingFault::new(&LEDGER_TABLE, table));
        }
        let share = get(&ECS_RATE_SHARE_PERCENT);
        let share = whole_number(
            &ECS_RATE_SHARE_PERCENT,
            share,
            1..=SHARE_PERCENT_MAX.into(),
            50,
            &mut faults,
        );
        let interval = get(&SCHEDULE_INTERVAL_SECS);
        let interval = whole_number(&SCHEDULE_INTERVAL_SECS, interval, 60..=300, 60, &mut faults);
        let region = get(&REGION).unwrap_or_default();
        match region.parse::<RegionName>() {
            Ok(region) if faults.is_empty() => Ok(Self {
                mode,
                clusters,
                ledger_table,
                ecs_rate_share_percent: u32::try_from(share).unwrap_or(1),
                schedule_interval: Seconds(interval),
                region,
            }),
            Ok(_) => Err(faults),
            Err(_) => {
                faults.push(SettingFault::new(&REGION, region));
                Err(faults)
            }
        }
    }
}

/// A name is what ECS allows: up to 255 letters, digits, `_` and `-`
/// (<https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_CreateCluster.html>).
fn read_clusters(text: Option<&str>, faults: &mut Vec<SettingFault>) -> Vec<ClusterName> {
    let mut clusters: Vec<ClusterName> = Vec::new();
    for name in text.into_iter().flat_map(|it| it.split(',')) {
        let name = name.trim();
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        match ClusterName::from_arn_or_name(name) {
            Ok(cluster)
                if cluster.as_str().chars().all(is_allowed) && cluster.as_str().len() <= 255 =>
            {
                if !clusters.contains(&cluster) {
                    clusters.push(cluster);
                }
            }
            Ok(_) | Err(_) => faults.push(SettingFault::new(&CLUSTERS, name)),
        }
    }
    clusters
}

/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html>
fn is_table_name(text: &str) -> bool {
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (3..=255).contains(&text.len()) && text.chars().all(is_allowed)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, Vec<SettingFault>> {
        let mut all: BTreeMap<String, String> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        all.entry("AWS_REGION".to_owned())
            .or_insert_with(|| "us-west-2".to_owned());
        Settings::from_variables(&all)
    }

    /// The faults of these variables, one line each.
    fn check(variables: &[(&str, &str)], want: &[&str]) {
        let faults = read(variables).err().unwrap_or_default();
        let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
        assert_eq!(faults, want, "{variables:?}");
    }

    #[test]
    fn defaults_are_those_of_the_table() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.mode.as_str(), MODE.default);
        assert_eq!(settings.clusters, []);
        assert_eq!(settings.ledger_table, None);
        let share = settings.ecs_rate_share_percent.to_string();
        assert_eq!(share, ECS_RATE_SHARE_PERCENT.default);
        let interval = settings.schedule_interval.0.to_string();
        assert_eq!(interval, SCHEDULE_INTERVAL_SECS.default);
        assert_eq!(read(&SETTINGS.map(|it| (it.name, " "))), Ok(settings));
    }

    #[test]
    fn everything_can_be_set() {
        let settings = read(&[
            ("BALLAST_MODE", "act"),
            (
                "BALLAST_CLUSTERS",
                "container-demo, other,arn:aws:ecs:eu-west-1:111122223333:cluster/container-demo",
            ),
            ("BALLAST_LEDGER_TABLE", "ballast-ledger"),
            ("BALLAST_ECS_RATE_SHARE_PERCENT", "100"),
            ("BALLAST_SCHEDULE_INTERVAL_SECS", "300"),
            ("AWS_REGION", "eu-west-1"),
        ]);
        let want = Settings {
            mode: Mode::Act,
            clusters: vec!["container-demo".parse().unwrap(), "other".parse().unwrap()],
            ledger_table: Some("ballast-ledger".to_owned()),
            ecs_rate_share_percent: 100,
            schedule_interval: Seconds(300),
            region: "eu-west-1".parse().unwrap(),
        };
        assert_eq!(settings, Ok(want));
    }

    #[test]
    fn every_fault_is_named_at_once() {
        check(
            &[
                ("BALLAST_MOD", "act"),
                ("BALLAST_MODE", "Act"),
                ("BALLAST_CLUSTERS", "a b,,c"),
                ("BALLAST_LEDGER_TABLE", "x"),
                ("BALLAST_ECS_RATE_SHARE_PERCENT", "0"),
                ("BALLAST_SCHEDULE_INTERVAL_SECS", "1m"),
                ("AWS_REGION", ""),
            ],
            &[
                "`BALLAST_MOD` is `act`: no variable of this name is allowed",
                "`BALLAST_MODE` is `Act`: `observe` or `act` is allowed",
                "`BALLAST_CLUSTERS` is `a b`: names or ARNs of clusters, separated by commas is allowed",
                "`BALLAST_CLUSTERS` is ``: names or ARNs of clusters, separated by commas is allowed",
                "`BALLAST_LEDGER_TABLE` is `x`: the name of a DynamoDB table, 3 to 255 letters, digits, `_`, `-` and `.` is allowed",
                "`BALLAST_ECS_RATE_SHARE_PERCENT` is `0`: a whole number from 1 to 1000 is allowed",
                "`BALLAST_SCHEDULE_INTERVAL_SECS` is `1m`: a whole number from 60 to 300 is allowed",
                "`AWS_REGION` is ``: the name of a Region; Lambda sets it is allowed",
            ],
        );
    }
}
