//! One rich mail, cut at every 25th part of its length.

use super::List;

pub(super) fn add(list: &mut List) {
    for part in 1..=PARTS {
        list.read(format!("cut after {part} of {PARTS} parts"), move || {
            let raw = rich();
            let end = raw.len() * part / PARTS;
            raw[..end].to_vec()
        });
    }
}

/// A mail with everything an ordinary mailer writes.
pub(crate) fn rich() -> Vec<u8> {
    RICH.replace('\n', "\r\n").into_bytes()
}

const PARTS: usize = 25;

const RICH: &str = "Received: from mail.acme.example by mx.us.example with ESMTPS; Mon, 9 Nov 2026 09:14:00 +0000\n\
Authentication-Results: mx.us.example; spf=pass smtp.mailfrom=acme.example; dkim=pass header.d=acme.example\n\
From: =?utf-8?Q?J=C3=B6rg_Lee?= <joerg.lee@acme.example>\nTo: \"Sales, us\" <sales@us.example>, desk@us.example\n\
Reply-To: joerg.lee@acme.example\nSubject: =?utf-8?B?4oI=?=\n =?utf-8?B?rA==?= offer for twelve pumps\n\
Date: Mon, 9 Nov 2026 09:14:00 +0100\nMessage-ID: <rich.1@acme.example>\nIn-Reply-To: <rich.0@us.example>\n\
References: <rich.00@us.example>\n <rich.0@us.example>\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"out\"\n\n\
This is a multi-part message.\n--out\nContent-Type: multipart/alternative; boundary=in\n\n--in\n\
Content-Type: text/plain; charset=utf-8; format=flowed\nContent-Transfer-Encoding: quoted-printable\n\n\
We would like to order twelve pumps of the NP-60 series. Gr=C3=BC=C3=9Fe=\n\n\n-- \nJ=C3=B6rg Lee\nHead of Purchasing\n\
ACME Pumps GmbH\nPhone: +49 30 1234567\n\nOn Mon, Nov 9, 2026 at 9:14 AM Sales <sales@us.example> wrote:\n> Which series?\n\
--in\nContent-Type: text/html; charset=utf-8\n\n<html><head><style>.x{display:none}</style></head><body>\
<p>We would like to order <b>twelve</b> pumps.<span class=x>secret</span></p><blockquote>Which series?</blockquote></body></html>\n\
--in--\n--out\nContent-Type: application/pdf; name*0*=utf-8''%4f; name*1=rder.pdf\nContent-Disposition: attachment;\n filename=\"order.pdf\"\n\
Content-Transfer-Encoding: base64\n\nSGVsbG8gSGVsbG8=\n--out\nContent-Type: message/rfc822\n\nFrom: a@b.example\nSubject: inner\n\n\
inner body\n--out\nContent-Type: text/calendar; method=REQUEST\n\nBEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR\n--out--\n";
