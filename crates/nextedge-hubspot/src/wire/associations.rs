//! How records are linked: association types and the bodies that use them.

use serde::Serialize;

use super::ObjectType;
use super::objects::Id;

/// One inline association of a record that is created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Association {
    to: Target,
    types: Vec<AssociationType>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Target {
    id: String,
}

/// The type of an association; its direction is from the created record to the target.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AssociationType {
    pub(crate) association_category: String,
    pub(crate) association_type_id: u32,
}

impl AssociationType {
    fn defined_by_hubspot(id: u32) -> Self {
        Self {
            association_category: "HUBSPOT_DEFINED".to_owned(),
            association_type_id: id,
        }
    }

    /// The type HubSpot documents for a pair; none if the account must be asked.
    pub(crate) fn known(from: &ObjectType, to: &ObjectType) -> Option<Self> {
        use ObjectType::{Company, Contact, Deal, Email, Lead, Note, Ticket};
        let id = match (from, to) {
            (Contact, Company) => 279,
            (Deal, Contact) => 3,
            (Deal, Company) => 341,
            (Ticket, Contact) => 16,
            (Ticket, Company) => 339,
            // A lead must name its primary contact or company.
            (Lead, Contact) => 578,
            (Lead, Company) => 610,
            (Email, Contact) => 198,
            (Email, Company) => 186,
            (Email, Deal) => 210,
            (Email, Ticket) => 224,
            (Note, Contact) => 202,
            (Note, Company) => 190,
            (Note, Deal) => 214,
            (Note, Ticket) => 228,
            (Note, Lead) => 855,
            _ => return None,
        };
        Some(Self::defined_by_hubspot(id))
    }
}

impl Association {
    pub(crate) fn new(to: &str, kind: AssociationType) -> Self {
        Self {
            to: Target { id: to.to_owned() },
            types: vec![kind],
        }
    }
}

/// The body of `batch/associate/default`.
#[derive(Debug, Serialize)]
pub(crate) struct AssociateDefault<'a> {
    pub(crate) inputs: Vec<Pair<'a>>,
}

/// Two records to link.
#[derive(Debug, Serialize)]
pub(crate) struct Pair<'a> {
    pub(crate) from: Id<'a>,
    pub(crate) to: Id<'a>,
}

impl<'a> AssociateDefault<'a> {
    pub(crate) fn new(pairs: &'a [(String, String)]) -> Self {
        let pair = |(from, to): &'a (String, String)| Pair {
            from: Id { id: from },
            to: Id { id: to },
        };
        Self {
            inputs: pairs.iter().map(pair).collect(),
        }
    }
}

/// The body of an association `batch/read`.
#[derive(Debug, Serialize)]
pub(crate) struct ReadAssociations<'a> {
    pub(crate) inputs: Vec<Id<'a>>,
}
