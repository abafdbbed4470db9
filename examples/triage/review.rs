//! `triage review`: what waits for a person, and the person's decision.

use std::process::ExitCode;

use nextedge_core::store::{ReviewQuery, ReviewQueue, Store};
use nextedge_core::{Category, Error, ErrorKind, Result, ReviewItem};

use crate::args::{ReviewAction, ReviewArgs};
use crate::say::say;
use crate::setup::{offline_engine, open_store, tenant};

pub(crate) async fn review(args: ReviewArgs) -> Result<ExitCode> {
    let db = args.db.ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "no database was named")
            .with_action("give --db FILE, the database of the run")
    })?;
    let store = open_store(&db)?;
    let tenant = tenant()?;
    match args.action {
        ReviewAction::List { limit } => {
            let query = ReviewQuery {
                limit,
                ..ReviewQuery::default()
            };
            let items = store.reviews(&tenant, &query).await?;
            for item in &items {
                say!("{}", line(item));
            }
            say!("{} open items", items.len());
        }
        ReviewAction::Show { id } => {
            let item = find(&store, &id).await?;
            say!("{}", line(&item));
            say!("why: {}", item.explanation);
            say!(
                "{}",
                serde_json::to_string_pretty(&item.plans).unwrap_or_default()
            );
        }
        ReviewAction::Approve { id } => {
            let item = find(&store, &id).await?;
            offline_engine(store)?
                .approve(&tenant, item.id, item.version)
                .await?;
            say!("approved; the next run delivers it");
        }
        ReviewAction::Reject { id } => {
            let item = find(&store, &id).await?;
            offline_engine(store)?
                .reject(&tenant, item.id, item.version)
                .await?;
            say!("rejected; its mail is parked");
        }
        ReviewAction::Correct { id, category } => {
            let category: Category = category.parse()?;
            let item = find(&store, &id).await?;
            offline_engine(store)?
                .correct(&tenant, item.id, item.version, category)
                .await?;
            say!("corrected to {category}; the next run delivers it");
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(item: &ReviewItem) -> String {
    let subject: String = item
        .subject
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(50)
        .collect();
    format!(
        "{}  {}  {:<11} {:.2}  {} mails  {:<50}  {}",
        item.id,
        item.opened_at.format("%Y-%m-%d %H:%M"),
        item.category.as_str(),
        item.confidence.get(),
        item.waiting.len(),
        subject,
        item.explanation,
    )
}

/// Finds an open item by its id or the unambiguous beginning of it.
async fn find(store: &dyn Store, prefix: &str) -> Result<ReviewItem> {
    let query = ReviewQuery {
        state: None,
        limit: 10_000,
        ..ReviewQuery::default()
    };
    let items = store.reviews(&tenant()?, &query).await?;
    let mut fitting = items
        .into_iter()
        .filter(|item| item.id.to_string().starts_with(prefix));
    match (fitting.next(), fitting.next()) {
        (Some(item), None) => Ok(item),
        (None, _) => Err(
            Error::new(ErrorKind::NotFound, "no review item has this id")
                .with_context("id", prefix)
                .with_action("see `triage review list --db FILE`"),
        ),
        (Some(_), Some(_)) => Err(
            Error::new(ErrorKind::Invalid, "several review items begin so")
                .with_context("id", prefix)
                .with_action("give more digits"),
        ),
    }
}
