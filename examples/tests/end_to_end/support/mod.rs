//! What every test needs: a CRM, the program, mails.
#![allow(dead_code, unused_imports)]

mod crm;
mod mails;
mod program;
mod relay;

pub(crate) use crm::{Crm, assert_same, is_write};
pub(crate) use mails::{ORDERS, mail, mail_id, orders, write_mails};
pub(crate) use program::{Run, sample_inbox, triage, try_triage};
pub(crate) use relay::Relay;
