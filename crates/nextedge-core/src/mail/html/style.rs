//! Decides which elements a person cannot see.

use std::collections::{HashMap, HashSet};

use super::token::Tag;
use crate::mail::work;

/// Tracks open elements and whether what they hold can be seen.
#[derive(Default)]
pub(super) struct Visibility {
    open: Vec<Open>,
    /// How many elements of a name are open, so that a stray end tag costs nothing.
    counts: HashMap<String, usize>,
    sheet: Sheet,
}

struct Open {
    name: String,
    look: Look,
}

/// What an element inherits and hands down.
#[derive(Clone, Copy, Default)]
pub(super) struct Look {
    /// Not shown whatever its children say.
    removed: bool,
    /// A child may turn it visible again.
    invisible: bool,
    /// Its letters have no size; a child may set one.
    sizeless: bool,
    /// Its letters have the colour of white paper.
    white: bool,
    /// Something paints a background behind it.
    painted: bool,
}

impl Look {
    pub(super) fn is_hidden(self) -> bool {
        self.removed || self.invisible || self.sizeless || (self.white && !self.painted)
    }
}

impl Visibility {
    /// Tells whether text at this place is hidden.
    pub(super) fn is_hidden(&self) -> bool {
        self.look().is_hidden()
    }

    /// Returns how many elements are open.
    pub(super) fn depth(&self) -> usize {
        self.open.len()
    }

    /// Reads a style sheet's simple rules.
    pub(super) fn add_sheet(&mut self, css: &str) {
        self.sheet.add(css);
    }

    /// Opens an element; `void` elements are judged but not opened.
    pub(super) fn start(&mut self, tag: &Tag<'_>) {
        let name = tag.name.as_str();
        let top = self.open.last().map(|open| open.name.as_str());
        if top == Some(name) && SELF_CLOSING_SIBLINGS.contains(&name) {
            self.pop();
        }
        if VOID_ELEMENTS.contains(&name) {
            return;
        }
        let look = self.look_of(tag);
        *self.counts.entry(name.to_owned()).or_default() += 1;
        self.open.push(Open {
            name: name.to_owned(),
            look,
        });
    }

    /// Closes an element; returns whether it was open.
    pub(super) fn end(&mut self, name: &str) -> bool {
        if self.counts.get(name).copied().unwrap_or_default() == 0 {
            return false;
        }
        if INLINE_ELEMENTS.contains(&name) {
            let near = self.open.len().saturating_sub(INLINE_REACH);
            work::count(self.open.len() - near);
            let found = self.open[near..].iter().rposition(|open| open.name == name);
            if let Some(found) = found {
                self.release(near + found);
                return true;
            }
        }
        while let Some(closed) = self.pop() {
            if closed == name {
                break;
            }
        }
        true
    }

    fn look(&self) -> Look {
        self.open.last().map(|open| open.look).unwrap_or_default()
    }

    /// Closes an inline element below blocks that stay open, as browsers do.
    fn release(&mut self, at: usize) {
        if at + 1 == self.open.len() {
            self.pop();
            return;
        }
        let outside = at.checked_sub(1).map(|outer| self.open[outer].look);
        self.open[at].look = outside.unwrap_or_default();
        let name = std::mem::take(&mut self.open[at].name);
        self.forget(&name);
    }

    fn pop(&mut self) -> Option<String> {
        work::count(1);
        let closed = self.open.pop()?;
        self.forget(&closed.name);
        Some(closed.name)
    }

    fn forget(&mut self, name: &str) {
        if let Some(count) = self.counts.get_mut(name) {
            *count = count.saturating_sub(1);
        }
    }

    fn look_of(&self, tag: &Tag<'_>) -> Look {
        let mut look = self.look();
        if tag.name == "template" || tag.name == "head" && self.open.len() < 3 {
            look.removed = true;
        }
        self.sheet.apply(&tag.name, &mut look);
        for (name, value) in tag.attributes() {
            match name.to_ascii_lowercase().as_str() {
                "style" => apply_declarations(value, &mut look),
                "hidden" => look.removed = true,
                "bgcolor" | "background" => look.painted |= !is_white(&value.to_ascii_lowercase()),
                "color" => look.white = is_white(&value.to_ascii_lowercase()),
                "id" => self.sheet.apply(&format!("#{value}"), &mut look),
                "class" => {
                    for class in value.split_ascii_whitespace().take(MAX_CLASSES) {
                        self.sheet.apply(&format!(".{class}"), &mut look);
                        self.sheet
                            .apply(&format!("{}.{class}", tag.name), &mut look);
                    }
                }
                _ => (),
            }
        }
        look
    }
}

/// The hiding rules of style sheets with one simple selector: `p`, `.x`, `#x`, `p.x`.
#[derive(Default)]
struct Sheet {
    hiding: HashSet<String>,
    /// A sheet that paints backgrounds may stand behind any white text.
    paints: bool,
}

