//! A memory as text, the same in every ledger.

use calls::one_line;
use model::duty::Memory;
use serde::{Deserialize, Serialize};

/// The schema of what is written. A higher number in an item was written by a newer version and is not guessed at.
const SCHEMA: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct Envelope<M> {
    schema: u32,
    memory: M,
}

/// Only the part that tells whether the rest can be understood.
#[derive(Debug, Deserialize)]
struct SchemaOnly {
    schema: u32,
}

/// The text of a memory; the error says why there is none.
pub(crate) fn encode<M: Memory>(memory: &M) -> Result<String, String> {
    let envelope = Envelope {
        schema: SCHEMA,
        memory,
    };
    serde_json::to_string(&envelope)
        .map_err(|error| one_line(&format!("the memory cannot be written as JSON: {error}")))
}

/// The memory that a text says; the error says what is wrong with it.
pub(crate) fn decode<M: Memory>(text: &str) -> Result<M, String> {
    let SchemaOnly { schema } = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if schema != SCHEMA {
        return Err(format!(
            "its schema is {schema}, this version understands {SCHEMA}"
        ));
    }
    let envelope: Envelope<M> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    Ok(envelope.memory)
}
