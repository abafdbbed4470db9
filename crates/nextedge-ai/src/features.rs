//! Turns a mail into numbered features: pure, deterministic, the same on every machine.
//!
//! Features are hashed with FNV-1a into [`BUCKETS`] buckets, so no dictionary of people's words is
//! shipped. Four *families* are kept apart, because a mail has hundreds of words but few facts:
//! words and pairs of words, parts of words, concepts of the lexicon, and facts beside the text.
//! The language is left out on purpose: in the training data it would tell the author, not the
//! category.

use std::hash::Hasher;
use std::ops::Range;

use nextedge_core::classify::{ClassifyRequest, Signals};
use nextedge_core::{EmailAddress, Urgency};

use crate::lexicon::{Fnv, Found, Lexicon};
use crate::rules;
use crate::text::{Field, Token, Tokens};

/// Number of buckets that features are hashed into.
pub const BUCKETS: usize = 1 << 17;

/// Number of feature families.
pub const FAMILIES: usize = 4;

/// Grows with every change of what is extracted; weights made for another number are refused.
pub const FEATURE_VERSION: u16 = 1;

/// The parts of a mail that features are made of.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct MailView<'a> {
    /// The decoded subject.
    pub subject: &'a str,
    /// The new text, without quoted history.
    pub body: &'a str,
    /// Who wrote it, if known.
    pub sender: Option<&'a EmailAddress>,
    /// Facts beside the text.
    pub signals: Signals,
}

impl<'a> MailView<'a> {
    /// Views a mail of which only texts and sender are known.
    #[must_use]
    pub fn new(subject: &'a str, body: &'a str, sender: Option<&'a EmailAddress>) -> Self {
        Self {
            subject,
            body,
            sender,
            signals: Signals::default(),
        }
    }

    /// Adds the facts beside the text.
    #[must_use]
    pub fn with_signals(mut self, signals: Signals) -> Self {
        self.signals = signals;
        self
    }
}

impl<'a> From<&'a ClassifyRequest> for MailView<'a> {
    fn from(request: &'a ClassifyRequest) -> Self {
        Self {
            subject: &request.subject,
            body: &request.text,
            sender: request.sender.as_ref(),
            signals: request.signals,
        }
    }
}

/// What kind of thing a feature is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(
    clippy::exhaustive_enums,
    reason = "the weights' layout fixes the four families"
)]
pub enum Family {
    /// A word or a pair of words.
    Words,
    /// A part of a word.
    Parts,
    /// A concept of the lexicon.
    Concepts,
    /// A fact beside the text.
    Facts,
}

/// One feature of a mail and the tokens it came from; facts have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feature {
    /// Which bucket, below [`BUCKETS`].
    pub bucket: u32,
    /// Which family.
    pub family: Family,
    /// Which tokens of [`Features::tokens`].
    pub tokens: Range<u32>,
}

/// All features of one mail; each bucket stands at most once.
#[derive(Debug)]
pub struct Features {
    tokens: Tokens,
    list: Vec<Feature>,
    spoken_urgency: Urgency,
}

impl Features {
    /// Extracts the features of a mail.
    #[must_use]
    pub fn of(mail: &MailView<'_>) -> Self {
        let tokens = Tokens::of(mail.subject, mail.body);
        let mut builder = Builder::default();
        builder.words(&tokens);
        let found = Lexicon::shared().find(&tokens);
        builder.concepts(&found, &tokens);
        builder.facts(mail, &tokens);
        Self {
            tokens,
            list: builder.list,
            spoken_urgency: rules::urgency(&rules::names(&found)),
        }
    }

    /// The tokens that features point at.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.tokens
    }

    /// The urgency that the words say outright, such as "at once" or "production stopped".
    #[must_use]
    pub fn spoken_urgency(&self) -> Urgency {
        self.spoken_urgency
    }

    /// The features, in order of extraction.
    #[must_use]
    pub fn list(&self) -> &[Feature] {
        &self.list
    }

    /// The factor each family is multiplied by: long mails do not shout louder than short ones.
    #[must_use]
    pub fn scales(&self) -> [f32; FAMILIES] {
        let mut counts = [0_u16; FAMILIES];
        for feature in &self.list {
            counts[feature.family as usize] += 1;
        }
        let mut scales = FAMILY_WEIGHT;
        for (scale, (count, flat)) in scales.iter_mut().zip(counts.iter().zip(FAMILY_FLOOR)) {
            *scale /= f32::from(*count).max(flat).sqrt();
        }
        scales
    }
}

struct Builder {
    seen: Vec<u64>,
    list: Vec<Feature>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            seen: vec![0; BUCKETS / 64],
            list: Vec::with_capacity(1024),
        }
    }
}

impl Builder {
    /// Adds a feature unless its bucket is taken; tells whether it was new.
    fn add(&mut self, hash: u64, family: Family, tokens: Range<usize>) -> bool {
        let bucket = (hash ^ (hash >> 32)) as usize % BUCKETS;
        let (word, bit) = (bucket / 64, 1_u64 << (bucket % 64));
        if self.seen[word] & bit != 0 {
            return false;
        }
        self.seen[word] |= bit;
        self.list.push(Feature {
            bucket: bucket as u32,
            family,
            tokens: tokens.start as u32..tokens.end as u32,
        });
        true
    }

