//! From a status to alerts; pure.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::{Alert, AlertCondition, AlertRule, AlertRules, Subject};
use crate::clock::Timestamp;
use crate::context::ConnectionState;
use crate::domain::ConnectionId;
use crate::engine::{MailboxStatus, Status};

impl AlertRules {
    /// Lists what the rules find in a status, in the order of rules and subjects.
    pub fn evaluate(&self, status: &Status) -> Vec<Alert> {
        self.iter().flat_map(|rule| found(rule, status)).collect()
    }
}

/// What a rule found about one subject.
struct Finding {
    subject: Subject,
    since: Timestamp,
    facts: String,
}

fn found(rule: &AlertRule, status: &Status) -> Vec<Alert> {
    let at = status.at;
    let findings = match rule.condition {
        AlertCondition::NoCompletedSync { minutes } => {
            each(status, |mailbox| no_completed_sync(mailbox, minutes, at))
        }
        AlertCondition::FailedInARow { more_than } => failed_in_a_row(status, more_than),
        AlertCondition::MailboxFailing { more_than } => {
            each(status, |mailbox| mailbox_failing(mailbox, more_than, at))
        }
        AlertCondition::TotalFell { percent } => {
            each(status, |mailbox| total_fell(mailbox, percent))
        }
        AlertCondition::DeadLetters { more_than } => each(status, |mailbox| {
            let dead = mailbox.counts.dead;
            let finding = |facts| about(mailbox, at, facts);
            (dead > more_than).then(|| finding(format!("{dead} messages were given up")))
        }),
        AlertCondition::LaneParked { more_than } => lanes_parked(status, more_than),
        AlertCondition::TokenRevoked => token_revoked(status),
    };
    let alerts = findings.into_iter().map(|finding| Alert {
        rule: rule.name.clone(),
        tenant: status.tenant.clone(),
        subject: finding.subject,
        since: finding.since,
        facts: finding.facts,
        next_step: rule.next_step.clone(),
    });
    alerts.collect()
}

fn each(status: &Status, find: impl Fn(&MailboxStatus) -> Option<Finding>) -> Vec<Finding> {
    let mailboxes = status.mailboxes.iter();
    // what a person switched off is meant to stand still
    let active = mailboxes.filter(|m| !m.switched_off && m.state != ConnectionState::Paused);
    active.filter_map(find).collect()
}

fn about(mailbox: &MailboxStatus, since: Timestamp, facts: String) -> Finding {
    let subject = Subject::Mailbox(mailbox.mailbox.clone());
    Finding {
        subject,
        since,
        facts,
    }
}

fn no_completed_sync(mailbox: &MailboxStatus, minutes: u32, now: Timestamp) -> Option<Finding> {
    let (last, what) = match mailbox.complete_at {
        Some(at) if !mailbox.once => (at, "last complete"),
        // a long first listing is work in progress; one whose runs only fail is not
        None if mailbox.failed_runs > 0 => {
            (mailbox.failing_since?, "never complete, failing since")
        }
        _ => return None,
    };
    let due = last.checked_add_signed(TimeDelta::minutes(i64::from(minutes)))?;
    let age = (now - last).num_minutes();
    let shown = last.format("%Y-%m-%dT%H:%M:%SZ");
    (now >= due).then(|| about(mailbox, due, format!("{what} {shown}, {age} minutes ago")))
}

fn mailbox_failing(mailbox: &MailboxStatus, more_than: u64, now: Timestamp) -> Option<Finding> {
    let failed = mailbox.failed_runs;
    let since = mailbox.failing_since.unwrap_or(now);
    (failed > more_than).then(|| {
        let facts = format!("{failed} runs failed in a row{}", last_code(mailbox));
        about(mailbox, since, facts)
    })
}

fn last_code(mailbox: &MailboxStatus) -> String {
    let error = mailbox.last_error.as_ref();
    error.map_or_else(String::new, |last| format!(", last {}", last.error.code))
}

fn total_fell(mailbox: &MailboxStatus, percent: u8) -> Option<Finding> {
    let listed = mailbox.listed?;
    let lost = listed.before.saturating_sub(listed.last);
    let fell = u128::from(lost) * 100 > u128::from(listed.before) * u128::from(percent);
    fell.then(|| {
        let facts = format!(
            "the listing showed {} messages, the one before {}",
            listed.last, listed.before
        );
        about(mailbox, listed.at, facts)
    })
}

fn failed_in_a_row(status: &Status, more_than: u64) -> Vec<Finding> {
    let mut by_connection: BTreeMap<&ConnectionId, Vec<&MailboxStatus>> = BTreeMap::new();
    for mailbox in status.mailboxes.iter().filter(|m| !m.switched_off) {
        let mailboxes = by_connection.entry(&mailbox.connection).or_default();
        mailboxes.push(mailbox);
    }
    let mut findings = Vec::new();
    for (connection, mailboxes) in by_connection {
        // one mailbox that is read well shows that the account works
        let failing = mailboxes
            .iter()
            .all(|m| m.failed_runs > 0 || m.run.ended_at.is_none());
        let failed: u64 = mailboxes.iter().map(|m| m.failed_runs).sum();
        if failing && failed > more_than {
            let since = mailboxes.iter().filter_map(|m| m.failing_since).min();
            let code = mailboxes.first().map_or_else(String::new, |m| last_code(m));
            findings.push(Finding {
                subject: Subject::Connection(connection.clone()),
                since: since.unwrap_or(status.at),
                facts: format!("{failed} runs failed, none ended well since{code}"),
            });
        }
    }
    findings
}

fn lanes_parked(status: &Status, more_than: u64) -> Vec<Finding> {
    let sinks = status.sinks.iter();
    let parked = sinks.filter(|sink| sink.lanes.parked > more_than);
    parked
        .map(|sink| Finding {
            subject: Subject::Connection(sink.connection.clone()),
            since: status.at,
            facts: format!("{} threads wait behind a dead letter", sink.lanes.parked),
        })
        .collect()
}

fn token_revoked(status: &Status) -> Vec<Finding> {
    let sources = status.mailboxes.iter().map(|m| (&m.connection, m.state));
    let sinks = status.sinks.iter().map(|s| (&s.connection, s.state));
    let states: BTreeMap<_, _> = sources.chain(sinks).collect();
    let states = states.into_iter();
    let revoked = states.filter(|(_, state)| *state == ConnectionState::Revoked);
    revoked
        .map(|(connection, _)| Finding {
            subject: Subject::Connection(connection.clone()),
            since: status.at,
            facts: "the grant is gone; nothing is read or written over it".to_owned(),
        })
        .collect()
}
