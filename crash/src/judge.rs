//! A classifier that reads the answer in the subject: what is proven here is not judgement.

use async_trait::async_trait;
use nextedge_core::classify::{Classification, Classifier, ClassifyRequest};
use nextedge_core::{CallContext, Category, Distribution, Result, Urgency};

/// Sure of the category that the subject names; unsure where the subject says `perhaps`.
#[derive(Debug)]
pub(crate) struct Judge;

#[async_trait]
impl Classifier for Judge {
    fn name(&self) -> &str {
        "judge"
    }

    async fn classify(
        &self,
        _cx: &CallContext,
        request: &ClassifyRequest,
    ) -> Result<Classification> {
        let named = |category: &Category| {
            let name = category.as_str().to_lowercase();
            request.subject.to_lowercase().contains(&name)
        };
        let category = Category::ALL.into_iter().find(named);
        let category = category.unwrap_or(Category::None);
        let sure = if request.subject.contains("perhaps") {
            0.77
        } else {
            0.96
        };
        let rest = (1.0 - sure) / 4.0;
        let weights = Category::ALL.map(|one| if one == category { sure } else { rest });
        let distribution = Distribution::new(weights)?;
        Ok(Classification::new(
            "judge/1",
            distribution,
            Urgency::Normal,
        ))
    }
}
