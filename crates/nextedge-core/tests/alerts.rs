//! Alerts: what the rules find, and who is told how often.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::alert::*;
use nextedge_core::engine::*;
use nextedge_core::store::*;
use nextedge_core::*;

use support::rig::Rig;
use support::tenant;

fn now() -> Timestamp {
    ManualClock::default().now()
}

fn ago(minutes: i64) -> Timestamp {
    now() - chrono::TimeDelta::minutes(minutes)
}

fn mailbox(name: &str) -> MailboxStatus {
    MailboxStatus {
        mailbox: MailboxId::new(name).unwrap(),
        connection: ConnectionId::new("in").unwrap(),
        state: ConnectionState::Connected,
        switched_off: false,
        once: false,
        paused: None,
        counts: Counts::default(),
        progress: Progress::default(),
        jobs: Vec::new(),
        phase: Phase::Live,
        complete_at: Some(now()),
        fresh_seconds: Some(0),
        run: SyncRun {
            started_at: Some(now()),
            ended_at: Some(now()),
            ..SyncRun::default()
        },
        failed_runs: 0,
        failing_since: None,
        listed: None,
        last_error: None,
    }
}

fn sink(state: ConnectionState, parked: u64) -> SinkStatus {
    SinkStatus {
        connection: ConnectionId::new("crm").unwrap(),
        state,
        paused: None,
        counts: Counts::default(),
        progress: Progress::default(),
        lanes: LaneCounts {
            parked,
            ..LaneCounts::default()
        },
    }
}

fn status(mailboxes: Vec<MailboxStatus>, sinks: Vec<SinkStatus>) -> Status {
    Status {
        tenant: tenant(),
        at: now(),
        counts: Counts::default(),
        progress: Progress::default(),
        mailboxes,
        sinks,
    }
}

/// The rules that fire on one mailbox, as `rule: subject`.
fn fired(change: impl FnOnce(&mut MailboxStatus)) -> Vec<String> {
    let mut one = mailbox("me");
    change(&mut one);
    shown(&AlertRules::default().evaluate(&status(vec![one], Vec::new())))
}

fn shown(alerts: &[Alert]) -> Vec<String> {
    let alerts = alerts.iter();
    alerts
        .map(|alert| format!("{}: {}", alert.rule, alert.subject))
        .collect()
}

#[test]
fn each_rule_fires_beyond_its_threshold_and_not_at_it() {
    let none: [&str; 0] = [];
    assert_eq!(fired(|_| ()), none);

    assert_eq!(fired(|m| m.complete_at = Some(ago(59))), none);
    assert_eq!(
        fired(|m| m.complete_at = Some(ago(60))),
        ["no_completed_sync: mailbox me"]
    );
    let never = |m: &mut MailboxStatus, failed| {
        (m.complete_at, m.failed_runs, m.failing_since) = (None, failed, Some(ago(70)));
    };
    assert_eq!(
        fired(|m| never(m, 0)),
        none,
        "a long first listing is no fault"
    );
    assert_eq!(fired(|m| never(m, 1)), ["no_completed_sync: mailbox me"]);

    assert_eq!(fired(|m| m.failed_runs = 2), none);
    assert_eq!(
        fired(|m| m.failed_runs = 3),
        ["failed_in_a_row: connection in"]
    );
    let both = [
        "failed_in_a_row: connection in",
        "mailbox_failing: mailbox me",
    ];
    assert_eq!(fired(|m| m.failed_runs = 4), both);

    let listed = |last| {
        Some(Listed {
            last,
            before: 100,
            at: ago(5),
        })
    };
    assert_eq!(fired(|m| m.listed = listed(90)), none);
    assert_eq!(fired(|m| m.listed = listed(89)), ["total_fell: mailbox me"]);
    assert_eq!(fired(|m| m.listed = listed(150)), none);

    assert_eq!(fired(|m| m.counts.dead = 1), ["dead_letters: mailbox me"]);
    let revoked = ["token_revoked: connection in"];
    assert_eq!(fired(|m| m.state = ConnectionState::Revoked), revoked);
    assert_eq!(
        fired(|m| m.state = ConnectionState::Expired),
        none,
        "transient"
    );

    let parked = status(Vec::new(), vec![sink(ConnectionState::Connected, 2)]);
    let alerts = AlertRules::default().evaluate(&parked);
    assert_eq!(shown(&alerts), ["lane_parked: connection crm"]);
    assert!(alerts[0].facts.contains("2 threads"), "{}", alerts[0].facts);
    assert!(!alerts[0].next_step.is_empty());
    let revoked = status(Vec::new(), vec![sink(ConnectionState::Revoked, 0)]);
    let alerts = AlertRules::default().evaluate(&revoked);
    assert_eq!(shown(&alerts), ["token_revoked: connection crm"]);
}

#[test]
fn what_is_meant_to_stand_still_raises_nothing() {
    let stale = |m: &mut MailboxStatus| m.complete_at = Some(ago(600));
    let none: [&str; 0] = [];
    assert_eq!(
        fired(|m| {
            stale(m);
            m.once = true;
        }),
        none,
        "files are read once"
    );
    assert_eq!(
        fired(|m| {
            stale(m);
            m.switched_off = true;
        }),
        none
    );
    assert_eq!(
        fired(|m| {
            stale(m);
            m.state = ConnectionState::Paused;
        }),
        none
    );
}

#[test]
fn one_mailbox_that_is_read_well_shows_that_the_account_works() {
    let failing = |name: &str, failed| MailboxStatus {
        failed_runs: failed,
        ..mailbox(name)
    };
    let rules = AlertRules::default();
    let two = status(vec![failing("a", 2), failing("b", 1)], Vec::new());
    assert_eq!(
        shown(&rules.evaluate(&two)),
        ["failed_in_a_row: connection in"]
    );
    let mixed = status(vec![failing("a", 3), failing("b", 0)], Vec::new());
    assert!(rules.evaluate(&mixed).is_empty());
}

