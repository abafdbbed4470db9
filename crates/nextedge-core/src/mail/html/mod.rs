//! HTML bodies: as the text a person sees, or as HTML that is safe to hand on.
//!
//! Both are one pass with a tokenizer and a stack of open elements, so hostile nesting costs linear
//! time; the tree builders behind the usual converters take the square of the depth. What a person
//! cannot see (`display:none`, `visibility:hidden`, no size, no opacity, moved out of the page,
//! white on white, the `hidden` attribute, simple style-sheet rules for any of these, zero-width
//! and direction characters) never reaches the text; it is counted.

mod render;
mod sanitise;
mod style;
mod token;

pub use sanitise::sanitise_html;

/// Limits of HTML handling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HtmlLimits {
    /// HTML that is read; what follows is left out. Default 1 MiB.
    pub bytes: usize,
    /// Elements inside each other up to which HTML is sanitised as HTML; deeper HTML is handed on
    /// as its text. Default 200.
    pub depth: usize,
}

impl Default for HtmlLimits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            depth: 200,
        }
    }
}

impl HtmlLimits {
    /// Sets how much HTML is read. Default 1 MiB.
    #[must_use]
    pub fn with_bytes(mut self, bytes: usize) -> Self {
        self.bytes = bytes;
        self
    }
}

/// The text of an HTML body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HtmlText {
    /// What a person sees: blocks as lines, quotes with `> `, lists with `- ` or numbers.
    pub text: String,
    /// Letters that were hidden and left out, white space and comments not counted.
    pub hidden_chars: usize,
}

/// Renders HTML as the text a person sees, without hidden text, scripts and comments.
///
/// ```
/// use nextedge_core::mail::{HtmlLimits, html_to_text};
///
/// let seen = html_to_text("<p>Hi<span style='display:none'>secret</span></p>", &HtmlLimits::default());
/// assert_eq!(seen.text, "Hi\n");
/// assert_eq!(seen.hidden_chars, 6);
/// ```
pub fn html_to_text(html: &str, limits: &HtmlLimits) -> HtmlText {
    render::render(bounded(html, limits))
}

fn bounded<'a>(html: &'a str, limits: &HtmlLimits) -> &'a str {
    &html[..html.floor_char_boundary(limits.bytes)]
}

#[cfg(test)]
mod tests;
