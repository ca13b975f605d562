//! `ballast split`: where a strategy puts the tasks.

use model::strategy::StrategyItem;
use placement::strategy::{self, BASE_DEFAULT, WEIGHT_DEFAULT};
use serde::Serialize;

use crate::cli::{Output, SplitArgs};
use crate::error::CliError;
use crate::output::{Screen, titled};

/// Why a line of a strategy cannot be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ItemFault {
    #[error(
        "`{line}` names no capacity provider: write `NAME=BASE/WEIGHT` or `NAME,base=BASE,weight=WEIGHT`"
    )]
    NoProvider { line: String },
    #[error("`{line}`: {source}")]
    BadProvider {
        line: String,
        source: model::IdError,
    },
    #[error("`{line}`: there is no `{key}`, only `capacityProvider`, `base` and `weight`")]
    UnknownKey { line: String, key: String },
    #[error("`{line}`: `{key}` is given twice")]
    KeyTwice { line: String, key: &'static str },
    #[error("`{line}`: {key} `{text}` is not a whole number from 0 to {max}")]
    BadNumber {
        line: String,
        key: &'static str,
        text: String,
        max: u32,
    },
    #[error("`{line}`: give a base and a weight, such as `1/4`")]
    NoSlash { line: String },
}

/// A strategy and where its tasks go.
#[derive(Debug, Serialize)]
struct Split {
    tasks: u32,
    strategy: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    #[serde(flatten)]
    item: StrategyItem,
    tasks: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    tasks_before: Option<u32>,
}

/// Runs the command.
pub(crate) fn run(args: &SplitArgs, screen: &Screen) -> Result<(), CliError> {
    let split = split(args)?;
    match args.output {
        Output::Table => screen.print(&table(&split, *screen)),
        Output::Json => screen.print_json(&split),
    }
}

fn split(args: &SplitArgs) -> Result<Split, CliError> {
    let items = read_items(&args.items)?;
    strategy::validate(&items, None).map_err(|faults| CliError::Strategy { faults })?;
    let counts = match &args.from {
        None => strategy::split(&items, args.tasks),
        Some(current) if current.len() == items.len() => {
            strategy::split_from(&items, current, args.tasks)
        }
        Some(current) => {
            return Err(CliError::Argument(format!(
                "`--from` has {} numbers, the strategy has {} lines: give one number for each line",
                current.len(),
                items.len()
            )));
        }
    };
    let before = args.from.clone().unwrap_or_default();
    let lines = items.into_iter().zip(counts).enumerate();
    Ok(Split {
        tasks: args.tasks,
        strategy: lines
            .map(|(index, (item, tasks))| Line {
                item,
                tasks,
                tasks_before: before.get(index).copied(),
            })
            .collect(),
    })
}

fn read_items(lines: &[String]) -> Result<Vec<StrategyItem>, CliError> {
    let mut items = Vec::new();
    let mut faults = Vec::new();
    for line in lines {
        match read_item(line) {
            Ok(item) => items.push(item),
            Err(mut own) => faults.append(&mut own),
        }
    }
    if faults.is_empty() {
        Ok(items)
    } else {
        Err(CliError::StrategyUnread { faults })
    }
}

/// Reads `NAME=BASE/WEIGHT`, `NAME,base=…,weight=…` or `capacityProvider=NAME,base=…,weight=…`.
fn read_item(line: &str) -> Result<StrategyItem, Vec<ItemFault>> {
    let mut fields = Fields::new(line);
    match line.split_once('=') {
        Some((name, numbers)) if !line.contains(',') && name != "capacityProvider" => {
            fields.provider(name);
            match numbers.split_once('/') {
                Some((base, weight)) => {
                    fields.number("base", base);
                    fields.number("weight", weight);
                }
                None => fields.faults.push(ItemFault::NoSlash {
                    line: line.to_owned(),
                }),
            }
        }
        Some(_) | None => {
            for part in line.split(',') {
                match part.split_once('=') {
                    None => fields.provider(part),
                    Some(("capacityProvider", name)) => fields.provider(name),
                    Some(("base", text)) => fields.number("base", text),
                    Some(("weight", text)) => fields.number("weight", text),
                    Some((key, _)) => fields.faults.push(ItemFault::UnknownKey {
                        line: line.to_owned(),
                        key: key.to_owned(),
                    }),
                }
            }
        }
    }
    fields.item()
}

