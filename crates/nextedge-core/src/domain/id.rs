//! Identifiers: short, cheap to clone, impossible to mix up.
//!
//! Ids that people or vendors choose ([`TenantId`], [`ConnectionId`], …) hold text of 1 to 255 bytes
//! without control characters. Ids that we derive ([`MessageUid`], [`ThreadId`]) are 128 bits of a
//! SHA-256, so the same mail in the same mailbox has the same id on every store and in every run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, ErrorKind, Result};

/// Longest accepted text id, in bytes.
pub const MAX_ID_BYTES: usize = 255;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks and wraps a text: 1 to 255 bytes, no control characters.
            ///
            /// # Errors
            ///
            /// [`ErrorKind::Invalid`] naming the kind of id and what is wrong with it.
            pub fn new(text: impl AsRef<str>) -> Result<Self> {
                check_text(stringify!($name), text.as_ref()).map(|()| Self(text.as_ref().into()))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Wraps a name of our own, known to be valid.
            #[allow(dead_code)] // not every kind of id needs one
            pub(crate) fn fixed(name: &'static str) -> Self {
                Self(name.into())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), &self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                Self::new(text)
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                Self::new(text)
            }
        }
    };
}

text_id! {
    /// One customer of the embedding service; every store call names it.
    TenantId
}
text_id! {
    /// One authorised account at a vendor, unique within its tenant.
    ConnectionId
}
text_id! {
    /// One mailbox that is read through a source connection, unique within its tenant.
    MailboxId
}
text_id! {
    /// The id a mail source gives a message; unique within its mailbox.
    ProviderId
}
text_id! {
    /// The id a CRM gives a record; unique within its kind and account.
    RecordId
}

fn check_text(kind: &'static str, text: &str) -> Result<()> {
    let fault = if text.is_empty() {
        "is empty"
    } else if text.len() > MAX_ID_BYTES {
        "is longer than 255 bytes"
    } else if text.chars().any(char::is_control) {
        "holds a control character"
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::Invalid, "id refused")
        .with_context("id", kind)
        .with_context("fault", fault)
        .with_action("use 1 to 255 bytes of text without control characters"))
}

macro_rules! hash_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 16]);

        impl $name {
            /// Wraps the 16 bytes that a store kept.
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// Returns the 16 bytes for a store to keep.
            pub fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// Hashes the parts; a length before each part keeps `("ab","c")` and `("a","bc")` apart.
            pub fn derive(parts: &[&[u8]]) -> Self {
                let mut hash = Sha256::new();
                for part in parts {
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part);
                }
                let mut bytes = [0; 16];
                bytes.copy_from_slice(&hash.finalize()[..16]);
                Self(bytes)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl std::str::FromStr for $name {
            type Err = Error;
            fn from_str(text: &str) -> Result<Self> {
                parse_hex(text).map(Self).ok_or_else(|| {
                    Error::new(ErrorKind::Invalid, "id refused")
                        .with_context("id", stringify!($name))
                        .with_action("give 32 hexadecimal digits")
                })
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;
            fn try_from(text: String) -> Result<Self> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

hash_id! {
    /// Our id of one sighting: derived from tenant, mailbox and the source's message id.
    MessageUid
}
hash_id! {
    /// Our id of a thread: derived from the message that founded it.
    ThreadId
}
hash_id! {
    /// Our id of a review item: derived from the message that opened it.
    ReviewId
}
hash_id! {
    /// Random token of one claim; every later write of that claim is fenced by it.
    LeaseToken
}
hash_id! {
    /// Keyed hash of what a mail says; the same mail seen twice has the same fingerprint.
    Fingerprint
}

impl MessageUid {
    /// Derives the id of a message from its key, so that seeing it again yields the same id.
    pub fn of(tenant: &TenantId, mailbox: &MailboxId, provider_id: &ProviderId) -> Self {
        Self::derive(&[
            b"message",
            tenant.as_str().as_bytes(),
            mailbox.as_str().as_bytes(),
            provider_id.as_str().as_bytes(),
        ])
    }
}

impl ThreadId {
    /// Derives the id of the thread that this message founds.
    pub fn founded_by(message: MessageUid) -> Self {
        Self::derive(&[b"thread", message.as_bytes()])
    }
}

impl ReviewId {
    /// Derives the id of the review item that this message opens.
    pub fn opened_by(message: MessageUid) -> Self {
        Self::derive(&[b"review", message.as_bytes()])
    }
}

impl LeaseToken {
    /// Draws a fresh token from the operating system's randomness.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unexpected`] if the operating system gives no randomness.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes).map_err(|_| {
            Error::new(
                ErrorKind::Unexpected,
                "the operating system gave no randomness",
            )
        })?;
        Ok(Self(bytes))
    }
}

fn parse_hex(text: &str) -> Option<[u8; 16]> {
    if text.len() != 32 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 16];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[index * 2..index * 2 + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_ids_refuse_what_a_key_cannot_hold() {
        for bad in ["", "a\nb", "\u{0}", &"x".repeat(256)] {
            assert!(TenantId::new(bad).is_err(), "{bad:?}");
        }
        assert_eq!(TenantId::new("acme").unwrap().as_str(), "acme");
    }

    #[test]
    fn message_uid_depends_on_every_part_and_on_their_borders() {
        let uid = |t: &str, m: &str, p: &str| {
            MessageUid::of(
                &TenantId::new(t).unwrap(),
                &MailboxId::new(m).unwrap(),
                &ProviderId::new(p).unwrap(),
            )
        };
        assert_eq!(uid("a", "b", "c"), uid("a", "b", "c"));
        assert_ne!(uid("a", "b", "c"), uid("ab", "b", "c"));
        assert_ne!(uid("a", "bc", "d"), uid("ab", "c", "d"));
    }

    #[test]
    fn hash_ids_survive_text() {
        let id = MessageUid::derive(&[b"x"]);
        assert_eq!(id.to_string().parse::<MessageUid>().unwrap(), id);
        assert!("zz".parse::<MessageUid>().is_err());
    }
}
