//! The description of a record: insights first, then as much of the original as fits.

use std::fmt::Write as _;

use super::PlanContext;
use super::values::{band, rfc3339};
use crate::classify::ContactField;
use crate::stage::decide::Intent;
use crate::stage::text::cut;

/// Writes the description; the field's own length cuts it at the end, where the original stands.
pub(super) fn describe(intent: &Intent, cx: &PlanContext<'_>) -> String {
    let mut text = String::with_capacity(1024 + intent.text.len().min(MAX_ORIGINAL_CHARS));
    // Writing to a String cannot fail.
    let _ = insights(&mut text, intent);
    let _ = original(&mut text, intent, cx);
    text
}

fn insights(text: &mut String, intent: &Intent) -> std::fmt::Result {
    writeln!(text, "== Insights ==")?;
    writeln!(
        text,
        "Category: {} ({:.0} %)",
        intent.category,
        intent.confidence.get() * 100.0
    )?;
    writeln!(
        text,
        "Urgency: {}, priority: {}",
        intent.urgency.as_str(),
        intent.priority.as_str()
    )?;
    writeln!(text, "Reason: {}", intent.reason)?;
    if let Some(score) = &intent.score {
        writeln!(
            text,
            "Lead score: {} of 100, {}",
            score.points,
            band(score.band)
        )?;
        for factor in score.factors.iter().filter(|factor| factor.points > 0) {
            writeln!(text, "  +{} {}", factor.points, factor.why)?;
        }
    }
    if let Some(language) = &intent.language {
        writeln!(text, "Language: {language}")?;
    }
    if !intent.model.is_empty() {
        let degraded = if intent.degraded { ", stand-in" } else { "" };
        writeln!(text, "Classified by: {}{degraded}", intent.model)?;
    }
    if let Some(summary) = &intent.summary {
        writeln!(text, "Summary (machine-written): {summary}")?;
    }
    found(text, intent)
}

fn found(text: &mut String, intent: &Intent) -> std::fmt::Result {
    for field in &intent.fields {
        let name = match field.field {
            ContactField::Name => "name",
            ContactField::Company => "company",
            ContactField::Phone => "phone",
            ContactField::Title => "title",
        };
        writeln!(text, "Found in the mail: {name} {}", field.value)?;
    }
    Ok(())
}

fn original(text: &mut String, intent: &Intent, cx: &PlanContext<'_>) -> std::fmt::Result {
    let mail = cx.mail;
    writeln!(text, "\n== Original mail ==")?;
    match &mail.from {
        Some(from) if !from.name.is_empty() => {
            writeln!(text, "From: {} <{}>", from.name, from.address)?;
        }
        Some(from) => writeln!(text, "From: {}", from.address)?,
        None => writeln!(text, "From: {}", intent.sender.address)?,
    }
    let date = mail.date.map_or(cx.received_at, |date| date.at);
    writeln!(text, "Date: {}", rfc3339(date))?;
    writeln!(text, "Subject: {}", mail.subject)?;
    writeln!(text)?;
    text.push_str(cut(mail.body.text.trim(), MAX_ORIGINAL_CHARS));
    Ok(())
}

/// No CRM's description holds more.
const MAX_ORIGINAL_CHARS: usize = 131_072;
