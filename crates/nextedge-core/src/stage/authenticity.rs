//! Whether a sender is who the mail says: from the trusted Authentication-Results only.

use serde::{Deserialize, Serialize};

use crate::domain::Domain;
use crate::mail::Mail;
use crate::policy::{AuthenticityPolicy, Treatment};
use crate::source::Origin;

/// What the mailbox's own server found out about a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(clippy::exhaustive_enums)] // policies must treat each
pub enum Verdict {
    /// The domain of the From address vouches for the mail.
    Pass,
    /// It does not: the sender may be forged.
    Fail,
    /// No trusted result.
    Absent,
}

/// A verdict, and how the policy treats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Authenticity {
    /// What the mailbox's own server found.
    pub verdict: Verdict,
    /// What the policy does with it.
    pub treatment: Treatment,
}

impl Authenticity {
    /// Tells whether such mail may join a thread: never if the check failed.
    pub fn may_join(self) -> bool {
        self.verdict != Verdict::Fail && self.treatment == Treatment::Trust
    }
}

/// Judges a mail of one mailbox by the tenant's policy.
pub fn judge(
    mail: &Mail,
    mailbox: &str,
    origin: Origin,
    policy: &AuthenticityPolicy,
) -> Authenticity {
    let own = policy.trusted.get(mailbox).into_iter().flatten();
    let any = policy.trusted.get("*").into_iter().flatten();
    let trusted: Vec<&str> = own.chain(any).map(String::as_str).collect();
    let verdict = verdict(mail, &trusted);
    let treatment = match (verdict, origin) {
        (Verdict::Pass, _) => policy.pass,
        (Verdict::Fail, _) => policy.fail,
        (Verdict::Absent, Origin::File) => policy.absent_in_files,
        (Verdict::Absent, Origin::Live) => policy.absent_live,
    };
    Authenticity { verdict, treatment }
}

/// Reads the topmost Authentication-Results if a trusted server wrote it.
///
/// Only the topmost counts: everything below it may come from the sender.
pub fn verdict(mail: &Mail, trusted: &[&str]) -> Verdict {
    let Some(value) = mail.header("authentication-results") else {
        return Verdict::Absent;
    };
    let plain = without_comments(value);
    let mut parts = plain.split(';');
    let server = parts.next().and_then(|part| part.split_whitespace().next());
    let is_trusted = server.is_some_and(|server| {
        trusted
            .iter()
            .any(|known| known.eq_ignore_ascii_case(server))
    });
    if !is_trusted {
        return Verdict::Absent;
    }
    let from = mail.from.as_ref().map(|from| from.address.domain());
    let checks: Vec<Check> = parts
        .filter_map(|part| Check::read(part, from.as_ref()))
        .collect();
    weigh(&checks)
}