/// What was read of one line so far.
struct Fields<'a> {
    line: &'a str,
    provider: Option<model::CapacityProviderName>,
    base: Option<u32>,
    weight: Option<u32>,
    faults: Vec<ItemFault>,
}

impl<'a> Fields<'a> {
    const fn new(line: &'a str) -> Self {
        Self {
            line,
            provider: None,
            base: None,
            weight: None,
            faults: Vec::new(),
        }
    }

    fn provider(&mut self, name: &str) {
        let line = self.line.to_owned();
        match name.parse() {
            Ok(_) if self.provider.is_some() => {
                self.faults.push(ItemFault::KeyTwice {
                    line,
                    key: "capacityProvider",
                });
            }
            Ok(provider) => self.provider = Some(provider),
            Err(source) => self.faults.push(ItemFault::BadProvider { line, source }),
        }
    }

    fn number(&mut self, key: &'static str, text: &str) {
        let line = self.line.to_owned();
        let max = if key == "base" {
            strategy::BASE_MAX
        } else {
            strategy::WEIGHT_MAX
        };
        let Ok(number) = text.parse::<u32>() else {
            let text = text.to_owned();
            self.faults.push(ItemFault::BadNumber {
                line,
                key,
                text,
                max,
            });
            return;
        };
        let field = if key == "base" {
            &mut self.base
        } else {
            &mut self.weight
        };
        if field.replace(number).is_some() {
            self.faults.push(ItemFault::KeyTwice { line, key });
        }
    }

    fn item(mut self) -> Result<StrategyItem, Vec<ItemFault>> {
        let line = self.line.to_owned();
        match self.provider {
            Some(provider) if self.faults.is_empty() => Ok(StrategyItem {
                provider,
                base: self.base.unwrap_or(BASE_DEFAULT),
                weight: self.weight.unwrap_or(WEIGHT_DEFAULT),
            }),
            None if self.faults.is_empty() => {
                self.faults.push(ItemFault::NoProvider { line });
                Err(self.faults)
            }
            Some(_) | None => Err(self.faults),
        }
    }
}

fn table(split: &Split, screen: Screen) -> String {
    let has_before = split
        .strategy
        .iter()
        .any(|line| line.tasks_before.is_some());
    let header: &[&str] = if has_before {
        &[
            "CapacityProvider",
            "Base",
            "Weight",
            "Before",
            "Tasks",
            "Change",
        ]
    } else {
        &["CapacityProvider", "Base", "Weight", "Tasks"]
    };
    let mut table = screen.table(header);
    for line in &split.strategy {
        let mut row = vec![
            line.item.provider.to_string(),
            line.item.base.to_string(),
            line.item.weight.to_string(),
        ];
        row.extend(line.tasks_before.map(|before| before.to_string()));
        row.push(line.tasks.to_string());
        row.extend(line.tasks_before.map(|before| change(before, line.tasks)));
        table.add_row(row);
    }
    titled(&format!("{} tasks", split.tasks), &table)
}

