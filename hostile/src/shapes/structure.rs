//! Nesting, parts and boundaries.

use super::{HEAD, List, Scale, mail};

/// Shapes whose size can be chosen.
pub(super) const SCALES: &[Scale] = &[
    Scale {
        name: "parts",
        make: |n| parts(n, "text/plain", "x"),
        base: 200,
    },
    Scale {
        name: "empty parts",
        make: |n| mixed(&"--b\r\n\r\n".repeat(n)),
        base: 200,
    },
    Scale {
        name: "preamble of near boundaries",
        make: |n| {
            mixed(&format!(
                "{}--b\r\n\r\nx\r\n--b--\r\n",
                "--bx\r\n".repeat(n)
            ))
        },
        base: 4_000,
    },
    Scale {
        name: "epilogue of dashes",
        make: |n| mixed(&format!("--b\r\n\r\nx\r\n--b--\r\n{}", "--".repeat(n))),
        base: 16_000,
    },
    Scale {
        name: "leaf of near boundaries",
        make: |n| mixed(&format!("--b\r\n\r\n{}\r\n--b--\r\n", "\r\n--c".repeat(n))),
        base: 6_000,
    },
];

pub(super) fn add(list: &mut List) {
    nested(list);
    counted(list);
    boundaries(list);
    kinds(list);
}

fn nested(list: &mut List) {
    for depth in [1, 10, 19] {
        list.read(format!("messages nested {depth} deep"), move || {
            messages(depth)
        });
        list.read(format!("multiparts nested {depth} deep"), move || {
            multiparts(depth, "mixed")
        });
    }
    for depth in [25, 100, 10_000] {
        list.refused(
            format!("messages nested {depth} deep"),
            "nesting",
            move || messages(depth),
        );
        list.refused(
            format!("multiparts nested {depth} deep"),
            "nesting",
            move || multiparts(depth, "mixed"),
        );
    }
    list.read("alternatives nested 15 deep", || {
        multiparts(15, "alternative")
    });
    list.read("digests nested 15 deep", || multiparts(15, "digest"));
    list.refused("digests nested 50 deep", "nesting", || {
        multiparts(50, "digest")
    });
    list.refused("messages alone nested 100,000 deep", "nesting", || {
        "Content-Type: message/rfc822\r\n\r\n"
            .repeat(100_000)
            .into_bytes()
    });
    list.refused("global messages nested 1,000 deep", "nesting", || {
        "Content-Type: message/global\r\n\r\n"
            .repeat(1_000)
            .into_bytes()
    });
    for depth in [1, 2] {
        list.read(format!("base64 messages {depth} deep"), move || {
            encoded(depth)
        });
    }
    for depth in [4, 6] {
        list.refused(
            format!("base64 messages {depth} deep"),
            "encoded_nesting",
            move || encoded(depth),
        );
    }
    list.refused(
        "multiparts and messages in turn 15 times",
        "nesting",
        || alternating(15),
    );
    list.read("multiparts and messages in turn 8 times", || alternating(8));
}

fn counted(list: &mut List) {
    for count in [0, 1, 500, 990] {
        list.read(format!("{count} parts"), move || {
            parts(count, "text/plain", "x")
        });
    }
    for count in [1_100, 20_000, 1_000_000] {
        list.refused(format!("{count} parts"), "parts", move || {
            parts(count, "text/plain", "x")
        });
    }
    list.read("900 HTML parts", || parts(900, "text/html", "<p>x</p>"));
    list.read("900 calendar parts", || {
        parts(900, "text/calendar; method=REQUEST", "BEGIN:VCALENDAR")
    });
    list.read("900 delivery reports", || {
        parts(900, "message/delivery-status", "Action: failed")
    });
    list.read("300 attached messages", || {
        parts(300, "message/rfc822", "Subject: inner\r\n\r\nx")
    });
    list.read("990 parts of nothing", || mixed(&"--b\r\n\r\n".repeat(990)));
    list.read("990 parts with closed boundary between", || {
        mixed(&"--b\r\n\r\nx\r\n--b--\r\n".repeat(990))
    });
}

