//! A mail as HubSpot's e-mail engagement.

use nextedge_core::sink::ActivityWrite;
use nextedge_core::{Direction, Mailer};
use serde::Serialize;

use super::MAX_TEXT;
use super::objects::{Properties, moment, properties};

/// An engagement ready to be created, but for its key, its files and its associations.
#[derive(Debug)]
pub(crate) struct Engagement {
    pub(crate) properties: Properties,
}

/// Whether the account lets us write the header Message-ID.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageIdProperty {
    Writable,
    ReadOnly,
}

impl Engagement {
    /// Builds the properties of a mail; fields of the map win except over what makes it an e-mail.
    pub(crate) fn of(activity: &ActivityWrite, message_id: MessageIdProperty) -> Self {
        let draft = &activity.draft;
        let mut set = properties(&draft.fields);
        let mut put = |name: &str, value: String| set.insert(name.to_owned(), value);
        put("hs_timestamp", moment(draft.sent_at));
        put("hs_email_direction", direction(draft.direction).to_owned());
        put("hs_email_status", "SENT".to_owned());
        put("hs_email_headers", headers(activity));
        let (subject, _) = cut(&draft.subject, MAX_TEXT);
        put("hs_email_subject", subject.to_owned());
        let (text, _) = cut(&activity.text, MAX_TEXT);
        put("hs_email_text", text.to_owned());
        if let Some(html) = &activity.html {
            let (html, _) = cut_html(html, MAX_TEXT);
            put("hs_email_html", html.to_owned());
        }
        if let (MessageIdProperty::Writable, Some(id)) = (message_id, &draft.message_id) {
            put("hs_email_message_id", cut(id, MAX_TEXT).0.to_owned());
        }
        Self { properties: set }
    }

    /// What does not fit, in words; not empty means that the original must be attached.
    pub(crate) fn cuts_of(activity: &ActivityWrite) -> Vec<String> {
        let html = activity.html.as_deref().unwrap_or_default();
        let bodies = [("text body", activity.text.as_str()), ("HTML body", html)];
        let too_long = bodies
            .into_iter()
            .filter(|(_, body)| !cut(body, MAX_TEXT).1);
        too_long.map(|(what, _)| cut_note(what)).collect()
    }
}

fn cut_note(what: &str) -> String {
    format!("{what} cut at {MAX_TEXT} characters, original attached")
}

fn direction(direction: Direction) -> &'static str {
    match direction {
        Direction::Incoming => "INCOMING_EMAIL",
        Direction::Outgoing => "EMAIL",
    }
}

/// Cuts on a character boundary, counting as HubSpot does in UTF-16 units; true if all fits.
fn cut(text: &str, max: usize) -> (&str, bool) {
    if text.len() <= max {
        return (text, true);
    }
    let mut units = 0;
    for (at, c) in text.char_indices() {
        units += c.len_utf16();
        if units > max {
            return (&text[..at], false);
        }
    }
    (text, true)
}

/// Cuts HTML, never inside a tag.
fn cut_html(html: &str, max: usize) -> (&str, bool) {
    let (kept, whole) = cut(html, max);
    if whole {
        return (kept, true);
    }
    let open = kept.rfind('<');
    let closed = kept.rfind('>');
    match open {
        Some(open) if closed.is_none_or(|closed| closed < open) => (&kept[..open], false),
        _ => (kept, false),
    }
}

#[derive(Serialize)]
struct Headers {
    from: Person,
    sender: Person,
    to: Vec<Person>,
    cc: Vec<Person>,
    bcc: Vec<Person>,
}

#[derive(Serialize)]
struct Person {
    email: String,
    #[serde(rename = "firstName", skip_serializing_if = "String::is_empty")]
    first_name: String,
    #[serde(rename = "lastName", skip_serializing_if = "String::is_empty")]
    last_name: String,
}

impl Person {
    fn of(mailer: &Mailer) -> Self {
        let (name, _) = cut(&mailer.name, MAX_NAME);
        let (first, last) = match name.rsplit_once(' ') {
            Some((first, last)) => (first.trim_end(), last),
            None => (name, ""),
        };
        Self {
            email: mailer.address.as_str().to_owned(),
            first_name: first.to_owned(),
            last_name: last.to_owned(),
        }
    }
}

/// Writes the addresses as the text holding JSON that HubSpot takes.
fn headers(activity: &ActivityWrite) -> String {
    let draft = &activity.draft;
    let people = |mailers: &[Mailer]| {
        mailers
            .iter()
            .take(MAX_RECIPIENTS)
            .map(Person::of)
            .collect()
    };
    let headers = Headers {
        from: Person::of(&draft.from),
        sender: Person::of(&draft.from),
        to: people(&draft.to),
        cc: people(&draft.cc),
        bcc: Vec::new(),
    };
    serde_json::to_string(&headers).unwrap_or_default()
}

/// Recipients kept of each list, so that the headers fit into one property.
const MAX_RECIPIENTS: usize = 50;
/// Longest kept display name.
const MAX_NAME: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_fall_on_characters_and_count_utf16_units() {
        for (text, max, kept) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "abc"),
            ("ééé", 2, "éé"),
            ("😀😀", 3, "😀"),
            ("", 0, ""),
        ] {
            let (got, whole) = cut(text, max);
            assert_eq!(got, kept);
            assert_eq!(whole, kept == text);
        }
    }

    #[test]
    fn html_is_not_cut_inside_a_tag() {
        for (html, max, kept) in [
            ("<p>abc</p>", 8, "<p>abc"),
            ("<p>abc</p>", 5, "<p>ab"),
            ("<p", 1, ""),
        ] {
            assert_eq!(cut_html(html, max), (kept, false), "{html} {max}");
        }
    }
}
