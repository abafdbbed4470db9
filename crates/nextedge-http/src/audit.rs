//! One audit record for each attempt, also when its future is dropped half way.

use nextedge_core::{CallContext, CallRecord, Error, Timestamp};
use serde_json::{Value, json};

use crate::request::Request;
use crate::response::{Response, ResponseSummary};

/// An attempt on its way; it is recorded exactly once, at the latest when dropped.
pub(crate) struct OpenRecord<'a> {
    cx: &'a CallContext,
    request: &'a Request,
    at: Timestamp,
    ended: Ended,
}

#[derive(PartialEq, Eq)]
enum Ended {
    No,
    Yes,
}

impl<'a> OpenRecord<'a> {
    /// Starts the record just before the request is sent.
    pub(crate) fn start(cx: &'a CallContext, request: &'a Request) -> Self {
        Self {
            cx,
            request,
            at: cx.now(),
            ended: Ended::No,
        }
    }

    /// Records a success by the connector's summary.
    pub(crate) fn answered(self, response: &Response) {
        let summary = match &self.request.summarise {
            Some(summarise) => summarise(response),
            None => ResponseSummary {
                value: json!({ "bytes": response.body().len() }),
                records: Vec::new(),
            },
        };
        self.end(Some(response), summary);
    }

    /// Records a failure by its codes.
    pub(crate) fn failed(self, error: &Error, answer: Option<&Response>) {
        let value = json!({
            "error": error.code(),
            "provider_code": error.provider_code(),
            "request_id": error.request_id(),
        });
        let records = Vec::new();
        self.end(answer, ResponseSummary { value, records });
    }

    fn end(mut self, answer: Option<&Response>, summary: ResponseSummary) {
        self.write(answer.map(|answer| answer.status().as_u16()), summary);
    }

    fn write(&mut self, status: Option<u16>, summary: ResponseSummary) {
        self.ended = Ended::Yes;
        let request = self.request;
        self.cx.record_call(CallRecord {
            at: self.at,
            operation: request.operation.to_owned(),
            verb: request.method.to_string(),
            path: request.audit_path.as_ref().unwrap_or(&request.path).clone(),
            status,
            duration: (self.cx.now() - self.at).to_std().unwrap_or_default(),
            writes: request.writes(),
            messages: request.messages.clone(),
            records: summary.records,
            request: request.audit_summary.clone(),
            response: summary.value,
        });
    }
}

impl Drop for OpenRecord<'_> {
    fn drop(&mut self) {
        if self.ended == Ended::No {
            let value: Value = json!({ "error": "cancelled" });
            let records = Vec::new();
            self.write(None, ResponseSummary { value, records });
        }
    }
}
