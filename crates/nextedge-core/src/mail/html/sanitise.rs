//! HTML that is safe to show in a CRM: no scripts, no styles, no remote loads, no hidden text.
//!
//! Nothing of the input is copied: elements and attributes of a short list are written anew, every
//! text is decoded and escaped, and what is open is closed in order. A tree builder is not used: it
//! repeats open formatting in every block, so that 160 KB of HTML became 800 MB of tree.

use super::render::{decode_entity, entity_len};
use super::style::Visibility;
use super::token::{Tag, Token, Tokens};
use super::{HtmlLimits, bounded, html_to_text};
use crate::mail::work;

/// Cleans HTML for a CRM: scripts, styles, forms, images and hidden text are removed, links open
/// without referrer. HTML nested deeper than [`HtmlLimits::depth`] becomes its escaped text.
///
/// Images go altogether: remote ones tell the sender who reads, `cid:` ones do not resolve there.
/// So do links without one of the schemes http, https, mailto and tel: they would lead into the CRM.
///
/// ```
/// use nextedge_core::mail::{HtmlLimits, sanitise_html};
///
/// let clean = sanitise_html("<p onclick=x()>Hi<img src=//t.example/p.gif></p>", &HtmlLimits::default());
/// assert_eq!(clean, "<p>Hi</p>");
/// ```
pub fn sanitise_html(html: &str, limits: &HtmlLimits) -> String {
    let html = bounded(html, limits);
    Writer::new(html.len())
        .write(html, limits.depth)
        .unwrap_or_else(|| {
            let mut out = "<pre>".to_owned();
            escape(&html_to_text(html, limits).text, &mut out);
            out.push_str("</pre>");
            out
        })
}

/// The clean HTML so far and what is open in it.
struct Writer {
    out: String,
    seen: Visibility,
    open: Vec<&'static Element>,
}

/// An element that may be written.
struct Element {
    name: &'static str,
    kind: Kind,
    attributes: &'static [&'static str],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Has no end tag.
    Void,
    /// Lies inside lines; its end tag closes no block.
    Inline,
    Block,
    /// A part of a table; only its own kind closes it.
    Table,
}

impl Writer {
    fn new(html_len: usize) -> Self {
        Self {
            out: String::with_capacity(html_len),
            seen: Visibility::default(),
            open: Vec::new(),
        }
    }

    /// Writes all of it; none if it is nested beyond reason.
    fn write(mut self, html: &str, max_depth: usize) -> Option<String> {
        for token in Tokens::of(html) {
            let was_hidden = self.seen.is_hidden();
            match token {
                Token::Start(tag) => {
                    self.seen.start(&tag);
                    if !was_hidden && !self.seen.is_hidden() {
                        self.start(&tag);
                    }
                }
                Token::End(name) => {
                    self.seen.end(&name);
                    if !was_hidden && !self.seen.is_hidden() {
                        self.end(&name);
                    }
                }
                Token::Raw { element, content } if element == "style" => {
                    self.seen.add_sheet(content);
                }
                Token::Raw { element, content } if element == "textarea" || element == "xmp" => {
                    self.text(content);
                }
                Token::Text(text) => self.text(text),
                Token::Raw { .. } | Token::Other => (),
            }
            if self.seen.depth() > max_depth || self.open.len() > max_depth {
                return None;
            }
        }
        while !self.open.is_empty() {
            self.close();
        }
        Some(self.out)
    }

    fn text(&mut self, text: &str) {
        if !self.seen.is_hidden() {
            escape(&decode(text), &mut self.out);
        }
    }

    fn start(&mut self, tag: &Tag<'_>) {
        let Some(element) = element_of(&tag.name) else {
            return;
        };
        let top = self.open.last().map(|open| open.name);
        if top == Some(element.name) && CLOSED_BY_SIBLING.contains(&element.name) {
            self.close();
        }
        self.out.push('<');
        self.out.push_str(element.name);
        self.attributes(element, tag);
        self.out.push('>');
        if element.kind != Kind::Void {
            self.open.push(element);
        }
    }

    fn attributes(&mut self, element: &Element, tag: &Tag<'_>) {
        let mut written: Vec<&str> = Vec::new();
        for (name, value) in tag.attributes().take(MAX_ATTRIBUTES) {
            let allowed = element.attributes.iter().chain(EVERYWHERE);
            let mut allowed = allowed.filter(|known| name.eq_ignore_ascii_case(known));
            let Some(known) = allowed.next().filter(|known| !written.contains(known)) else {
                continue;
            };
            let value = decode(value);
            let value = match *known {
                "href" => match link(&value) {
                    Some(link) => link,
                    None => continue,
                },
                _ => value,
            };
            written.push(known);
            self.out.push(' ');
            self.out.push_str(known);
            self.out.push_str("=\"");
            escape(&value, &mut self.out);
            self.out.push('"');
        }
        if written.contains(&"href") {
            self.out.push_str(" rel=\"noopener noreferrer nofollow\"");
        }
    }

