//! The field map an account starts with: only properties that exist there and can be written.

use std::collections::BTreeMap;

use nextedge_core::policy::{CategoryMap, FieldMap, KnownParty, Template};
use nextedge_core::{Category, FieldName, Priority};

use super::{OWNER, Profile};
use crate::wire::ObjectType;

type Fields = BTreeMap<FieldName, Template>;

/// Builds the map for one account.
pub(crate) fn build(profile: &Profile) -> FieldMap {
    let mut map = FieldMap {
        contact: fields(profile, &ObjectType::Contact, CONTACT),
        company: fields(profile, &ObjectType::Company, COMPANY),
        priorities: priorities(profile),
        ..FieldMap::default()
    };
    map.categories.insert(Category::Contact, contact_only());
    map.categories.insert(Category::Lead, lead(profile));
    if profile.has(&ObjectType::Ticket) {
        map.categories
            .insert(Category::Case, staged(profile, &ObjectType::Ticket, TICKET));
    }
    if profile.has(&ObjectType::Deal) {
        map.categories.insert(Category::Opportunity, deal(profile));
    }
    map
}

fn contact_only() -> CategoryMap {
    CategoryMap {
        kind: ObjectType::Contact.kind(),
        fields: Fields::new(),
        known_party: KnownParty::Same,
        contact: Fields::new(),
        on_reply: Fields::new(),
    }
}

fn deal(profile: &Profile) -> CategoryMap {
    staged(profile, &ObjectType::Deal, DEAL)
}

/// A lead record, or a contact with a lead status; a known contact gets a deal instead.
fn lead(profile: &Profile) -> CategoryMap {
    let mut map = if profile.uses_leads() {
        let mut map = staged(profile, &ObjectType::Lead, LEAD);
        let labels = profile.property(&ObjectType::Lead, LEAD_LABEL);
        if labels.is_some_and(|label| {
            ["HOT", "WARM", "COLD"]
                .iter()
                .all(|v| label.options.iter().any(|o| o == v))
        }) {
            map.fields.insert(
                FieldName::new(LEAD_LABEL),
                "{{ score.band | upper }}".into(),
            );
        }
        map
    } else {
        let status = profile.property(&ObjectType::Contact, LEAD_STATUS);
        let mut map = contact_only();
        if status.is_some_and(|status| status.options.iter().any(|option| option == "NEW")) {
            map.contact
                .insert(FieldName::new(LEAD_STATUS), "NEW".into());
        }
        map
    };
    if profile.has(&ObjectType::Deal) {
        map.known_party = KnownParty::Instead(Box::new(deal(profile)));
    }
    map
}

/// A record in the first open stage of its pipeline.
fn staged(profile: &Profile, object: &ObjectType, templates: Templates) -> CategoryMap {
    let mut fields = fields(profile, object, templates);
    if let (Some(names), Some(pipeline)) = (object.stage_properties(), profile.pipeline(object)) {
        fields.insert(FieldName::new(names.pipeline), pipeline.id.as_str().into());
        if let Some(stage) = pipeline.first_open() {
            fields.insert(FieldName::new(names.stage), stage.id.as_str().into());
        }
    }
    CategoryMap {
        kind: object.kind(),
        fields,
        ..contact_only()
    }
}

fn fields(profile: &Profile, object: &ObjectType, templates: Templates) -> Fields {
    let usable = |(name, text): &&(&str, &str)| {
        let property = profile.property(object, name);
        let constant = !text.contains("{{") && !text.contains("{%");
        property.is_some_and(|property| {
            let offered = property.options.is_empty() || property.options.iter().any(|o| o == text);
            property.writable && (!constant || offered)
        })
    };
    let field = |(name, text): &(&str, &str)| (FieldName::new(name), Template::from(*text));
    templates.iter().filter(usable).map(field).collect()
}

/// HubSpot's words for the priorities; `URGENT` exists in newer accounts only.
fn priorities(profile: &Profile) -> BTreeMap<Priority, String> {
    let property = profile.property(&ObjectType::Ticket, "hs_ticket_priority");
    let urgent = property.is_some_and(|p| p.options.iter().any(|option| option == "URGENT"));
    let words = [
        (Priority::Low, "LOW"),
        (Priority::Medium, "MEDIUM"),
        (Priority::High, "HIGH"),
        (Priority::Urgent, if urgent { "URGENT" } else { "HIGH" }),
    ];
    words
        .map(|(priority, word)| (priority, word.to_owned()))
        .into()
}

type Templates = &'static [(&'static str, &'static str)];

const CONTACT: Templates = &[
    ("email", "{{ sender.email }}"),
    ("firstname", "{{ contact.first_name }}"),
    ("lastname", "{{ contact.last_name }}"),
    ("phone", "{{ contact.phone }}"),
    ("company", "{{ contact.company }}"),
    ("jobtitle", "{{ contact.title }}"),
];

const COMPANY: Templates = &[
    ("name", "{{ company.name }}"),
    ("domain", "{{ company.domain }}"),
];

const TICKET: Templates = &[
    ("subject", SUBJECT),
    ("content", "{{ description }}"),
    ("hs_ticket_priority", "{{ priority }}"),
    ("source_type", "EMAIL"),
    (OWNER, "{{ owner }}"),
];

const DEAL: Templates = &[
    ("dealname", SUBJECT),
    ("description", "{{ description }}"),
    (OWNER, "{{ owner }}"),
];

const LEAD: Templates = &[
    (
        "hs_lead_name",
        "{% if contact.name %}{{ contact.name }}{% else %}{{ sender.email }}{% endif %}",
    ),
    (OWNER, "{{ owner }}"),
];

/// A record needs a title even where the mail has none.
const SUBJECT: &str = "{% if subject %}{{ subject }}{% else %}(no subject){% endif %}";
const LEAD_STATUS: &str = "hs_lead_status";
const LEAD_LABEL: &str = "hs_lead_label";
