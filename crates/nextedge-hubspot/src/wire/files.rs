//! What a file upload says beside the bytes.

use bytes::Bytes;
use serde_json::json;

/// One file to upload; always private, because public means anyone with the URL.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    pub(crate) name: &'a str,
    pub(crate) media_type: &'a str,
    pub(crate) folder: &'a str,
    pub(crate) bytes: &'a Bytes,
    /// SHA-256 of the bytes, hexadecimal.
    pub(crate) sha256: &'a str,
}

impl Upload<'_> {
    /// Returns the options: a repeat of the same bytes gives the same file.
    pub(crate) fn options(&self) -> String {
        json!({
            "access": "PRIVATE",
            "overwrite": false,
            "duplicateValidationStrategy": "RETURN_EXISTING",
            "duplicateValidationScope": "EXACT_FOLDER",
        })
        .to_string()
    }
}
