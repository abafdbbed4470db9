//! From raw bytes to a read mail: guard, parse, segment; and mail that lies in files.

mod model;

pub use model::{Attachment, Body, DeliveryReport, Header, Mail, MailDate, Role, Segment};
