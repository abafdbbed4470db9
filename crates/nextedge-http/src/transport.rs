//! The wire: builds one HTTP request, sends it once, reads the answer within its cap.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderName, HeaderValue};
use nextedge_core::{Error, ErrorKind, Reach, Result};
use reqwest::{Client, multipart, redirect};
use url::Url;

use crate::error::Applied;
use crate::request::{Body, Part, Request};
use crate::response::Response;

/// What the connection pool is built with.
pub(crate) struct TransportOptions {
    pub(crate) user_agent: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) idle_timeout: Duration,
    pub(crate) idle_per_host: usize,
    pub(crate) max_response: usize,
    pub(crate) system_proxy: bool,
}

impl Default for TransportOptions {
    fn default() -> Self {
        Self {
            user_agent: concat!("nextedge/", env!("CARGO_PKG_VERSION")).to_owned(),
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(60),
            idle_per_host: 32,
            max_response: 32 * 1024 * 1024,
            system_proxy: false,
        }
    }
}

/// One pool of connections for all tenants; credentials are set on each request.
pub(crate) struct Transport {
    client: Client,
    max_response: usize,
}

/// Why no complete answer came, and whether the request may have arrived.
pub(crate) struct Lost {
    pub(crate) error: Error,
    pub(crate) applied: Applied,
}

impl Transport {
    #[allow(clippy::disallowed_methods)] // the one place that builds an HTTP client
    pub(crate) fn new(options: &TransportOptions) -> Result<Self> {
        let mut builder = Client::builder()
            .redirect(redirect::Policy::none())
            .referer(false)
            .user_agent(&options.user_agent)
            .connect_timeout(options.connect_timeout)
            .pool_idle_timeout(options.idle_timeout)
            .pool_max_idle_per_host(options.idle_per_host)
            .tcp_nodelay(true);
        if !options.system_proxy {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|fault| {
            Error::new(ErrorKind::Config, "http client cannot be set up")
                .with_source(fault.without_url())
        })?;
        Ok(Self {
            client,
            max_response: options.max_response,
        })
    }

    /// Sends once and reads the whole answer; the caller bounds the time.
    pub(crate) async fn exchange(
        &self,
        request: &Request,
        url: &Url,
        credential: Option<(HeaderName, HeaderValue)>,
    ) -> Result<Response, Lost> {
        let wire = self.wire(request, url, credential).map_err(|fault| Lost {
            error: Error::new(ErrorKind::Invalid, "request cannot be built")
                .with_source(fault.without_url()),
            applied: Applied::No,
        })?;
        let mut answer = self.client.execute(wire).await.map_err(lost)?;
        let (status, headers) = (answer.status(), std::mem::take(answer.headers_mut()));
        let body = self.read(answer).await?;
        Ok(Response::new(request.operation, status, headers, body))
    }

    fn wire(
        &self,
        request: &Request,
        url: &Url,
        credential: Option<(HeaderName, HeaderValue)>,
    ) -> reqwest::Result<reqwest::Request> {
        let mut headers = request.headers.clone();
        headers
            .entry(ACCEPT)
            .or_insert(HeaderValue::from_static("application/json"));
        if let Body::Bytes(media_type, _) = &request.body {
            headers.entry(CONTENT_TYPE).or_insert(media_type.clone());
        }
        if let Some((name, value)) = credential {
            headers.insert(name, value);
        }
        let mut builder = self
            .client
            .request(request.method.clone(), url.clone())
            .headers(headers);
        if !request.query.is_empty() {
            builder = builder.query(&request.query);
        }
        match &request.body {
            Body::Empty => builder,
            Body::Bytes(_, bytes) => builder.body(bytes.clone()),
            Body::Multipart(parts) => builder.multipart(form(parts)?),
        }
        .build()
    }

    /// Reads a decoded body chunk by chunk and stops at the cap, so that a small compressed answer
    /// cannot grow without bound.
    async fn read(&self, mut answer: reqwest::Response) -> Result<Bytes, Lost> {
        let announced = answer.content_length().unwrap_or(0);
        if announced > self.max_response as u64 {
            return Err(self.too_large());
        }
        let Some(first) = answer.chunk().await.map_err(lost)? else {
            return Ok(Bytes::new());
        };
        if first.len() as u64 == announced && first.len() <= self.max_response {
            return Ok(first);
        }
        let mut body = BytesMut::with_capacity(usize::try_from(announced).unwrap_or(0));
        let mut next = Some(first);
        while let Some(chunk) = next {
            if body.len() + chunk.len() > self.max_response {
                return Err(self.too_large());
            }
            body.extend_from_slice(&chunk);
            next = answer.chunk().await.map_err(lost)?;
        }
        Ok(body.freeze())
    }

    fn too_large(&self) -> Lost {
        Lost {
            error: Error::new(ErrorKind::LimitExceeded, "answer is too large")
                .with_context("max_response_bytes", self.max_response),
            applied: Applied::Maybe,
        }
    }
}

fn form(parts: &[Part]) -> reqwest::Result<multipart::Form> {
    parts.iter().try_fold(multipart::Form::new(), |form, part| {
        let length = part.bytes.len() as u64;
        let mut piece = multipart::Part::stream_with_length(part.bytes.clone(), length);
        if let Some(file_name) = &part.file_name {
            piece = piece.file_name(file_name.clone());
        }
        if let Some(media_type) = &part.media_type {
            piece = piece.mime_str(media_type)?;
        }
        Ok(form.part(part.name.clone(), piece))
    })
}

/// Reads a transport fault; its text names the URL, so that is removed before it is kept.
fn lost(fault: reqwest::Error) -> Lost {
    let (kind, message, applied) = if fault.is_connect() {
        (
            ErrorKind::Unavailable,
            "the vendor cannot be reached",
            Applied::No,
        )
    } else if fault.is_timeout() {
        (ErrorKind::Timeout, "no answer in time", Applied::Maybe)
    } else if fault.is_builder() {
        (ErrorKind::Invalid, "request cannot be built", Applied::No)
    } else {
        (
            ErrorKind::Unavailable,
            "the connection broke before the answer was complete",
            Applied::Maybe,
        )
    };
    let reach = match applied {
        Applied::No if kind == ErrorKind::Unavailable => Reach::Connection,
        _ => Reach::Item,
    };
    Lost {
        error: Error::new(kind, message)
            .with_reach(reach)
            .with_source(fault.without_url()),
        applied,
    }
}
