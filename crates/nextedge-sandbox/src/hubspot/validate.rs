//! Checks of single property values, and the normal form the account stores.

use serde_json::Value;

use super::account::Account;
use super::error::Detail;
use super::property::{Property, PropertyType};
use super::time::{parse_date, parse_datetime, rfc3339};

/// Checks one value and answers what is stored. An empty value clears and is always fine.
pub(crate) fn check(account: &Account, property: &Property, value: &str) -> Result<String, Detail> {
    if value.is_empty() {
        return Ok(String::new());
    }
    let refuse = |code, message: String| {
        Err(Detail {
            code,
            property: property.name.to_string(),
            message,
        })
    };
    let name = &property.name;
    match property.kind {
        PropertyType::String | PropertyType::PhoneNumber => text(property, value),
        PropertyType::Number if is_number(value) => Ok(value.to_owned()),
        PropertyType::Number => {
            refuse("INVALID_INTEGER", format!("{name} was not a valid number."))
        }
        PropertyType::Bool if matches!(value, "true" | "false") => Ok(value.to_owned()),
        PropertyType::Bool => refuse(
            "INVALID_OPTION",
            format!("{name} was not one of true, false."),
        ),
        PropertyType::Date => match parse_date(value) {
            Some(date) => Ok(date),
            None => refuse("INVALID_DATE", format!("{name} was not a valid date.")),
        },
        PropertyType::Datetime => match parse_datetime(value) {
            Some(ms) => Ok(rfc3339(ms)),
            None => refuse("INVALID_DATE", format!("{name} was not a valid time.")),
        },
        PropertyType::Enumeration if is_choice(account, property, value) => Ok(value.to_owned()),
        PropertyType::Enumeration => refuse(
            "INVALID_OPTION",
            format!("{name} was not one of the allowed options."),
        ),
    }
}

fn text(property: &Property, value: &str) -> Result<String, Detail> {
    let refuse = |code, message: &str| {
        Err(Detail {
            code,
            property: property.name.to_string(),
            message: message.to_owned(),
        })
    };
    if value.len() > MAX_CHARS && value.chars().count() > MAX_CHARS {
        return refuse(
            "PROPERTY_VALUE_TOO_LONG",
            "The value is longer than 65536 characters.",
        );
    }
    match &*property.name {
        "email" if !is_email(value) => refuse("INVALID_EMAIL", "Email address is invalid"),
        "email" => Ok(value.to_lowercase()),
        "domain" => Ok(value.to_lowercase()),
        "hs_email_headers" if !is_headers(value) => {
            refuse("INVALID_JSON", "The headers are not a JSON object.")
        }
        _ => Ok(value.to_owned()),
    }
}

/// Whether a text could be an e-mail address, as loosely as the vendor sees it.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else {
        return false;
    };
    let clean = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || "<>@,;\"".contains(c))
    };
    clean(local)
        && clean(domain)
        && domain.contains('.')
        && !domain.starts_with('.')
        && !domain.ends_with('.')
        && !domain.contains("..")
        && text.len() <= 254
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().filter(|b| *b == b'.').count() <= 1
        && digits.bytes().any(|b| b.is_ascii_digit())
        && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

fn is_headers(text: &str) -> bool {
    matches!(serde_json::from_str(text), Ok(Value::Object(_)))
}

fn is_choice(account: &Account, property: &Property, value: &str) -> bool {
    match &*property.name {
        "hubspot_owner_id" => account
            .owners
            .iter()
            .any(|one| one.id == value && !one.archived),
        "hs_attachment_ids" => value.split(';').all(|id| account.files.exists(id)),
        "hs_additional_emails" => value.split(';').all(is_email),
        // The value is checked with the pipelines, where both halves are known.
        _ if property.external => true,
        _ if property.takes_many() => value.split(';').all(|one| has_choice(property, one)),
        _ => has_choice(property, value),
    }
}

fn has_choice(property: &Property, value: &str) -> bool {
    property.choices.iter().any(|one| one.value == value)
}

/// The longest string value.
pub(crate) const MAX_CHARS: usize = 65_536;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;
    use crate::hubspot::kinds::ObjectType;
    use crate::hubspot::test_account;

    fn verdict(object: ObjectType, name: &str, value: &str) -> Result<String, &'static str> {
        let account = test_account();
        let property = account
            .table(object)
            .unwrap()
            .property(name)
            .unwrap()
            .clone();
        check(&account, &property, value).map_err(|detail| detail.code)
    }

    #[test]
    fn values_are_checked_by_type() {
        let (contacts, deals, emails) =
            (ObjectType::CONTACTS, ObjectType::DEALS, ObjectType::EMAILS);
        let long = "é".repeat(MAX_CHARS + 1);
        let fits = "é".repeat(MAX_CHARS);
        for (object, name, value, wanted) in [
            (contacts, "email", "Ada@Example.COM", Ok("ada@example.com")),
            (contacts, "email", "ada", Err("INVALID_EMAIL")),
            (contacts, "email", "a b@example.com", Err("INVALID_EMAIL")),
            (contacts, "lifecyclestage", "lead", Ok("lead")),
            (contacts, "lifecyclestage", "Lead", Err("INVALID_OPTION")),
            (contacts, "hubspot_owner_id", "999", Err("INVALID_OPTION")),
            (
                contacts,
                "message",
                long.as_str(),
                Err("PROPERTY_VALUE_TOO_LONG"),
            ),
            (contacts, "message", fits.as_str(), Ok(fits.as_str())),
            (deals, "amount", "1200.50", Ok("1200.50")),
            (deals, "amount", "1,200", Err("INVALID_INTEGER")),
            (deals, "amount", "", Ok("")),
            (
                deals,
                "closedate",
                "2026-11-21",
                Ok("2026-11-21T00:00:00.000Z"),
            ),
            (deals, "closedate", "soon", Err("INVALID_DATE")),
            (emails, "hs_email_headers", "{}", Ok("{}")),
            (emails, "hs_email_headers", "From: x", Err("INVALID_JSON")),
            (emails, "hs_attachment_ids", "1;2", Err("INVALID_OPTION")),
        ] {
            let got = verdict(object, name, value);
            assert_eq!(
                got.as_deref().map_err(|code| *code),
                wanted,
                "{name}={:.20}",
                value
            );
        }
    }
}
