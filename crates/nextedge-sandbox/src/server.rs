//! The way of a request: read, meet faults, apply, answer, journal.

use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::Router;
use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, FromRequest, Multipart, Request as HttpRequest, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use axum::routing::get;
use axum::serve::{IncomingStream, Listener};
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

use crate::control;
use crate::faults::{Effect, End, Faults, Scripted};
use crate::hubspot::{self, Answer, ApiError, Body, Hubspot, Part, Reply, correlation_id};
use crate::journal::{Entry, Journal, Recorded, redact_query};
use crate::page;

/// Everything the handlers share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) hubspot: Hubspot,
    pub(crate) journal: Journal,
    pub(crate) faults: Faults,
    pub(crate) panics: Mutex<Vec<String>>,
    pub(crate) base: String,
}

impl Shared {
    /// Puts everything back to what it was at start. Panics stay: they are failures, not state.
    pub(crate) fn reset(&self) {
        self.hubspot.reset();
        self.journal.clear();
        self.faults.clear();
    }

    pub(crate) fn panics(&self) -> Vec<String> {
        self.panics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn record(&self, entry: Entry, path: &str, status: u16, response: Recorded) {
        let entry = Entry {
            status,
            response,
            ..entry
        };
        self.journal.append(entry, &hubspot::counter_path(path));
    }

    fn record_panic(&self, what: String) {
        self.panics
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(what);
    }
}

/// Builds the router: the control surface, and the vendor everywhere else.
pub(crate) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .nest("/_sandbox", control::router())
        .route("/_sandbox/", get(page::index))
        .fallback(vendor)
        .with_state(shared)
}

async fn vendor(
    State(shared): State<Arc<Shared>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    request: HttpRequest,
) -> Response {
    let seen = match Seen::read(request).await {
        Ok(seen) => seen,
        Err((seen, error)) => {
            let (response, status, body) = respond(Err(error), Vec::new());
            shared.record(seen.entry(), &seen.path, status, body);
            return response;
        }
    };
    let effect = shared
        .faults
        .meet("hubspot", &seen.method, &seen.path, &seen.body);
    if let Some(delay) = effect.delay {
        // The delay is what the test asked the other side to suffer.
        #[allow(clippy::disallowed_methods)]
        tokio::time::sleep(delay).await;
    }
    let (entry, path) = (seen.entry(), seen.path.clone());
    let (response, status, body) = conclude(&shared, seen, effect, &cut);
    shared.record(entry, &path, status, body);
    response
}

/// Applies the request as far as the fault lets it and builds the answer.
fn conclude(shared: &Shared, seen: Seen, effect: Effect, cut: &Cut) -> (Response, u16, Recorded) {
    let Effect { end, poison, .. } = effect;
    let apply = |seen: Seen| {
        let path = seen.path.clone();
        let answer = catch_unwind(AssertUnwindSafe(|| seen.apply(shared, poison)));
        answer.unwrap_or_else(|panic| {
            shared.record_panic(format!("{path}: {}", panic_text(&*panic)));
            (Err(broken()), Vec::new())
        })
    };
    match end {
        End::Normal => {
            let (answer, headers) = apply(seen);
            respond(answer, headers)
        }
        End::Scripted {
            status,
            headers,
            body,
            apply: first,
        } => {
            if first {
                // The vendor's answer is lost, which is what the fault is for.
                let _ = apply(seen);
            }
            scripted(status, &headers, body)
        }
        End::Cut { apply: first } => {
            if first {
                // The vendor's answer is lost, which is what the fault is for.
                let _ = apply(seen);
            }
            cut.now();
            (Response::default(), 0, Recorded::Empty)
        }
        End::Panic => {
            shared.record_panic(format!("{}: asked for by a fault", seen.path));
            respond(Err(broken()), Vec::new())
        }
    }
}

fn broken() -> ApiError {
    ApiError::new(
        500,
        "INTERNAL_ERROR",
        "The sandbox itself failed; see its panics.",
    )
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("panic")
        .to_owned()
}

