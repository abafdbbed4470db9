//! The pure stages between a read mail and a CRM write: no store, no clock, no network.
//!
//! In order: [`screen`](screen::screen) keeps machine mail out, [`link`](link::link) finds the
//! thread, [`decide`](decide::decide) chooses write, review or park, [`map`] renders the plan, and
//! [`resolve`](resolve::resolve) fills in what the CRM answered. Time is an argument everywhere.

pub mod assign;
pub mod authenticity;
mod cues;
pub mod decide;
pub mod extract;
pub mod link;
pub mod map;
pub mod priority;
pub mod resolve;
pub mod score;
pub mod screen;
mod text;
pub mod token;
pub mod urgency;
