//! Who gets a new record.

use std::collections::BTreeMap;

use crate::domain::Domain;
use crate::policy::{Assignment, Owner, Territory};

/// What assignment must know beside the policy.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::exhaustive_structs)] // built by the engine and by tests
pub struct AssignInputs<'a> {
    /// The store's counter, for round robin; without it the first owner is taken.
    pub turn: Option<u64>,
    /// Our own open deliveries for each owner, for least busy.
    pub open_by_owner: Option<&'a BTreeMap<Owner, u64>>,
    /// The sender's domain.
    pub domain: Option<&'a Domain>,
    /// ISO 639-1 language of the text.
    pub language: Option<&'a str>,
}

/// Tells whether this assignment needs a turn of the store's counter.
pub fn needs_turn(assignment: &Assignment) -> bool {
    matches!(assignment, Assignment::RoundRobin { .. })
}

/// Chooses the owner of a new record; none leaves it to the CRM.
pub fn assign(assignment: &Assignment, inputs: &AssignInputs<'_>) -> Option<Owner> {
    match assignment {
        Assignment::Nobody => None,
        Assignment::Fixed(owner) => Some(owner.clone()),
        Assignment::RoundRobin { owners } => {
            let count = u64::try_from(owners.len())
                .ok()
                .filter(|count| *count > 0)?;
            let index = usize::try_from(inputs.turn.unwrap_or(0) % count).ok()?;
            owners.get(index).cloned()
        }
        Assignment::LeastBusy { owners } => {
            let open = |owner: &&Owner| {
                let counts = inputs.open_by_owner;
                counts
                    .and_then(|counts| counts.get(*owner))
                    .copied()
                    .unwrap_or(0)
            };
            owners.iter().min_by_key(open).cloned()
        }
        Assignment::Territory {
            territories,
            otherwise,
        } => {
            let mut fitting = territories
                .iter()
                .filter(|territory| fits(territory, inputs));
            fitting
                .next()
                .map(|t| t.owner.clone())
                .or_else(|| otherwise.clone())
        }
    }
}

fn fits(territory: &Territory, inputs: &AssignInputs<'_>) -> bool {
    let domain = inputs.domain.map_or("", Domain::as_str);
    let country = domain.rsplit('.').next().unwrap_or_default();
    let language = inputs.language.unwrap_or_default();
    let below = |name: &String| {
        let rest = domain.strip_suffix(name.to_lowercase().as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let any = |list: &[String], text: &str| {
        list.is_empty() || list.iter().any(|entry| entry.eq_ignore_ascii_case(text))
    };
    (territory.domains.is_empty() || territory.domains.iter().any(below))
        && any(&territory.countries, country)
        && any(&territory.languages, language)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn owners() -> Vec<Owner> {
        ["a", "b", "c"].map(Owner::new).to_vec()
    }

    #[test]
    fn round_robin_gives_each_the_same_share() {
        let assignment = Assignment::RoundRobin { owners: owners() };
        let mut counts = BTreeMap::new();
        for turn in u64::MAX - 29..=u64::MAX {
            let inputs = AssignInputs {
                turn: Some(turn),
                ..AssignInputs::default()
            };
            *counts
                .entry(assign(&assignment, &inputs).unwrap())
                .or_insert(0) += 1;
        }
        assert_eq!(counts.into_values().collect::<Vec<_>>(), [10, 10, 10]);
    }

    #[test]
    fn least_busy_takes_the_first_of_the_least() {
        let open = BTreeMap::from([
            (Owner::new("a"), 2),
            (Owner::new("b"), 1),
            (Owner::new("c"), 1),
        ]);
        let inputs = AssignInputs {
            open_by_owner: Some(&open),
            ..AssignInputs::default()
        };
        let assignment = Assignment::LeastBusy { owners: owners() };
        assert_eq!(assign(&assignment, &inputs), Some(Owner::new("b")));
        assert_eq!(
            assign(&assignment, &AssignInputs::default()),
            Some(Owner::new("a"))
        );
    }

    #[test]
    fn territories_fit_by_domain_country_and_language() {
        let territory =
            |owner, domains: &[&str], countries: &[&str], languages: &[&str]| Territory {
                owner: Owner::new(owner),
                domains: domains.iter().map(ToString::to_string).collect(),
                countries: countries.iter().map(ToString::to_string).collect(),
                languages: languages.iter().map(ToString::to_string).collect(),
            };
        let assignment = Assignment::Territory {
            territories: vec![
                territory("key", &["acme.com"], &[], &[]),
                territory("dach", &[], &["de", "at"], &["de"]),
            ],
            otherwise: Some(Owner::new("rest")),
        };
        for (domain, language, expected) in [
            ("eu.acme.com", "en", "key"),
            ("notacme.com", "en", "rest"),
            ("firma.de", "de", "dach"),
            ("firma.de", "en", "rest"),
        ] {
            let domain = Domain::parse(domain).unwrap();
            let inputs = AssignInputs {
                domain: Some(&domain),
                language: Some(language),
                ..AssignInputs::default()
            };
            assert_eq!(
                assign(&assignment, &inputs),
                Some(Owner::new(expected)),
                "{domain}"
            );
        }
    }
}