#[test]
fn rules_are_data() {
    let rules = AlertRules::default();
    assert_eq!(
        AlertRules::from_toml(&rules.to_toml().unwrap()).unwrap(),
        rules
    );
    let json = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<AlertRules>(&json).unwrap(), rules);
    let rule = |when: &str| format!("[[rule]]\nname = \"r\"\nnext_step = \"look\"\n{when}\n");
    for (text, fault) in [
        (rule("when = \"no_completed_sync\"\nminutes = 0"), "minutes"),
        (rule("when = \"total_fell\"\npercent = 100"), "percent"),
        (rule("when = \"full_moon\""), "full_moon"),
        (rule("when = \"dead_letters\""), "more_than"),
        (
            rule("when = \"dead_letters\"\nmore_then = 1\nmore_than = 1"),
            "more_then",
        ),
        (rule("when = \"token_revoked\"").repeat(2), "same name"),
    ] {
        let error = AlertRules::from_toml(&text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(fault), "{error}");
    }
}

/// Writes down what it is told; fails the first times, or never answers.
#[derive(Clone, Debug, Default)]
struct Pad {
    told: Arc<Mutex<Vec<Notice>>>,
    tries: Arc<AtomicUsize>,
    fails: usize,
    silent: bool,
}

#[async_trait]
impl Notifier for Pad {
    fn name(&self) -> &str {
        "pad"
    }

    async fn notify(&self, cx: &CallContext, notice: &Notice) -> Result<()> {
        assert_eq!(cx.tenant(), &notice.alert.tenant);
        if self.silent {
            std::future::pending::<()>().await;
        }
        if self.tries.fetch_add(1, Ordering::Relaxed) < self.fails {
            return Err(Error::new(ErrorKind::Unavailable, "the pad is away"));
        }
        self.told.lock().unwrap().push(notice.clone());
        Ok(())
    }
}

impl Pad {
    fn shown(&self) -> Vec<(Change, String)> {
        let told = self.told.lock().unwrap();
        let told = told.iter();
        told.map(|notice| (notice.change, notice.alert.rule.clone()))
            .collect()
    }
}

fn failing(more_than: u64) -> AlertRules {
    let condition = AlertCondition::MailboxFailing { more_than };
    let (name, next_step) = ("failing".to_owned(), "look".to_owned());
    AlertRules::new(vec![AlertRule {
        name,
        condition,
        next_step,
    }])
    .unwrap()
}

#[tokio::test]
async fn an_alert_is_told_once_when_raised_and_once_when_cleared() {
    // told again after two failures of the notifier, and not twice
    let pad = Pad {
        fails: 2,
        ..Pad::default()
    };
    let rig = Rig::build(&[1, 2, 3, 4, 5, 6], EngineOptions::default(), |builder| {
        builder.alert_rules(failing(1)).notifier(pad.clone())
    })
    .await;
    let mut events = rig.engine.events();
    rig.run_until(async |_| pad.shown().len() == 2).await;
    let failing = || "failing".to_owned();
    let told = [(Change::Raised, failing()), (Change::Cleared, failing())];
    assert_eq!(pad.shown(), told);
    assert_eq!(pad.tries.load(Ordering::Relaxed), 4);
    assert!(rig.engine.alerts(&tenant()).is_empty());
    let raised = pad.told.lock().unwrap()[0].clone();
    let runs = rig.ended().await;
    let first = runs.iter().filter_map(|run| run.started_at).min();
    assert_eq!(
        Some(raised.alert.since),
        first,
        "since the first failed run"
    );
    let (mut changes, mut again) = (0, 0);
    for _ in 0..200 {
        match tokio::time::timeout(Duration::ZERO, events.next()).await {
            Ok(Some(EngineEvent::AlertChanged { .. })) => changes += 1,
            Ok(Some(EngineEvent::NoticeFailed { again: true, .. })) => again += 1,
            Ok(Some(_)) => {}
            _ => break,
        }
    }
    assert_eq!((changes, again), (2, 2));
}

#[tokio::test]
async fn a_notifier_that_never_answers_loses_what_does_not_fit_and_mail_goes_on() {
    let pad = Pad {
        silent: true,
        ..Pad::default()
    };
    let condition = AlertCondition::MailboxFailing { more_than: 0 };
    let rule = |n| AlertRule {
        name: format!("r{n}"),
        condition,
        next_step: "look".to_owned(),
    };
    let rules = AlertRules::new((0..100).map(rule).collect()).unwrap();
    let rig = Rig::build(&[1, 2, 3, 4], EngineOptions::default(), |builder| {
        builder.alert_rules(rules).notifier(pad)
    })
    .await;
    for name in ["a", "b", "c"] {
        let id = ConnectionId::new("in").unwrap();
        let mailbox = Mailbox::new(MailboxId::new(name).unwrap(), id);
        rig.engine.add_mailbox(&tenant(), mailbox).await.unwrap();
    }
    let mut events = rig.engine.events();
    let mut dropped = 0;
    rig.run_until(async |rig| {
        while let Ok(Some(event)) = tokio::time::timeout(Duration::ZERO, events.next()).await {
            dropped += usize::from(matches!(event, EngineEvent::NoticeDropped { .. }));
        }
        // 400 raised; one in hand, 256 wait
        let counts = rig.store.counts(&tenant(), None).await.unwrap();
        dropped >= 100 && counts.total() == 40 && counts.pending == 0
    })
    .await;
}
