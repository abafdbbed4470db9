//! Who is told about alerts.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Alert;
use crate::clock::Timestamp;
use crate::context::CallContext;
use crate::error::Result;

/// Tells people or programs about alerts, such as by a webhook.
///
/// The engine calls it from one task a notifier, one notice after the other. A notifier that fails is
/// asked again a few times; notices that wait meanwhile are bounded, and what does not fit is
/// counted. It never holds up mail.
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// Returns the constant name that metrics and errors tell, such as `webhook`.
    fn name(&self) -> &str;

    /// Tells one notice.
    ///
    /// # Errors
    ///
    /// Any; the engine tells it again unless the error's retry is `Never`.
    async fn notify(&self, cx: &CallContext, notice: &Notice) -> Result<()>;
}

/// An alert that was raised or cleared.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Notice {
    /// What happened to it.
    pub change: Change,
    /// When.
    pub at: Timestamp,
    /// The alert as it was when it changed.
    pub alert: Alert,
}

/// What happened to an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // raised once, cleared once
pub enum Change {
    /// Its condition began to hold.
    Raised,
    /// Its condition no longer holds.
    Cleared,
}

impl Change {
    /// Returns the name as written in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raised => "raised",
            Self::Cleared => "cleared",
        }
    }
}
