//! What a handler gets and what it answers.

use std::borrow::Cow;

use axum::http::Method;
use bytes::Bytes;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ApiError;

/// The API version a path named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Version {
    /// Undated `v3`.
    V3,
    /// Undated `v4` (associations).
    V4,
    /// `2026-03`.
    March2026,
    /// `2026-09`: the account's own required properties bind the API.
    September2026,
}

impl Version {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "v3" => Some(Self::V3),
            "v4" => Some(Self::V4),
            "2026-03" => Some(Self::March2026),
            "2026-09" => Some(Self::September2026),
            _ => None,
        }
    }

    /// Whether properties that the account made required bind this version.
    pub(crate) fn enforces_account_rules(self) -> bool {
        self >= Self::September2026
    }
}

/// One input of a batch that a fault makes fail.
#[derive(Clone, Debug)]
pub(crate) struct Poison {
    pub(crate) index: usize,
    pub(crate) property: String,
    /// What the refusal says; vendors may repeat what was sent.
    pub(crate) message: Option<String>,
}

/// One request, its path already split and its version named.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) parts: Vec<Part>,
    pub(crate) poison: Option<Poison>,
    /// Base URL of this server, for the links in answers.
    pub(crate) base: String,
}

/// One part of a multipart body.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) name: String,
    pub(crate) file_name: Option<String>,
    pub(crate) content_type: Option<String>,
    pub(crate) content: Bytes,
}

impl Call {
    /// Reads the JSON body as `T`, refusing wrong types and duplicate meanings with a 400.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        serde_json::from_slice(&self.body).map_err(|error| ApiError::bad_json(&error.to_string()))
    }

    pub(crate) fn query(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Reads a list parameter, given as `a,b` or repeated.
    pub(crate) fn query_list(&self, name: &str) -> Vec<String> {
        self.query
            .iter()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(','))
            .filter(|one| !one.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// Reads `limit`, refusing what is not within `1..=max`.
    pub(crate) fn limit(&self, default: usize, max: usize) -> Result<usize, ApiError> {
        let Some(text) = self.query("limit") else {
            return Ok(default);
        };
        match text.parse() {
            Ok(limit) if (1..=max).contains(&limit) => Ok(limit),
            _ => Err(ApiError::invalid(format!(
                "limit must be a number from 1 to {max}."
            ))),
        }
    }

    pub(crate) fn archived(&self) -> bool {
        self.query("archived") == Some("true")
    }
}

/// What a handler answers when it does not refuse.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Body,
    pub(crate) headers: Vec<(&'static str, String)>,
}

/// The body of a [`Reply`].
#[derive(Debug)]
pub(crate) enum Body {
    Empty,
    Json(Value),
    /// Anything else, with its content type.
    Raw(Cow<'static, str>, Bytes),
}

impl Reply {
    pub(crate) fn json(status: u16, body: Value) -> Self {
        Self {
            status,
            body: Body::Json(body),
            headers: Vec::new(),
        }
    }

    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            body: Body::Empty,
            headers: Vec::new(),
        }
    }
}

pub(crate) type Answer = Result<Reply, ApiError>;
