//! The header fields of a mail.

use chrono::DateTime;
use mail_parser::parsers::MessageStream;
use mail_parser::{Addr, Address, HeaderValue, Message};

use crate::clock::Timestamp;
use crate::domain::{EmailAddress, Mailer};
use crate::mail::model::{Header, Mail, MailDate};
use crate::mail::words::{decode_header, decode_unnamed, join_words, one_line};

/// Reads everything that the top header block tells.
pub(super) fn read_fields(message: &Message<'_>) -> Mail {
    let raw = raw_fields(message);
    let mut mail = Mail {
        headers: raw
            .iter()
            .map(|(name, value)| Header {
                name: name.clone(),
                value: decode_header(value),
            })
            .collect(),
        ..Mail::default()
    };
    for (name, value) in &raw {
        read_field(&mut mail, name, value);
    }
    mail
}

/// Returns when the last server took the mail, by the topmost Received header.
pub fn received_at(headers: &[Header]) -> Option<Timestamp> {
    let received = headers.iter().find(|header| header.name == "received")?;
    received_date(&received.value)
}

/// Reads the date behind the last semicolon of a Received header.
pub(crate) fn received_date(value: &str) -> Option<Timestamp> {
    let (_, date) = value.rsplit_once(';')?;
    parse_date(date).map(|date| date.at)
}

/// Reads a date as mail writes it.
pub(crate) fn parse_date(text: &str) -> Option<MailDate> {
    let text = text.get(..text.floor_char_boundary(MAX_DATE_BYTES))?;
    let date = mail_parser::DateTime::parse_rfc822(&format!("{}\n", text.trim()))
        .filter(mail_parser::DateTime::is_valid)?;
    let minutes = i32::from(date.tz_hour) * 60 + i32::from(date.tz_minute);
    Some(MailDate {
        at: DateTime::from_timestamp(date.to_timestamp(), 0)?,
        utc_offset_minutes: if date.tz_before_gmt {
            -minutes
        } else {
            minutes
        },
    })
}

/// Reads the ids of a Message-ID, In-Reply-To or References header, without brackets.
pub(crate) fn parse_ids(value: &str) -> Vec<String> {
    let text = terminated(value);
    let ids = match MessageStream::new(text.as_bytes()).parse_id() {
        HeaderValue::Text(id) => vec![id.into_owned()],
        HeaderValue::TextList(ids) => ids.into_iter().map(Into::into).collect(),
        _ => Vec::new(),
    };
    let ids = ids.iter().map(|id| one_line(id));
    ids.filter(|id| !id.is_empty() && id.len() <= MAX_ID_BYTES)
        .collect()
}

/// Reads an address list; what is no address is left out.
pub(crate) fn parse_addresses(value: &str) -> Vec<Mailer> {
    let cut = &value[..value.floor_char_boundary(MAX_ADDRESS_FIELD_BYTES)];
    let text = terminated(&join_words(cut));
    let mut mailers = Vec::new();
    if let HeaderValue::Address(addresses) = MessageStream::new(text.as_bytes()).parse_address() {
        match addresses {
            Address::List(list) => mailers.extend(list.iter().filter_map(mailer)),
            Address::Group(groups) => {
                let members = groups.iter().flat_map(|group| &group.addresses);
                mailers.extend(members.filter_map(mailer));
            }
        }
    }
    mailers
}

fn mailer(addr: &Addr<'_>) -> Option<Mailer> {
    let address = EmailAddress::parse(addr.address.as_deref()?).ok()?;
    let name = one_line(addr.name.as_deref().unwrap_or_default());
    let name = name.trim_matches(['"', '\'']).trim();
    Some(Mailer {
        address,
        name: name[..name.floor_char_boundary(MAX_NAME_BYTES)].to_owned(),
    })
}

fn read_field(mail: &mut Mail, name: &str, value: &str) {
    match name {
        "message-id" if mail.message_id.is_none() => {
            mail.message_id = parse_ids(value).into_iter().next();
        }
        "in-reply-to" if mail.in_reply_to.is_empty() => mail.in_reply_to = parse_ids(value),
        "references" if mail.references.is_empty() => mail.references = parse_ids(value),
        "from" if mail.from.is_none() => mail.from = parse_addresses(value).into_iter().next(),
        "sender" if mail.sender.is_none() => {
            mail.sender = parse_addresses(value).into_iter().next();
        }
        "reply-to" => mail.reply_to.extend(parse_addresses(value)),
        "to" => mail.to.extend(parse_addresses(value)),
        "cc" => mail.cc.extend(parse_addresses(value)),
        "subject" if mail.subject.is_empty() => mail.subject = decode_header(value),
        "date" if mail.date.is_none() => mail.date = parse_date(&one_line(value)),
        _ => (),
    }
}

/// Returns every top-level field with its lower-case name and raw, still folded value.
fn raw_fields(message: &Message<'_>) -> Vec<(String, String)> {
    let Some(top) = message.parts.first() else {
        return Vec::new();
    };
    let raw = message.raw_message.as_ref();
    // The parser takes a last line without colon for a name.
    let named = |header: &&mail_parser::Header<'_>| {
        let colon = (header.offset_start as usize).checked_sub(1);
        colon.and_then(|at| raw.get(at)) == Some(&b':')
    };
    top.headers
        .iter()
        .filter(named)
        .map(|header| {
            let range = header.offset_start as usize..header.offset_end as usize;
            let value = raw.get(range).unwrap_or_default();
            let name = one_line(header.name.as_str()).to_ascii_lowercase();
            (name, decode_unnamed(value))
        })
        .collect()
}

/// The parser's field readers want the line end that closes a field, and none within.
fn terminated(value: &str) -> String {
    let mut text: String = value
        .trim()
        .chars()
        .map(|c| if c == '\n' || c == '\r' { ' ' } else { c })
        .collect();
    text.push('\n');
    text
}

/// Longer ids are no ids; they would only fill stores.
const MAX_ID_BYTES: usize = 998;
const MAX_NAME_BYTES: usize = 200;
const MAX_DATE_BYTES: usize = 100;
/// About 1,500 addresses.
const MAX_ADDRESS_FIELD_BYTES: usize = 96 << 10;