    /// Closes an element and what is open inside it, as far as its end tag may reach.
    fn end(&mut self, name: &str) {
        let Some(ends) = element_of(name) else {
            return;
        };
        for (inside, open) in self.open.iter().rev().enumerate() {
            if open.name == ends.name {
                (0..=inside).for_each(|_| self.close());
                return;
            }
            let stays = match ends.kind {
                Kind::Void => true,
                Kind::Inline => open.kind != Kind::Inline,
                Kind::Block => open.kind == Kind::Table,
                Kind::Table => false,
            };
            if stays {
                return;
            }
            work::count(1);
        }
    }

    fn close(&mut self) {
        if let Some(element) = self.open.pop() {
            self.out.push_str("</");
            self.out.push_str(element.name);
            self.out.push('>');
        }
    }
}

/// A link that leads to where it says; none if it could run or lead into the CRM.
fn link(value: &str) -> Option<String> {
    // browsers look through line breaks and control characters
    let link: String = value.chars().filter(|c| !c.is_control()).collect();
    let link = link.trim();
    let (scheme, _) = link.split_once(':')?;
    let known = SCHEMES
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known));
    known.then(|| link.to_owned())
}

fn decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let len = entity_len(rest);
        decode_entity(&rest[..len], &mut out);
        rest = &rest[len..];
    }
    out.push_str(rest);
    out
}

/// Writes text so that it is text wherever it stands; control characters are left out.
fn escape(text: &str, out: &mut String) {
    let mut from = 0;
    for (at, c) in text.char_indices() {
        let entity = match c {
            '&' => "&amp;",
            '<' => "&lt;",
            '>' => "&gt;",
            '"' => "&quot;",
            '\u{a0}' => "&nbsp;",
            '\n' | '\r' | '\t' => continue,
            c if c.is_control() => "",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(entity);
        from = at + c.len_utf8();
    }
    out.push_str(&text[from..]);
}

fn element_of(name: &str) -> Option<&'static Element> {
    let found = ELEMENTS.binary_search_by(|element| element.name.cmp(name));
    found.ok().map(|at| &ELEMENTS[at])
}

const fn element(name: &'static str, kind: Kind) -> Element {
    with(name, kind, &[])
}

