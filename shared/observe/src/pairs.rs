//! Which of the services that were read make pairs, and what becomes of the others.

use std::collections::{BTreeMap, BTreeSet};

use model::policy::{PairPolicy, TAG_STANDBY, TAG_STANDBY_OF};
use model::settings::Setting;
use model::snapshot::{Pair, PassedOver, PrimaryFault, Service, Standby};
use model::{IdError, ServiceKey};

use crate::services::{Read, Reads};

/// The longest tag value that AWS keeps, in characters.
/// <https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Tag.html>
const TAG_VALUE_CHARACTERS_MAX: usize = 256;

/// What a look does with a service that carries none of Ballast's tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untagged {
    /// It was asked about: it is passed over.
    PassedOver,
    /// It was only in the way.
    LeftOut,
}

/// The services that the tags of `subjects` name, and that must be read too.
pub(crate) fn partners(subjects: &BTreeSet<ServiceKey>, reads: &Reads) -> BTreeSet<ServiceKey> {
    subjects
        .iter()
        .filter_map(|key| found(reads, key))
        .flat_map(|service| {
            [
                named_by(service, &TAG_STANDBY),
                named_by(service, &TAG_STANDBY_OF),
            ]
        })
        .filter_map(|named| named?.ok())
        .collect()
}

/// Joins services to pairs. Every subject is in a pair or passed over, or carries no tag and is left out.
pub(crate) fn join(
    subjects: &BTreeSet<ServiceKey>,
    reads: &Reads,
    untagged: Untagged,
) -> (BTreeMap<ServiceKey, Pair>, BTreeMap<ServiceKey, PassedOver>) {
    let mut pairs = BTreeMap::new();
    let mut accounted = BTreeSet::new();
    for service in subjects
        .iter()
        .filter_map(|key| primary_of(reads, key))
        .flatten()
    {
        if let Some((pair, standby)) = pair(service, reads) {
            accounted.insert(service.key.clone());
            accounted.extend(standby);
            pairs.insert(service.key.clone(), pair);
        }
    }
    let passed_over = subjects
        .iter()
        .filter(|key| !accounted.contains(*key))
        .filter_map(|key| Some((key.clone(), passed_over(key, reads, untagged)?)))
        .collect();
    (pairs, passed_over)
}

/// The primaries of the pairs that a subject belongs to: itself, and the one that it is the standby of.
fn primary_of<'a>(
    reads: &'a Reads,
    key: &ServiceKey,
) -> Option<impl Iterator<Item = &'a Service> + use<'a>> {
    let service = found(reads, key)?;
    let itself = service
        .tags
        .contains_key(TAG_STANDBY.name)
        .then_some(service);
    let named = named_by(service, &TAG_STANDBY_OF).and_then(Result::ok);
    let other = named
        .and_then(|primary| found(reads, &primary))
        .filter(|primary| named_by(primary, &TAG_STANDBY) == Some(Ok(key.clone())));
    Some(itself.into_iter().chain(other))
}

/// The pair of a primary, and its standby's key where its tag names one.
fn pair(primary: &Service, reads: &Reads) -> Option<(Pair, Option<ServiceKey>)> {
    let policy = PairPolicy::from_tags(&primary.tags)?;
    let key = named_by(primary, &TAG_STANDBY).and_then(Result::ok);
    let mut gaps = Vec::new();
    let standby = match key.as_ref().and_then(|key| reads.get(key)) {
        Some(Read::Found(found)) => Standby::Present(Box::new(found.service.clone())),
        Some(Read::NotFound) => Standby::Missing,
        Some(Read::Unread(gap)) => {
            gaps.push(gap.clone());
            Standby::Unknown
        }
        None => Standby::Unknown,
    };
    let pair = Pair {
        primary: primary.clone(),
        standby,
        policy,
        gaps,
    };
    Some((pair, key))
}

fn passed_over(key: &ServiceKey, reads: &Reads, untagged: Untagged) -> Option<PassedOver> {
    match reads.get(key)? {
        Read::NotFound => Some(PassedOver::NotFound),
        Read::Unread(gap) => Some(PassedOver::Unread { gap: gap.clone() }),
        Read::Found(found) => match found.service.tags.get(TAG_STANDBY_OF.name) {
            Some(text) => Some(standby_without_primary(&found.service, text, reads)),
            None => match untagged {
                Untagged::PassedOver => Some(PassedOver::NotOptedIn),
                Untagged::LeftOut => None,
            },
        },
    }
}

/// Why a standby is in no pair.
fn standby_without_primary(standby: &Service, text: &str, reads: &Reads) -> PassedOver {
    let primary = match named_by(standby, &TAG_STANDBY_OF) {
        Some(Ok(key)) => reads.get(&key),
        Some(Err(_)) | None => None,
    };
    let fault = match primary {
        None => PrimaryFault::UnusableName,
        Some(Read::NotFound) => PrimaryFault::NotFound,
        Some(Read::Unread(gap)) => return PassedOver::Unread { gap: gap.clone() },
        Some(Read::Found(found)) => match found.service.tags.get(TAG_STANDBY.name) {
            None => PrimaryFault::NotOptedIn,
            Some(standby) => PrimaryFault::NamesAnother {
                standby: cut(standby),
            },
        },
    };
    PassedOver::StandbyWithoutPrimary {
        primary: cut(text),
        fault,
    }
}

fn cut(text: &str) -> String {
    text.chars().take(TAG_VALUE_CHARACTERS_MAX).collect()
}

fn found<'a>(reads: &'a Reads, key: &ServiceKey) -> Option<&'a Service> {
    match reads.get(key)? {
        Read::Found(found) => Some(&found.service),
        Read::NotFound | Read::Unread(_) => None,
    }
}

/// The service in the same cluster that a tag names.
fn named_by(service: &Service, tag: &Setting) -> Option<Result<ServiceKey, IdError>> {
    let text = service.tags.get(tag.name)?;
    let name = text.parse();
    Some(name.map(|name| ServiceKey::new(service.key.cluster.clone(), name)))
}
