//! What fuzzing starts from, and the words that steer each reader.

use nextedge_core::policy::Policy;

use crate::shapes::shapes;
use crate::targets::Target;

/// Seeds and steering words of one target.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs)] // plain data
pub struct Seeds {
    /// Inputs to start from; all are small.
    pub inputs: Vec<Vec<u8>>,
    /// Pieces that steer the reader.
    pub words: &'static [&'static [u8]],
}

/// Returns the seeds of a target.
pub fn of(target: &Target) -> Seeds {
    match target.name {
        "raw_mail" => Seeds {
            inputs: mails(),
            words: MIME_WORDS,
        },
        "html" => Seeds {
            inputs: texts(HTML),
            words: HTML_WORDS,
        },
        "mbox" => Seeds {
            inputs: boxes(),
            words: MBOX_WORDS,
        },
        "policy" => Seeds {
            inputs: policies(),
            words: POLICY_WORDS,
        },
        "template" => Seeds {
            inputs: texts(TEMPLATES),
            words: TEMPLATE_WORDS,
        },
        _ => Seeds {
            inputs: texts(ANSWERS),
            words: JSON_WORDS,
        },
    }
}

/// An ordinary mail with everything a mailer writes.
pub fn mail() -> Vec<u8> {
    crate::shapes::rich()
}

/// A short mail whose every text is odd.
pub fn odd_mail() -> Vec<u8> {
    "From: \"{{ x }}\u{202e}\" <a@b.example>\r\nSubject: {% if %}\u{200b}\"'\\\r\n\r\nWe want to order {{ 7*7 }} pumps. \u{0}\u{1}\r\n"
        .as_bytes()
        .to_vec()
}

/// The small shapes of the corpus.
fn mails() -> Vec<Vec<u8>> {
    let small = shapes().into_iter().map(|shape| shape.raw());
    small
        .filter(|raw| (1..8 << 10).contains(&raw.len()))
        .collect()
}

fn boxes() -> Vec<Vec<u8>> {
    let mut inputs = texts(MBOX);
    let mut all = Vec::new();
    for raw in [mail(), odd_mail(), mail()] {
        all.extend_from_slice(b"From a@b.example Mon Nov  9 09:14:00 2026\n");
        all.extend_from_slice(&raw);
        all.extend_from_slice(b"\n\n");
    }
    inputs.push(all);
    inputs
}

fn policies() -> Vec<Vec<u8>> {
    let mut inputs = texts(POLICIES);
    inputs.extend(Policy::default().to_toml().ok().map(String::into_bytes));
    inputs
}

fn texts(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|text| text.as_bytes().to_vec()).collect()
}

