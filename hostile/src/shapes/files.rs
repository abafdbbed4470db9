//! Names and kinds of attachments.

use super::{List, Scale, mail};

/// Shapes whose size can be chosen.
pub(super) const SCALES: &[Scale] = &[
    Scale {
        name: "name continuations",
        make: |n| {
            with_parameters(
                &(0..n)
                    .map(|i| format!(";\r\n filename*{i}=a"))
                    .collect::<String>(),
            )
        },
        base: 400,
    },
    Scale {
        name: "files",
        make: |n| many(n, "a.pdf"),
        base: 200,
    },
    Scale {
        name: "a long name",
        make: |n| named(&"../".repeat(n)),
        base: 10_000,
    },
];

pub(super) fn add(list: &mut List) {
    for (title, name) in NAMES {
        list.read(format!("file named {title}"), move || named(name));
    }
    list.read("file name of 100 KB", || named(&"n".repeat(100_000)));
    list.read("file name of 30,000 parents", || {
        named(&"../".repeat(30_000))
    });
    list.read("file name of 900 continuations", || {
        with_parameters(
            &(0..900)
                .map(|i| format!(";\r\n filename*{i}=a"))
                .collect::<String>(),
        )
    });
    list.refused("file names of 5,000 continuations", "parameters", || {
        with_parameters(
            &(0..5_000)
                .map(|i| format!(";\r\n filename*{i}=a"))
                .collect::<String>(),
        )
    });
    list.read("file name continuations out of order", || {
        with_parameters(
            "; filename*9=z; filename*0=a; filename*99999999999=y; filename*1*=%2e%2e%2f",
        )
    });
    list.read("file name of percent signs", || {
        with_parameters("; filename*=utf-8''%%%2%zz%00%0d%0a%2e%2e%2f")
    });
    list.read("file name in an unknown charset", || {
        with_parameters("; filename*=no-such''%ff%fe")
    });
    list.read("two names that differ", || mail("x", "Content-Type: application/pdf; name=a.pdf\r\nContent-Disposition: attachment; filename=b.exe\r\n", "x"));
    list.read("500 files of one name", || many(500, "a.pdf"));
    list.read("900 empty files", || many(900, ""));
    for kind in [
        "application/x-msdownload",
        "text/html",
        "image/svg+xml",
        "application/zip",
        "application/pdf; \r\n\tx",
        "a/b/c",
        "",
    ] {
        list.read(format!("file of type {}", kind.escape_debug()), move || {
            mail(
                "Order 4711",
                &format!(
                    "Content-Type: {kind}\r\nContent-Disposition: attachment; filename=a.pdf\r\n"
                ),
                "<script>alert(1)</script>",
            )
        });
    }
}

fn named(name: &str) -> Vec<u8> {
    with_parameters(&format!("; filename=\"{name}\""))
}

fn with_parameters(parameters: &str) -> Vec<u8> {
    let body = format!(
        "--b\r\n\r\nSee the file.\r\n--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment{parameters}\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n--b--\r\n"
    );
    mail(
        "Order 4711",
        "Content-Type: multipart/mixed; boundary=b\r\n",
        body,
    )
}

fn many(count: usize, name: &str) -> Vec<u8> {
    let part = format!(
        "--b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\nSGVsbG8=\r\n"
    );
    mail(
        "Order 4711",
        "Content-Type: multipart/mixed; boundary=b\r\n",
        format!("{}--b--\r\n", part.repeat(count)),
    )
}

const NAMES: &[(&str, &str)] = &[
    ("as a parent's file", "../../../../etc/passwd"),
    (
        "as a file of Windows",
        "..\\\\..\\\\windows\\\\system32\\\\cmd.exe",
    ),
    ("as a drive", "C:\\\\boot.ini"),
    ("as a share", "\\\\\\\\evil.example\\\\share\\\\a.pdf"),
    ("as a root", "/etc/passwd"),
    ("nothing", ""),
    ("one dot", "."),
    ("two dots", ".."),
    ("only slashes", "////"),
    ("a device", "CON"),
    ("a device with an ending", "nul.pdf"),
    ("a stream", "a.pdf:evil.exe"),
    ("hidden", ".htaccess"),
    ("with spaces at the end", "a.pdf      .exe   "),
    ("with dots at the end", "a.exe......"),
    ("with a direction override", "invoice\u{202e}fdp.exe"),
    ("with zero-width characters", "in\u{200b}voice.p\u{200d}df"),
    (
        "with slashes that look like others",
        "..\u{2215}..\u{2044}etc\u{ff0f}passwd",
    ),
    ("with an escape sequence", "\u{1b}[2Ja.pdf"),
    ("with a line break", "=?utf-8?q?a=0D=0AX:_b.pdf?="),
    ("with NUL", "a.pdf\0.exe"),
    ("with markup", "<img src=x onerror=alert(1)>.pdf"),
    ("with a query", "a'; DROP TABLE files;--.pdf"),
    ("with a shell call", "$(touch x);`id`.pdf"),
    ("with an option", "--help"),
    ("with a template", "{{ 7*7 }}.pdf"),
    ("in words", "=?utf-8?b?Li4vLi4vZXRjL3Bhc3N3ZA==?="),
    ("with wildcards", "*?.pdf"),
    ("with a tilde", "~/.ssh/id_rsa"),
];
