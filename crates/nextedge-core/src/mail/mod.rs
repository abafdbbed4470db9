//! From raw bytes to a read mail: guard, parse, segment; and mail that lies in files.
//!
//! [`read_mail`] (or [`parse_mail`], blocking) turns raw bytes into a [`Mail`]: the [`guard`]
//! refuses what could exhaust stack, memory or time, the parser decodes, [`segment`] tells new text
//! from quotes, signatures, disclaimers and forwards. [`fingerprint`] recognises a mail seen twice,
//! [`unwrap_forward`] finds the real sender of an agent's forward, [`normalise_subject`] makes
//! subjects comparable.
//!
//! [`FileSource`] serves mbox files, Maildirs, folders of `.eml` and gzip of these;
//! [`MemorySource`] serves tests and demos.

mod fingerprint;
mod forward;
mod guard;
mod html;
mod memory_source;
mod model;
mod parse;
mod parser;
mod pool;
mod segment;
mod source;
mod subject;
mod words;
mod work;

pub use fingerprint::fingerprint;
pub use forward::{Unwrapped, unwrap_forward};
pub use guard::{GuardFault, GuardLimits, guard};
pub use html::{HtmlLimits, HtmlText, html_to_text, sanitise_html};
pub use memory_source::{MemoryMail, MemorySource};
pub use model::{Attachment, Body, DeliveryReport, Header, Mail, MailDate, Role, Segment};
pub use parse::{
    OpenedMail, ParseFault, ParseOptions, attachment_bytes, open_attachments, open_mail,
    parse_mail, read_mail, received_at,
};
pub(crate) use pool::run as on_reading_thread;
pub use segment::{History, segment};
pub use source::{FileOptions, FileSource};
pub use subject::normalise_subject;
#[doc(hidden)]
pub use work::work_done;