const MIME_WORDS: &[&[u8]] = &[
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n",
    b"Content-Type: text/html\r\n",
    b"Content-Type: multipart/alternative; boundary=\"in\"\r\n",
    b"Content-Transfer-Encoding: base64\r\n",
    b"Content-Transfer-Encoding: quoted-printable\r\n",
    b"Content-Disposition: attachment; filename*0*=utf-8''%41; filename*1=b\r\n",
    b"\r\n\r\n",
    b"\r\n",
    b"--b\r\n",
    b"--b--\r\n",
    b"--in",
    b"=?utf-8?q?=0D=0A?=",
    b"=?utf-8?b?4oI=?=",
    b"=\r\n",
    b"=41",
    b"Q29u",
    b"Reply-To: ",
    b"References: <a@b> <c@d>\r\n",
    b"Date: Mon, 9 Nov 2026 09:14:00 +0100\r\n",
    b"List-Id: x\r\n",
    b"Auto-Submitted: auto-replied\r\n",
    b"Subject: Re: Fwd: AW: ",
    b"> ",
    b"-- \r\n",
    b"On Mon, Nov 9, 2026 at 9:14 AM A <a@b.example> wrote:\r\n",
    b"-----Original Message-----\r\n",
    b"charset=utf-16",
    b"charset=iso-2022-jp",
    b"<p style=display:none>",
    b"</p>",
    b"\xe2\x80\xae",
    b"\xe2\x80\x8b",
    b"\0",
    b"+49 30 1234567",
];
const HTML: &[&str] = &[
    "<html><head><title>t</title><style>.x{display:none}#y{font-size:0}@media screen{p{color:red}}</style></head><body><p class=x>a</p><p id=y>b</p><ul><li>c<ol><li>d</ol></ul><blockquote>e</blockquote><pre> f </pre><table><tr><td>g<td>h</table></body></html>",
    "<p>Hi<span style='display:none'>secret</span> &amp; &#x41;&#65;&nbsp;&copy &unknown; <a href=\"http://a.example\" onclick='x()'>link</a><br>x<hr>y</p>",
    "<div style=\"color:#fff;background:#000\">white</div><font color=white>w</font><!-- c --><![CDATA[x]]><?x?><!DOCTYPE html><script>if(a</b)</script><textarea><p></textarea><svg><p>x</svg><template>t</template>",
    "<b><i><p></b>x</i><select><option>a<select><form><iframe src=//x></iframe><img src=x onerror=y><math><mtext></table>",
];
const HTML_WORDS: &[&[u8]] = &[
    b"<p>",
    b"</p>",
    b"<div>",
    b"</div>",
    b"<b>",
    b"</b>",
    b"<i a=1>",
    b"<span style='display:none'>",
    b"<style>",
    b"</style>",
    b".x{display:none}",
    b"{",
    b"}",
    b"<!--",
    b"-->",
    b"<script>",
    b"</script",
    b"&#x110000;",
    b"&amp",
    b"&lt;",
    b"<table>",
    b"<td>",
    b"</table>",
    b"<ul><li>",
    b"<blockquote>",
    b"<pre>",
    b"<textarea>",
    b"<title>",
    b"<svg>",
    b"<math>",
    b"<select>",
    b"<template>",
    b" class='a b' ",
    b" style=\"",
    b"font-size:0;",
    b"\"",
    b"'",
    b"=",
    b"/>",
];
const MBOX: &[&str] = &[
    "From a@b.example Mon Nov  9 09:14:00 2026\nFrom: a@b.example\nSubject: x\n\nbody\n\n>From here\n>>From there\n\nFrom c@d.example Tue Nov 10 09:14:00 2026\r\nSubject: y\r\n\r\nFrom the start of a line\r\n\r\n",
    "From: a@b.example\n\nno From line\n\nFrom nobody\nX: y\n\nz",
    "From \nFrom \n\nFrom a Mon Nov 9 09:14 2026\n\n\n\nFrom b Mon Nov 9 2026 09:14:00 +0100\na:b\n",
    "text before\n\nFrom a@b.example Mon Nov  9 09:14:00 2026\nA: b\n\nSubject: x\n",
];
const MBOX_WORDS: &[&[u8]] = &[
    b"From a@b.example Mon Nov  9 09:14:00 2026\n",
    b"\nFrom ",
    b"From ",
    b">From ",
    b">>From ",
    b"\n\n",
    b"\r\n\r\n",
    b"\r",
    b"Subject: x\n",
    b"A: b\n",
    b" 2026",
    b"\0",
];
const POLICIES: &[&str] = &[
    "[screen]\ncolleagues = [\"a@b.example\"]\nagents = [\"a@b.example\"]\n[authenticity]\ntrusted = { \"*\" = [\"mx.b.example\"] }\n[categories.Lead]\nthreshold = 0.8\n[priority.hours]\nzone = \"Europe/Berlin\"\n",
    "[[rules]]\nname = \"orders\"\nwhen = [{ subject_contains = [\"order\"] }, { has_attachment = true }]\nthen = [{ set_category = \"Case\" }, { assign = \"7\" }]\nauto_write = true\n",
    "[contact]\nname = \"{{ sender.name }}\"\n[categories.Lead]\nkind = \"lead\"\n[categories.Lead.fields]\nhs_lead_name = \"{{ subject }}\"\n[lengths]\n\"contact.name\" = 10\n",
];
const POLICY_WORDS: &[&[u8]] = &[
    b"[screen]\n",
    b"[[rules]]\n",
    b"when = [",
    b"then = [{ park = true }]\n",
    b"threshold = ",
    b"nan",
    b"inf",
    b"-1",
    b"1e999",
    b"99999999999999999999",
    b"\"\"\"",
    b"'''",
    b"{",
    b"}",
    b"[",
    b"]",
    b"=",
    b"\n",
    b"#",
    b"categories.",
    b"Lead",
    b"None",
    b"zone = \"UTC\"\n",
    b"1979-05-27T07:32:00Z",
    b"\\u0000",
    b"[a.a.a.a.a.a]\n",
    b"expires_after_days = ",
    b"score",
    b"territories",
];
const TEMPLATES: &[&str] = &[
    "{{ sender.name }} wrote {{ subject|truncate(20)|upper }}",
    "{% if subject %}{{ subject }}{% elif summary %}x{% else %}{{ description|default('y') }}{% endif %}",
    "{{ contact.phone|trim|title }} {{ score.band == 'hot' }} {# c #}",
    "{{ 'a' * 3 }}{{ 1 + 2 ** 3 }}{{ [1,2][0] }}{{ {'a': 1}.a }}",
    "plain text",
    "{{ subject[0:3] }}{{ subject ~ subject }}{{ not subject and 1 or 2 }}{{ subject is defined }}",
];
const TEMPLATE_WORDS: &[&[u8]] = &[
    b"{{",
    b"}}",
    b"{%",
    b"%}",
    b"{#",
    b"#}",
    b" if ",
    b" else ",
    b"endif",
    b"for x in y",
    b"|upper",
    b"|truncate(",
    b"subject",
    b"description",
    b"sender.name",
    b"|default(",
    b"'",
    b"~",
    b"*",
    b"**",
    b"[",
    b"]",
    b"(",
    b")",
    b"9999999999",
    b"{%- set x = 1 %}",
    b"range(1000000)",
    b".__class__",
    b"loop",
    b"macro",
    b"include",
    b"-",
    b"not ",
    b"is ",
    b"in ",
];
const ANSWERS: &[&str] = &[
    r#"{"results":[{"id":"512","objectWriteTraceId":"a","properties":{"email":"ada@x.example","createdate":null,"n":7}}],"paging":{"next":{"after":"12"}}}"#,
    r#"{"status":"error","message":"Contact already exists. Existing ID: 512","correlationId":"c-1","category":"CONFLICT","errors":[{"code":"X","message":"m","in":"email","context":{"propertyName":["email"],"objectWriteTraceId":["a"]}}]}"#,
    r#"{"message":"Property values were not valid: [{\"name\":\"email\",\"error\":\"INVALID_EMAIL\",\"message\":\"ada@x is not valid\"}]","policyName":"DAILY","errorType":"RATE_LIMIT"}"#,
    r#"{"results":[{"from":{"id":"1"},"to":[{"toObjectId":5},{"id":"6","associationTypes":[{"category":"HUBSPOT_DEFINED","typeId":1,"label":null}]}]}]}"#,
    r#"{"results":[{"id":"p","displayOrder":1,"stages":[{"id":"s","displayOrder":0,"metadata":{"ticketState":"OPEN","probability":"0.5"}}]},{"name":"n","type":"enumeration","options":[{"value":"v","hidden":false}],"hasUniqueValue":true}]}"#,
    r#"{"requiredProperties":["a"],"message":"Some required properties were not set: [colour]"}"#,
];
const JSON_WORDS: &[&[u8]] = &[
    b"{",
    b"}",
    b"[",
    b"]",
    b"null",
    b"\"id\":",
    b"\"results\":",
    b"\"message\":",
    b"\"errors\":[",
    b"\"context\":",
    b"-1",
    b"1e400",
    b"18446744073709551616",
    b"\"\\u0000\"",
    b"\\n",
    b"\"\"",
    b"Existing ID: ",
    b"[{",
    b"}]",
    b"\"paging\":",
    b"true",
];
