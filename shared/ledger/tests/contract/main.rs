//! What both ledgers promise, held against both. The judge of DynamoDB's part is moto's DynamoDB, an outside program.

#[cfg(test)]
mod items;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod lost_answer;
#[cfg(test)]
mod promises;
#[cfg(test)]
mod unprocessed;
