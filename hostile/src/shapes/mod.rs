//! The corpus: every shape of hostile mail by name, made when it is asked for.
//!
//! A shape is deterministic: its name and its number make the same bytes on every machine.

mod addresses;
mod charsets;
mod encodings;
mod files;
mod headers;
mod html;
mod structure;
mod text;
mod truncated;

use std::fmt;

pub(crate) use truncated::rich;

/// What must become of a shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums)] // a test decides both
pub enum Expect {
    /// It is read and goes on to a decision.
    Read,
    /// It is quarantined with this reason.
    Refused(&'static str),
}

/// One shape of hostile mail.
pub struct Shape {
    name: String,
    expect: Expect,
    make: Box<dyn Fn() -> Vec<u8> + Send + Sync>,
}

impl Shape {
    /// Returns its name, unique in the corpus.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns what must become of it.
    pub fn expect(&self) -> Expect {
        self.expect
    }

    /// Makes the raw mail.
    pub fn raw(&self) -> Vec<u8> {
        (self.make)()
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shape")
            .field("name", &self.name)
            .field("expect", &self.expect)
            .finish_non_exhaustive()
    }
}

/// Returns the whole corpus, in a fixed order.
pub fn shapes() -> Vec<Shape> {
    let mut list = List::default();
    structure::add(&mut list);
    headers::add(&mut list);
    addresses::add(&mut list);
    encodings::add(&mut list);
    charsets::add(&mut list);
    truncated::add(&mut list);
    html::add(&mut list);
    text::add(&mut list);
    files::add(&mut list);
    list.shapes
}

/// A shape whose size can be chosen, to see how the work grows with it.
#[derive(Clone, Copy)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Scale {
    /// Its name.
    pub name: &'static str,
    /// Makes the raw mail with so many repetitions.
    pub make: fn(usize) -> Vec<u8>,
    /// Repetitions that give a mail of some tens of KiB.
    pub base: usize,
}

impl fmt::Debug for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Returns the shapes whose size can be chosen.
pub fn scales() -> Vec<Scale> {
    [
        structure::SCALES,
        headers::SCALES,
        addresses::SCALES,
        encodings::SCALES,
        html::SCALES,
        text::SCALES,
        files::SCALES,
    ]
    .concat()
}

/// The corpus while it is put together.
#[derive(Default)]
struct List {
    shapes: Vec<Shape>,
}

impl List {
    /// Adds a shape that must be read.
    fn read(
        &mut self,
        name: impl Into<String>,
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) {
        self.push(name.into(), Expect::Read, Box::new(make));
    }

    /// Adds a shape that must be quarantined with a reason.
    fn refused(
        &mut self,
        name: impl Into<String>,
        reason: &'static str,
        make: impl Fn() -> Vec<u8> + Send + Sync + 'static,
    ) {
        self.push(name.into(), Expect::Refused(reason), Box::new(make));
    }

    fn push(&mut self, name: String, expect: Expect, make: Box<dyn Fn() -> Vec<u8> + Send + Sync>) {
        self.shapes.push(Shape { name, expect, make });
    }
}

/// The head of an ordinary mail, so that nothing but the body is unusual.
const HEAD: &str = "Received: from mail.acme.example by mx.us.example; Mon, 9 Nov 2026 09:14:00 +0000\r\n\
From: Ann Lee <ann.lee@acme.example>\r\nTo: sales@us.example\r\n\
Date: Mon, 9 Nov 2026 09:14:00 +0000\r\nMIME-Version: 1.0\r\n";

/// A mail with this subject line, these further fields and this body.
fn mail(subject: &str, fields: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let id = format!(
        "Message-ID: <{}@acme.example>\r\n",
        name_hash(subject, fields)
    );
    let head = format!("{HEAD}{id}Subject: {subject}\r\n{fields}\r\n");
    [head.as_bytes(), body.as_ref()].concat()
}

/// A mail of plain text in UTF-8.
fn plain(body: impl AsRef<[u8]>) -> Vec<u8> {
    let fields = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    mail("Order 4711", fields, body)
}

/// A mail of HTML in UTF-8.
fn page(body: impl AsRef<[u8]>) -> Vec<u8> {
    let fields = "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n";
    mail("Order 4711", fields, body)
}

/// An ordinary mail with further header fields.
fn header(fields: &str) -> Vec<u8> {
    mail(
        "Order 4711",
        fields,
        "We would like to order twelve pumps.\r\n",
    )
}

/// FNV-1a, so that two shapes rarely share a Message-ID.
fn name_hash(one: &str, other: &str) -> String {
    let start = 0xcbf2_9ce4_8422_2325_u64;
    let bytes = one.bytes().chain(other.bytes());
    let hash = bytes.fold(start, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{hash:016x}")
}
