//! The figures as they are read.

use comfy_table::Table;

use super::model::Account;

/// A table of what was chosen on a half and scored on the other; without a half, of the first and of the second.
pub(super) fn headed(half: &str) -> Table {
    let (on, other) = match half {
        "first" => ("chosen on\nthe first half", "then in\nthe second"),
        "second" => ("chosen on\nthe second half", "then in\nthe first"),
        _ => ("in the\nfirst half", "in the\nsecond"),
    };
    let mut table = Table::new();
    let of_half = |it: &str| {
        ["task-minutes", "above the limit", "changes a day"]
            .map(|figure| format!("{it}:\n{figure}"))
    };
    let names = ["rule".to_owned(), "parameters".to_owned()];
    table.set_header(names.into_iter().chain(of_half(on)).chain(of_half(other)));
    table
}

/// A row of it. A rule of which no parameters keep the limits has no figures.
pub(super) fn figures(name: &str, of: Option<(String, Account, Account)>) -> Vec<String> {
    let Some((parameters, on, other)) = of else {
        return vec![name.to_owned(), "none keeps the limits".to_owned()];
    };
    let figures = account(&on).into_iter().chain(account(&other));
    [name.to_owned(), parameters]
        .into_iter()
        .chain(figures)
        .collect()
}

/// Task-minutes over the required ones, the share above the limit, and changes a day.
pub(super) fn account(account: &Account) -> [String; 3] {
    let (over, turns) = (account.over_limit_ppm(), account.turns_a_day_tenths());
    [
        thousandths(account.ratio_milli()),
        // Rounded up, so that what keeps the limit is no more than it.
        format!(
            "{}.{:03} %",
            over.div_ceil(10) / 1_000,
            over.div_ceil(10) % 1_000
        ),
        format!("{}.{}", turns / 10, turns % 10),
    ]
}

/// A ratio in thousandths.
pub(super) fn thousandths(ratio_milli: u64) -> String {
    format!("{}.{:03}×", ratio_milli / 1_000, ratio_milli % 1_000)
}
