//! Every charset label over bytes that do not fit it.

use super::{List, mail};

pub(super) fn add(list: &mut List) {
    for label in LABELS {
        list.read(format!("charset {}", shown(label)), move || {
            let fields = format!("Content-Type: text/plain; charset=\"{label}\"\r\nContent-Transfer-Encoding: 8bit\r\n");
            mail(&format!("=?{label}?b?/wCAgYL+7u/wGyRCG1w=?="), &fields, noise(20_000))
        });
    }
    list.read("charset of 20 KB", || {
        let fields = format!(
            "Content-Type: text/plain; charset=\"{}\"\r\n",
            "x".repeat(20_000)
        );
        mail("x", &fields, noise(2_000))
    });
    list.read("two megabytes of iso-2022-jp escapes", || {
        mail(
            "x",
            "Content-Type: text/plain; charset=iso-2022-jp\r\n",
            b"\x1b$B\x1b(B".repeat(350_000),
        )
    });
    list.read("two megabytes of utf-7 shifts", || {
        mail(
            "x",
            "Content-Type: text/plain; charset=utf-7\r\n",
            b"+AGE-+".repeat(350_000),
        )
    });
    list.read("utf-16 of an odd length", || {
        mail(
            "x",
            "Content-Type: text/plain; charset=utf-16le\r\n",
            [b"a\0".repeat(100_000), b"b".to_vec()].concat(),
        )
    });
    list.read("lone surrogates", || {
        mail(
            "x",
            "Content-Type: text/plain; charset=utf-16be\r\n",
            b"\xd8\x00\x00a\xdc\x00".repeat(50_000),
        )
    });
}

fn shown(label: &str) -> String {
    if label.is_empty() {
        "of no name".to_owned()
    } else {
        label.escape_debug().to_string()
    }
}

/// Bytes of every value in a fixed order, line ends included.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(|_| next()).collect()
}

const LABELS: &[&str] = &[
    "",
    "us-ascii",
    "utf-8",
    "utf-7",
    "utf-16",
    "utf-16le",
    "utf-16be",
    "utf-32",
    "iso-8859-1",
    "iso-8859-8-i",
    "iso-8859-15",
    "windows-1252",
    "windows-1255",
    "windows-874",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "cp437",
    "cp850",
    "shift_jis",
    "euc-jp",
    "iso-2022-jp",
    "iso-2022-kr",
    "euc-kr",
    "big5",
    "gb2312",
    "gbk",
    "gb18030",
    "hz-gb-2312",
    "tis-620",
    "viscii",
    "x-user-defined",
    "unknown-8bit",
    "utf-8; drop table",
    "../../etc/passwd",
    "\u{e9}",
];
