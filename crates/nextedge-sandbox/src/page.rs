//! The page at `/_sandbox/`: what a person would see in the CRM. No script, nothing loaded from elsewhere.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::hubspot::{Body, Entry, Moment, RecordPage, view_index, view_list, view_record};
use crate::server::Shared;

pub(crate) fn router() -> Router<Arc<Shared>> {
    Router::new()
        .route("/", get(index))
        .route("/style.css", get(style))
        .route("/hubspot/{kind}", get(list))
        .route("/hubspot/{kind}/{id}", get(record))
        .route("/hubspot/files/{id}/download", get(download))
}

pub(crate) async fn index(State(shared): State<Arc<Shared>>) -> Response {
    let sections = view_index(&shared.hubspot);
    let first = sections
        .iter()
        .find(|one| one.count > 0)
        .map(|one| one.name.clone());
    match first {
        Some(name) => Redirect::temporary(&format!("/_sandbox/hubspot/{name}")).into_response(),
        None => html(
            StatusCode::OK,
            &shared,
            "",
            "<p class=empty>No records yet. Whatever a client writes shows up here.</p>",
        ),
    }
}

#[derive(Deserialize)]
struct ListQuery {
    before: Option<u64>,
}

async fn list(
    State(shared): State<Arc<Shared>>,
    Path(kind): Path<String>,
    Query(query): Query<ListQuery>,
) -> Response {
    let Some(entries) = view_list(&shared.hubspot, &kind, query.before, PAGE) else {
        return missing(&shared);
    };
    let mut body = format!("<h1>{}</h1>", escape(&kind));
    if entries.is_empty() {
        body.push_str("<p class=empty>No records.</p>");
        return html(StatusCode::OK, &shared, &kind, &body);
    }
    body.push_str("<table class=list><thead><tr><th>Title<th>Record<th>Changed</thead><tbody>");
    for entry in &entries {
        let _ = write!(
            body,
            "<tr><td>{}<td class=dim>{}<td class=dim>{}",
            link(entry),
            entry.id,
            escape(&entry.updated)
        );
    }
    body.push_str("</tbody></table>");
    if let Some(last) = entries.last().filter(|_| entries.len() == PAGE) {
        let _ = write!(body, "<p><a href=\"?before={}\">Older</a></p>", last.id);
    }
    html(StatusCode::OK, &shared, &kind, &body)
}

async fn record(
    State(shared): State<Arc<Shared>>,
    Path((kind, id)): Path<(String, u64)>,
) -> Response {
    match view_record(&shared.hubspot, &kind, id) {
        Some(page) => html(StatusCode::OK, &shared, &kind, &record_body(&page)),
        None => missing(&shared),
    }
}

async fn download(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let Some(reply) = shared.hubspot.file(&id) else {
        return missing(&shared);
    };
    let Body::Raw(media, content) = reply.body else {
        return missing(&shared);
    };
    let mut response = ([(header::CONTENT_TYPE, media.into_owned())], content).into_response();
    for (name, value) in reply.headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css")], STYLE).into_response()
}

fn missing(shared: &Shared) -> Response {
    html(
        StatusCode::NOT_FOUND,
        shared,
        "",
        "<p class=empty>There is nothing here.</p>",
    )
}

fn record_body(page: &RecordPage) -> String {
    let entry = &page.entry;
    let mut body = format!(
        "<h1>{}</h1><p class=dim>{} {} · changed {}</p><div class=columns><section><h2>About</h2><dl>",
        escape(&entry.title),
        escape(&entry.kind),
        entry.id,
        escape(&entry.updated)
    );
    for (label, value) in &page.properties {
        let _ = write!(body, "<dt>{}<dd>{}", escape(label), escape(value));
    }
    body.push_str("</dl>");
    if !page.linked.is_empty() {
        body.push_str("<h2>Linked records</h2><ul>");
        for entry in &page.linked {
            let _ = write!(
                body,
                "<li>{} <span class=dim>{}</span>",
                link(entry),
                escape(&entry.kind)
            );
        }
        body.push_str("</ul>");
    }
    body.push_str("</section><section><h2>Timeline</h2>");
    if page.timeline.is_empty() {
        body.push_str("<p class=empty>Nothing happened yet.</p>");
    }
    for moment in &page.timeline {
        push_moment(&mut body, moment);
    }
    body.push_str("</section></div>");
    body
}