const fn with(name: &'static str, kind: Kind, attributes: &'static [&'static str]) -> Element {
    Element {
        name,
        kind,
        attributes,
    }
}

use Kind::{Block, Inline, Table, Void};

/// Sorted by name.
static ELEMENTS: &[Element] = &[
    with("a", Inline, &["href", "hreflang"]),
    element("abbr", Inline),
    element("acronym", Inline),
    element("address", Block),
    element("article", Block),
    element("aside", Block),
    element("b", Inline),
    element("bdi", Inline),
    with("bdo", Inline, &["dir"]),
    element("big", Inline),
    element("blockquote", Block),
    element("br", Void),
    element("caption", Table),
    element("center", Block),
    element("cite", Inline),
    element("code", Inline),
    with("col", Void, &["align", "span"]),
    with("colgroup", Table, &["align", "span"]),
    element("dd", Block),
    element("del", Inline),
    element("details", Block),
    element("dfn", Inline),
    element("div", Block),
    element("dl", Block),
    element("dt", Block),
    element("em", Inline),
    element("figcaption", Block),
    element("figure", Block),
    element("footer", Block),
    element("h1", Block),
    element("h2", Block),
    element("h3", Block),
    element("h4", Block),
    element("h5", Block),
    element("h6", Block),
    element("header", Block),
    element("hr", Void),
    element("i", Inline),
    element("ins", Inline),
    element("kbd", Inline),
    element("li", Block),
    element("main", Block),
    element("mark", Inline),
    element("nav", Block),
    with("ol", Block, &["start"]),
    element("p", Block),
    element("pre", Block),
    element("q", Inline),
    element("s", Inline),
    element("samp", Inline),
    element("section", Block),
    element("small", Inline),
    element("span", Inline),
    element("strike", Inline),
    element("strong", Inline),
    element("sub", Inline),
    element("summary", Block),
    element("sup", Inline),
    with("table", Table, &["align"]),
    with("tbody", Table, &["align"]),
    with("td", Table, &["align", "colspan", "rowspan"]),
    with("tfoot", Table, &["align"]),
    with("th", Table, &["align", "colspan", "rowspan", "scope"]),
    with("thead", Table, &["align"]),
    with("tr", Table, &["align"]),
    element("tt", Inline),
    element("u", Inline),
    element("ul", Block),
    element("var", Inline),
    element("wbr", Void),
];

/// Attributes that every element may have.
const EVERYWHERE: &[&str] = &["lang", "title"];
/// Where a link may lead.
const SCHEMES: &[&str] = &["http", "https", "mailto", "tel"];
/// Elements that a sibling of the same name closes; a link inside a link would be no link.
const CLOSED_BY_SIBLING: &[&str] = &["a", "p", "li", "td", "th", "tr", "dt", "dd"];
/// More attributes than any mailer writes on one tag; the rest is left out.
const MAX_ATTRIBUTES: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(html: &str) -> String {
        sanitise_html(html, &HtmlLimits::default())
    }

    #[test]
    fn elements_are_sorted_so_that_each_is_found() {
        assert!(ELEMENTS.is_sorted_by_key(|element| element.name));
        for element in ELEMENTS {
            assert!(element_of(element.name).is_some(), "{}", element.name);
        }
    }

    #[test]
    fn what_is_written_is_closed_in_order() {
        for (html, expected) in [
            ("<b><p>x</b>y</p>z", "<b><p>xy</p>z</b>"),
            (
                "<table><tr><td><p>a</table>b",
                "<table><tr><td><p>a</p></td></tr></table>b",
            ),
            ("<p>a<p>b</div>c", "<p>a</p><p>bc</p>"),
            (
                "<p><table><tr><td>x</p>y</td></tr></table>",
                "<p><table><tr><td>xy</td></tr></table></p>",
            ),
            ("<ul><li>a<li>b</ul>", "<ul><li>a</li><li>b</li></ul>"),
            (
                "<i><a href=tel:1>x<a>y",
                "<i><a href=\"tel:1\" rel=\"noopener noreferrer nofollow\">x</a><a>y</a></i>",
            ),
            ("</b></p></table>x<br/>", "x<br>"),
            ("<x-y>a</x-y><font color=red>b</font>", "ab"),
        ] {
            assert_eq!(clean(html), expected, "{html}");
        }
    }

    #[test]
    fn text_stays_text_whatever_it_spells() {
        for (html, expected) in [
            (
                "1 < 2 & 3 &lt;b&gt; &amp;lt;",
                "1 &lt; 2 &amp; 3 &lt;b&gt; &amp;lt;",
            ),
            ("&#60;script&#62;x", "&lt;script&gt;x"),
            ("<textarea><b>x</textarea>", "&lt;b&gt;x"),
            (
                "<p title='\"><script>'>x",
                "<p title=\"&quot;&gt;&lt;script&gt;\">x</p>",
            ),
            ("<p title=a title=b TITLE=c>x", "<p title=\"a\">x</p>"),
            ("a&nbsp;b\u{0}\u{1b}c", "a&nbsp;bc"),
            (
                "<title>x</title><iframe>y</iframe><noscript>z</noscript>",
                "",
            ),
        ] {
            assert_eq!(clean(html), expected, "{html}");
        }
    }

    #[test]
    fn links_keep_no_scheme_that_runs_or_leads_into_the_crm() {
        for bad in [
            "javascript:x",
            " java\tscript:x",
            "&#106;avascript:x",
            "JAVASCRIPT&colon;x",
            "\u{1}javascript:x",
            "data:text/html,x",
            "vbscript:x",
            "/settings/delete",
            "//x.example",
            "?a=b",
            "file:///etc/passwd",
        ] {
            assert_eq!(
                clean(&format!("<a href=\"{bad}\">x</a>")),
                "<a>x</a>",
                "{bad}"
            );
        }
        for good in [
            "https://a.example/?b=c&amp;d=e",
            "MAILTO:a@b.example",
            "tel:+49301",
        ] {
            assert!(
                clean(&format!("<a href='{good}'>x</a>")).contains(good),
                "{good}"
            );
        }
    }

    #[test]
    fn open_formatting_is_not_repeated_in_every_block() {
        let open: String = (0..180).map(|n| format!("<b a{n}>")).collect();
        let html = format!("<p>{open}</p>{}", "<p>x</p>".repeat(20_000));
        let clean = clean(&html);
        assert!(
            clean.len() < html.len() * 2,
            "{} of {}",
            clean.len(),
            html.len()
        );
    }
}
