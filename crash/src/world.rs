//! What a seed sends, and what must become of it: the truth that the checks compare with.
//!
//! Nothing here is read from the engine. Each mail carries a *tag*, a word that occurs in no other
//! mail, so that the account is searched for it without trusting any key of ours.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::letter::Letter;
use crate::rng::Rng;

/// Everything a seed sends to two tenants.
#[derive(Clone, Debug)]
pub(crate) struct World {
    pub(crate) tenants: Vec<Tenant>,
}

/// One tenant: its mailboxes and the mails they show.
#[derive(Clone, Debug)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) boxes: Vec<Mailbox>,
    pub(crate) threads: Vec<Thread>,
    pub(crate) mails: Vec<Mail>,
}

/// One mailbox and what it shows, in the order of arrival.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    pub(crate) id: String,
    pub(crate) address: String,
    pub(crate) kind: BoxKind,
    /// Positions in [`Tenant::mails`].
    pub(crate) shows: Vec<usize>,
}

/// How a mailbox is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum BoxKind {
    /// A live mailbox whose listing starts with the oldest mail.
    OldestFirst,
    /// A live mailbox whose listing starts with the newest mail, so that replies come before what
    /// they answer.
    NewestFirst,
    /// A folder of files, read by the file source.
    Files,
}

/// A conversation with one correspondent.
#[derive(Clone, Debug)]
pub(crate) struct Thread {
    pub(crate) kind: Kind,
    pub(crate) sender: String,
    pub(crate) mailbox: usize,
    pub(crate) person: Person,
    /// Whether every later mail of it becomes known later, so that its order in the CRM is fixed.
    pub(crate) ordered: bool,
}

/// What the mails of a thread are, as the classifier of this harness reads it in their subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Lead,
    Case,
    Contact,
    Opportunity,
    Nothing,
    Machine,
}

/// Whether a person is asked, and what the person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Person {
    NotAsked,
    Approves,
    Rejects,
}

/// One distinct mail; copies of it may lie in several mailboxes.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) thread: usize,
    pub(crate) tag: String,
    /// Seconds since 1970.
    pub(crate) at: i64,
    /// Contents of its attachments, each distinct.
    pub(crate) files: Vec<String>,
    pub(crate) raw: String,
    /// How many mailboxes show it.
    pub(crate) copies: usize,
}

/// What must become of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Written,
    ParkedMachine,
    ParkedNothing,
    ParkedRejected,
}

impl World {
    /// Makes the world of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut rng = Rng::of(seed, 1);
        let names = ["north", "south"];
        let tenants = names.map(|name| Tenant::of(&mut rng, seed, name));
        Self {
            tenants: tenants.into(),
        }
    }

    /// How many sightings there are in all mailboxes.
    pub(crate) fn sightings(&self) -> usize {
        let boxes = self.tenants.iter().flat_map(|tenant| &tenant.boxes);
        boxes.map(|one| one.shows.len()).sum()
    }
}

impl Tenant {
    fn of(rng: &mut Rng, seed: u64, name: &str) -> Self {
        let count = rng.size(1, 2) + usize::from(rng.chance(50));
        let boxes = (0..count).map(|n| Mailbox {
            id: format!("box{n}"),
            address: format!("desk{n}@{name}.example"),
            kind: match rng.from(1, 10) {
                1..=6 => BoxKind::OldestFirst,
                7..=8 => BoxKind::NewestFirst,
                _ => BoxKind::Files,
            },
            shows: Vec::new(),
        });
        let mut tenant = Self {
            name: name.to_owned(),
            boxes: boxes.collect(),
            threads: Vec::new(),
            mails: Vec::new(),
        };
        tenant.add_threads(rng);
        tenant.add_mails(rng, seed);
        tenant
    }

    /// Senders keep to one kind, because what a *known* sender asks is decided by what was known;
    /// several threads of one new sender are the interesting case.
    fn add_threads(&mut self, rng: &mut Rng) {
        let senders = rng.size(2, 5);
        for number in 0..senders {
            let in_order = self
                .boxes
                .iter()
                .any(|one| one.kind != BoxKind::NewestFirst);
            let kind = match rng.from(1, 100) {
                1..=35 if in_order => Kind::Lead,
                1..=60 => Kind::Case,
                61..=70 => Kind::Contact,
                71..=85 => Kind::Opportunity,
                86..=93 => Kind::Nothing,
                _ => Kind::Machine,
            };
            // colleagues share a company; some people write from free mail
            let domain = match rng.from(1, 10) {
                1..=2 => "gmail.com".to_owned(),
                _ => format!("firm{}-{}.example", rng.from(1, 2), self.name),
            };
            let sender = format!("p{number}.{}@{domain}", self.name);
            let asks = rng.chance(15) && !matches!(kind, Kind::Nothing | Kind::Machine);
            for _ in 0..rng.size(1, 3) {
                let mailbox = self.mailbox_for(rng, kind);
                let person = match (asks, rng.chance(70)) {
                    (false, _) => Person::NotAsked,
                    (true, true) => Person::Approves,
                    (true, false) => Person::Rejects,
                };
                self.threads.push(Thread {
                    kind,
                    sender: sender.clone(),
                    mailbox,
                    person,
                    ordered: self.boxes[mailbox].kind != BoxKind::NewestFirst,
                });
            }
        }
    }

