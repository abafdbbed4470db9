//! Templates: constants and plain placeholders are answered directly, the rest by the engine with
//! bounded fuel, depth and output.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value};

use super::values::{Scope, Values, Var};
use crate::error::{Error, ErrorKind, Result};
use crate::policy::Template;
use crate::policy::nearest;
use crate::stage::text::{cut, cut_bytes};

/// A parsed template.
pub(super) enum Compiled {
    /// Text without placeholders.
    Constant(String),
    /// Text and plain placeholders.
    Pieces(Vec<Piece>),
    /// Anything else: its name in the environment, and the placeholders it uses.
    Program { name: String, uses: Vec<Var> },
}

/// A part of a simple template.
pub(super) enum Piece {
    Text(String),
    Value(Var),
}

impl Compiled {
    /// Evaluates the template.
    pub(super) fn render<'v>(
        &'v self,
        environment: &Environment<'static>,
        values: &'v Values<'_>,
        scope: Scope,
    ) -> Result<Cow<'v, str>> {
        match self {
            Self::Constant(text) => Ok(Cow::Borrowed(text)),
            Self::Pieces(pieces) => match pieces.as_slice() {
                [Piece::Value(var)] => Ok(values.get(*var, scope)),
                pieces => Ok(Cow::Owned(join(pieces, values, scope))),
            },
            Self::Program { name, uses } => {
                run(environment, name, uses, values, scope).map(Cow::Owned)
            }
        }
    }
}

fn join(pieces: &[Piece], values: &Values<'_>, scope: Scope) -> String {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Value(var) => {
                let left = MAX_OUTPUT_BYTES.saturating_sub(text.len());
                text.push_str(cut_bytes(&values.get(*var, scope), left));
            }
        }
    }
    text
}

fn run(
    environment: &Environment<'static>,
    name: &str,
    uses: &[Var],
    values: &Values<'_>,
    scope: Scope,
) -> Result<String> {
    let refused = |error: minijinja::Error| {
        Error::new(ErrorKind::Config, "template failed")
            .with_context("fault", error.kind())
            .with_action("simplify the template, or use the filter `default` for empty values")
    };
    let template = environment.get_template(name).map_err(refused)?;
    let mut output = Bounded(Vec::new());
    let context = context(uses, |var| values.get(var, scope));
    template
        .render_captured_to(context, &mut output)
        .map_err(refused)?;
    String::from_utf8(output.0)
        .map_err(|_| Error::new(ErrorKind::Unexpected, "template gave broken text"))
}

/// Builds only the values that a template uses.
fn context<'v>(uses: &[Var], get: impl Fn(Var) -> Cow<'v, str>) -> Value {
    let mut roots: BTreeMap<&'static str, Value> = BTreeMap::new();
    let mut groups: BTreeMap<&'static str, BTreeMap<&'static str, Value>> = BTreeMap::new();
    for var in uses {
        let value = Value::from(cut(&get(*var), MAX_VALUE_CHARS));
        match var.path().split_once('.') {
            None => {
                roots.insert(var.path(), value);
            }
            Some((group, name)) => {
                groups.entry(group).or_default().insert(name, value);
            }
        }
    }
    roots.extend(
        groups
            .into_iter()
            .map(|(group, values)| (group, Value::from(values))),
    );
    Value::from(roots)
}

/// Output that refuses to grow without bound.
struct Bounded(Vec<u8>);

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > MAX_OUTPUT_BYTES {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Makes the environment: no functions, few filters, no escaping, bounded fuel and depth.
pub(super) fn new_environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    environment.set_undefined_behavior(UndefinedBehavior::Lenient);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.add_filter("upper", minijinja::filters::upper);
    environment.add_filter("lower", minijinja::filters::lower);
    environment.add_filter("trim", |text: Cow<'_, str>| text.trim().to_owned());
    environment.add_filter("title", minijinja::filters::title);
    environment.add_filter("capitalize", minijinja::filters::capitalize);
    environment.add_filter("length", minijinja::filters::length);
    environment.add_filter("first", |text: Cow<'_, str>| {
        text.chars().take(1).collect::<String>()
    });
    environment.add_filter("last", |text: Cow<'_, str>| {
        text.chars()
            .next_back()
            .map(String::from)
            .unwrap_or_default()
    });
    environment.add_filter("truncate", |text: Cow<'_, str>, chars: usize| {
        cut(&text, chars).to_owned()
    });
    environment.add_filter(
        "default",
        |value: Value, other: Value| {
            if value.is_true() { value } else { other }
        },
    );
    environment
}

