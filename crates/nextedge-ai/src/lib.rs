//! Classifiers for NextEdge: which of five categories a mail has, how sure that is, and why.
//!
//! [`OfflineClassifier`] is a small calibrated model that is part of this crate: no network, no
//! key, no download. [`RulesClassifier`] counts well-known phrases and is never sure.
//! [`ClassifierChain`] asks several classifiers in order and says when the first gave no answer.
//!
//! | module | what it holds |
//! |---|---|
//! | [`text`], [`features`] | words and features of a mail, the same on every machine |
//! | [`model`], [`weights`] | the linear model, its calibration, its file |
//! | [`dataset`], [`metrics`] | labelled mails and what answers to them are worth |
//!
//! The program `train` makes the weights file; `docs/offline-model.md` of this crate reports what
//! it measured.

mod chain;
pub mod dataset;
pub mod features;
mod lexicon;
pub mod metrics;
pub mod model;
mod offline;
mod rules;
pub mod text;
pub mod weights;

pub use chain::{ChainOptions, ClassifierChain};
pub use offline::OfflineClassifier;
pub use rules::{RULES_CAP, RulesClassifier};
