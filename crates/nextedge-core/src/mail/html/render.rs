//! Writes what a person would see of an HTML text, as plain text.

use mail_parser::decoders::html::add_html_token;

use super::HtmlText;
use super::style::{VOID_ELEMENTS, Visibility};
use super::token::{Tag, Token, Tokens};
use crate::mail::words::is_invisible;

/// Renders HTML whose size is already bounded.
pub(super) fn render(html: &str) -> HtmlText {
    let mut page = Page::new(html.len());
    for token in Tokens::of(html) {
        match token {
            Token::Text(text) => page.text(text),
            Token::Start(tag) => page.start(&tag),
            Token::End(name) => page.end(&name),
            Token::Raw { element, content } if element == "style" => page.seen.add_sheet(content),
            // A plain xmp or textarea is read like text; scripts, titles and frames are not.
            Token::Raw { element, content } if element == "textarea" || element == "xmp" => {
                page.text(content);
            }
            Token::Raw { .. } | Token::Other => (),
        }
    }
    page.finish()
}

struct Page {
    out: String,
    seen: Visibility,
    hidden_chars: usize,
    /// Line ends to write before the next character, at most two.
    line_ends: usize,
    space: bool,
    preformatted: usize,
    quotes: usize,
    /// Quotes around the last character written.
    line_quotes: usize,
    /// Next number of each open list; none for a list without numbers.
    lists: Vec<Option<u32>>,
}

impl Page {
    fn new(html_len: usize) -> Self {
        Self {
            out: String::with_capacity(html_len / 2),
            seen: Visibility::default(),
            hidden_chars: 0,
            line_ends: 0,
            space: false,
            preformatted: 0,
            quotes: 0,
            line_quotes: 0,
            lists: Vec::new(),
        }
    }

    fn text(&mut self, text: &str) {
        if self.seen.is_hidden() {
            let visible = |c: &char| !c.is_whitespace() && !is_invisible(*c);
            self.hidden_chars += text.chars().filter(visible).count();
            return;
        }
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'&', rest.as_bytes()) {
            self.characters(&rest[..at]);
            rest = &rest[at..];
            let len = entity_len(rest);
            let mut decoded = String::new();
            decode_entity(&rest[..len], &mut decoded);
            self.entity(&decoded);
            rest = &rest[len..];
        }
        self.characters(rest);
    }

    fn characters(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            // Words of ASCII letters are copied whole.
            let word = rest.bytes().position(|byte| !byte.is_ascii_graphic());
            let (word, after) = rest.split_at(word.unwrap_or(rest.len()));
            if !word.is_empty() {
                self.place();
                self.out.push_str(word);
            }
            let mut chars = after.chars();
            match chars.next() {
                Some('\n') if self.preformatted > 0 => self.line_break(),
                Some(' ' | '\t') if self.preformatted > 0 => self.character(' '),
                Some(' ' | '\t' | '\n' | '\r' | '\u{c}') => self.space = true,
                Some(c) => self.character(c),
                None => (),
            }
            rest = chars.as_str();
        }
    }

    /// A no-break space stays a space of its own; other decoded characters are taken as they are.
    fn entity(&mut self, decoded: &str) {
        for c in decoded.chars() {
            match c {
                '\u{a0}' | '\t' => self.character(' '),
                '\n' | '\r' => self.space = true,
                _ => self.character(c),
            }
        }
    }

    fn character(&mut self, c: char) {
        if is_invisible(c) {
            // A soft hyphen or a byte-order mark hides nothing.
            self.hidden_chars +=
                usize::from(!matches!(c, '\u{ad}' | '\u{feff}' | '\u{200b}' | '\u{34f}'));
            return;
        }
        if c.is_control() {
            return;
        }
        self.place();
        self.out.push(if c == '\u{a0}' { ' ' } else { c });
    }

    /// Writes the line ends, quote marks or the space that are due.
    fn place(&mut self) {
        let at_start = self.out.is_empty();
        if self.line_ends > 0 && !at_start {
            for left in (0..self.line_ends).rev() {
                trim_line(&mut self.out);
                self.out.push('\n');
                // An empty line belongs to a quote only between two lines of it.
                let marks = if left == 0 {
                    self.quotes
                } else {
                    self.quotes.min(self.line_quotes)
                };
                self.quote_marks(marks);
            }
        } else if at_start {
            self.quote_marks(self.quotes);
        } else if self.space && !self.out.ends_with([' ', '\n']) {
            self.out.push(' ');
        }
        self.line_quotes = self.quotes;
        self.line_ends = 0;
        self.space = false;
    }

    fn quote_marks(&mut self, marks: usize) {
        for _ in 0..marks.min(MAX_QUOTE_MARKS) {
            self.out.push_str("> ");
        }
    }

    fn line_break(&mut self) {
        if self.line_ends >= 2 || self.out.is_empty() {
            return;
        }
        self.line_ends += 1;
    }

    fn block(&mut self, lines: usize) {
        if lines == 0 {
            return;
        }
        self.line_ends = self.line_ends.max(lines);
        self.space = false;
    }

    fn start(&mut self, tag: &Tag<'_>) {
        self.seen.start(tag);
        if self.seen.is_hidden() && !VOID_ELEMENTS.contains(&tag.name.as_str()) {
            return;
        }
        match tag.name.as_str() {
            "br" => {
                self.line_break();
                self.space = false;
            }
            "td" | "th" => self.space = true,
            "li" => self.list_item(),
            "ul" | "menu" => {
                self.block(1);
                self.lists.push(None);
            }
            "ol" => {
                self.block(1);
                self.lists.push(Some(1));
            }
            "blockquote" => {
                self.block(2);
                self.quotes += 1;
            }
            "pre" => {
                self.block(2);
                self.preformatted += 1;
            }
            name => self.block(lines_around(name)),
        }
        self.lists.truncate(MAX_LISTS);
    }

    fn end(&mut self, name: &str) {
        let hidden = self.seen.is_hidden();
        if !self.seen.end(name) || hidden && self.seen.is_hidden() {
            // A stray </p> or </br> still ends the line in a browser.
            if matches!(name, "p" | "br") && !hidden {
                self.block(1);
            }
            return;
        }
        match name {
            "ul" | "ol" | "menu" if !hidden => {
                self.lists.pop();
                self.block(1);
            }
            "blockquote" if !hidden => {
                self.block(2);
                self.quotes = self.quotes.saturating_sub(1);
            }
            "pre" if !hidden => {
                self.block(2);
                self.preformatted = self.preformatted.saturating_sub(1);
            }
            "td" | "th" => self.space = true,
            name => self.block(lines_around(name)),
        }
    }

    fn list_item(&mut self) {
        self.block(1);
        self.place();
        match self.lists.last_mut() {
            Some(Some(number)) => {
                self.out.push_str(&format!("{number}. "));
                *number = number.saturating_add(1);
            }
            Some(None) | None => self.out.push_str("- "),
        }
    }

    fn finish(mut self) -> HtmlText {
        trim_line(&mut self.out);
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        HtmlText {
            text: self.out,
            hidden_chars: self.hidden_chars,
        }
    }
}

