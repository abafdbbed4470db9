//! The kinds of object an account has: their ids, names, and what creating one needs.

use std::fmt;

/// An object type id such as `0-1` (contacts) or `2-1000001` (a custom object).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectType {
    meta: u32,
    number: u32,
}

impl ObjectType {
    pub(crate) const CONTACTS: Self = Self::standard(1);
    pub(crate) const COMPANIES: Self = Self::standard(2);
    pub(crate) const DEALS: Self = Self::standard(3);
    pub(crate) const TICKETS: Self = Self::standard(5);
    pub(crate) const TASKS: Self = Self::standard(27);
    pub(crate) const NOTES: Self = Self::standard(46);
    pub(crate) const EMAILS: Self = Self::standard(49);
    pub(crate) const LEADS: Self = Self::standard(136);

    const fn standard(number: u32) -> Self {
        Self { meta: 0, number }
    }

    /// Names the `number`th custom object of an account.
    pub(crate) const fn custom(number: u32) -> Self {
        Self { meta: 2, number }
    }

    /// The id after this one.
    pub(crate) const fn next(self) -> Self {
        Self {
            meta: self.meta,
            number: self.number + 1,
        }
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.meta, self.number)
    }
}

/// How a kind of object behaves where kinds differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// A CRM record: read-only and unknown properties are refused.
    Record,
    /// Something on a timeline: read-only properties are ignored on update.
    Engagement,
    /// Defined by a schema of the account.
    Custom,
}

/// One kind of object.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) id: ObjectType,
    /// Plural name, as in paths and in the state dump.
    pub(crate) name: String,
    /// Singular name, as in association names and messages.
    pub(crate) singular: String,
    pub(crate) class: Class,
    /// Groups of properties of which one each must be set on create.
    pub(crate) required: Vec<Vec<String>>,
    /// Properties that a read returns when it names none.
    pub(crate) shown: Vec<String>,
    /// The property that titles a record for a person.
    pub(crate) title: String,
    /// Property names for (create date, last change).
    pub(crate) dates: (&'static str, &'static str),
}

impl Kind {
    /// The upper-case singular that the vendor's messages use.
    pub(crate) fn shout(&self) -> String {
        self.singular.to_uppercase()
    }

    /// The (pipeline, stage) properties, for kinds that move through a pipeline.
    pub(crate) fn stages(&self) -> Option<(&'static str, &'static str)> {
        match self.id {
            ObjectType::DEALS => Some(("pipeline", "dealstage")),
            ObjectType::TICKETS | ObjectType::LEADS => Some(("hs_pipeline", "hs_pipeline_stage")),
            _ => None,
        }
    }

    /// Builds the kind that a custom schema defines.
    pub(crate) fn custom(id: ObjectType, name: &str, required: &[String], title: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            singular: name.to_owned(),
            class: Class::Custom,
            required: required.iter().map(|one| vec![one.clone()]).collect(),
            shown: Vec::new(),
            title: title.to_owned(),
            dates: ("hs_createdate", "hs_lastmodifieddate"),
        }
    }
}

struct Row(
    ObjectType,
    &'static str,
    &'static str,
    Class,
    &'static [&'static str],
    &'static [&'static str],
    &'static str,
);

/// Lists the kinds that every account has. `a|b` in a requirement means "one of".
pub(crate) fn standard() -> Vec<Kind> {
    ROWS.iter().map(kind).collect()
}

fn kind(row: &Row) -> Kind {
    let Row(id, name, singular, class, required, shown, title) = row;
    Kind {
        id: *id,
        name: (*name).to_owned(),
        singular: (*singular).to_owned(),
        class: *class,
        required: required
            .iter()
            .map(|group| group.split('|').map(str::to_owned).collect())
            .collect(),
        shown: shown.iter().map(|one| (*one).to_owned()).collect(),
        title: (*title).to_owned(),
        dates: match *id {
            ObjectType::CONTACTS => ("createdate", "lastmodifieddate"),
            ObjectType::COMPANIES | ObjectType::DEALS | ObjectType::TICKETS => {
                ("createdate", "hs_lastmodifieddate")
            }
            _ => ("hs_createdate", "hs_lastmodifieddate"),
        },
    }
}

const ROWS: &[Row] = &[
    Row(
        ObjectType::CONTACTS,
        "contacts",
        "contact",
        Class::Record,
        &["email|firstname|lastname"],
        &["email", "firstname", "lastname"],
        "email",
    ),
    Row(
        ObjectType::COMPANIES,
        "companies",
        "company",
        Class::Record,
        &["name|domain"],
        &["domain", "name"],
        "name",
    ),
    Row(
        ObjectType::DEALS,
        "deals",
        "deal",
        Class::Record,
        &["dealname", "dealstage", "pipeline"],
        &["amount", "closedate", "dealname", "dealstage", "pipeline"],
        "dealname",
    ),
    Row(
        ObjectType::TICKETS,
        "tickets",
        "ticket",
        Class::Record,
        &["subject", "hs_pipeline_stage"],
        &[
            "content",
            "hs_pipeline",
            "hs_pipeline_stage",
            "hs_ticket_category",
            "hs_ticket_priority",
            "subject",
        ],
        "subject",
    ),
    Row(
        ObjectType::LEADS,
        "leads",
        "lead",
        Class::Record,
        &["hs_lead_name"],
        &[],
        "hs_lead_name",
    ),
    Row(
        ObjectType::EMAILS,
        "emails",
        "email",
        Class::Engagement,
        &["hs_timestamp", "hs_email_direction"],
        &[],
        "hs_email_subject",
    ),
    Row(
        ObjectType::NOTES,
        "notes",
        "note",
        Class::Engagement,
        &["hs_timestamp"],
        &[],
        "hs_note_body",
    ),
    Row(
        ObjectType::TASKS,
        "tasks",
        "task",
        Class::Engagement,
        &["hs_timestamp"],
        &[],
        "hs_task_subject",
    ),
];
