//! Instance types with their on-demand prices.

use std::io::Read;

use crate::published::{Missing, published, unpacked};

/// An instance type.
#[derive(Debug, Clone)]
pub(super) struct InstanceType {
    pub(super) name: String,
    pub(super) cpu_units: u32,
    pub(super) memory_mib: u32,
    pub(super) network_interfaces: u32,
    /// On demand, Linux, in millionths of a dollar per hour.
    pub(super) microdollars_per_hour: u64,
}

/// The types with a price, by name.
pub(super) fn types() -> Result<Vec<InstanceType>, Missing> {
    let path = published("catalog/us-east-1_catalog.csv.gz");
    let mut text = String::new();
    unpacked(&path)?
        .read_to_string(&mut text)
        .map_err(|source| Missing::Read {
            path: path.clone(),
            source,
        })?;
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column = |name: &str| {
        header
            .iter()
            .position(|field| *field == name)
            .ok_or_else(|| Missing::Format {
                path: path.clone(),
                at: name.to_owned(),
            })
    };
    let (name, vcpu, ram) = (column("instance_type")?, column("vcpu")?, column("ram_gb")?);
    let (price, interfaces) = (column("on_demand_usd_hr")?, column("enis")?);
    let mut types: Vec<InstanceType> = lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let field = |column: usize| fields.get(column).copied();
            let cost = millionths(field(price)?)?;
            (cost > 0).then_some(InstanceType {
                name: field(name)?.to_owned(),
                cpu_units: field(vcpu)?.parse::<u32>().ok()?.checked_mul(1_024)?,
                memory_mib: u32::try_from(millionths(field(ram)?)? * 1_024 / 1_000_000).ok()?,
                network_interfaces: field(interfaces)?.parse().ok()?,
                microdollars_per_hour: cost,
            })
        })
        .collect();
    types.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(types)
}

/// A decimal number, in millionths; what is smaller is cut off.
fn millionths(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part: String = part.chars().chain("000000".chars()).take(6).collect();
    Some(whole.parse::<u64>().ok()? * 1_000_000 + part.parse::<u64>().ok()?)
}
