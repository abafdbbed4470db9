//! The faults of this vendor that have a name, and the answers they give.

use serde_json::{Value, json};

use super::error::ApiError;
use super::limits::too_many;

/// What a named fault does to the request it meets.
pub(crate) enum Named {
    /// Answers this instead of applying the request.
    Answer(ApiError),
    /// Answers an HTML page, as a gateway in front of the vendor does.
    Html(u16),
    /// Applies the request and cuts the connection.
    LoseResponse,
    /// Fails one input of a batch.
    PoisonInput,
    /// Breaks the sandbox itself.
    Panic,
}

/// Finds a fault by name. `retry_after` is the header some of them send.
pub(crate) fn named(name: &str, retry_after: Option<u64>) -> Option<Named> {
    let mut error = match name {
        "expire_tokens" => ApiError::new(
            401,
            "EXPIRED_AUTHENTICATION",
            "The OAuth token used to make this call expired.",
        ),
        "revoke_tokens" => ApiError::new(
            401,
            "INVALID_AUTHENTICATION",
            "Authentication credentials are not valid.",
        ),
        "missing_scopes" => ApiError::new(
            403,
            "MISSING_SCOPES",
            "The token does not have the scopes this call needs.",
        )
        .with_context(
            "requiredGranularScopes",
            vec!["crm.objects.contacts.write".to_owned()],
        ),
        "lock_record" => ApiError::new(
            423,
            "LOCKED",
            "The record is locked by another write. Try again in 2 seconds.",
        ),
        "rate_limit" => too_many("TEN_SECONDLY_ROLLING", "your ten_secondly_rolling limit"),
        "daily_limit" => too_many("DAILY", "your daily limit"),
        "account_moving" => ApiError::new(
            477,
            "MIGRATION_IN_PROGRESS",
            "This account is being moved between data centres.",
        ),
        "server_error" => ApiError::new(
            500,
            "INTERNAL_ERROR",
            "There was a problem with the request.",
        ),
        "bad_gateway" => return Some(Named::Html(502)),
        "gateway_timeout" => return Some(Named::Html(524)),
        "lose_response" => return Some(Named::LoseResponse),
        "partial_batch" => return Some(Named::PoisonInput),
        "panic" => return Some(Named::Panic),
        _ => return None,
    };
    if let Some(seconds) = retry_after {
        error = error.with_header("retry-after", seconds.to_string());
    }
    Some(Named::Answer(error))
}

impl Named {
    /// Whether the fault only meets requests that would change something.
    pub(crate) fn writes_only(name: &str) -> bool {
        matches!(name, "lock_record" | "lose_response" | "partial_batch")
    }

    /// Names of all faults, for the refusal of an unknown one.
    pub(crate) fn names() -> Value {
        json!([
            "expire_tokens",
            "revoke_tokens",
            "missing_scopes",
            "lock_record",
            "rate_limit",
            "daily_limit",
            "account_moving",
            "server_error",
            "bad_gateway",
            "gateway_timeout",
            "lose_response",
            "partial_batch",
            "panic",
        ])
    }
}