fn weigh(checks: &[Check]) -> Verdict {
    let of = |method| checks.iter().filter(move |check| check.method == method);
    if let Some(dmarc) = of(Method::Dmarc).find(|check| check.result != Ending::Neutral) {
        return match dmarc.result {
            Ending::Pass if dmarc.aligned => Verdict::Pass,
            _ => Verdict::Fail,
        };
    }
    let aligned_pass = |check: &Check| check.result == Ending::Pass && check.aligned;
    if of(Method::Dkim).chain(of(Method::Spf)).any(aligned_pass) {
        return Verdict::Pass;
    }
    if of(Method::Spf).any(|check| check.result == Ending::Fail) {
        return Verdict::Fail;
    }
    Verdict::Absent
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Method {
    Dmarc,
    Dkim,
    Spf,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Pass,
    Fail,
    Neutral,
}

struct Check {
    method: Method,
    result: Ending,
    /// The domain that was checked is that of the From address.
    aligned: bool,
}

impl Check {
    fn read(part: &str, from: Option<&Domain>) -> Option<Self> {
        let mut words = part.split_whitespace();
        let (method, result) = words.next()?.split_once('=')?;
        let (method, property) = match method.to_ascii_lowercase().as_str() {
            "dmarc" => (Method::Dmarc, "header.from"),
            "dkim" => (Method::Dkim, "header.d"),
            "spf" => (Method::Spf, "smtp.mailfrom"),
            _ => return None,
        };
        let result = match result.to_ascii_lowercase().as_str() {
            "pass" => Ending::Pass,
            "fail" | "softfail" | "permerror" | "hardfail" => Ending::Fail,
            _ => Ending::Neutral,
        };
        let value = words.find_map(|word| {
            let (name, value) = word.split_once('=')?;
            name.eq_ignore_ascii_case(property).then_some(value)
        });
        let aligned = match value {
            // A DMARC result is about the From address even where the server leaves it out.
            None => method == Method::Dmarc,
            Some(value) => is_aligned(value, from),
        };
        Some(Self {
            method,
            result,
            aligned,
        })
    }
}

fn is_aligned(value: &str, from: Option<&Domain>) -> bool {
    let name = value
        .trim_matches('"')
        .rsplit('@')
        .next()
        .unwrap_or_default();
    match (Domain::parse(name), from) {
        (Ok(checked), Some(from)) => checked.registrable() == from.registrable(),
        _ => false,
    }
}

/// Leaves out comments, which hold text of the sender's choice.
fn without_comments(value: &str) -> String {
    let mut plain = String::with_capacity(value.len());
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for c in value.chars() {
        let plain_char = !std::mem::take(&mut escaped);
        match c {
            '\\' if plain_char && (quoted || depth > 0) => escaped = true,
            '"' if plain_char && depth == 0 => quoted = !quoted,
            '(' if plain_char && !quoted => depth += 1,
            ')' if plain_char && !quoted && depth > 0 => depth -= 1,
            _ if quoted && (c == ';' || c.is_whitespace()) => plain.push('_'),
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::domain::{EmailAddress, Mailer};
    use crate::mail::Header;

    fn mail(results: &[&str]) -> Mail {
        let address = EmailAddress::parse("ada@mail.example.com").unwrap();
        Mail {
            from: Some(Mailer {
                address,
                name: String::new(),
            }),
            headers: results
                .iter()
                .map(|value| Header {
                    name: "authentication-results".to_owned(),
                    value: (*value).to_owned(),
                })
                .collect(),
            ..Mail::default()
        }
    }

    #[test]
    fn only_the_topmost_trusted_result_counts() {
        use Verdict::{Absent, Fail, Pass};
        let table: &[(&[&str], Verdict)] = &[
            (&[], Absent),
            (&["mx.us; dmarc=pass header.from=example.com"], Pass),
            (
                &["MX.us 1; dmarc=pass (p=none) header.from=mail.example.com"],
                Pass,
            ),
            (&["mx.us; dmarc=pass header.from=other.com"], Fail),
            (
                &["mx.us; dmarc=fail (p=none) header.from=example.com"],
                Fail,
            ),
            (
                &["mx.us; spf=pass smtp.mailfrom=x@evil.com; dmarc=fail"],
                Fail,
            ),
            (&["evil; dmarc=pass", "mx.us; dmarc=pass"], Absent),
            (&["mx.us; dmarc=fail", "mx.us; dmarc=pass"], Fail),
            (&["mx.us; dkim=pass header.d=example.com"], Pass),
            (&["mx.us; dkim=pass header.d=evil.com"], Absent),
            (&["mx.us; spf=softfail smtp.mailfrom=a@example.com"], Fail),
            (&["mx.us; dmarc=temperror; dkim=none"], Absent),
            (
                &["mx.us; spf=none (x; dmarc=pass header.from=example.com)"],
                Absent,
            ),
            (
                &["mx.us; spf=none reason=\"x; dmarc=pass header.from=example.com\""],
                Absent,
            ),
            (
                &["mx.us; dkim=pass reason=\"x header.d=example.com\" header.d=evil.com"],
                Absent,
            ),
            (&["mx.us; none"], Absent),
            (&["mx.us.evil.com; dmarc=pass"], Absent),
        ];
        for (results, expected) in table {
            assert_eq!(
                verdict(&mail(results), &["mx.us"]),
                *expected,
                "{results:?}"
            );
        }
    }

    #[test]
    fn a_failed_check_never_joins_whatever_the_policy_says() {
        let policy = AuthenticityPolicy {
            trusted: [("*".to_owned(), vec!["mx.us".to_owned()])].into(),
            fail: Treatment::Trust,
            ..AuthenticityPolicy::default()
        };
        let judged = judge(
            &mail(&["mx.us; dmarc=fail"]),
            "us@us.example",
            Origin::Live,
            &policy,
        );
        assert!(!judged.may_join());
        let absent = judge(&mail(&[]), "us@us.example", Origin::File, &policy);
        assert!(absent.may_join());
        let live = judge(&mail(&[]), "us@us.example", Origin::Live, &policy);
        assert_eq!(live.treatment, Treatment::Review);
    }
}
