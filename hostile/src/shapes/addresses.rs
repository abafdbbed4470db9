//! Senders and recipients.

use super::{HEAD, List, Scale, header};

/// Shapes whose size can be chosen.
pub(super) const SCALES: &[Scale] = &[
    Scale {
        name: "recipients",
        make: |n| header(&format!("Cc: {}\r\n", "a@b.example, ".repeat(n))),
        base: 2_000,
    },
    Scale {
        name: "comments",
        make: |n| header(&format!("Cc: {}\r\n", "(".repeat(n))),
        base: 30_000,
    },
    Scale {
        name: "groups",
        make: |n| header(&format!("Cc: {}\r\n", "a:;".repeat(n))),
        base: 10_000,
    },
    Scale {
        name: "quotes",
        make: |n| header(&format!("Cc: {}\r\n", "\"\\".repeat(n))),
        base: 15_000,
    },
    Scale {
        name: "angle brackets",
        make: |n| header(&format!("Cc: {}\r\n", "a<b".repeat(n))),
        base: 10_000,
    },
    Scale {
        name: "dots of a domain",
        make: |n| header(&format!("Cc: a@{}example\r\n", "b.".repeat(n))),
        base: 15_000,
    },
];

pub(super) fn add(list: &mut List) {
    for (name, from) in FROM {
        list.read(format!("sender {name}"), move || sender(from));
        list.read(format!("reply address {name}"), move || {
            header(&format!("Reply-To: {from}\r\n"))
        });
    }
    let many: &[(&str, &str, usize)] = &[
        ("18,000 recipients", "a@b.example, ", 18_000),
        ("200,000 comments", "(", 200_000),
        ("70,000 groups", "a:;", 70_000),
        ("100,000 quotes", "\"\\", 100_000),
        ("100,000 commas", ",", 100_000),
        ("100,000 at signs", "@", 100_000),
        ("80,000 angle brackets", "a<b", 80_000),
        ("20,000 encoded names", "=?utf-8?q?a", 20_000),
    ];
    for (name, piece, count) in many {
        list.read(format!("To of {name}"), move || {
            header(&format!("To: {}\r\n", piece.repeat(*count)))
        });
        list.read(format!("From of {name}"), move || {
            sender(&piece.repeat(*count))
        });
    }
    list.read("a domain of 50,000 labels", || {
        sender(&format!("a@{}example", "b.".repeat(50_000)))
    });
    list.read("a name of 100 KB", || {
        sender(&format!("\"{}\" <a@b.example>", "n".repeat(100_000)))
    });
}

fn sender(from: &str) -> Vec<u8> {
    let head = HEAD.replace("Ann Lee <ann.lee@acme.example>", from);
    format!("{head}Subject: Order 4711\r\nMessage-ID: <s@acme.example>\r\n\r\nWe would like to order twelve pumps.\r\nCall me: +49 30 1234567\r\n").into_bytes()
}

const FROM: &[(&str, &str)] = &[
    ("empty", ""),
    ("null", "<>"),
    ("without a domain", "Ann <ann>"),
    ("with two at signs", "a@b@c.example"),
    (
        "of 300 characters before the at sign",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa@b.example",
    ),
    ("quoted with spaces", "\"a b c\"@d.example"),
    ("of an address literal", "a@[127.0.0.1]"),
    (
        "of look-alike letters",
        "p\u{430}yp\u{430}l <service@p\u{430}yp\u{430}l.example>",
    ),
    ("in punycode", "a@xn--pypl-53dc.example"),
    (
        "with a name that is another address",
        "\"ceo@us.example\" <evil@evil.example>",
    ),
    (
        "with a line break in the name",
        "=?utf-8?q?Ann=0D=0ABcc:_x@y.example?= <a@b.example>",
    ),
    ("with NUL in the name", "\"An\0n\" <a\0@b.example>"),
    (
        "with markup in the name",
        "\"<img src=x onerror=alert(1)>\" <a@b.example>",
    ),
    (
        "with a template in the name",
        "\"{{ sender.name }} {% if x %}\" <a@b.example>",
    ),
    (
        "with direction overrides in the name",
        "\"\u{202e}nnA\u{202c}\" <a@b.example>",
    ),
    (
        "with zero-width characters in the name",
        "\"A\u{200b}n\u{200d}n\" <a@b.example>",
    ),
    ("with a zero-width address", "Ann <a\u{200b}nn@b.example>"),
    (
        "with nested comments",
        "((((((((((Ann)))))))))) <a@b.example> (((",
    ),
    ("that is a list", "a@b.example, c@d.example, e@f.example"),
    ("that is a group", "Undisclosed: ;"),
    ("with an unfinished quote", "\"Ann <a@b.example>"),
    ("with an unfinished bracket", "Ann <a@b.example"),
    ("with an unfinished word", "=?utf-8?b?QW5u <a@b.example>"),
    ("with a path", "../../etc <a/../b@c.example>"),
    (
        "with a query",
        "\"Robert'); DROP TABLE contacts;--\" <a@b.example>",
    ),
    ("with a formula", "\"=HYPERLINK(1)\" <a@b.example>"),
    ("of commas", ",,,,,,<a@b.example>,,,,"),
    ("in upper case with dots", "A..B...C@D.EXAMPLE."),
    ("with a plus and a tag", "ann+{{7*7}}@b.example"),
    ("with an escape sequence", "\"\u{1b}[31mAnn\" <a@b.example>"),
];
