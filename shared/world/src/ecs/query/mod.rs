//! The cluster query language, as `memberOf` constraints and the filter of ListContainerInstances write it.
//! <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/cluster-query-language.html>
//!
//! Guaranteed: every operator, in both spellings, `and`, `or`, `not` and brackets, over attributes and the documented fields. A text
//! that is not a query is refused with the place where it stops being one.
//!
//! Assumed: `not` binds tighter than `and`, and `and` tighter than `or`. Values compare as numbers where both are numbers, dotted
//! numbers part by part, and as text otherwise. An attribute that an instance lacks is unequal to everything and matches no pattern.
//!
//! Absent: of Java's regular expressions everything but literals, `.`, classes, groups, `|`, `*`, `+`, `?`, `^` and `$`.

mod parse;
mod pattern;

use std::cmp::Ordering;
use std::fmt;

use pattern::Pattern;

/// A query, ready to be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query(Node);

/// Why a text is not a query.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a cluster query: {problem} at character {at}")]
pub(crate) struct QueryError {
    text: String,
    problem: &'static str,
    at: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Node {
    All(Vec<Node>),
    Any(Vec<Node>),
    Not(Box<Node>),
    Test(Subject, Test),
}

/// What a test is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    /// An attribute, by name.
    Attribute(String),
    /// A field, by the name that the documentation has.
    Field(Field),
}

/// The documented fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    AgentConnected,
    AgentVersion,
    Ec2InstanceId,
    RegisteredAt,
    RunningTasksCount,
    TaskGroup,
}

