//! Finds name, company, phone and title of the person who wrote: candidates, each with its place.

mod phone;
mod signature;

#[cfg(test)]
mod tests;

pub use self::phone::{find_phones, normalised_phone};
use crate::classify::{ContactField, ExtractedField};
use crate::domain::Mailer;
use crate::stage::text::cut_bytes;

/// Returns candidates, best first within each kind; spans point into `text`.
///
/// `text` is what the person wrote, signature included, without quotes.
pub fn contact_fields(sender: &Mailer, text: &str) -> Vec<ExtractedField> {
    let text = cut_bytes(text, MAX_TEXT_BYTES);
    let mut fields = signature::form_fields(text);
    fields.extend(signature::signature_fields(sender, text));
    fields.extend(find_phones(text));
    if !sender.name.is_empty() && !sender.name.contains('@') {
        fields.push(ExtractedField {
            field: ContactField::Name,
            value: sender.name.clone(),
            span: None,
            confidence: 0.7,
        });
    }
    best_first(fields)
}

/// Keeps only values that occur in the mail: in its text, its subject or the sender's name.
///
/// White space and case are ignored; a span that does not hold the value is replaced or removed.
pub fn ground(
    fields: Vec<ExtractedField>,
    sender: &Mailer,
    subject: &str,
    text: &str,
) -> Vec<ExtractedField> {
    let squeezed = |text: &str| {
        text.split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    };
    let places = [squeezed(text), squeezed(subject), squeezed(&sender.name)];
    let mut kept = Vec::new();
    for mut field in fields.into_iter().take(MAX_FIELDS) {
        let value = squeezed(&field.value);
        let has_control = field.value.chars().any(char::is_control);
        let occurs = places.iter().any(|place| place.contains(&value));
        if value.is_empty() || has_control || value.chars().count() > MAX_VALUE_CHARS || !occurs {
            continue;
        }
        let held = field.span.clone().and_then(|span| text.get(span));
        if held.is_none_or(|held| squeezed(held) != value) {
            field.span = text.find(&field.value).map(|at| at..at + field.value.len());
        }
        field.confidence = if field.confidence.is_finite() {
            field.confidence.clamp(0.0, 1.0)
        } else {
            0.0
        };
        kept.push(field);
    }
    best_first(kept)
}

/// Returns the best candidate of a kind.
pub fn best(fields: &[ExtractedField], kind: ContactField) -> Option<&ExtractedField> {
    fields.iter().find(|field| field.field == kind)
}

/// Sorts by kind and falling confidence, and drops repetitions.
fn best_first(mut fields: Vec<ExtractedField>) -> Vec<ExtractedField> {
    fields.sort_by(|left, right| {
        let by_kind = left.field.cmp(&right.field);
        by_kind.then(right.confidence.total_cmp(&left.confidence))
    });
    let mut kept: Vec<ExtractedField> = Vec::with_capacity(fields.len());
    for field in fields {
        let again = kept.iter().any(|known| {
            known.field == field.field && known.value.to_lowercase() == field.value.to_lowercase()
        });
        if !again {
            kept.push(field);
        }
    }
    kept.truncate(MAX_FIELDS);
    kept
}

/// Candidates that are kept.
const MAX_FIELDS: usize = 20;
/// Longest value.
const MAX_VALUE_CHARS: usize = 200;
/// A signature stands near the end of what a person writes, which is not longer than this.
const MAX_TEXT_BYTES: usize = 64 * 1024;
