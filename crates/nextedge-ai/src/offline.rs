//! The classifier that needs no network, no key and no download.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest, Evidence, TextPart};
use nextedge_core::{CallContext, Distribution, Result};

use crate::features::{Features, MailView};
use crate::model::{Model, settled_urgency};
use crate::text::{Field, Token};

/// Classifies by a small linear model that is part of this crate.
///
/// It answers the same mail always alike, in well under a millisecond, and never above the
/// confidence that its training could prove on templates it had not seen ([`cap`](Self::cap)).
/// Cheap to clone; all clones share one loaded model.
///
/// ```
/// use nextedge_ai::OfflineClassifier;
/// use nextedge_core::{Category, classify::ClassifyRequest};
///
/// # fn main() -> nextedge_core::Result<()> {
/// let classifier = OfflineClassifier::embedded()?;
/// let text = "Since yesterday the pump does not start and shows an error. Please send a technician.";
/// let mail = ClassifyRequest::new("Pump broken", text);
/// let answer = classifier.answer(&mail)?;
/// assert_eq!(answer.top().0, Category::Case);
/// assert!(answer.top().1.get() <= classifier.cap());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct OfflineClassifier {
    model: Arc<Model>,
}

impl OfflineClassifier {
    /// Uses the weights that are part of this crate; they are read once per process.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](nextedge_core::ErrorKind::Invalid) if the embedded file is not intact.
    pub fn embedded() -> Result<Self> {
        static SHARED: OnceLock<Arc<Model>> = OnceLock::new();
        if let Some(model) = SHARED.get() {
            return Ok(Self {
                model: Arc::clone(model),
            });
        }
        let model = Arc::new(Model::load(WEIGHTS)?);
        Ok(Self {
            model: Arc::clone(SHARED.get_or_init(|| model)),
        })
    }

    /// Uses a weights file that the training program wrote.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](nextedge_core::ErrorKind::Invalid) if it is not intact or was made
    /// for another version of this crate.
    pub fn from_weights(bytes: &[u8]) -> Result<Self> {
        Ok(Self {
            model: Arc::new(Model::load(bytes)?),
        })
    }

    /// Returns the largest confidence this classifier can give.
    #[must_use]
    pub fn cap(&self) -> f64 {
        self.model.cap()
    }

    /// Classifies one mail without waiting for anything.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Invalid`](nextedge_core::ErrorKind::Invalid) if the probabilities are no
    /// distribution, which intact weights cannot cause.
    pub fn answer(&self, request: &ClassifyRequest) -> Result<Classification> {
        let features = Features::of(&MailView::from(request));
        let prediction = self.model.predict(&features);
        let distribution = Distribution::new(prediction.categories)?;
        let category = distribution.top().0;
        let urgency = settled_urgency(&prediction.urgencies, features.spoken_urgency(), category);
        let mut answer = Classification::new(MODEL_NAME, distribution, urgency);
        let evidence = self.model.evidence(&features, category, MAX_EVIDENCE);
        answer.evidence = evidence.into_iter().map(as_evidence).collect();
        Ok(answer)
    }
}

#[async_trait]
impl Classifier for OfflineClassifier {
    fn name(&self) -> &str {
        "offline"
    }

    async fn classify(&self, _: &CallContext, request: &ClassifyRequest) -> Result<Classification> {
        self.answer(request)
    }
}

fn as_evidence((token, weight): (&Token, f64)) -> Evidence {
    let part = match token.field() {
        Field::Subject => TextPart::Subject,
        Field::Body => TextPart::Text,
    };
    Evidence {
        span: token.span(),
        part,
        weight,
    }
}

const WEIGHTS: &[u8] = include_bytes!("../data/weights.bin");
const MODEL_NAME: &str = "offline/1";
const MAX_EVIDENCE: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_file_is_small() {
        assert!(WEIGHTS.len() <= 3 * 1024 * 1024, "{} bytes", WEIGHTS.len());
    }
}
