//! Where the sample events are.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate is two folders below the workspace")
        .to_owned()
}

/// Every sample event: its name and its bytes.
pub(crate) fn all() -> BTreeMap<String, Vec<u8>> {
    std::fs::read_dir(root().join("events"))
        .expect("events/ is there")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|end| end == "json"))
        .map(|path| {
            let name = path.file_name().expect("a file").to_string_lossy();
            (name.into_owned(), std::fs::read(&path).expect("readable"))
        })
        .collect()
}

/// Every sample event that is JSON.
pub(crate) fn all_json() -> BTreeMap<String, Value> {
    all()
        .into_iter()
        .filter_map(|(name, bytes)| {
            let json = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
            Some((name, serde_json::from_slice(json).ok()?))
        })
        .collect()
}

/// One sample event.
pub(crate) fn one(name: &str) -> Value {
    all_json()
        .remove(name)
        .unwrap_or_else(|| panic!("events/{name} is there and is JSON"))
}
