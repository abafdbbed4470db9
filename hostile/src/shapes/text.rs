//! Plain text: lines, quotes, signatures, numbers, invisible characters.

use super::{List, Scale, plain};

/// Shapes whose size can be chosen.
pub(super) const SCALES: &[Scale] = &[
    Scale {
        name: "empty lines",
        make: |n| plain("\r\n".repeat(n)),
        base: 15_000,
    },
    Scale {
        name: "one line of words",
        make: |n| plain("order ".repeat(n)),
        base: 6_000,
    },
    Scale {
        name: "one word",
        make: |n| plain("x".repeat(n)),
        base: 30_000,
    },
    Scale {
        name: "quote marks in one line",
        make: |n| plain("> ".repeat(n)),
        base: 15_000,
    },
    Scale {
        name: "quoted lines",
        make: |n| plain("> a\r\n".repeat(n)),
        base: 6_000,
    },
    Scale {
        name: "quote heads",
        make: |n| plain("On 1 Jan 2026 at 9:14 a@b.example wrote:\r\n".repeat(n)),
        base: 800,
    },
    Scale {
        name: "half quote heads",
        make: |n| plain("On 1 Jan 2026 at 9:14 a@b.example\r\n".repeat(n)),
        base: 800,
    },
    Scale {
        name: "header blocks",
        make: |n| plain("From: a\r\nTo: b\r\nSubject\r\n".repeat(n)),
        base: 1_200,
    },
    Scale {
        name: "signature dashes",
        make: |n| plain("-- \r\n".repeat(n)),
        base: 6_000,
    },
    Scale {
        name: "signatures",
        make: |n| plain("x\r\n-- \r\nAnn\r\n> q\r\n".repeat(n)),
        base: 1_500,
    },
    Scale {
        name: "closings",
        make: |n| plain("Best regards\r\n".repeat(n)),
        base: 2_500,
    },
    Scale {
        name: "disclaimers",
        make: |n| {
            plain("\r\nThis e-mail and any attachments are confidential and may be privileged by law.\r\n".repeat(n))
        },
        base: 400,
    },
    Scale {
        name: "digits",
        make: |n| plain("1".repeat(n)),
        base: 30_000,
    },
    Scale {
        name: "phone numbers",
        make: |n| plain("+49 30 1234567, ".repeat(n)),
        base: 2_000,
    },
    Scale {
        name: "addresses",
        make: |n| plain("a@b.example ".repeat(n)),
        base: 3_000,
    },
    Scale {
        name: "links",
        make: |n| plain("https://a.example/b ".repeat(n)),
        base: 1_500,
    },
    Scale {
        name: "invisible characters",
        make: |n| plain("\u{200b}".repeat(n)),
        base: 10_000,
    },
    Scale {
        name: "combining marks",
        make: |n| plain(format!("a{}", "\u{301}".repeat(n))),
        base: 15_000,
    },
    Scale {
        name: "capital sharp letters",
        make: |n| plain("\u{130}\u{1e9e}".repeat(n)),
        base: 8_000,
    },
    Scale {
        name: "Japanese",
        make: |n| plain("ポンプを注文したい。".repeat(n)),
        base: 1_000,
    },
];

pub(super) fn add(list: &mut List) {
    let bodies: &[(&str, &str, usize)] = &[
        ("nothing", "", 1),
        ("one space", " ", 1),
        ("5 MB of NULs", "\0", 5_000_000),
        ("one line of 6 MB", "order pumps ", 500_000),
        ("one word of 5 MB", "x", 5_000_000),
        ("1,000,000 empty lines", "\r\n", 1_000_000),
        ("1,000,000 lone carriage returns", "a\r", 1_000_000),
        ("quote marks of 6 MB in one line", "> ", 3_000_000),
        ("500,000 quoted lines", "> a\r\n", 500_000),
        (
            "quote marks of every depth",
            ">>>>>>>>>>>>>>>>>>>>>>>>>>>>>>>> a\r\n> b\r\n",
            50_000,
        ),
        (
            "60,000 quote heads",
            "On 1 Jan 2026 at 9:14 a@b.example\r\n",
            60_000,
        ),
        (
            "60,000 whole quote heads",
            "On Mon, Nov 9, 2026 at 9:14 AM A <a@b.example> wrote:\r\n",
            60_000,
        ),
        (
            "60,000 header blocks",
            "From: a\r\nTo: b\r\nSubject\r\n",
            60_000,
        ),
        (
            "60,000 whole header blocks",
            "From: a\r\nSent: b\r\nTo: c\r\nSubject: d\r\n\r\n",
            60_000,
        ),
        ("300,000 signature dashes", "-- \r\n", 300_000),
        ("100,000 closings", "Best regards\r\n", 100_000),
        (
            "30,000 disclaimers",
            "\r\nThis e-mail and any attachments are confidential and may be privileged by law.\r\n",
            30_000,
        ),
        (
            "forwards of forwards",
            "---------- Forwarded message ---------\r\nFrom: a <a@b.example>\r\nDate: x\r\nSubject: y\r\nTo: z\r\n\r\n",
            20_000,
        ),
        ("1,000,000 digits", "1", 1_000_000),
        ("100,000 phone numbers", "+49 30 1234567, ", 100_000),
        ("100,000 addresses", "a@b.example ", 100_000),
        ("200,000 at signs", "@", 200_000),
        ("60,000 links", "https://a.example/b?c=d ", 60_000),
        ("700,000 zero-width spaces", "\u{200b}", 700_000),
        (
            "words of zero-width letters",
            "o\u{200b}r\u{200c}d\u{200d}e\u{2060}r ",
            100_000,
        ),
        ("500,000 direction overrides", "\u{202e}a\u{202c}", 250_000),
        ("tag characters of 2 MB", "\u{e0049}\u{e006e}", 250_000),
        ("500,000 combining marks", "\u{301}", 500_000),
        (
            "joined emoji",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{fe0f}",
            100_000,
        ),
        ("variation selectors", "a\u{fe00}\u{e0100}", 200_000),
        (
            "escape sequences",
            "\u{1b}[31m\u{1b}]8;;http://x\u{7}a",
            100_000,
        ),
        (
            "control characters",
            "\u{1}\u{2}\u{8}\u{b}\u{c}\u{7f}\u{85}\u{9b}",
            200_000,
        ),
        (
            "line and paragraph separators",
            "a\u{2028}b\u{2029}",
            250_000,
        ),
        (
            "letters that grow in lower case",
            "\u{130}\u{1e9e}\u{fb03}",
            200_000,
        ),
        ("private letters", "\u{e000}\u{f8ff}\u{ffffe}", 200_000),
        ("Arabic ligatures", "\u{fdfa}\u{fdfb}", 250_000),
        ("tabs", "\t", 2_000_000),
        ("500,000 templates", "{{ x }}", 300_000),
        ("JSON in JSON", "{\"a\":[", 300_000),
        ("hashes of words", "#order #pump ", 150_000),
        (
            "orders in 12 languages",
            "Bestellung commande pedido ordine encomenda bestelling 注文 заказ zamówienie طلب sipariş 订单 ",
            10_000,
        ),
    ];
    for (name, piece, count) in bodies {
        list.read(format!("text of {name}"), move || {
            plain(piece.repeat(*count))
        });
    }
}