/// `+2`, `-2` or `0`.
fn change(before: u32, after: u32) -> String {
    match i64::from(after) - i64::from(before) {
        0 => "0".to_owned(),
        change => format!("{change:+}"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(items: &[&str], tasks: u32, from: Option<&[u32]>, want: Expect) {
        let args = SplitArgs {
            items: items.iter().map(|it| (*it).to_owned()).collect(),
            tasks,
            from: from.map(<[u32]>::to_vec),
            output: Output::Table,
        };
        want.assert_eq(&match split(&args) {
            Ok(split) => table(&split, Screen::plain()),
            Err(error) => format!("exit {}\n{}\n", error.exit_code(), error.lines().join("\n")),
        });
    }

    #[test]
    fn the_workshops_ten_tasks() {
        check(
            &["FARGATE=1/1", "FARGATE_SPOT=0/4"],
            10,
            None,
            expect![[r#"
                10 tasks
                +------------------+------+--------+-------+
                | CapacityProvider | Base | Weight | Tasks |
                +==========================================+
                | FARGATE          | 1    | 1      | 3     |
                | FARGATE_SPOT     | 0    | 4      | 7     |
                +------------------+------+--------+-------+
            "#]],
        );
    }

    #[test]
    fn the_aws_clis_own_spelling_and_the_apis_defaults() {
        check(
            &[
                "capacityProvider=EC2,base=1,weight=1",
                "EC2Spot,weight=4",
                "spare",
            ],
            40,
            None,
            expect![[r#"
                40 tasks
                +------------------+------+--------+-------+
                | CapacityProvider | Base | Weight | Tasks |
                +==========================================+
                | EC2              | 1    | 1      | 9     |
                | EC2Spot          | 0    | 4      | 31    |
                | spare            | 0    | 0      | 0     |
                +------------------+------+--------+-------+
            "#]],
        );
    }

    #[test]
    fn from_a_drifted_distribution() {
        check(
            &["FARGATE=1/1", "FARGATE_SPOT=0/4"],
            12,
            Some(&[10, 0]),
            expect![[r#"
                12 tasks
                +------------------+------+--------+--------+-------+--------+
                | CapacityProvider | Base | Weight | Before | Tasks | Change |
                +============================================================+
                | FARGATE          | 1    | 1      | 10     | 10    | 0      |
                | FARGATE_SPOT     | 0    | 4      | 0      | 2     | +2     |
                +------------------+------+--------+--------+-------+--------+
            "#]],
        );
        check(
            &["FARGATE=1/1", "FARGATE_SPOT=0/4"],
            10,
            Some(&[10, 7]),
            expect![[r#"
                10 tasks
                +------------------+------+--------+--------+-------+--------+
                | CapacityProvider | Base | Weight | Before | Tasks | Change |
                +============================================================+
                | FARGATE          | 1    | 1      | 10     | 3     | -7     |
                | FARGATE_SPOT     | 0    | 4      | 7      | 7     | 0      |
                +------------------+------+--------+--------+-------+--------+
            "#]],
        );
        check(
            &["FARGATE=1/1", "FARGATE_SPOT=0/4"],
            12,
            Some(&[10]),
            expect![[r#"
                exit 2
                `--from` has 1 numbers, the strategy has 2 lines: give one number for each line
            "#]],
        );
    }

    #[test]
    fn every_unreadable_line_is_named() {
        check(
            &[
                "FARGATE=1",
                "SPOT,weigth=4",
                "A=-1/x",
                "base=1",
                "B=1/1,weight=2",
                "A,B",
                "c d=0/1",
            ],
            1,
            None,
            expect![[r#"
                exit 2
                8 of the strategy's lines cannot be read
                `FARGATE=1`: give a base and a weight, such as `1/4`
                `SPOT,weigth=4`: there is no `weigth`, only `capacityProvider`, `base` and `weight`
                `A=-1/x`: base `-1` is not a whole number from 0 to 100000
                `A=-1/x`: weight `x` is not a whole number from 0 to 1000
                `base=1`: give a base and a weight, such as `1/4`
                `B=1/1,weight=2`: there is no `B`, only `capacityProvider`, `base` and `weight`
                `A,B`: `capacityProvider` is given twice
                `c d=0/1`: a capacity provider name holds white space or a control character: "c d"
            "#]],
        );
    }

    #[test]
    fn every_broken_rule_is_named() {
        check(
            &["FARGATE=1/0", "EC2=5/0", "FARGATE=200000/1001"],
            1,
            None,
            expect![[r#"
                exit 2
                the strategy breaks 5 of ECS's rules
                `FARGATE` is named 2 times: give each capacity provider one line
                `FARGATE` has weight 1001: 0 to 1000 is allowed
                `FARGATE` has base 200000: 0 to 100000 is allowed
                `FARGATE`, `EC2`, `FARGATE` have a base: at most one capacity provider may have one above 0
                `FARGATE` (Fargate) and `EC2` (other) cannot be in one strategy: it takes capacity providers of one family
            "#]],
        );
    }
}