impl Sheet {
    fn apply(&self, selector: &str, look: &mut Look) {
        look.removed |= !self.hiding.is_empty() && self.hiding.contains(selector);
        look.painted |= self.paints;
    }

    fn add(&mut self, css: &str) {
        self.paints |= css.contains("background");
        let mut rest = css;
        while let Some((selectors, after)) = rest.split_once('{') {
            let selectors = selectors
                .rsplit(['}', ';', '/'])
                .next()
                .unwrap_or_default()
                .trim();
            // Rules inside @media are for other screens; their block ends with the outer brace.
            if selectors.starts_with('@') {
                let next = skip_block(after);
                work::count(rest.len() - next.len());
                rest = next;
                continue;
            }
            let (declarations, next) = after.split_once('}').unwrap_or((after, ""));
            work::count(rest.len() - next.len());
            let mut look = Look::default();
            apply_declarations(declarations, &mut look);
            if look.removed || look.invisible || look.sizeless {
                self.keep(selectors);
            }
            rest = next;
        }
    }

    fn keep(&mut self, selectors: &str) {
        for selector in selectors.split(',').map(str::trim) {
            let simple = !selector.is_empty()
                && selector.len() < 100
                && selector
                    .chars()
                    .all(|c| c.is_alphanumeric() || matches!(c, '.' | '#' | '-' | '_'));
            if simple && self.hiding.len() < MAX_RULES {
                self.hiding.insert(selector.to_owned());
            }
        }
    }
}

/// Reads the declarations that can hide text.
fn apply_declarations(css: &str, look: &mut Look) {
    let (mut zero_height, mut clipped) = (false, false);
    for declaration in css.split(';') {
        let Some((property, value)) = declaration.split_once(':') else {
            continue;
        };
        let value = value.to_ascii_lowercase();
        let value = value.trim().trim_end_matches("!important").trim_end();
        match property.trim().to_ascii_lowercase().as_str() {
            "display" => look.removed |= value == "none",
            "opacity" => look.removed |= is_zero(value),
            "visibility" => look.invisible = matches!(value, "hidden" | "collapse"),
            "font-size" => apply_font_size(value, look),
            "color" => look.white = is_white(value) || is_transparent(value),
            "background" | "background-color" | "background-image" => {
                look.painted |= !is_white(value) && !is_transparent(value);
            }
            "height" | "max-height" | "width" | "max-width" => zero_height |= is_zero(value),
            "overflow" => clipped |= value == "hidden",
            "text-indent" | "left" | "top" | "margin-left" => look.removed |= is_far_away(value),
            _ => (),
        }
    }
    look.removed |= zero_height && clipped;
}

fn apply_font_size(value: &str, look: &mut Look) {
    let relative = value.ends_with('%') || (value.ends_with("em") && !value.ends_with("rem"));
    if is_zero(value) {
        look.sizeless = true;
    } else if !relative && value != "inherit" {
        look.sizeless = false;
    }
}

/// `0`, `0px`, `0.0em`, `.01` and other sizes that nobody can read.
fn is_zero(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    number
        .trim()
        .parse::<f32>()
        .is_ok_and(|number| number.abs() < 0.05)
}

fn is_far_away(value: &str) -> bool {
    let number = value.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    number
        .trim()
        .parse::<f32>()
        .is_ok_and(|number| number <= -900.0)
}

fn is_white(value: &str) -> bool {
    let compact: String = value
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(30)
        .collect();
    matches!(
        compact.as_str(),
        "white"
            | "#fff"
            | "#ffffff"
            | "fff"
            | "ffffff"
            | "rgb(255,255,255)"
            | "#fefefe"
            | "#fffffe"
    )
}

fn is_transparent(value: &str) -> bool {
    let compact: String = value
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(30)
        .collect();
    compact == "transparent"
        || compact == "none"
        || compact.starts_with("rgba(") && compact.ends_with(",0)")
}

fn skip_block(css: &str) -> &str {
    let mut depth = 1_usize;
    for (at, byte) in css.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth -= 1,
            _ => (),
        }
        if depth == 0 {
            return &css[at + 1..];
        }
    }
    ""
}

pub(super) const VOID_ELEMENTS: &[&str] = &[
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
];

/// Elements that a sibling of the same name closes.
const SELF_CLOSING_SIBLINGS: &[&str] = &["p", "li", "td", "th", "tr", "dt", "dd", "option"];

/// Elements whose end tag leaves blocks inside them open.
const INLINE_ELEMENTS: &[&str] = &[
    "a", "b", "big", "code", "em", "font", "i", "s", "small", "span", "strike", "strong", "sub",
    "sup", "tt", "u",
];

/// How far up an inline end tag looks for its start: keeps hostile nesting linear.
const INLINE_REACH: usize = 64;

const MAX_CLASSES: usize = 50;
const MAX_RULES: usize = 2_000;