/// Parses a template and adds it to the environment if it needs one.
pub(super) fn compile(
    environment: &mut Environment<'static>,
    place: &str,
    template: &Template,
) -> Result<Compiled> {
    let source = template.0.as_str();
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Error::new(ErrorKind::Config, "template is too long")
            .with_action("write at most 4096 bytes"));
    }
    if let Some(text) = constant(template) {
        return Ok(Compiled::Constant(text.to_owned()));
    }
    if let Some(pieces) = pieces(source) {
        return Ok(Compiled::Pieces(pieces));
    }
    allowed_tags(source)?;
    environment
        .add_template_owned(place.to_owned(), source.to_owned())
        .map_err(|error| {
            Error::new(ErrorKind::Config, "template cannot be read")
                .with_context("fault", error.detail().unwrap_or("syntax error").to_owned())
                .with_action("correct the template; placeholders look like `{{ sender.name }}`")
        })?;
    let parsed = environment.get_template(place).map_err(|error| {
        Error::new(ErrorKind::Unexpected, "template vanished").with_source(error)
    })?;
    let mut uses = Vec::new();
    for path in parsed.undeclared_variables(true) {
        uses.push(Var::of(&path).ok_or_else(|| unknown(&path))?);
    }
    try_out(&parsed, &uses)?;
    Ok(Compiled::Program {
        name: place.to_owned(),
        uses,
    })
}

/// Returns the text of a template without placeholders.
pub(crate) fn constant(template: &Template) -> Option<&str> {
    let marks = ["{{", "{%", "{#"];
    (!marks.iter().any(|mark| template.0.contains(mark))).then_some(template.0.as_str())
}

/// Splits a template of text and plain, known placeholders; none if it holds anything else.
fn pieces(source: &str) -> Option<Vec<Piece>> {
    if source.contains("{%") || source.contains("{#") {
        return None;
    }
    let mut pieces = Vec::new();
    let mut rest = source;
    while let Some((text, after)) = rest.split_once("{{") {
        let (path, next) = after.split_once("}}")?;
        if !text.is_empty() {
            pieces.push(Piece::Text(text.to_owned()));
        }
        pieces.push(Piece::Value(Var::of(path.trim())?));
        rest = next;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    Some(pieces)
}

/// Loops, assignments and macros could make any amount of text: only conditions are allowed.
fn allowed_tags(source: &str) -> Result<()> {
    for part in source.split("{%").skip(1) {
        let tag = part.trim_start_matches(['-', '+']).trim_start();
        let tag: String = tag.chars().take_while(char::is_ascii_alphabetic).collect();
        if !["if", "elif", "else", "endif"].contains(&tag.as_str()) {
            return Err(Error::new(
                ErrorKind::Config,
                "template holds a tag that is not allowed",
            )
            .with_context("tag", tag)
            .with_action("use only `if`, `elif`, `else` and `endif`"));
        }
    }
    Ok(())
}

/// Runs a template with empty and with filled values: what fails always fails now, not with a mail.
fn try_out(template: &minijinja::Template<'_, '_>, uses: &[Var]) -> Result<()> {
    for value in ["", "x"] {
        let tried = template.render(context(uses, |_| Cow::Borrowed(value)));
        if let Err(error) = tried {
            return Err(
                Error::new(ErrorKind::Config, "template failed on a trial run")
                    .with_context("fault", error.kind())
                    .with_context("detail", error.detail().unwrap_or_default())
                    .with_action(format!("use only the filters `{}`", FILTERS.join("`, `"))),
            );
        }
    }
    Ok(())
}

fn unknown(path: &str) -> Error {
    let names = Var::ALL.iter().map(|var| var.path());
    let close = nearest(path, names.clone());
    let mut error = Error::new(ErrorKind::Config, "template uses an unknown placeholder")
        .with_context("placeholder", path);
    if let Some(close) = close {
        error = error.with_context("nearest", close);
    }
    error.with_action(match close {
        Some(close) => format!("write `{close}` instead of `{path}`"),
        None => format!("use one of `{}`", names.collect::<Vec<_>>().join("`, `")),
    })
}

const FILTERS: &[&str] = &[
    "upper",
    "lower",
    "trim",
    "title",
    "capitalize",
    "length",
    "first",
    "last",
    "truncate",
    "default",
];
/// Steps that one template may take.
const FUEL: u64 = 5_000;
/// Nesting of one template.
const DEPTH: usize = 20;
/// Longest template.
const MAX_SOURCE_BYTES: usize = 4096;
/// Longest text of one field before its own length cuts it.
const MAX_OUTPUT_BYTES: usize = 1024 * 1024;
/// Longest value inside a template with conditions or filters.
const MAX_VALUE_CHARS: usize = 64 * 1024;
