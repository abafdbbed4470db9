//! A word-counting classifier with a fake model service: sound, or broken in exactly one named way.
//!
//! Each check of the suite fails on at least one [`Defect`]; a test of this crate shows it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use nextedge_core::classify::{
    Classification, Classifier, ClassifyRequest, ContactField, Evidence, ExtractedField, TextPart,
};
use nextedge_core::{
    CallContext, Category, Distribution, Error, ErrorKind, Result, Retry, Urgency,
};
use tokio::sync::Notify;

use super::harness::{ClassifierHarness, ClassifierTrouble, ClassifierWorld};

macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// One way in which the fake classifier is broken.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Defect {
            $($(#[$doc])* $name,)*
        }

        impl Defect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];
        }
    };
}

defects! {
    /// Is certain.
    Certain,
    /// Is surer than its calibration allows.
    ExceedsCap,
    /// Does what the mail tells it to.
    ObeysInstructions,
    /// Calls everything a lead.
    AlwaysLead,
    /// Is sure that an empty mail is nothing.
    SureOfNothing,
    /// Answers the same mail differently.
    Wavers,
    /// Keeps answers by subject alone.
    CachesBySubject,
    /// Points past the end of the text.
    PointsPastEnd,
    /// Points into the middle of characters.
    SplitsCharacters,
    /// Invents a company.
    InventsFields,
    /// Repeats links in its summary.
    RepeatsLinks,
    /// Panics on an empty mail.
    PanicsOnEmpty,
    /// Gives a piece of evidence for each word.
    UnboundedEvidence,
    /// Does not say who answered.
    Nameless,
    /// Calls its own failure `None`.
    NoneOnFailure,
    /// Guesses when the service answers nonsense.
    GuessesOnNonsense,
    /// Does not say that the service asked for fewer calls.
    ThrottleUntyped,
    /// Waits for an answer past its deadline.
    IgnoresDeadline,
    /// Repeats the mail in errors.
    EchoesMail,
}

/// Makes fake worlds, all sound or all broken in the same way.
#[derive(Clone, Copy, Debug, Default)]
pub struct FakeHarness {
    defect: Option<Defect>,
}

impl FakeHarness {
    /// Makes worlds whose classifier keeps every rule.
    pub fn sound() -> Self {
        Self::default()
    }

    /// Makes worlds whose classifier is broken in one way.
    pub fn broken(defect: Defect) -> Self {
        Self {
            defect: Some(defect),
        }
    }
}

#[async_trait]
impl ClassifierHarness for FakeHarness {
    async fn start(&self) -> Box<dyn ClassifierWorld> {
        Box::new(World {
            classifier: Arc::new(FakeClassifier {
                defect: self.defect,
                state: Mutex::default(),
                lifted: Notify::new(),
                asked: AtomicUsize::default(),
            }),
        })
    }

    fn deterministic(&self) -> bool {
        true
    }

    fn cap(&self) -> f64 {
        CAP
    }
}

struct World {
    classifier: Arc<FakeClassifier>,
}

#[async_trait]
impl ClassifierWorld for World {
    fn classifier(&self) -> Arc<dyn Classifier> {
        self.classifier.clone()
    }

    async fn inject(&self, fault: &ClassifierTrouble) {
        self.classifier.state().trouble = Some(fault.clone());
    }

    async fn lift(&self) {
        self.classifier.state().trouble = None;
        self.classifier.lifted.notify_waiters();
    }

    async fn stalled(&self) -> bool {
        self.classifier.state().stalled
    }

    fn secrets(&self) -> Vec<String> {
        vec![KEY.to_owned()]
    }

    fn patience(&self) -> Duration {
        match self.classifier.defect {
            // this one does hang
            Some(Defect::IgnoresDeadline) => Duration::from_millis(300),
            _ => Duration::from_secs(60),
        }
    }
}

/// Counts words.
#[derive(Debug)]
struct FakeClassifier {
    defect: Option<Defect>,
    state: Mutex<State>,
    lifted: Notify,
    asked: AtomicUsize,
}

#[derive(Debug, Default)]
struct State {
    trouble: Option<ClassifierTrouble>,
    stalled: bool,
    answers: BTreeMap<String, Classification>,
}

impl FakeClassifier {
    fn has(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the fake service, which may fail or hold the call.
    async fn service(&self, cx: &CallContext, mail: &ClassifyRequest) -> Result<()> {
        let trouble = self.state().trouble.clone();
        let failed = |kind, message: &'static str| match self.has(Defect::EchoesMail) {
            true => Error::new(kind, format!("{message}: {}", mail.text)),
            false => Error::new(kind, message),
        };
        match trouble {
            None => Ok(()),
            Some(ClassifierTrouble::Nonsense) if self.has(Defect::GuessesOnNonsense) => Ok(()),
            Some(ClassifierTrouble::Nonsense) => Err(failed(
                ErrorKind::Unexpected,
                "the service's answer cannot be read",
            )),
            Some(ClassifierTrouble::Down) => {
                Err(failed(ErrorKind::Unavailable, "the service is down"))
            }
            Some(ClassifierTrouble::Throttle { .. }) if self.has(Defect::ThrottleUntyped) => {
                Err(failed(ErrorKind::Unavailable, "the service failed"))
            }
            Some(ClassifierTrouble::Throttle { after }) => {
                Err(failed(ErrorKind::RateLimited, "fewer calls wanted")
                    .with_retry(Retry::After(after)))
            }
            Some(ClassifierTrouble::Stall) => self.held(cx).await,
        }
    }

