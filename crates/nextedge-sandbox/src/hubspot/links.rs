//! Association types: which id links which kinds, in which direction, and what its reverse is.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::ApiError;
use super::kinds::ObjectType;

/// Who defined an association type.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(clippy::enum_variant_names)] // the vendor's own names
pub(crate) enum Category {
    HubspotDefined,
    UserDefined,
    IntegratorDefined,
}

/// One association type in one direction.
#[derive(Clone, Debug)]
pub(crate) struct LinkType {
    pub(crate) id: u32,
    pub(crate) category: Category,
    pub(crate) label: Option<String>,
    /// The id of the same link seen from the other record, where there is one.
    pub(crate) inverse: Option<u32>,
    pub(crate) role: Role,
}

/// What an association type means for the pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Unlabelled: every linked pair has it.
    Default,
    /// At most one per record and target kind.
    Primary,
    /// A label beside the default.
    Label,
}

impl LinkType {
    /// The form that association reads answer.
    pub(crate) fn json(&self) -> Value {
        json!({"category": self.category, "typeId": self.id, "label": self.label})
    }
}

/// A reference to an association type as callers send it.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TypeRef {
    pub(crate) association_category: Category,
    pub(crate) association_type_id: u32,
}

/// The association types of an account.
#[derive(Debug)]
pub(crate) struct LinkTypes {
    pairs: BTreeMap<(ObjectType, ObjectType), Vec<LinkType>>,
    next: u32,
}

impl LinkTypes {
    pub(crate) fn new() -> Self {
        let mut types = Self {
            pairs: BTreeMap::new(),
            next: FIRST_OWN_ID,
        };
        for Pair(from, to, id, inverse, role) in STANDARD {
            types.add_pair((*from, *to), *id, *inverse, *role);
        }
        types
    }

    /// Lets two kinds be linked, as creating a custom schema does.
    pub(crate) fn connect(&mut self, from: ObjectType, to: ObjectType) {
        if self.default_of(from, to).is_some() {
            return;
        }
        let (id, inverse) = (self.next_id(), self.next_id());
        self.push(
            from,
            to,
            id,
            Category::UserDefined,
            None,
            Some(inverse),
            Role::Default,
        );
        self.push(
            to,
            from,
            inverse,
            Category::UserDefined,
            None,
            Some(id),
            Role::Default,
        );
    }

    /// Adds a label in both directions and answers its two ids.
    pub(crate) fn add_label(
        &mut self,
        from: ObjectType,
        to: ObjectType,
        label: &str,
        inverse: &str,
    ) -> [u32; 2] {
        let (id, back) = (self.next_id(), self.next_id());
        let (label, inverse) = (Some(label.to_owned()), Some(inverse.to_owned()));
        self.push(
            from,
            to,
            id,
            Category::UserDefined,
            label,
            Some(back),
            Role::Label,
        );
        self.push(
            to,
            from,
            back,
            Category::UserDefined,
            inverse,
            Some(id),
            Role::Label,
        );
        [id, back]
    }

    /// Renames a label the account defined. Answers whether there was one.
    pub(crate) fn rename_label(
        &mut self,
        from: ObjectType,
        to: ObjectType,
        id: u32,
        label: &str,
    ) -> bool {
        let found = self.pairs.get_mut(&(from, to)).and_then(|types| {
            types
                .iter_mut()
                .find(|one| one.id == id && one.role == Role::Label)
        });
        found
            .map(|one| one.label = Some(label.to_owned()))
            .is_some()
    }

    /// Removes a label the account defined. Answers whether there was one.
    pub(crate) fn remove_label(&mut self, from: ObjectType, to: ObjectType, id: u32) -> bool {
        let Some(found) = self.get(from, to, id).filter(|one| one.role == Role::Label) else {
            return false;
        };
        let inverse = found.inverse;
        for (pair, gone) in [((from, to), Some(id)), ((to, from), inverse)] {
            if let Some(types) = self.pairs.get_mut(&pair) {
                types.retain(|one| Some(one.id) != gone);
            }
        }
        true
    }

