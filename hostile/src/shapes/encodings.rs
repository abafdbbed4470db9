//! Transfer encodings: base64, quoted-printable, others and none.

use super::{List, Scale, mail};

/// Shapes whose size can be chosen.
pub(super) const SCALES: &[Scale] = &[
    Scale {
        name: "broken base64",
        make: |n| encoded("base64", "SGVs*".repeat(n)),
        base: 6_000,
    },
    Scale {
        name: "equals signs",
        make: |n| encoded("quoted-printable", "=".repeat(n)),
        base: 30_000,
    },
    Scale {
        name: "soft line breaks",
        make: |n| encoded("quoted-printable", "a=\r\n".repeat(n)),
        base: 8_000,
    },
    Scale {
        name: "base64 of one letter a line",
        make: |n| encoded("base64", "QQ==\r\n".repeat(n)),
        base: 5_000,
    },
];

pub(super) fn add(list: &mut List) {
    let bodies: &[(&str, &str, &str, usize)] = &[
        ("base64 cut after three letters", "base64", "SGV", 1),
        ("base64 with stars", "base64", "SGVs*", 200_000),
        (
            "base64 with equals signs inside",
            "base64",
            "SG==Vs=",
            200_000,
        ),
        ("base64 of one letter a line", "base64", "QQ==\r\n", 300_000),
        ("base64 of one line", "base64", "SGVsbG8g", 500_000),
        ("base64 of nothing but line ends", "base64", "\r\n", 500_000),
        (
            "base64 of nothing but equals signs",
            "base64",
            "=",
            1_000_000,
        ),
        (
            "base64 in the letters for web addresses",
            "base64",
            "-_-_",
            100_000,
        ),
        (
            "base64 that is text",
            "base64",
            "We would like to order twelve pumps.\r\n",
            20_000,
        ),
        ("base64 inside base64", "base64", "U0dWc2JHOD0=", 100_000),
        (
            "quoted-printable of equals signs",
            "quoted-printable",
            "=",
            2_000_000,
        ),
        (
            "quoted-printable of soft line breaks",
            "quoted-printable",
            "a=\r\n",
            500_000,
        ),
        (
            "quoted-printable of line ends",
            "quoted-printable",
            "=0D=0A",
            300_000,
        ),
        (
            "quoted-printable of NULs",
            "quoted-printable",
            "=00",
            500_000,
        ),
        (
            "quoted-printable of no digits",
            "quoted-printable",
            "=ZZ=G",
            300_000,
        ),
        (
            "quoted-printable in lower case",
            "quoted-printable",
            "=c3=bc",
            300_000,
        ),
        (
            "quoted-printable cut in an escape",
            "quoted-printable",
            "=C",
            1,
        ),
        (
            "quoted-printable without line ends",
            "quoted-printable",
            "abcdefghij",
            300_000,
        ),
        (
            "an encoding nobody knows",
            "x-nobody",
            "body text\r\n",
            10_000,
        ),
        (
            "an encoding of uuencode",
            "x-uuencode",
            "begin 644 a.exe\r\n#0V%T\r\n`\r\nend\r\n",
            10_000,
        ),
        ("an encoding without a name", "", "body text\r\n", 100),
        (
            "binary with every line end",
            "binary",
            "a\rb\nc\r\nd\n\r",
            200_000,
        ),
        (
            "seven bits with eight",
            "7bit",
            "gr\u{fc}\u{df}e\r\n",
            100_000,
        ),
        (
            "two encodings in one field",
            "base64, quoted-printable",
            "SGVsbG8=",
            100,
        ),
    ];
    for (name, encoding, piece, count) in bodies {
        list.read(*name, move || encoded(encoding, piece.repeat(*count)));
    }
    list.read("an attachment of 20 MB in base64", || {
        attachment(&"SGVsbG8gSGVsbG8gSGVsbG8gSGVsbG8gSGVsbG8gSGVsbG8gSGVsbG8h\r\n".repeat(350_000))
    });
    list.read("an attachment of broken base64", || {
        attachment(&"S*G*V*s\r\n".repeat(300_000))
    });
    list.read("a multipart that says it is base64", || {
        mail(
            "x",
            "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: base64\r\n",
            "LS1iDQoNCngNCi0tYi0tDQo=\r\n--b\r\n\r\nx\r\n--b--\r\n",
        )
    });
    list.read("HTML in base64 cut in a tag", || {
        mail(
            "x",
            "Content-Type: text/html\r\nContent-Transfer-Encoding: base64\r\n",
            "PGRpdiBzdHlsZT0iZGlzcGxheTpub25lIj5oaWRkZW48L2Rpdj48cCBzdHls",
        )
    });
}

fn encoded(encoding: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let fields = format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n"
    );
    mail("Order 4711", &fields, body)
}

fn attachment(body: &str) -> Vec<u8> {
    mail(
        "Order 4711",
        "Content-Type: multipart/mixed; boundary=b\r\n",
        format!(
            "--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n{body}\r\n--b--\r\n"
        ),
    )
}
