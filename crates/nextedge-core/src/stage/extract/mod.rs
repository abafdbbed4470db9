//! Finds name, company, phone and title of the person who wrote: candidates, each with its place.

mod phone;
mod signature;

#[cfg(test)]
mod tests;

pub use self::phone::{find_phones, normalised_phone};
use crate::classify::{ContactField, ExtractedField};
use crate::domain::Mailer;
use crate::stage::text::{cut_bytes, folded, tail_bytes};

/// Returns candidates, best first within each kind; spans point into `text`.
///
/// `text` is what the person wrote, signature included, without quotes.
pub fn contact_fields(sender: &Mailer, text: &str) -> Vec<ExtractedField> {
    // A form begins the text, a signature ends it: the middle of a long text is not searched.
    let head = cut_bytes(text, SEARCHED_BYTES);
    let tail = tail_bytes(&text[head.len()..], SEARCHED_BYTES);
    let mut fields = signature::form_fields(head);
    fields.extend(find_phones(head));
    let end = if tail.is_empty() { head } else { tail };
    let mut ending = signature::signature_fields(sender, end);
    if !tail.is_empty() {
        ending.extend(find_phones(tail));
    }
    let shift = text.len() - end.len();
    for field in &mut ending {
        field.span = field
            .span
            .take()
            .map(|span| span.start + shift..span.end + shift);
    }
    fields.extend(ending);
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
    let mut places: Option<[String; 3]> = None;
    let mut kept = Vec::new();
    for mut field in fields.into_iter().take(MAX_FIELDS) {
        let value = folded(&field.value);
        let has_control = field.value.chars().any(char::is_control);
        if value.is_empty() || has_control || value.chars().count() > MAX_VALUE_CHARS {
            continue;
        }
        let held = field.span.clone().and_then(|span| text.get(span));
        if held.is_none_or(|held| folded(held) != value) {
            // Folding the whole mail is dear: only for values without a place.
            let places = places.get_or_insert_with(|| [text, subject, &sender.name].map(folded));
            if !places.iter().any(|place| place.contains(&value)) {
                continue;
            }
            let at = text.find(&field.value);
            field.span = at.map(|at| at..at + field.value.len());
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
/// How much of the beginning and of the end is searched.
const SEARCHED_BYTES: usize = 8 * 1024;