    /// Enquiries are read in order: when a reply was tried first, and what it answers comes before its
    /// outcome is known, the contact that the attempt made looks like one known before.
    fn mailbox_for(&self, rng: &mut Rng, kind: Kind) -> usize {
        let fits =
            |place: &usize| kind != Kind::Lead || self.boxes[*place].kind != BoxKind::NewestFirst;
        let places: Vec<usize> = (0..self.boxes.len()).filter(fits).collect();
        *rng.pick(&places)
    }

    fn add_mails(&mut self, rng: &mut Rng, seed: u64) {
        let mut planned = Vec::new();
        for (thread, row) in self.threads.iter().enumerate() {
            let mut minute = rng.from(0, 30);
            for place in 0..rng.size(1, 4) {
                if place > 0 && matches!(row.kind, Kind::Nothing | Kind::Machine) {
                    break;
                }
                planned.push((minute, thread, place));
                minute += rng.from(1, 15);
            }
        }
        planned.sort_unstable();
        for (number, (_, thread, place)) in planned.into_iter().enumerate() {
            self.add_mail(rng, seed, number, thread, place);
        }
    }

    fn add_mail(&mut self, rng: &mut Rng, seed: u64, number: usize, thread: usize, place: usize) {
        let others: Vec<usize> = (0..self.boxes.len())
            .filter(|other| *other != self.threads[thread].mailbox)
            .collect();
        let row = &mut self.threads[thread];
        let may_copy = !others.is_empty() && (place == 0 || row.kind != Kind::Lead);
        let copied = rng.chance(15) && may_copy;
        // a copy of a reply can be read before what it answers
        row.ordered &= !copied || place == 0;
        let home = &self.boxes[row.mailbox];
        let outgoing =
            place > 0 && row.ordered && !copied && row.person == Person::NotAsked && rng.chance(25);
        let mut files = BTreeSet::new();
        if rng.chance(30) {
            for _ in 0..rng.size(1, 2) {
                // few contents, so that mails share files
                files.insert(format!("{}-file-{}", self.name, rng.from(1, 4)));
            }
        }
        let at = BASE + i64::try_from(number).unwrap_or_default() * 60;
        let tag = format!("{}x{seed}x{number}z", self.name);
        let first = self.mails.iter().find(|mail| mail.thread == thread);
        let letter = Letter {
            row,
            home: &home.address,
            tag: &tag,
            thread: &format!("{}-{seed}-{thread}", self.name),
            place,
            root: first.map(|mail| mail.tag.as_str()),
            at,
            outgoing,
            files: &files,
        };
        let raw = letter.raw();
        self.boxes[self.threads[thread].mailbox]
            .shows
            .push(self.mails.len());
        if copied {
            let other = *rng.pick(&others);
            self.boxes[other].shows.push(self.mails.len());
        }
        self.mails.push(Mail {
            thread,
            tag,
            at,
            files: files.into_iter().collect(),
            raw,
            copies: 1 + usize::from(copied),
        });
    }

    /// What must become of a mail, or of one of its copies while the others are its duplicates.
    pub(crate) fn fate(&self, mail: &Mail) -> Fate {
        let thread = &self.threads[mail.thread];
        match (thread.kind, thread.person) {
            (Kind::Machine, _) => Fate::ParkedMachine,
            (Kind::Nothing, _) => Fate::ParkedNothing,
            (_, Person::Rejects) => Fate::ParkedRejected,
            (_, Person::NotAsked | Person::Approves) => Fate::Written,
        }
    }

    /// The mails that must be on the timeline.
    pub(crate) fn written(&self) -> impl Iterator<Item = &Mail> {
        self.mails
            .iter()
            .filter(|mail| self.fate(mail) == Fate::Written)
    }
}

/// 9 November 2026, 06:00 UTC.
const BASE: i64 = 1_794_204_000;
