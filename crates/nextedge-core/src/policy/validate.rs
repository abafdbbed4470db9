//! Checks what types cannot: numbers that must be ordered, lists that must not be empty.

use std::collections::BTreeSet;

use super::assign::Assignment;
use super::rule::{Action, Condition, Rule};
use super::tenant::Policy;
use crate::domain::Category;
use crate::error::{Error, ErrorKind, Result};

/// Checks a policy before it is stored or used.
///
/// # Errors
///
/// Kind `Config`; the context names the `field`, the action says what to write instead.
pub fn validate(policy: &Policy) -> Result<()> {
    thresholds(policy)?;
    rules(&policy.rules)?;
    let hours = &policy.priority.hours;
    check(
        hours.from < hours.to,
        "priority.hours.to",
        "ends before it begins",
        "write a time later than `priority.hours.from`",
    )?;
    let order = &policy.priority;
    check(
        order.medium_from <= order.high_from && order.high_from <= order.urgent_from,
        "priority",
        "thresholds are not in order",
        "let `medium_from` <= `high_from` <= `urgent_from`",
    )?;
    check(
        policy.score.warm < policy.score.hot && policy.score.hot <= 100,
        "score.hot",
        "bands are not in order",
        "let `warm` < `hot` <= 100",
    )?;
    check(
        policy.review.expires_after_days > 0,
        "review.expires_after_days",
        "is 0",
        "write 1 or more days",
    )?;
    check(
        policy.retention.bodies_days <= 90,
        "retention.bodies_days",
        "is more than 90",
        "write 0 to 90 days",
    )?;
    assignment(&policy.assignment)
}

fn thresholds(policy: &Policy) -> Result<()> {
    for category in Category::ALL {
        check(
            policy.threshold(category) >= policy.review_floor,
            &format!("categories.{category}.threshold"),
            "is below the review floor",
            "write at least `review_floor`, or lower that",
        )?;
    }
    Ok(())
}

fn rules(rules: &[Rule]) -> Result<()> {
    check(
        rules.len() <= MAX_RULES,
        "rules",
        "are too many",
        "write at most 500 rules",
    )?;
    let mut names = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let place = |field: &str| format!("rules[{index}].{field}");
        check(
            !rule.name.trim().is_empty() && rule.name.len() <= 100,
            &place("name"),
            "is empty or too long",
            "give the rule a name of 1 to 100 bytes; it stands in reasons",
        )?;
        check(
            names.insert(rule.name.as_str()),
            &place("name"),
            "stands twice",
            "give each rule its own name",
        )?;
        check(
            !rule.when.is_empty() && rule.when.iter().all(has_content),
            &place("when"),
            "has an empty condition and would fit every mail or none",
            "write at least one condition with at least one entry",
        )?;
        check(
            !rule.then.is_empty(),
            &place("then"),
            "is empty",
            "write at least one action, such as `{ set_category = \"Lead\" }`",
        )?;
        let names_one = rule.category().is_some_and(|c| c != Category::None);
        check(
            !rule.auto_write || names_one,
            &place("auto_write"),
            "has no category to write",
            "add `{ set_category = \"Lead\" }` or another category but None to `then`",
        )?;
        let keeps_out = rule.then.contains(&Action::Park);
        check(
            !rule.auto_write || !keeps_out,
            &place("auto_write"),
            "stands beside `park`",
            "remove one of them",
        )?;
    }
    Ok(())
}

fn has_content(condition: &Condition) -> bool {
    let filled = |list: &[String]| !list.is_empty() && list.iter().all(|s| !s.trim().is_empty());
    match condition {
        Condition::SenderDomain(list)
        | Condition::SubjectContains(list)
        | Condition::TextContains(list)
        | Condition::Language(list)
        | Condition::Label(list) => filled(list),
        Condition::SenderAddress(list) | Condition::Recipient(list) => !list.is_empty(),
        Condition::Category(list) => !list.is_empty(),
        Condition::HasAttachment(_) => true,
    }
}

fn assignment(assignment: &Assignment) -> Result<()> {
    let (field, filled) = match assignment {
        Assignment::Nobody => return Ok(()),
        Assignment::Fixed(owner) => ("assignment.fixed", !owner.as_str().is_empty()),
        Assignment::RoundRobin { owners } => ("assignment.round_robin.owners", !owners.is_empty()),
        Assignment::LeastBusy { owners } => ("assignment.least_busy.owners", !owners.is_empty()),
        Assignment::Territory { territories, .. } => {
            let each = territories.iter().all(|t| {
                !(t.domains.is_empty() && t.countries.is_empty() && t.languages.is_empty())
            });
            ("assignment.territory.territories", each)
        }
    };
    check(
        filled,
        field,
        "is empty",
        "name at least one owner, domain, country or language",
    )
}

fn check(holds: bool, field: &str, fault: &'static str, action: &'static str) -> Result<()> {
    if holds {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Config, "policy refused")
        .with_context("field", field)
        .with_context("fault", fault)
        .with_action(action))
}

/// Most rules of one tenant.
const MAX_RULES: usize = 500;
