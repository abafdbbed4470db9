//! A client that knows nothing of the sandbox but its URLs.
// A plain client on purpose: the sandbox shares nothing with our own.
#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods
)]

use nextedge_sandbox::{STATIC_TOKEN, Sandbox, SandboxBuilder};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) client: Client,
}

/// Starts a sandbox without limits and without a lagging search.
pub(crate) async fn world() -> World {
    world_of(quick()).await
}

pub(crate) fn quick() -> SandboxBuilder {
    Sandbox::builder()
        .rate_limit(nextedge_sandbox::RateLimit::None)
        .search_lag(std::time::Duration::ZERO)
}

pub(crate) async fn world_of(builder: SandboxBuilder) -> World {
    let client = Client::builder().no_proxy().build().unwrap();
    let sandbox = builder.start().await.unwrap();
    World { sandbox, client }
}

impl World {
    pub(crate) async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        let url = format!("{}{path}", self.sandbox.hubspot_url());
        let request = self.client.request(method, url).bearer_auth(STATIC_TOKEN);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        request.send().await.unwrap()
    }

    pub(crate) async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let response = self.send(method, path, body).await;
        let status = response.status().as_u16();
        let text = response.text().await.unwrap();
        (
            status,
            serde_json::from_str(&text).unwrap_or(Value::String(text)),
        )
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::PATCH, path, body).await
    }

    /// Creates a record and answers its id.
    pub(crate) async fn create(&self, object: &str, properties: Value) -> String {
        let path = format!("/crm/objects/2026-09/{object}");
        let (status, body) = self.post(&path, json!({"properties": properties})).await;
        assert_eq!(status, 201, "{body}");
        body["id"].as_str().unwrap().to_owned()
    }
}

/// The codes of a refusal, with the properties they name.
pub(crate) fn codes(body: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    body["errors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
        .iter()
        .map(|one| (text(&one["code"]), text(&one["context"]["propertyName"][0])))
        .collect()
}
