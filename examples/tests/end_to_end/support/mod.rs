//! What every test needs: a CRM, the program, mails.

mod bench;
mod crm;
mod mails;
mod program;
mod relay;

pub(crate) use bench::Bench;
pub(crate) use crm::{Crm, assert_same, is_write};
pub(crate) use mails::{ORDERS, mail, mail_id, orders, write_mails};
pub(crate) use program::{Run, sample_inbox, triage, try_triage};
pub(crate) use relay::Relay;
