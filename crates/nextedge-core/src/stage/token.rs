//! Our thread token: names a thread in mail that we send, so that an answer finds it again.
//!
//! A token is `ne1` and 42 letters and digits: the thread id and an 80-bit HMAC-SHA-256 over tenant
//! and thread. It stands in the local part of a Message-ID, in a plus-address or in the body. Case
//! does not matter, since mail systems change it.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::domain::{TenantId, ThreadId};

/// The secret that signs thread tokens; one for an installation.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<[u8; 32]>);

impl TokenKey {
    /// Wraps 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(…)")
    }
}

/// Makes the token of a thread.
pub fn issue(key: &TokenKey, tenant: &TenantId, thread: ThreadId) -> String {
    let mac = mac(key, tenant, thread);
    format!("{PREFIX}{}{}", encode(thread.as_bytes()), encode(&mac))
}

/// Returns the thread of a token, if we made it for this tenant.
pub fn verify(key: &TokenKey, tenant: &TenantId, token: &str) -> Option<ThreadId> {
    let token = token.trim();
    if token.len() != TOKEN_CHARS || !token.is_ascii() {
        return None;
    }
    let token = token.to_ascii_lowercase();
    let code = token.strip_prefix(PREFIX)?;
    let thread = ThreadId::from_bytes(decode(&code[..THREAD_CHARS])?.try_into().ok()?);
    let given = decode(&code[THREAD_CHARS..])?;
    let genuine: bool = mac(key, tenant, thread).ct_eq(given.as_slice()).into();
    genuine.then_some(thread)
}

/// Returns the threads of every genuine token in a text, at most eight candidates being checked.
pub fn find_all(key: &TokenKey, tenant: &TenantId, text: &str) -> Vec<ThreadId> {
    let mut threads = Vec::new();
    // The prefix ends in a digit that is rare in text, so the search seldom stops.
    let begins = text.match_indices('1').filter_map(|(at, _)| {
        let start = at.checked_sub(PREFIX.len() - 1)?;
        let prefix = text.get(start..=at)?;
        prefix.eq_ignore_ascii_case(PREFIX).then_some(start)
    });
    for at in begins.take(MAX_CANDIDATES) {
        let found = text
            .get(at..at + TOKEN_CHARS)
            .and_then(|token| verify(key, tenant, token));
        if let Some(thread) = found.filter(|thread| !threads.contains(thread)) {
            threads.push(thread);
        }
    }
    threads
}

fn mac(key: &TokenKey, tenant: &TenantId, thread: ThreadId) -> [u8; MAC_BYTES] {
    let mut short = [0; MAC_BYTES];
    // HMAC takes keys of any length, so this cannot fail; an empty MAC would verify nothing.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.0.as_slice()) else {
        return short;
    };
    mac.update(b"nextedge thread token 1");
    mac.update(&(tenant.as_str().len() as u64).to_be_bytes());
    mac.update(tenant.as_str().as_bytes());
    mac.update(thread.as_bytes());
    short.copy_from_slice(&mac.finalize().into_bytes()[..MAC_BYTES]);
    short
}

fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut held, mut bits) = (0u32, 0);
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xfff;
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(ALPHABET[(held >> bits & 31) as usize]));
        }
    }
    if bits > 0 {
        text.push(char::from(ALPHABET[(held << (5 - bits) & 31) as usize]));
    }
    text
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 5 / 8);
    let (mut held, mut bits) = (0u32, 0);
    for letter in text.bytes() {
        let value = ALPHABET.iter().position(|known| *known == letter)?;
        held = (held << 5 | u32::try_from(value).ok()?) & 0xfff;
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";
const PREFIX: &str = "ne1";
const MAC_BYTES: usize = 10;
const THREAD_CHARS: usize = 26;
const TOKEN_CHARS: usize = PREFIX.len() + THREAD_CHARS + 16;
/// A text full of prefixes costs at most this many checks.
const MAX_CANDIDATES: usize = 8;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    #[test]
    fn a_token_names_its_thread_for_its_tenant_and_key_only() {
        let (key, other) = (TokenKey::new([1; 32]), TokenKey::new([2; 32]));
        let thread = ThreadId::derive(&[b"x"]);
        let token = issue(&key, &tenant("a"), thread);
        assert_eq!(token.len(), TOKEN_CHARS);
        assert_eq!(
            verify(&key, &tenant("a"), &token.to_uppercase()),
            Some(thread)
        );
        assert_eq!(verify(&key, &tenant("b"), &token), None);
        assert_eq!(verify(&other, &tenant("a"), &token), None);
        let mut forged = token.into_bytes();
        forged[5] = if forged[5] == b'0' { b'1' } else { b'0' };
        assert_eq!(
            verify(&key, &tenant("a"), &String::from_utf8(forged).unwrap()),
            None
        );
    }

    #[test]
    fn tokens_are_found_inside_text_of_any_kind() {
        let key = TokenKey::new([1; 32]);
        let thread = ThreadId::derive(&[b"x"]);
        let token = issue(&key, &tenant("a"), thread);
        let text = format!("né ne1é ne1 ref:[{token}] {token}");
        assert_eq!(find_all(&key, &tenant("a"), &text), [thread]);
        assert!(find_all(&key, &tenant("a"), "ne1ééééééééééééééééééééééé😀").is_empty());
    }

    #[test]
    fn the_key_is_not_shown() {
        assert_eq!(format!("{:?}", TokenKey::new([7; 32])), "TokenKey(…)");
    }
}
