//! Owners: the people who can be assigned a record. Also the account's own details.

use axum::http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Hubspot;
use super::call::{Answer, Call, Reply};
use super::error::ApiError;
use super::time::rfc3339;

/// One owner. The id of the owner, not of its user, is what records hold.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Owner {
    pub(crate) id: String,
    pub(crate) email: String,
    #[serde(default)]
    pub(crate) first_name: String,
    #[serde(default)]
    pub(crate) last_name: String,
    pub(crate) user_id: u64,
    #[serde(default)]
    pub(crate) archived: bool,
}

impl Owner {
    /// The owner of a new account.
    pub(crate) fn first() -> Self {
        Self {
            id: "70001".to_owned(),
            email: "owner@nextedge-sandbox.test".to_owned(),
            first_name: "Olivia".to_owned(),
            last_name: "Owner".to_owned(),
            user_id: 9_001,
            archived: false,
        }
    }

    fn json(&self) -> Value {
        json!({"id": self.id, "email": self.email, "type": "PERSON",
               "firstName": self.first_name, "lastName": self.last_name,
               "userId": self.user_id, "userIdIncludingInactive": self.user_id,
               "createdAt": rfc3339(0), "updatedAt": rfc3339(0),
               "archived": self.archived, "teams": []})
    }
}

/// Answers a path below `/crm/owners/{version}/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    if call.method != Method::GET {
        return Err(ApiError::method_not_allowed());
    }
    match path {
        [] => list(hub, call),
        [id] => {
            let account = hub.account();
            let by_user = call.query("idProperty") == Some("userId");
            let found = account.owners.iter().find(|one| match by_user {
                true => one.user_id.to_string() == *id,
                false => one.id == *id,
            });
            let owner =
                found.ok_or_else(|| ApiError::not_found(&format!("Owner {id} does not exist.")))?;
            Ok(Reply::json(200, owner.json()))
        }
        _ => Err(ApiError::unknown_path()),
    }
}

fn list(hub: &Hubspot, call: &Call) -> Answer {
    let limit = call.limit(100, 500)?;
    let after: usize = call
        .query("after")
        .and_then(|n| n.parse().ok())
        .unwrap_or(0);
    let email = call.query("email").filter(|text| !text.is_empty());
    let account = hub.account();
    let mut matching = account
        .owners
        .iter()
        .filter(|one| one.archived == call.archived())
        .filter(|one| email.is_none_or(|email| one.email.eq_ignore_ascii_case(email)))
        .skip(after);
    let results: Vec<Value> = matching.by_ref().take(limit).map(Owner::json).collect();
    let mut body = json!({ "results": results });
    if matching.next().is_some() {
        let next = after.saturating_add(limit).to_string();
        body["paging"] = json!({"next": {"after": next, "link": call.base}});
    }
    Ok(Reply::json(200, body))
}

/// Answers a path below `/account-info/{version}/`.
pub(crate) fn details(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    match path {
        ["details"] if call.method == Method::GET => {
            let account = hub.account();
            let settings = &account.settings;
            let body = json!({
                "portalId": settings.portal_id, "accountType": "DEVELOPER_TEST",
                "timeZone": settings.time_zone, "utcOffset": "+00:00",
                "utcOffsetMilliseconds": 0, "companyCurrency": settings.currency,
                "additionalCurrencies": [], "uiDomain": "app.hubspot.com",
                "dataHostingLocation": "eu1",
            });
            Ok(Reply::json(200, body))
        }
        ["details"] => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}
