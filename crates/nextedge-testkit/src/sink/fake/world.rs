//! The fake CRM and its sink as a harness.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::sink::CrmSink;
use nextedge_core::{Draft, FieldName, FieldValue, RecordKind};

use super::super::harness::{Fault, SeenCrm, SeenFile, SinkHarness, SinkWorld};
use super::crm::{FIELDS, FakeCrm};
use super::sink::Memory;
use super::{Defect, FakeSink};
use crate::account::Account;

/// Makes fake worlds, all sound or all broken in the same way.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeHarness {
    defect: Option<Defect>,
}

impl FakeHarness {
    /// Makes worlds whose sink keeps every rule.
    pub fn sound() -> Self {
        Self::default()
    }

    /// Makes worlds whose sink is broken in one way.
    pub fn broken(defect: Defect) -> Self {
        Self {
            defect: Some(defect),
        }
    }
}

struct FakeWorld {
    crm: Arc<FakeCrm>,
    memory: Arc<Memory>,
    defect: Option<Defect>,
}

#[async_trait]
impl SinkHarness for FakeHarness {
    async fn start(&self) -> Box<dyn SinkWorld> {
        Box::new(FakeWorld {
            crm: Arc::default(),
            memory: Arc::default(),
            defect: self.defect,
        })
    }
}

#[async_trait]
impl SinkWorld for FakeWorld {
    fn sink(&self) -> Arc<dyn CrmSink> {
        let (crm, memory) = (Arc::clone(&self.crm), Arc::clone(&self.memory));
        Arc::new(FakeSink::new(crm, memory, self.defect))
    }

    fn draft(&self, kind: &RecordKind, title: &str) -> Draft {
        let field = |(name, value): (&&str, &str)| {
            (FieldName::new(name), FieldValue::Text(value.to_owned()))
        };
        let values = [title, "new", "kit"];
        let fields: BTreeMap<_, _> = FIELDS.iter().zip(values).map(field).collect();
        Draft {
            kind: kind.clone(),
            fields,
            notes: Vec::new(),
        }
    }

    async fn inject(&self, fault: &Fault) {
        self.crm.inject(fault);
    }

    async fn lift(&self) {
        self.crm.lift();
    }

    async fn seen(&self, account: Account) -> SeenCrm {
        self.crm.seen(account)
    }

    async fn holds(&self, account: Account, file: &SeenFile, bytes: &[u8]) -> bool {
        self.crm
            .content(account, &file.id)
            .is_some_and(|held| held == bytes)
    }

    async fn calls(&self) -> usize {
        self.crm.calls()
    }

    async fn stalled(&self) -> bool {
        self.crm.is_stalled()
    }

    fn secrets(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }

    fn patience(&self) -> Duration {
        match self.defect {
            // this one does hang
            Some(Defect::IgnoresDeadline) => Duration::from_millis(300),
            _ => Duration::from_secs(60),
        }
    }
}

/// What the fake sink would have to keep to itself.
pub(super) const TOKEN: &str = "fake-token-4711";