    pub(crate) fn between(&self, from: ObjectType, to: ObjectType) -> &[LinkType] {
        self.pairs.get(&(from, to)).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn get(&self, from: ObjectType, to: ObjectType, id: u32) -> Option<&LinkType> {
        self.between(from, to).iter().find(|one| one.id == id)
    }

    pub(crate) fn default_of(&self, from: ObjectType, to: ObjectType) -> Option<&LinkType> {
        self.between(from, to)
            .iter()
            .find(|one| one.role == Role::Default)
    }

    /// Finds which kind an id links to, seen from `from`: a create names no target kind.
    pub(crate) fn target(&self, from: ObjectType, id: u32) -> Option<ObjectType> {
        self.pairs
            .iter()
            .find(|((one, _), types)| *one == from && types.iter().any(|t| t.id == id))
            .map(|((_, to), _)| *to)
    }

    /// Checks a caller's reference against the direction of the URL.
    pub(crate) fn check(
        &self,
        from: ObjectType,
        to: ObjectType,
        wanted: TypeRef,
    ) -> Result<u32, ApiError> {
        let id = wanted.association_type_id;
        self.get(from, to, id)
            .filter(|one| one.category == wanted.association_category)
            .map(|one| one.id)
            .ok_or_else(|| wrong_type(from, to, id))
    }

    fn add_pair(
        &mut self,
        pair: (ObjectType, ObjectType),
        id: u32,
        inverse: Option<u32>,
        role: Role,
    ) {
        let (from, to) = pair;
        let label = (role == Role::Primary).then(|| "Primary".to_owned());
        let hubspot = Category::HubspotDefined;
        self.push(from, to, id, hubspot, label.clone(), inverse, role);
        if let Some(inverse) = inverse
            && (inverse, to) != (id, from)
        {
            self.push(to, from, inverse, hubspot, label, Some(id), role);
        }
    }

    #[allow(clippy::too_many_arguments)] // one column each, called from three places in this file
    fn push(
        &mut self,
        from: ObjectType,
        to: ObjectType,
        id: u32,
        category: Category,
        label: Option<String>,
        inverse: Option<u32>,
        role: Role,
    ) {
        self.pairs.entry((from, to)).or_default().push(LinkType {
            id,
            category,
            label,
            inverse,
            role,
        });
    }

    fn next_id(&mut self) -> u32 {
        self.next += 1;
        self.next
    }
}

/// The refusal of an id that does not link these kinds in this direction.
pub(crate) fn wrong_type(from: ObjectType, to: ObjectType, id: u32) -> ApiError {
    let message = format!(
        "One or more association types are not valid: type {id} does not exist from {from} to {to}."
    );
    ApiError::invalid(message.clone())
        .with_code("INVALID_ASSOCIATION_TYPE", message)
        .with_context("type", vec![id.to_string()])
}

struct Pair(ObjectType, ObjectType, u32, Option<u32>, Role);

const FIRST_OWN_ID: u32 = 10_000;

const CONTACT: ObjectType = ObjectType::CONTACTS;
const COMPANY: ObjectType = ObjectType::COMPANIES;
const DEAL: ObjectType = ObjectType::DEALS;
const TICKET: ObjectType = ObjectType::TICKETS;
const LEAD: ObjectType = ObjectType::LEADS;
const EMAIL: ObjectType = ObjectType::EMAILS;
const NOTE: ObjectType = ObjectType::NOTES;
const TASK: ObjectType = ObjectType::TASKS;

const STANDARD: &[Pair] = &[
    Pair(CONTACT, COMPANY, 279, Some(280), Role::Default),
    Pair(CONTACT, COMPANY, 1, Some(2), Role::Primary),
    Pair(CONTACT, CONTACT, 449, Some(449), Role::Default),
    Pair(COMPANY, COMPANY, 450, Some(450), Role::Default),
    Pair(DEAL, DEAL, 451, Some(451), Role::Default),
    Pair(TICKET, TICKET, 452, Some(452), Role::Default),
    Pair(DEAL, CONTACT, 3, Some(4), Role::Default),
    Pair(DEAL, COMPANY, 341, Some(342), Role::Default),
    Pair(DEAL, COMPANY, 5, Some(6), Role::Primary),
    Pair(TICKET, CONTACT, 16, Some(15), Role::Default),
    Pair(TICKET, COMPANY, 339, Some(340), Role::Default),
    Pair(TICKET, COMPANY, 26, Some(25), Role::Primary),
    Pair(TICKET, DEAL, 28, Some(27), Role::Default),
    Pair(EMAIL, CONTACT, 198, Some(197), Role::Default),
    Pair(EMAIL, COMPANY, 186, Some(185), Role::Default),
    Pair(EMAIL, DEAL, 210, Some(209), Role::Default),
    Pair(EMAIL, TICKET, 224, Some(223), Role::Default),
    Pair(LEAD, EMAIL, 598, Some(599), Role::Default),
    Pair(NOTE, CONTACT, 202, Some(201), Role::Default),
    Pair(NOTE, COMPANY, 190, Some(189), Role::Default),
    Pair(NOTE, DEAL, 214, Some(213), Role::Default),
    Pair(NOTE, TICKET, 228, Some(227), Role::Default),
    Pair(NOTE, LEAD, 855, Some(854), Role::Default),
    Pair(TASK, CONTACT, 204, Some(203), Role::Default),
    Pair(TASK, COMPANY, 192, Some(191), Role::Default),
    Pair(TASK, DEAL, 216, Some(215), Role::Default),
    Pair(TASK, TICKET, 230, Some(229), Role::Default),
    Pair(LEAD, TASK, 646, Some(647), Role::Default),
    Pair(LEAD, CONTACT, 608, Some(609), Role::Default),
    Pair(LEAD, CONTACT, 578, None, Role::Primary),
    Pair(LEAD, COMPANY, 610, Some(611), Role::Default),
    Pair(LEAD, COMPANY, 580, None, Role::Primary),
    Pair(LEAD, DEAL, 1037, Some(1038), Role::Default),
    Pair(LEAD, DEAL, 582, Some(583), Role::Primary),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn every_reverse_leads_back() {
        let types = LinkTypes::new();
        for ((from, to), list) in &types.pairs {
            for one in list {
                let Some(inverse) = one.inverse else { continue };
                let back = types.get(*to, *from, inverse).expect("reverse exists");
                assert_eq!(back.inverse, Some(one.id), "{from}->{to} {}", one.id);
            }
        }
    }

    #[test]
    fn an_id_of_the_other_direction_is_refused() {
        let types = LinkTypes::new();
        let wanted = |id| TypeRef {
            association_category: Category::HubspotDefined,
            association_type_id: id,
        };
        assert!(types.check(EMAIL, CONTACT, wanted(198)).is_ok());
        assert_eq!(
            types
                .check(EMAIL, CONTACT, wanted(197))
                .unwrap_err()
                .status(),
            400
        );
        assert_eq!(types.target(LEAD, 578), Some(CONTACT));
    }
}
