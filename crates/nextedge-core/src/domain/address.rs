//! Mail addresses and the parties behind them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// Longest accepted address, in bytes (RFC 5321 section 4.5.3.1: 64 + 1 + 255).
const MAX_ADDRESS_BYTES: usize = 320;

/// A mail address, lower-cased, with exactly one local part and one domain.
///
/// ```
/// use nextedge_core::EmailAddress;
///
/// let address = EmailAddress::parse(" Ada@Example.COM ")?;
/// assert_eq!(address.as_str(), "ada@example.com");
/// assert_eq!(address.domain().as_str(), "example.com");
/// # Ok::<(), nextedge_core::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EmailAddress(Arc<str>);

impl EmailAddress {
    /// Trims, lower-cases and checks an address.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] without the text itself, which may come from a hostile mail.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let fault = match text.rsplit_once('@') {
            _ if text.len() > MAX_ADDRESS_BYTES => "longer than 320 bytes",
            None => "has no @",
            Some((local, _)) if local.is_empty() || local.contains('@') => "local part is broken",
            Some((_, domain)) if !is_domain(domain) => "domain is broken",
            Some(_) if text.chars().any(|c| c.is_control() || c.is_whitespace()) => {
                "holds white space"
            }
            Some(_) => return Ok(Self(text.to_lowercase().into())),
        };
        Err(Error::new(ErrorKind::Invalid, "mail address refused").with_context("fault", fault))
    }

    /// Returns the whole address.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the part before the last `@`.
    pub fn local(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(local, _)| local)
    }

    /// Returns the domain after the last `@`.
    pub fn domain(&self) -> Domain {
        Domain(
            self.0
                .rsplit_once('@')
                .map_or("", |(_, domain)| domain)
                .into(),
        )
    }
}

fn is_domain(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.starts_with('.')
        && !text.ends_with('.')
        && !text.contains("..")
        && text
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':'))
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EmailAddress {
    /// Shows the domain only: addresses stay out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EmailAddress(…@{})", self.domain().as_str())
    }
}

impl TryFrom<String> for EmailAddress {
    type Error = Error;
    fn try_from(text: String) -> Result<Self> {
        Self::parse(&text)
    }
}

impl From<EmailAddress> for String {
    fn from(address: EmailAddress) -> Self {
        address.0.as_ref().to_owned()
    }
}

/// A lower-cased mail domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Domain(Arc<str>);

impl Domain {
    /// Lower-cases and checks a domain.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`] if it is empty, too long or holds other characters.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim().to_lowercase();
        if is_domain(&text) {
            return Ok(Self(text.into()));
        }
        Err(Error::new(ErrorKind::Invalid, "mail domain refused"))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the registrable domain by the public-suffix list: `example.co.uk` of `eu.example.co.uk`.
    pub fn registrable(&self) -> Domain {
        psl::domain_str(&self.0).map_or_else(|| self.clone(), |domain| Self(domain.into()))
    }

    /// Tells whether the domain belongs to a free-mail provider, so that it names no company.
    pub fn is_free_mail(&self) -> bool {
        let name = self.registrable();
        let label = name.0.split('.').next().unwrap_or_default();
        FREE_MAIL_DOMAINS.contains(&name.as_str()) || FREE_MAIL_LABELS.contains(&label)
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An address with the name its mail gives it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mailer {
    /// The address.
    pub address: EmailAddress,
    /// The display name, decoded, trimmed, without control characters; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
}

/// What identifies a correspondent in a CRM: an address, or a company's registrable domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartyKey {
    /// A person by mail address.
    Address(EmailAddress),
    /// A company by registrable domain; never a free-mail domain.
    Company(Domain),
}

impl PartyKey {
    /// Returns the parties behind an address: the person, and the company unless it is free mail.
    pub fn of(address: &EmailAddress) -> Vec<PartyKey> {
        let domain = address.domain();
        let mut keys = vec![Self::Address(address.clone())];
        if !domain.is_free_mail() {
            keys.push(Self::Company(domain.registrable()));
        }
        keys
    }

    /// Returns the text a store keeps: `a:` + address or `c:` + domain.
    pub fn as_key(&self) -> String {
        match self {
            Self::Address(address) => format!("a:{address}"),
            Self::Company(domain) => format!("c:{domain}"),
        }
    }
}

/// Free-mail providers with one spelling.
const FREE_MAIL_DOMAINS: &[&str] = &[
    "aol.com",
    "bigpond.com",
    "bluewin.ch",
    "bt.com",
    "btinternet.com",
    "comcast.net",
    "cox.net",
    "duck.com",
    "email.it",
    "fastmail.com",
    "foxmail.com",
    "free.fr",
    "freemail.hu",
    "freenet.de",
    "gmail.com",
    "googlemail.com",
    "hey.com",
    "home.nl",
    "icloud.com",
    "inbox.lv",
    "interia.pl",
    "kpnmail.nl",
    "laposte.net",
    "libero.it",
    "mac.com",
    "mail.com",
    "mail.ru",
    "me.com",
    "msn.com",
    "naver.com",
    "neuf.fr",
    "o2.pl",
    "onet.pl",
    "orange.fr",
    "pm.me",
    "proton.me",
    "protonmail.com",
    "qq.com",
    "rediffmail.com",
    "rocketmail.com",
    "sapo.pt",
    "seznam.cz",
    "sfr.fr",
    "sky.com",
    "skynet.be",
    "t-online.de",
    "telenet.be",
    "terra.com.br",
    "tiscali.it",
    "tuta.com",
    "tutanota.com",
    "uol.com.br",
    "verizon.net",
    "virgilio.it",
    "virginmedia.com",
    "wanadoo.fr",
    "web.de",
    "wp.pl",
    "xs4all.nl",
    "ya.ru",
    "ymail.com",
    "ziggo.nl",
    "zoho.com",
    "126.com",
    "163.com",
    "docomo.ne.jp",
    "ezweb.ne.jp",
    "softbank.ne.jp",
    "att.net",
];

/// Free-mail providers that use one name under many country endings.
const FREE_MAIL_LABELS: &[&str] = &[
    "yahoo", "hotmail", "outlook", "live", "gmx", "yandex", "alice", "zohomail",
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn broken_addresses_are_refused() {
        for bad in [
            "", "a", "@b.c", "a@", "a@b@c.d", "a b@c.d", "a@b..c", "a@.b", "a@b\n.c",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn free_mail_names_no_company() {
        for (address, parties) in [
            ("x@gmail.com", 1),
            ("x@yahoo.co.uk", 1),
            ("x@outlook.com.br", 1),
            ("x@mail.acme.co.uk", 2),
            ("x@yahooligans.example", 2),
        ] {
            let keys = PartyKey::of(&EmailAddress::parse(address).unwrap());
            assert_eq!(keys.len(), parties, "{address}");
        }
        let keys = PartyKey::of(&EmailAddress::parse("x@mail.acme.co.uk").unwrap());
        assert_eq!(keys[1].as_key(), "c:acme.co.uk");
    }

    #[test]
    fn debug_hides_the_local_part() {
        let address = EmailAddress::parse("ada@example.com").unwrap();
        assert!(!format!("{address:?}").contains("ada"));
    }
}
