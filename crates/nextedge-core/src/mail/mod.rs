//! From raw bytes to a read mail: guard, parse, segment; and mail that lies in files.

mod fingerprint;
mod guard;
mod html;
mod model;
mod parse;
mod parser;
mod pool;
mod segment;
mod subject;
mod words;

pub use fingerprint::fingerprint;
pub use guard::{GuardFault, GuardLimits, guard};
pub use html::{HtmlLimits, HtmlText, html_to_text, sanitise_html};
pub use model::{Attachment, Body, DeliveryReport, Header, Mail, MailDate, Role, Segment};
pub use parse::{
    ParseFault, ParseOptions, attachment_bytes, open_attachments, parse_mail, read_mail,
    received_at,
};
pub use segment::{History, segment};
pub use subject::normalise_subject;