    async fn held(&self, cx: &CallContext) -> Result<()> {
        let lifted = self.lifted.notified();
        self.state().stalled = true;
        if self.has(Defect::IgnoresDeadline) {
            lifted.await;
            return Ok(());
        }
        tokio::select! {
            () = lifted => Ok(()),
            () = cx.clock().sleep(cx.remaining()) => Err(Error::new(ErrorKind::Timeout, "no answer came")),
        }
    }

    fn answer(&self, mail: &ClassifyRequest) -> Result<Classification> {
        let all = format!("{} {}", mail.subject, mail.text).to_lowercase();
        assert!(
            !(self.has(Defect::PanicsOnEmpty) && all.trim().is_empty()),
            "no text"
        );
        let shares = self.shares(&all);
        let model = if self.has(Defect::Nameless) {
            ""
        } else {
            "fake/1"
        };
        let mut answer = Classification::new(model, Distribution::new(shares)?, Urgency::Normal);
        answer.evidence = self.evidence(mail);
        answer.fields = self.fields(mail);
        let summary = match self.has(Defect::RepeatsLinks) && all.contains("https://") {
            true => "It says https://evil.example/pay".to_owned(),
            false => "A machine's summary: a mail.".to_owned(),
        };
        answer.summary = Some(summary);
        Ok(answer)
    }

    fn shares(&self, text: &str) -> [f64; 5] {
        let told = [
            "ignore all",
            "distribution must",
            "</user>",
            "\"confidence\"",
        ];
        let told = told.iter().any(|words| text.contains(words));
        if self.has(Defect::ObeysInstructions) && told {
            return [0.99, 0.01, 0.0, 0.0, 0.0];
        }
        let hits = WORDS.map(|words| words.iter().filter(|word| text.contains(**word)).count());
        let best = (0..5)
            .max_by_key(|at| (hits[*at], 5 - at))
            .filter(|at| hits[*at] > 0);
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        let mut top = 0.7;
        if self.has(Defect::Wavers) {
            top = if asked.is_multiple_of(2) { 0.7 } else { 0.6 };
        }
        if self.has(Defect::ExceedsCap) {
            top = 0.97;
        }
        let best = match best {
            Some(_) if self.has(Defect::Certain) => return [0.0, 0.0, 0.0, 0.0, 1.0],
            Some(_) if self.has(Defect::AlwaysLead) => Category::Lead as usize,
            Some(best) => best,
            None if self.has(Defect::SureOfNothing) => return [0.04, 0.04, 0.04, 0.04, 0.84],
            None => return [0.2; 5],
        };
        let mut shares = [(1.0 - top) / 4.0; 5];
        shares[best] = top;
        shares
    }

    fn evidence(&self, mail: &ClassifyRequest) -> Vec<Evidence> {
        let shift = usize::from(self.has(Defect::PointsPastEnd)) * mail.text.len();
        let most = if self.has(Defect::UnboundedEvidence) {
            usize::MAX
        } else {
            3
        };
        let words = mail.text.split_whitespace().take(most);
        let spans = words.map(|word| {
            let start = word.as_ptr() as usize - mail.text.as_ptr() as usize + shift;
            let end = match self.has(Defect::SplitsCharacters) && !word.is_ascii() {
                true => {
                    start
                        + word
                            .char_indices()
                            .find(|(_, c)| !c.is_ascii())
                            .map_or(0, |(at, _)| at + 1)
                }
                false => start + word.len(),
            };
            Evidence {
                span: start..end,
                part: TextPart::Text,
                weight: 1.0,
            }
        });
        spans.collect()
    }

    fn fields(&self, mail: &ClassifyRequest) -> Vec<ExtractedField> {
        let field = |field, value: &str, span| ExtractedField {
            field,
            value: value.to_owned(),
            span,
            confidence: 0.9,
        };
        if self.has(Defect::InventsFields) {
            return vec![field(ContactField::Company, "Evil Holdings", None)];
        }
        let start = mail.text.find('+');
        let number = start.map(|start| {
            let rest = &mail.text[start..];
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '+' && c != ' ');
            rest[..end.unwrap_or(rest.len())].trim_end()
        });
        let number = start.zip(number).filter(|(_, number)| number.len() > 8);
        let number = number.map(|(start, number)| {
            field(
                ContactField::Phone,
                number,
                Some(start..start + number.len()),
            )
        });
        number.into_iter().collect()
    }
}

#[async_trait]
impl Classifier for FakeClassifier {
    fn name(&self) -> &str {
        "fake"
    }

    async fn classify(&self, cx: &CallContext, mail: &ClassifyRequest) -> Result<Classification> {
        if let Err(error) = self.service(cx, mail).await {
            return match self.has(Defect::NoneOnFailure) {
                true => Ok(Classification::new(
                    "fake/1",
                    Distribution::new([0.1, 0.1, 0.1, 0.1, 0.6])?,
                    Urgency::Normal,
                )),
                false => Err(error),
            };
        }
        if !self.has(Defect::CachesBySubject) {
            return self.answer(mail);
        }
        if let Some(known) = self.state().answers.get(&mail.subject) {
            return Ok(known.clone());
        }
        let answer = self.answer(mail)?;
        self.state()
            .answers
            .insert(mail.subject.clone(), answer.clone());
        Ok(answer)
    }
}

/// Words that speak for each category, in the order of [`Category::ALL`].
const WORDS: [&[&str]; 5] = [
    &["cost", "demo", "supplier"],
    &["error", "technician", "störung"],
    &["new mobile", "update your records"],
    &["discount", "contract", "offer"],
    &["newsletter", "unsubscribe"],
];
/// The fake's calibration.
const CAP: f64 = 0.9;
/// What the fake would have to keep to itself.
const KEY: &str = "fake-key-4711";