fn push_moment(body: &mut String, moment: &Moment) {
    let _ = write!(
        body,
        "<article><header><span class=kind>{}</span> <b>{}</b><time>{}</time></header>",
        escape(&moment.entry.kind),
        link(&moment.entry),
        escape(&moment.at)
    );
    if !moment.from.is_empty() || !moment.to.is_empty() {
        let _ = write!(
            body,
            "<p class=dim>From {} to {}</p>",
            escape(&moment.from),
            escape(&moment.to)
        );
    }
    if !moment.html.is_empty() {
        let safe = escape(&clean(&moment.html));
        let _ = write!(body, "<iframe sandbox srcdoc=\"{safe}\"></iframe>");
    }
    if !moment.text.is_empty() {
        let open = if moment.html.is_empty() { " open" } else { "" };
        let _ = write!(
            body,
            "<details{open}><summary>Text</summary><pre>{}</pre></details>",
            escape(&moment.text)
        );
    }
    if !moment.attachments.is_empty() {
        body.push_str("<ul class=files>");
        for (id, name, size) in &moment.attachments {
            let _ = write!(
                body,
                "<li><a href=\"/_sandbox/hubspot/files/{id}/download\" download>{}</a> <span class=dim>{size} bytes</span>",
                escape(name)
            );
        }
        body.push_str("</ul>");
    }
    body.push_str("</article>");
}

fn link(entry: &Entry) -> String {
    format!(
        "<a href=\"/_sandbox/hubspot/{}/{}\">{}</a>",
        escape(&entry.kind),
        entry.id,
        escape(&entry.title)
    )
}

/// Keeps the formatting of a mail and nothing that loads or runs. Images go: even a local one may lie.
fn clean(html: &str) -> String {
    let mut builder = ammonia::Builder::default();
    builder
        .rm_tags(["img", "map", "area"])
        .link_rel(Some("noopener noreferrer nofollow"));
    builder.clean(html).to_string()
}

fn html(status: StatusCode, shared: &Shared, current: &str, body: &str) -> Response {
    let mut nav = String::new();
    for section in view_index(&shared.hubspot) {
        let class = if section.name == current {
            " class=here"
        } else {
            ""
        };
        let _ = write!(
            nav,
            "<a{class} href=\"/_sandbox/hubspot/{0}\">{0} <span>{1}</span></a>",
            escape(&section.name),
            section.count
        );
    }
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>NextEdge sandbox</title><link rel=stylesheet href=\"/_sandbox/style.css\">\
         <nav><a class=brand href=\"/_sandbox/\">NextEdge sandbox</a>{nav}</nav><main>{body}</main></html>"
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, page).into_response()
}

/// Escapes a text for element content and quoted attributes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// A frame from `srcdoc` inherits this: no script, no image, no request from inside a mail.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE: usize = 50;
const STYLE: &str = include_str!("page.css");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_cannot_bring_script_or_remote_content() {
        let hostile = "<p onclick=x()>Hi <b>you</b></p><script>alert(1)</script>\
            <img src=https://t.example/p.gif><img src=//t.example/q><a href=javascript:x()>go</a>\
            <svg onload=x()></svg><style>@import url(//t.example)</style><iframe src=//t.example></iframe>";
        let clean = clean(hostile);
        for bad in [
            "script",
            "onclick",
            "onload",
            "img",
            "t.example",
            "javascript",
            "iframe",
            "svg",
        ] {
            assert!(!clean.contains(bad), "{bad} in {clean}");
        }
        assert!(clean.contains("<b>you</b>"));
    }

    #[test]
    fn escaping_closes_every_way_out_of_an_attribute() {
        assert_eq!(escape("\"'<>&"), "&quot;&#39;&lt;&gt;&amp;");
    }
}
