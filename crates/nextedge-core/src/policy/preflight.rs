//! Checks a field map against an account's metadata before the first mail.

use std::collections::BTreeMap;

use super::field_map::{CategoryMap, FieldMap, KnownParty, Template};
use super::nearest::nearest;
use crate::domain::{FieldName, RecordKind};
use crate::sink::{FieldDescription, FieldKind, ObjectDescription, SinkDescription};
use crate::stage::map::{CompiledMap, constant};

/// One thing that is wrong with a field map.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs)] // plain data for a report
pub struct Fault {
    /// Where, such as `categories.Lead.fields.hs_lead_nme`.
    pub place: String,
    /// What is wrong, in words.
    pub what: String,
    /// The nearest valid name or value, if one is close.
    pub nearest: Option<String>,
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.place, self.what)?;
        match &self.nearest {
            Some(name) => write!(f, "; did you mean `{name}`?"),
            None => Ok(()),
        }
    }
}

/// Checks a field map against what an account has, and fills in the lengths.
///
/// Checked: templates, objects, fields, whether they can be written, required fields, the values of
/// choices where the template is constant. Longer lengths than the account's are lowered.
///
/// # Errors
///
/// Every fault at once, in the order of the map.
pub fn preflight(map: &FieldMap, account: &SinkDescription) -> Result<FieldMap, Vec<Fault>> {
    let mut check = Check {
        account,
        faults: Vec::new(),
        lengths: map.lengths.clone(),
    };
    if let Err(error) = CompiledMap::new(map) {
        check.faults.push(Fault {
            place: error.context("field").unwrap_or("templates").to_owned(),
            what: format!(
                "{}; {}",
                error.message(),
                error.action().unwrap_or_default()
            ),
            nearest: error.context("nearest").map(str::to_owned),
        });
    }
    check.whole(map);
    if !check.faults.is_empty() {
        return Err(check.faults);
    }
    Ok(FieldMap {
        lengths: check.lengths,
        ..map.clone()
    })
}

struct Check<'a> {
    account: &'a SinkDescription,
    faults: Vec<Fault>,
    lengths: BTreeMap<String, usize>,
}

impl<'a> Check<'a> {
    fn whole(&mut self, map: &FieldMap) {
        for (kind, place, fields) in [
            (RecordKind::Contact, "contact", &map.contact),
            (RecordKind::Company, "company", &map.company),
            (RecordKind::Activity, "activity", &map.activity),
        ] {
            if !fields.is_empty() {
                self.fields(place, &kind, fields);
            }
        }
        for (category, settings) in &map.categories {
            self.category(&format!("categories.{category}"), settings, &map.contact);
        }
    }

    fn category(
        &mut self,
        place: &str,
        settings: &CategoryMap,
        contact: &BTreeMap<FieldName, Template>,
    ) {
        let extra = format!("{place}.contact");
        self.fields(&extra, &RecordKind::Contact, &settings.contact);
        if self.fields(place_of(place).as_str(), &settings.kind, &settings.fields) {
            let given = match settings.kind {
                RecordKind::Contact => vec![&settings.fields, &settings.contact, contact],
                _ => vec![&settings.fields],
            };
            self.required(place, &settings.kind, &given);
            let replies = format!("{place}.on_reply");
            self.fields(&replies, &settings.kind, &settings.on_reply);
        }
        if let KnownParty::Instead(other) = &settings.known_party {
            self.category(&format!("{place}.known_party.instead"), other, contact);
        }
    }

    /// Checks each field; answers whether the object exists.
    fn fields(
        &mut self,
        place: &str,
        kind: &RecordKind,
        fields: &BTreeMap<FieldName, Template>,
    ) -> bool {
        let Some(object) = self.account.objects.iter().find(|o| &o.kind == kind) else {
            if !fields.is_empty() || !matches!(kind, RecordKind::Contact | RecordKind::Activity) {
                self.no_object(place, kind);
            }
            return false;
        };
        for (name, template) in fields {
            self.field(&format!("{place}.{name}"), object, name, template);
        }
        true
    }

    fn no_object(&mut self, place: &str, kind: &RecordKind) {
        let names: Vec<String> = self.names().collect();
        let close = nearest(&kind.to_string(), names.iter().map(String::as_str)).map(str::to_owned);
        let what = format!("this account has no object `{kind}`");
        self.fault(place, what, close);
    }

    fn names(&self) -> impl Iterator<Item = String> + use<'a> {
        self.account.objects.iter().map(|o| o.kind.to_string())
    }

    fn field(
        &mut self,
        place: &str,
        object: &ObjectDescription,
        name: &FieldName,
        template: &Template,
    ) {
        let Some(field) = object.fields.iter().find(|field| &field.name == name) else {
            let names = object.fields.iter().map(|field| field.name.as_str());
            let close = nearest(name.as_str(), names).map(str::to_owned);
            let what = format!("{} has no field `{name}`", object.vendor_name);
            return self.fault(place, what, close);
        };
        if !field.writable {
            let what = format!("field `{name}` of {} cannot be written", object.vendor_name);
            self.fault(place, what, None);
        }
        match &field.kind {
            FieldKind::Text { max_chars } => {
                let length = self
                    .lengths
                    .entry(format!("{}.{name}", object.kind))
                    .or_insert(*max_chars);
                *length = (*length).min(*max_chars);
            }
            FieldKind::Choice { values } => self.choice(place, field, values, template),
            FieldKind::Number | FieldKind::Bool | FieldKind::Time => {}
        }
    }

    fn choice(
        &mut self,
        place: &str,
        field: &FieldDescription,
        values: &[String],
        template: &Template,
    ) {
        let Some(value) = constant(template) else {
            return;
        };
        if value.is_empty() || values.iter().any(|known| known == value) {
            return;
        }
        let close = nearest(value, values.iter().map(String::as_str)).map(str::to_owned);
        let what = format!("field `{}` does not take the value `{value}`", field.name);
        self.fault(place, what, close);
    }

    fn required(
        &mut self,
        place: &str,
        kind: &RecordKind,
        given: &[&BTreeMap<FieldName, Template>],
    ) {
        let Some(object) = self.account.objects.iter().find(|o| &o.kind == kind) else {
            return;
        };
        for field in object.fields.iter().filter(|field| field.required) {
            if !given.iter().any(|fields| fields.contains_key(&field.name)) {
                let what = format!("{} requires `{}`", object.vendor_name, field.name);
                self.fault(&format!("{place}.fields"), what, None);
            }
        }
    }

    fn fault(&mut self, place: &str, what: String, nearest: Option<String>) {
        self.faults.push(Fault {
            place: place.to_owned(),
            what,
            nearest,
        });
    }
}

fn place_of(category: &str) -> String {
    format!("{category}.fields")
}
