//! What a mail is about, how sure we are, and how much it hurries.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// What a mail means for the CRM.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[allow(clippy::exhaustive_enums)] // five categories are the product; a sixth would be a new major version
pub enum Category {
    /// Somebody without a deal shows interest.
    Lead,
    /// A user or customer needs something fixed, answered, refunded or corrected.
    Case,
    /// The purpose is data about a person or company.
    Contact,
    /// A concrete deal moves.
    Opportunity,
    /// Nothing for a CRM.
    None,
}

impl Category {
    /// All five, in the order of [`Distribution`].
    pub const ALL: [Category; 5] = [
        Self::Lead,
        Self::Case,
        Self::Contact,
        Self::Opportunity,
        Self::None,
    ];

    /// Returns the name as written in policies and data files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lead => "Lead",
            Self::Case => "Case",
            Self::Contact => "Contact",
            Self::Opportunity => "Opportunity",
            Self::None => "None",
        }
    }

    fn index(self) -> usize {
        self as usize
    }
}

impl fmt::Display for Category {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Category {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL
            .into_iter()
            .find(|c| c.as_str().eq_ignore_ascii_case(text.trim()));
        found.ok_or_else(|| {
            Error::new(ErrorKind::Invalid, "unknown category")
                .with_action("use Lead, Case, Contact, Opportunity or None")
        })
    }
}

/// A calibrated probability between 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Confidence(f64);

impl Confidence {
    /// The default confidence from which mail is written without a person.
    pub const WRITE: Self = Self(0.80);
    /// The default confidence below which rules propose the category.
    pub const FLOOR: Self = Self(0.75);
    /// What a person or an explicit rule decided.
    pub const CERTAIN: Self = Self(1.0);
    /// What nobody answered.
    pub const UNKNOWN: Self = Self(0.0);

    /// Checks and wraps a number between 0 and 1.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] for anything else, NaN included.
    pub fn new(value: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&value) {
            return Ok(Self(value));
        }
        Err(Error::new(ErrorKind::Invalid, "confidence refused")
            .with_context("value", value)
            .with_action("use a number between 0 and 1"))
    }

    /// Returns the number.
    pub fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = Error;
    fn try_from(value: f64) -> Result<Self> {
        Self::new(value)
    }
}

impl From<Confidence> for f64 {
    fn from(confidence: Confidence) -> Self {
        confidence.0
    }
}

/// Calibrated probabilities of the five categories; they sum to 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[f64; 5]", into = "[f64; 5]")]
pub struct Distribution([f64; 5]);

impl Distribution {
    /// Normalises five weights, in the order of [`Category::ALL`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if one is negative or not finite, or all are 0.
    pub fn new(weights: [f64; 5]) -> Result<Self> {
        let sum: f64 = weights.iter().sum();
        if weights.iter().any(|w| !w.is_finite() || *w < 0.0) || !sum.is_finite() || sum <= 0.0 {
            return Err(Error::new(ErrorKind::Invalid, "distribution refused")
                .with_action("give five finite weights of 0 or more, not all 0"));
        }
        Ok(Self(weights.map(|w| w / sum)))
    }

    /// Returns the probability of a category.
    pub fn of(&self, category: Category) -> f64 {
        self.0[category.index()]
    }

    /// Returns the likeliest category; the earlier of [`Category::ALL`] wins a tie.
    pub fn top(&self) -> (Category, Confidence) {
        let mut best = Category::Lead;
        for category in Category::ALL {
            if self.of(category) > self.of(best) {
                best = category;
            }
        }
        (best, Confidence(self.of(best).clamp(0.0, 1.0)))
    }
}

impl TryFrom<[f64; 5]> for Distribution {
    type Error = Error;
    fn try_from(weights: [f64; 5]) -> Result<Self> {
        Self::new(weights)
    }
}

impl From<Distribution> for [f64; 5] {
    fn from(distribution: Distribution) -> Self {
        distribution.0
    }
}

/// How much a mail hurries, by its text alone.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a scale, fixed by the training data
pub enum Urgency {
    /// Nothing is asked.
    None,
    /// Can wait for days.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// Wants an answer today.
    High,
    /// Something is down, or a deadline ends within hours.
    Critical,
}

impl Urgency {
    /// All five, rising.
    pub const ALL: [Urgency; 5] = [
        Self::None,
        Self::Low,
        Self::Normal,
        Self::High,
        Self::Critical,
    ];

    /// Returns the name as written in policies and data files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The CRM-neutral priority of a record; each sink maps it to its own values.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // a scale; sinks match on all of it
pub enum Priority {
    /// Below the usual.
    Low,
    /// The usual.
    #[default]
    Medium,
    /// Above the usual.
    High,
    /// Now.
    Urgent,
}

impl Priority {
    /// Returns the name as written in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Urgent => "urgent",
        }
    }

    /// Returns the next higher priority; `Urgent` stays.
    #[must_use]
    pub fn raised(self) -> Self {
        match self {
            Self::Low => Self::Medium,
            Self::Medium => Self::High,
            Self::High | Self::Urgent => Self::Urgent,
        }
    }
}

/// The band of a lead score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // three bands are the product
pub enum Band {
    /// Call today.
    Hot,
    /// Follow up.
    Warm,
    /// Keep.
    Cold,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn distribution_is_normalised_and_refuses_nonsense() {
        let d = Distribution::new([2.0, 1.0, 1.0, 0.0, 0.0]).unwrap();
        assert_eq!(d.top(), (Category::Lead, Confidence(0.5)));
        for bad in [
            [0.0; 5],
            [-1.0, 2.0, 0.0, 0.0, 0.0],
            [f64::NAN, 1.0, 0.0, 0.0, 0.0],
        ] {
            assert!(Distribution::new(bad).is_err());
        }
    }

    #[test]
    fn confidence_refuses_what_is_no_probability() {
        for bad in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert!(Confidence::new(bad).is_err());
        }
    }
}