fn boundaries(list: &mut List) {
    list.read("no boundary parameter", || {
        mail("x", "Content-Type: multipart/mixed\r\n", "--b\r\n\r\nx\r\n")
    });
    list.read("empty boundary", || {
        mail(
            "x",
            "Content-Type: multipart/mixed; boundary=\"\"\r\n",
            "--\r\n\r\nx\r\n----\r\n",
        )
    });
    list.read("boundary of one dash", || {
        boundary("-", "---\r\n\r\nx\r\n-----\r\n")
    });
    list.read("boundary of 5,000 bytes", || {
        let name = "b".repeat(5_000);
        boundary(&name, &format!("--{name}\r\n\r\nx\r\n--{name}--\r\n"))
    });
    list.read("boundary with quotes and spaces", || {
        boundary("a \\\" b", "--a \" b\r\n\r\nx\r\n")
    });
    list.read("boundary of control characters", || {
        boundary("\u{1}\u{2}\0", "--\u{1}\u{2}\0\r\n\r\nx\r\n")
    });
    list.read("boundary of pattern characters", || {
        boundary(".*(a+)+$", "--.*(a+)+$\r\n\r\nx\r\n")
    });
    list.read("boundary that is a prefix of another", || {
        mixed("--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\n\r\nx\r\n--bb--\r\n--b--\r\n")
    });
    list.read("boundary only in the preamble", || {
        mixed("a --b b\r\n --b\r\n")
    });
    list.read("first boundary is the closing one", || {
        mixed("--b--\r\n\r\nx\r\n")
    });
    list.read("boundary never comes", || mixed("just text\r\n"));
    list.read("preamble of 5 MB", || {
        mixed(&format!(
            "{}--b\r\n\r\nx\r\n--b--\r\n",
            "preamble\r\n".repeat(500_000)
        ))
    });
    list.read("epilogue of 5 MB", || {
        mixed(&format!(
            "--b\r\n\r\nx\r\n--b--\r\n{}",
            "epilogue\r\n".repeat(500_000)
        ))
    });
    list.refused("one million near boundaries", "header_bytes", || {
        mixed(&format!(
            "--b\r\n\r\n{}\r\n--b--\r\n",
            "--bx\r\n".repeat(1_000_000)
        ))
    });
    list.refused("one boundary for every level", "nesting", || {
        mixed(&"--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".repeat(1_000))
    });
    list.refused("900 boundaries that never come", "lost_boundaries", || {
        let part = |n| format!("--b\r\nContent-Type: multipart/mixed; boundary=x{n}\r\n\r\ny\r\n");
        mixed(&(0..900).map(part).collect::<String>())
    });
    list.read("the closing boundary of the outside inside", || {
        mixed("--b\r\nContent-Type: multipart/alternative; boundary=i\r\n\r\n--i\r\n\r\nx\r\n--b--\r\n--i--\r\n")
    });
}

fn kinds(list: &mut List) {
    for kind in [
        "multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha1",
        "multipart/encrypted; protocol=\"application/pgp-encrypted\"",
        "multipart/related; type=\"text/html\"; start=\"<self>\"",
        "multipart/report; report-type=delivery-status",
        "multipart/x-unknown",
        "multipart/",
        "MULTIPART/MIXED",
    ] {
        list.read(format!("type {kind}"), move || {
            let fields = format!("Content-Type: {kind}; boundary=b\r\n");
            mail("x", &fields, "--b\r\nContent-ID: <self>\r\n\r\nx\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\nAction\r\n\r\n:\r\n--b--\r\n")
        });
    }
    for kind in [
        "message/partial; id=x; number=1; total=99999",
        "message/external-body; access-type=local-file; name=\"/etc/passwd\"",
        "message/delivery-status",
        "message/rfc822; charset=utf-16",
        "text",
        "/",
        "text/plain/html",
        ";;;;",
        "application/octet-stream",
    ] {
        list.read(format!("type {kind}"), move || {
            mail(
                "x",
                &format!("Content-Type: {kind}\r\n"),
                "Subject: inner\r\n\r\ninner body\r\n",
            )
        });
    }
    list.read("two content types", || {
        mail(
            "x",
            "Content-Type: text/html\r\nContent-Type: multipart/mixed; boundary=b\r\n",
            "--b\r\n\r\n<p>x</p>\r\n--b--\r\n",
        )
    });
    list.read("an attached message without a body", || {
        mixed("--b\r\nContent-Type: message/rfc822\r\n\r\n--b--\r\n")
    });
    list.read("an attached message that is only a boundary", || {
        mixed("--b\r\nContent-Type: message/rfc822\r\n--b\r\n--b\r\n")
    });
}

fn messages(depth: usize) -> Vec<u8> {
    let inner = "Content-Type: message/rfc822\r\n\r\n".repeat(depth);
    format!("{HEAD}Subject: x\r\n{inner}Subject: inner\r\n\r\nx\r\n").into_bytes()
}

fn multiparts(depth: usize, kind: &str) -> Vec<u8> {
    let open =
        |n: usize| format!("Content-Type: multipart/{kind}; boundary=b{n}\r\n\r\n--b{n}\r\n");
    let inner: String = (0..depth).map(open).collect();
    let close: String = (0..depth)
        .rev()
        .map(|n| format!("\r\n--b{n}--\r\n"))
        .collect();
    format!("{HEAD}Subject: x\r\n{inner}Content-Type: text/plain\r\n\r\nx{close}").into_bytes()
}

fn alternating(times: usize) -> Vec<u8> {
    let open = |n: usize| {
        format!(
            "Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\nContent-Type: message/rfc822\r\n\r\n"
        )
    };
    let inner: String = (0..times).map(open).collect();
    format!("{HEAD}Subject: x\r\n{inner}Subject: y\r\n\r\nx\r\n").into_bytes()
}

/// Messages inside each other, each in base64.
fn encoded(depth: usize) -> Vec<u8> {
    use base64::Engine as _;
    let mut inner = b"Subject: inner\r\n\r\nx\r\n".to_vec();
    for level in 0..depth {
        let text = base64::engine::general_purpose::STANDARD.encode(&inner);
        let head = if level + 1 == depth { HEAD } else { "" };
        inner = format!("{head}Subject: x\r\nContent-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n{text}\r\n").into_bytes();
    }
    inner
}

fn parts(count: usize, kind: &str, body: &str) -> Vec<u8> {
    let part = format!("--b\r\nContent-Type: {kind}\r\n\r\n{body}\r\n");
    mixed(&format!("{}--b--\r\n", part.repeat(count)))
}

fn mixed(body: &str) -> Vec<u8> {
    boundary("b", body)
}

fn boundary(name: &str, body: &str) -> Vec<u8> {
    mail(
        "x",
        &format!("Content-Type: multipart/mixed; boundary=\"{name}\"\r\n"),
        body,
    )
}