    fn words(&mut self, tokens: &Tokens) {
        let mut previous: Option<&Token> = None;
        for (at, token) in tokens.list().iter().enumerate() {
            let word = tokens.norm(token);
            if self.add(hash("w", &[word]), Family::Words, at..at + 1) && word.len() > 3 {
                self.parts(word, at);
            }
            if token.field() == Field::Subject {
                self.add(hash("s", &[word]), Family::Words, at..at + 1);
            }
            let before = previous.filter(|p| p.field() == token.field());
            if let Some(before) = before {
                self.add(
                    hash("b", &[tokens.norm(before), word]),
                    Family::Words,
                    at - 1..at + 1,
                );
            }
            previous = Some(token);
        }
    }

    /// Adds the runs of four letters inside a word, its ends marked.
    fn parts(&mut self, word: &str, at: usize) {
        if word.starts_with('<') {
            return;
        }
        let mut window = ['^'; PART];
        for (i, c) in word.chars().chain(['$']).enumerate() {
            window.rotate_left(1);
            window[PART - 1] = c;
            if i + 2 >= PART {
                let mut fnv = Fnv::default();
                fnv.write(b"p");
                for c in window {
                    fnv.write(&(c as u32).to_le_bytes());
                }
                self.add(fnv.finish(), Family::Parts, at..at + 1);
            }
        }
    }

    fn concepts(&mut self, found: &[Found], tokens: &Tokens) {
        let lexicon = Lexicon::shared();
        let name = |f: &Found| lexicon.concept(f.concept).map_or("", |c| c.name);
        let mut distinct: Vec<&'static str> = Vec::new();
        for one in found {
            let at = one.first as usize..(one.first + one.length) as usize;
            self.add(hash("c", &[name(one)]), Family::Concepts, at.clone());
            let subject = tokens
                .list()
                .get(at.start)
                .is_some_and(|t| t.field() == Field::Subject);
            if subject {
                self.add(hash("cs", &[name(one)]), Family::Concepts, at);
            }
            if !distinct.contains(&name(one)) && distinct.len() < MAX_PAIRED_CONCEPTS {
                distinct.push(name(one));
            }
        }
        distinct.sort_unstable();
        for (i, left) in distinct.iter().enumerate() {
            for right in &distinct[i + 1..] {
                self.add(hash("cc", &[left, right]), Family::Concepts, 0..0);
            }
        }
    }

    fn facts(&mut self, mail: &MailView<'_>, tokens: &Tokens) {
        let Signals {
            reply,
            linked,
            known_party,
            bulk,
            attachments,
            forwarded,
        } = mail.signals;
        let flags = [
            ("reply", reply || has_prefix(mail.subject, REPLY_PREFIXES)),
            ("known", known_party),
            ("bulk", bulk),
            ("attachments", attachments),
            (
                "forwarded",
                forwarded || has_prefix(mail.subject, FORWARD_PREFIXES),
            ),
            ("linked", linked.is_some()),
            (
                "free-mail",
                mail.sender.is_some_and(|s| s.domain().is_free_mail()),
            ),
            ("role-sender", mail.sender.is_some_and(is_role)),
            ("shouting", is_shouting(mail.subject)),
            ("no-subject", mail.subject.trim().is_empty()),
        ];
        for (name, _) in flags.iter().filter(|(_, set)| *set) {
            self.add(hash("f", &[name]), Family::Facts, 0..0);
        }
        if let Some(category) = linked {
            self.add(
                hash("f", &["linked", category.as_str()]),
                Family::Facts,
                0..0,
            );
        }
        let length = match tokens.list().len() {
            0..15 => "tiny",
            15..60 => "short",
            60..200 => "medium",
            _ => "long",
        };
        self.add(hash("f", &["length", length]), Family::Facts, 0..0);
    }
}

/// FNV-1a over the kind and the words, each ended by a byte that no UTF-8 text holds.
fn hash(kind: &str, words: &[&str]) -> u64 {
    let mut fnv = Fnv::default();
    fnv.write(kind.as_bytes());
    for word in words {
        fnv.write(&[0xff]);
        fnv.write(word.as_bytes());
    }
    fnv.finish()
}

fn has_prefix(subject: &str, prefixes: &[&str]) -> bool {
    let head = subject.trim_start();
    prefixes.iter().any(|p| {
        head.get(..p.len())
            .is_some_and(|h| h.eq_ignore_ascii_case(p))
    })
}

fn is_role(sender: &EmailAddress) -> bool {
    ROLES.iter().any(|role| sender.local().starts_with(role))
}

fn is_shouting(subject: &str) -> bool {
    let letters = subject.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 8 && subject.chars().filter(|c| c.is_uppercase()).count() * 10 >= letters * 7
}

const PART: usize = 4;
const MAX_PAIRED_CONCEPTS: usize = 12;
/// Facts weigh little: in written mails they show how the author worked as much as the category.
const FAMILY_WEIGHT: [f32; FAMILIES] = [1.0, 0.7, 1.5, 0.25];
/// Below this many features a family counts as if it had as many: one word is weak evidence.
const FAMILY_FLOOR: [f32; FAMILIES] = [20.0, 40.0, 6.0, 1.0];
const REPLY_PREFIXES: &[&str] = &["re:", "aw:", "sv:", "antw:", "ré:", "ris:", "res:"];
const FORWARD_PREFIXES: &[&str] = &["fwd:", "fw:", "wg:", "tr:", "rv:", "enc:", "doorst:"];
const ROLES: &[&str] = &[
    "no-reply",
    "noreply",
    "no_reply",
    "donotreply",
    "do-not-reply",
    "newsletter",
    "news",
    "alert",
    "notification",
    "notify",
    "mailer",
    "marketing",
    "promo",
    "offers",
    "updates",
    "bounce",
    "automated",
    "robot",
    "digest",
];
