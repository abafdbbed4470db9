//! What machine-made parts say: delivery reports and calendar methods.

use mail_parser::{Message, MessagePart, MimeHeaders, PartType};

use super::attachments::{decoded_bytes, media_type};
use super::fields::parse_ids;
use crate::mail::model::DeliveryReport;
use crate::mail::words::one_line;

/// Reads the delivery report of a multipart/report mail; the first failed recipient counts.
pub(super) fn delivery_report(message: &Message<'_>, raw: &[u8]) -> Option<DeliveryReport> {
    let status = message.parts.iter().find(|part| {
        matches!(
            media_type(part).as_str(),
            "message/delivery-status" | "message/global-delivery-status"
        )
    })?;
    let text = bounded(&decoded_bytes(status, raw));
    let mut report = DeliveryReport::default();
    for group in text.split("\n\n").take(MAX_RECIPIENTS) {
        let recipient =
            field(group, "final-recipient").or_else(|| field(group, "original-recipient"));
        let action = field(group, "action").map(|action| action.to_ascii_lowercase());
        if recipient.is_none() && action.is_none() {
            continue;
        }
        let failed = action.as_deref() == Some("failed");
        if failed || report.action.is_none() {
            report.recipient = recipient.map(|value| address_of(&value));
            report.status = field(group, "status").map(|value| first_word(&value));
            report.action = action;
        }
        if failed {
            break;
        }
    }
    report.original_message_id = original_message_id(message, raw);
    Some(report)
}

/// Returns the METHOD of a text/calendar part, upper case.
pub(super) fn calendar_method(message: &Message<'_>) -> Option<String> {
    let calendar = message.parts.iter().find(|part| {
        matches!(
            media_type(part).as_str(),
            "text/calendar" | "application/ics"
        )
    })?;
    let named = calendar
        .content_type()
        .and_then(|value| value.attribute("method"))
        .map(str::to_owned);
    let method = named.or_else(|| {
        let (PartType::Text(text) | PartType::Html(text)) = &calendar.body else {
            return None;
        };
        let text = &text[..text.floor_char_boundary(MAX_REPORT_BYTES)];
        let mut lines = text.lines();
        lines.find_map(|line| line.strip_prefix("METHOD:").map(str::to_owned))
    });
    let method = one_line(&method.unwrap_or_default()).to_ascii_uppercase();
    let plain = !method.is_empty() && method.len() <= 30 && method.is_ascii();
    Some(if plain { method } else { "PUBLISH".to_owned() })
}

fn original_message_id(message: &Message<'_>, raw: &[u8]) -> Option<String> {
    let returned = message.parts.iter().find(|part| {
        matches!(
            media_type(part).as_str(),
            "message/rfc822" | "message/global" | "text/rfc822-headers" | "message/global-headers"
        )
    })?;
    let headers = header_text(returned, raw);
    let id = field(&headers, "message-id")?;
    parse_ids(&id).into_iter().next()
}

fn header_text(part: &MessagePart<'_>, raw: &[u8]) -> String {
    let text = bounded(&decoded_bytes(part, raw));
    let end = text.find("\n\n").unwrap_or(text.len());
    text[..end].to_owned()
}

/// Returns the text with plain line ends, cut to what a report needs.
fn bounded(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(MAX_REPORT_BYTES)];
    String::from_utf8_lossy(cut).replace("\r\n", "\n")
}

/// Returns an unfolded field of a header-like text; the name is lower case.
fn field(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((found, value)) = line.split_once(':') else {
            continue;
        };
        if !found.trim().eq_ignore_ascii_case(name) {
            continue;
        }
        let mut value = value.to_owned();
        while let Some(more) = lines.next_if(|line| line.starts_with([' ', '\t'])) {
            value.push_str(more);
        }
        return Some(one_line(&value)).filter(|value| !value.is_empty());
    }
    None
}

/// `rfc822; someone@example.com` without its type.
fn address_of(value: &str) -> String {
    let address = value.split_once(';').map_or(value, |(_, address)| address);
    address.trim().trim_matches(['<', '>']).to_owned()
}

fn first_word(value: &str) -> String {
    value
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_owned()
}

const MAX_REPORT_BYTES: usize = 64 << 10;
const MAX_RECIPIENTS: usize = 200;
