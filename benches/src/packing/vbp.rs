//! Published instances of vector bin packing, in the format of VPSolver: the number of dimensions, the capacities, the number of
//! lines, and a line for each kind of item with its sizes and how many there are.
//!
//! Source of the format: <https://github.com/fdabrandao/vpsolver>; of the instances:
//! <https://github.com/Vectorpack/experiments_vector_paper>.

use std::collections::BTreeMap;
use std::io::Read;

use crate::published::{Missing, published, unpacked};

/// One instance.
#[derive(Debug, Clone)]
pub(super) struct Instance {
    pub(super) capacity: Vec<u32>,
    pub(super) items: Vec<Vec<u32>>,
}

/// The instances of a set of which the optimum is known, by name, with the optimum.
pub(super) fn with_known_optimum(set: &str) -> Result<Vec<(Instance, usize)>, Missing> {
    let mut instances = instances(set)?;
    let path = published(&format!("vbp/{set}_summary_known.csv"));
    let text = std::fs::read_to_string(&path).map_err(|source| Missing::Read {
        path: path.clone(),
        source,
    })?;
    let mut known = Vec::new();
    for line in text.lines().skip(1) {
        let mut fields = line.split(['\t', ',']);
        let name = fields.next().unwrap_or_default();
        // An optimum that nobody knows is -1.
        let Some(optimum) = fields.nth(1).and_then(|field| field.parse().ok()) else {
            continue;
        };
        let instance = instances.remove(name).ok_or_else(|| Missing::Format {
            path: path.clone(),
            at: name.to_owned(),
        })?;
        known.push((instance, optimum));
    }
    Ok(known)
}

fn instances(set: &str) -> Result<BTreeMap<String, Instance>, Missing> {
    let path = published(&format!("vbp/{set}_instances.tar.gz"));
    let unread = |source| Missing::Read {
        path: path.clone(),
        source,
    };
    let mut archive = tar::Archive::new(unpacked(&path)?);
    let mut instances = BTreeMap::new();
    for entry in archive.entries().map_err(unread)? {
        let mut entry = entry.map_err(unread)?;
        let file = entry.path().map_err(unread)?.into_owned();
        if file.extension().is_none_or(|extension| extension != "vbp") {
            continue;
        }
        let mut text = String::new();
        entry.read_to_string(&mut text).map_err(unread)?;
        let name = file.file_stem().unwrap_or_default().to_string_lossy();
        let instance = parse(&text).ok_or_else(|| Missing::Format {
            path: path.clone(),
            at: name.clone().into_owned(),
        })?;
        instances.insert(name.into_owned(), instance);
    }
    Ok(instances)
}

/// Reads an instance. A few published sizes are below zero; they count as zero, which makes the instance no easier.
fn parse(text: &str) -> Option<Instance> {
    let mut numbers = text
        .split_ascii_whitespace()
        .map(|word| word.parse::<i64>().ok());
    let mut next = || {
        numbers
            .next()?
            .map(|number| u32::try_from(number.max(0)).ok())?
    };
    let dimensions = next()?;
    let capacity: Vec<u32> = (0..dimensions).map(|_| next()).collect::<Option<_>>()?;
    let mut items = Vec::new();
    for _ in 0..next()? {
        let sizes: Vec<u32> = (0..dimensions).map(|_| next()).collect::<Option<_>>()?;
        for _ in 0..next()? {
            items.push(sizes.clone());
        }
    }
    Some(Instance { capacity, items })
}