/// A request, read in full.
struct Seen {
    method: Method,
    path: String,
    query: String,
    headers: HeaderMap,
    body: Bytes,
    parts: Vec<Part>,
}

impl Seen {
    /// Reads a request in full. What cannot be read is refused, and known by its path at least.
    async fn read(request: HttpRequest) -> Result<Self, (Box<Self>, ApiError)> {
        let mut seen = Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            query: request.uri().query().unwrap_or_default().to_owned(),
            headers: request.headers().clone(),
            body: Bytes::new(),
            parts: Vec::new(),
        };
        match seen.read_body(request).await {
            Ok(()) => Ok(seen),
            Err(error) => Err((Box::new(seen), error)),
        }
    }

    async fn read_body(&mut self, request: HttpRequest) -> Result<(), ApiError> {
        let media = self.header("content-type").unwrap_or_default().to_owned();
        if media.starts_with("multipart/form-data") {
            self.parts = read_parts(request).await?;
            return Ok(());
        }
        self.body = to_bytes(request.into_body(), MAX_JSON)
            .await
            .map_err(|_| too_large())?;
        let writes = matches!(self.method, Method::POST | Method::PUT | Method::PATCH);
        if writes && !self.body.is_empty() && !media.starts_with("application/json") {
            return Err(ApiError::new(
                415,
                "UNSUPPORTED_MEDIA_TYPE",
                "The content type must be application/json.",
            ));
        }
        Ok(())
    }

    /// The journal's side of this request, before it has an answer.
    fn entry(&self) -> Entry {
        let described: Vec<Value> = self
            .parts
            .iter()
            .map(|one| json!({"name": one.name, "file_name": one.file_name, "bytes": one.content.len()}))
            .collect();
        Entry {
            vendor: "hubspot",
            method: self.method.to_string(),
            path: self.path.clone(),
            query: redact_query(&self.query),
            status: 0,
            cause: self.header("x-nextedge-cause").map(str::to_owned),
            request: match described.is_empty() {
                true => Recorded::body(self.body.clone()),
                false => Recorded::Described(json!({ "parts": described })),
            },
            response: Recorded::Empty,
        }
    }

    fn apply(
        mut self,
        shared: &Shared,
        poison: Option<hubspot::Poison>,
    ) -> (Answer, Vec<(&'static str, String)>) {
        let parts = std::mem::take(&mut self.parts);
        let decoded: Vec<String> = self
            .path
            .trim_start_matches('/')
            .split('/')
            .map(decode)
            .collect();
        let bearer = self
            .header("authorization")
            .and_then(|one| one.strip_prefix("Bearer "));
        let query = url::form_urlencoded::parse(self.query.as_bytes());
        let request = hubspot::Request {
            method: self.method.clone(),
            path: decoded.iter().map(String::as_str).collect(),
            query: query
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            bearer,
            body: self.body.clone(),
            base: shared.base.clone(),
            parts,
            poison,
        };
        shared.hubspot.answer(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

fn decode(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    // A path keeps its plus signs, a form does not.
    let form = format!("x={}", segment.replace('+', "%2B"));
    let mut pairs = url::form_urlencoded::parse(form.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(_, value)| value.into_owned())
}

async fn read_parts(request: HttpRequest) -> Result<Vec<Part>, ApiError> {
    let bad = |error: &dyn std::fmt::Display| {
        ApiError::invalid(format!("The multipart body cannot be read: {error}"))
    };
    let (head, body) = request.into_parts();
    let body = to_bytes(body, MAX_UPLOAD).await.map_err(|_| too_large())?;
    let mut request = HttpRequest::from_parts(head, HttpBody::from(body));
    axum::extract::DefaultBodyLimit::disable().apply(&mut request);
    let mut multipart = Multipart::from_request(request, &())
        .await
        .map_err(|error| bad(&error))?;
    let mut parts = Vec::new();
    while let Some(field) = multipart.next_field().await.map_err(|error| bad(&error))? {
        if parts.len() >= MAX_PARTS {
            return Err(ApiError::invalid("The multipart body has too many parts."));
        }
        parts.push(Part {
            name: field.name().unwrap_or_default().to_owned(),
            file_name: field.file_name().map(str::to_owned),
            content_type: field.content_type().map(str::to_owned),
            content: field.bytes().await.map_err(|error| bad(&error))?,
        });
    }
    Ok(parts)
}

fn too_large() -> ApiError {
    ApiError::new(413, "PAYLOAD_TOO_LARGE", "The body is too large.")
}

fn respond(answer: Answer, headers: Vec<(&'static str, String)>) -> (Response, u16, Recorded) {
    let reply = answer.unwrap_or_else(|error| Reply {
        status: error.status(),
        body: Body::Json(error.body(&correlation_id())),
        headers: error.headers(),
    });
    let (media, content) = match reply.body {
        Body::Empty => (None, Bytes::new()),
        Body::Json(value) => (
            Some("application/json;charset=utf-8".into()),
            Bytes::from(value.to_string()),
        ),
        Body::Raw(media, content) => (Some(media), content),
    };
    let recorded = match media.as_deref() {
        Some("application/octet-stream") => Recorded::Described(json!({"bytes": content.len()})),
        _ => Recorded::body(content.clone()),
    };
    let mut response = Response::new(HttpBody::from(content));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let map = response.headers_mut();
    if let Some(media) = media.and_then(|one| HeaderValue::from_str(&one).ok()) {
        map.insert(header::CONTENT_TYPE, media);
    }
    for (name, value) in headers.into_iter().chain(reply.headers) {
        if let Ok(value) = HeaderValue::from_str(&value) {
            map.insert(HeaderName::from_static(name), value);
        }
    }
    (response, reply.status, recorded)
}

fn scripted(
    status: u16,
    headers: &std::collections::BTreeMap<String, String>,
    body: Scripted,
) -> (Response, u16, Recorded) {
    let reply = match body {
        Scripted::Error(error) => Reply {
            status,
            body: Body::Json(error.body(&correlation_id())),
            headers: error.headers(),
        },
        Scripted::Json(value) => Reply::json(status, value),
        Scripted::Text(text) => Reply {
            status,
            body: Body::Raw("text/html".into(), Bytes::from(text)),
            headers: Vec::new(),
        },
    };
    let (mut response, status, recorded) = respond(Ok(reply), Vec::new());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            response.headers_mut().insert(name, value);
        }
    }
    (response, status, recorded)
}

/// Cuts the connection a request came on, before anything of the answer is sent.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cut(Arc<AtomicBool>);

impl Cut {
    fn now(&self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Connected<IncomingStream<'_, CuttingListener>> for Cut {
    fn connect_info(stream: IncomingStream<'_, CuttingListener>) -> Self {
        stream.io().cut.clone()
    }
}

/// A listener whose connections can be cut.
pub(crate) struct CuttingListener(pub(crate) TcpListener);

impl Listener for CuttingListener {
    type Io = CuttableStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (CuttableStream, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.0).await;
        // Small answers must not wait for a full segment.
        let _ = stream.set_nodelay(true);
        let cut = Cut::default();
        (CuttableStream { stream, cut }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// A connection that fails every write once it is cut.
pub(crate) struct CuttableStream {
    stream: TcpStream,
    cut: Cut,
}

impl CuttableStream {
    fn check(&self) -> io::Result<()> {
        if self.cut.0.load(Ordering::Acquire) {
            return Err(io::Error::from(io::ErrorKind::ConnectionReset));
        }
        Ok(())
    }
}

impl AsyncRead for CuttableStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for CuttableStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

const MAX_JSON: usize = 32 << 20;
const MAX_UPLOAD: usize = 100 << 20;
const MAX_PARTS: usize = 16;
