//! HTML that is safe to show in a CRM: no scripts, no styles, no remote loads, no hidden text.

use std::sync::LazyLock;

use ammonia::Builder;

use super::style::Visibility;
use super::token::{Token, Tokens};
use super::{HtmlLimits, bounded, html_to_text};

/// Cleans HTML for a CRM: scripts, styles, forms, images and hidden text are removed, links open
/// without referrer. HTML nested deeper than [`HtmlLimits::depth`] becomes its escaped text.
///
/// Images go altogether: remote ones tell the sender who reads, `cid:` ones do not resolve there.
///
/// ```
/// use nextedge_core::mail::{HtmlLimits, sanitise_html};
///
/// let clean = sanitise_html("<p onclick=x()>Hi<img src=//t.example/p.gif></p>", &HtmlLimits::default());
/// assert_eq!(clean, "<p>Hi</p>");
/// ```
pub fn sanitise_html(html: &str, limits: &HtmlLimits) -> String {
    let html = bounded(html, limits);
    match visible_markup(html, limits.depth) {
        Some(visible) => CLEANER.clean(&visible).to_string(),
        None => {
            let text = html_to_text(html, limits).text;
            format!("<pre>{}</pre>", ammonia::clean_text(&text))
        }
    }
}

static CLEANER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::default();
    builder
        .rm_tags(["img", "map", "area"])
        .url_schemes(["http", "https", "mailto", "tel"].into())
        .link_rel(Some("noopener noreferrer nofollow"));
    builder
});

/// Copies the markup without what is hidden; none if it is nested or attributed beyond reason.
fn visible_markup(html: &str, max_depth: usize) -> Option<String> {
    let mut out = String::with_capacity(html.len());
    let mut seen = Visibility::default();
    let mut tokens = Tokens::of(html);
    let mut from = tokens.position();
    let mut references = 0;
    while let Some(token) = tokens.next() {
        let was_hidden = seen.is_hidden();
        match &token {
            Token::Start(tag) => {
                if tag.attributes().take(MAX_ATTRIBUTES + 1).count() > MAX_ATTRIBUTES {
                    return None;
                }
                seen.start(tag);
            }
            Token::End(name) => {
                seen.end(name);
            }
            Token::Raw { element, content } if element == "style" => seen.add_sheet(content),
            Token::Text(text) => {
                references += memchr::memchr2_iter(b'&', b'<', text.as_bytes()).count();
            }
            Token::Raw { .. } | Token::Other => (),
        }
        let end = tokens.position();
        if !was_hidden && !seen.is_hidden() {
            out.push_str(&html[from..end]);
        }
        from = end;
        if seen.depth() > max_depth || references > MAX_REFERENCES {
            return None;
        }
    }
    Some(out)
}

/// More entities than any mailer writes: the tree builder copies the text at each.
const MAX_REFERENCES: usize = 10_000;

/// More attributes than any mailer writes on one tag; the tree builder compares each with each.
const MAX_ATTRIBUTES: usize = 100;