impl Field {
    const ALL: [(&'static str, Self); 6] = [
        ("agentConnected", Self::AgentConnected),
        ("agentVersion", Self::AgentVersion),
        ("ec2InstanceId", Self::Ec2InstanceId),
        ("registeredAt", Self::RegisteredAt),
        ("runningTasksCount", Self::RunningTasksCount),
        ("task:group", Self::TaskGroup),
    ];
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Test {
    Exists,
    Compare(Comparison, String),
    In(Vec<String>),
    Matches(Pattern),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What a query can ask a container instance.
pub(crate) trait Facts {
    /// The values of a subject. An attribute without a value is an empty text; `None` is an attribute that is not there. Only
    /// `task:group` can have several.
    fn values(&self, subject: &Subject) -> Option<Vec<String>>;
}

impl Query {
    /// Reads a query.
    pub(crate) fn parse(text: &str) -> Result<Self, QueryError> {
        parse::query(text).map(Self)
    }

    /// Whether an instance is a member.
    pub(crate) fn holds(&self, facts: &impl Facts) -> bool {
        self.0.holds(facts)
    }
}

impl Node {
    fn holds(&self, facts: &impl Facts) -> bool {
        match self {
            Self::All(nodes) => nodes.iter().all(|it| it.holds(facts)),
            Self::Any(nodes) => nodes.iter().any(|it| it.holds(facts)),
            Self::Not(node) => !node.holds(facts),
            Self::Test(subject, test) => test.holds(facts.values(subject)),
        }
    }
}

impl Test {
    fn holds(&self, values: Option<Vec<String>>) -> bool {
        let some = |wanted: &dyn Fn(&String) -> bool| {
            values.as_ref().is_some_and(|it| it.iter().any(wanted))
        };
        match self {
            Self::Exists => values.is_some(),
            Self::Compare(Comparison::NotEqual, wanted) => !some(&|it| it == wanted),
            Self::Compare(comparison, wanted) => some(&|it| comparison.holds(compare(it, wanted))),
            Self::In(wanted) => some(&|it| wanted.contains(it)),
            Self::Matches(pattern) => some(&|it| pattern.matches(it)),
        }
    }
}

impl Comparison {
    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

fn compare(left: &str, right: &str) -> Ordering {
    let numbers = |text: &str| -> Option<Vec<u64>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    match (numbers(left), numbers(right)) {
        (Some(left), Some(right)) => left.cmp(&right),
        (Some(_) | None, _) => left.cmp(right),
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, field)| field == self);
        f.write_str(name.map_or("", |(name, _)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Instance;

    impl Facts for Instance {
        fn values(&self, subject: &Subject) -> Option<Vec<String>> {
            let texts = |all: &[&str]| Some(all.iter().map(|it| (*it).to_owned()).collect());
            match subject {
                Subject::Attribute(name) => match name.as_str() {
                    "ecs.instance-type" => texts(&["m5.large"]),
                    "ecs.availability-zone" => texts(&["us-west-2a"]),
                    "rank" => texts(&["10"]),
                    "flag" => texts(&[""]),
                    _ => None,
                },
                Subject::Field(Field::AgentConnected) => texts(&["true"]),
                Subject::Field(Field::AgentVersion) => texts(&["1.89.10"]),
                Subject::Field(Field::Ec2InstanceId) => texts(&["i-0abc"]),
                Subject::Field(Field::RegisteredAt) => texts(&["2026-03-02T09:00:00Z"]),
                Subject::Field(Field::RunningTasksCount) => texts(&["3"]),
                Subject::Field(Field::TaskGroup) => texts(&["service:web", "family:batch"]),
            }
        }
    }

    fn check(query: &str, want: bool) {
        let query_read = Query::parse(query).unwrap();
        assert_eq!(query_read.holds(&Instance), want, "{query}");
    }

    #[test]
    fn every_operator_in_both_spellings() {
        for (query, want) in [
            ("attribute:ecs.instance-type == m5.large", true),
            ("attribute:ecs.instance-type equals m5.large", true),
            ("attribute:ecs.instance-type != m5.large", false),
            ("attribute:ecs.instance-type not_equals t3.small", true),
            ("attribute:missing != anything", true),
            ("attribute:missing == anything", false),
            ("attribute:rank > 9", true),
            ("attribute:rank greater_than 10", false),
            ("attribute:rank >= 10", true),
            ("attribute:rank greater_than_equal 11", false),
            ("attribute:rank < 9", false),
            ("attribute:rank less_than 100", true),
            ("attribute:rank <= 10", true),
            ("attribute:rank less_than_equal 9", false),
            ("attribute:flag exists", true),
            ("attribute:missing exists", false),
            ("attribute:missing !exists", true),
            ("attribute:flag not_exists", false),
            ("attribute:ecs.instance-type in [t3.small, m5.large]", true),
            ("attribute:ecs.instance-type !in [t3.small,m5.large]", false),
            ("attribute:ecs.instance-type not_in [t3.small]", true),
            ("attribute:ecs.instance-type =~ m5.*", true),
            ("attribute:ecs.instance-type matches m5", false),
            ("attribute:ecs.instance-type !~ t[23].*", true),
            ("attribute:ecs.instance-type not_matches m5.*", false),
        ] {
            check(query, want);
        }
    }

    #[test]
    fn fields_and_bools() {
        for (query, want) in [
            ("ec2InstanceId=='i-0abc'", true),
            ("ec2InstanceId in ['i-1', 'i-0abc']", true),
            ("agentConnected == true", true),
            ("agentVersion >= 1.89.9", true),
            ("runningTasksCount == 0", false),
            ("registeredAt < 2026-03-02T10:00:00Z", true),
            ("task:group == service:web", true),
            ("not(task:group == service:web)", false),
            ("task:group != family:batch", false),
            (
                "attribute:ecs.instance-type =~ t3.* or attribute:rank == 10 and ec2InstanceId == nope",
                false,
            ),
            (
                "(attribute:rank == 10 || attribute:rank == 11) && !(agentConnected == false)",
                true,
            ),
        ] {
            check(query, want);
        }
    }

    #[test]
    fn what_is_no_query_is_refused() {
        for text in [
            "",
            "attribute:",
            "attribute:x",
            "attribute:x ==",
            "attribute:x == a b",
            "(attribute:x == a",
            "attribute:x in []",
            "attribute:x in [a",
            "attribute:x =~ [",
            "attribute:x =~ *",
            "attribute:x == 'a",
            "nonsense == 1",
            "attribute:x == a and",
            "attribute:x == a )",
        ] {
            assert!(Query::parse(text).is_err(), "{text}");
        }
        let error = Query::parse("attribute:x ~= a").unwrap_err();
        assert_eq!(
            error.to_string(),
            "`attribute:x ~= a` is not a cluster query: an operator is missing at character 12"
        );
    }
}