fn lines_around(name: &str) -> usize {
    match name {
        "p" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "dl" => 2,
        "div" | "tr" | "table" | "hr" | "body" | "html" | "header" | "footer" | "section"
        | "article" | "aside" | "main" | "nav" | "center" | "address" | "dt" | "dd" | "form"
        | "fieldset" | "figure" | "figcaption" | "caption" | "thead" | "tbody" | "tfoot"
        | "option" | "details" | "summary" => 1,
        _ => 0,
    }
}

/// Removes the spaces at the end of the last line.
fn trim_line(out: &mut String) {
    out.truncate(out.trim_end_matches(' ').len());
}

/// Length of an entity with or without its semicolon; 1 if the ampersand stands alone.
pub(super) fn entity_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let name = bytes[1..]
        .iter()
        .take(MAX_ENTITY_BYTES)
        .take_while(|byte| byte.is_ascii_alphanumeric() || **byte == b'#')
        .count();
    match bytes.get(1 + name) {
        _ if name == 0 => 1,
        Some(b';') => name + 2,
        _ => name + 1,
    }
}

pub(super) fn decode_entity(entity: &str, out: &mut String) {
    if entity.ends_with(';') {
        let start = out.len();
        add_html_token(out, entity.as_bytes(), false);
        // An unknown name comes back as written; a line separator must not split a line unseen.
        if out[start..].contains(['\u{2028}', '\u{2029}']) {
            out.truncate(start);
            out.push(' ');
        }
        return;
    }
    let bare = BARE_ENTITIES
        .iter()
        .find(|(name, _)| entity[1..].starts_with(name));
    match bare {
        Some((name, c)) => {
            out.push(*c);
            out.push_str(&entity[1 + name.len()..]);
        }
        None if entity[1..].starts_with('#') => {
            add_html_token(out, format!("{entity};").as_bytes(), false);
        }
        None => out.push_str(entity),
    }
}

/// Entities that browsers read without their semicolon.
const BARE_ENTITIES: &[(&str, char)] = &[
    ("nbsp", ' '),
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("copy", '©'),
    ("reg", '®'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
];

const MAX_ENTITY_BYTES: usize = 32;
const MAX_QUOTE_MARKS: usize = 8;
const MAX_LISTS: usize = 50;
