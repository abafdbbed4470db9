#![allow(clippy::unwrap_used)]
use super::*;
use crate::mail::work_done;

fn text(html: &str) -> String {
    html_to_text(html, &HtmlLimits::default()).text
}

#[test]
fn layout_becomes_lines() {
    for (html, expected) in [
        ("a<br>b<br/>c", "a\nb\nc\n"),
        ("<p>one</p><p>two</p>", "one\n\ntwo\n"),
        ("<div>a</div><div>b</div>", "a\nb\n"),
        ("a\n  b\t c", "a b c\n"),
        ("a <b>b </b>c<i> d</i>", "a b c d\n"),
        (
            "<ul><li>x<li>y</ul><ol><li>p<li>q</ol>",
            "- x\n- y\n1. p\n2. q\n",
        ),
        (
            "<table><tr><td>Name</td><td>Ada</td></tr><tr><td>Tel</td><td>1</td></tr></table>",
            "Name Ada\nTel 1\n",
        ),
        ("x<blockquote>q<br>r</blockquote>y", "x\n\n> q\n> r\n\ny\n"),
        ("<pre>a  b\n c</pre>", "a  b\n c\n"),
        ("<p>a<br></p><p>b", "a\n\nb\n"),
        ("", ""),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn entities_and_broken_markup_are_read_as_browsers_do() {
    for (html, expected) in [
        (
            "a &amp; b &lt;c&gt; &#8364; &#x20AC; &eacute;",
            "a & b <c> € € é\n",
        ),
        ("R&D &amp &nbsp;x &unknown; &", "R&D &  x &unknown; &\n"),
        ("1 < 2 <3", "1 < 2 <3\n"),
        ("<a title=\"x > y\" href=z>l</a>", "l\n"),
        ("<script>if (a<b) {}</script>x<style>p{}</style>", "x\n"),
        ("<!-- <p>no</p> -->yes<!doctype html>", "yes\n"),
        ("<head><title>T</title></head><body>b", "b\n"),
        ("text<script>never closed", "text\n"),
        ("a<p style=\"x>b", "a\n"),
    ] {
        assert_eq!(text(html), expected, "{html}");
    }
}

#[test]
fn hidden_text_is_left_out_and_counted() {
    for (html, hidden) in [
        ("<span style='display:none'>secret</span>", 6),
        ("<span STYLE=' Display : NONE !important'>secret</span>", 6),
        ("<div style='visibility:hidden'>secret</div>", 6),
        ("<div style='font-size:0'>secret</div>", 6),
        ("<div style='font-size:0.0px;'>secret</div>", 6),
        ("<div style='opacity:0'>secret</div>", 6),
        ("<div hidden>secret</div>", 6),
        ("<div style='max-height:0;overflow:hidden'>secret</div>", 6),
        ("<div style='text-indent:-9999px'>secret</div>", 6),
        ("<font color=white>secret</font>", 6),
        ("<span style='color:#FFFFFF'>secret</span>", 6),
        (
            "<style>.h, p.k {display:none}</style><b class='a h'>sec</b><p class=k>ret</p>",
            6,
        ),
        (
            "<style>@media x{.n{display:none}} .h{font-size:0px}</style><i class=h>secret</i>",
            6,
        ),
        ("<b><div style='display:none'></b>secret</div>", 6),
        ("<td style='display:none'>secret<td>", 6),
        ("<template>secret</template>", 6),
        ("x\u{202e}", 1),
    ] {
        let seen = html_to_text(&format!("{html}shown"), &HtmlLimits::default());
        assert!(
            !seen.text.contains("se") && seen.text.contains("shown"),
            "{html}: {}",
            seen.text
        );
        assert_eq!(seen.hidden_chars, hidden, "{html}");
    }
}

#[test]
fn shown_text_is_kept() {
    for html in [
        "<td style='font-size:0'><div style='font-size:14px'>shown</div></td>",
        "<div style='visibility:hidden'><i style='visibility:visible'>shown</i></div>",
        "<td bgcolor='#003366'><span style='color:#fff'>shown</span></td>",
        "<a style='background:#06c;color:white'>shown</a>",
        "<div style='font-size:0.9em;opacity:0.7'>shown</div>",
        "<span style='display:none'><div>x</span></div>shown",
        "<p style='display:none'>x<p>shown",
        "<style>@media print{.n{display:none}}</style><b class=n>shown</b>",
    ] {
        assert!(text(html).contains("shown"), "{html}: {:?}", text(html));
    }
}

#[test]
fn sanitised_html_loads_and_runs_nothing() {
    let clean = |html: &str| sanitise_html(html, &HtmlLimits::default());
    for html in [
        "<img src=http://x.example/t.gif>",
        "<img src=cid:1>",
        "<script>alert(1)</script>",
        "<svg><script>alert(1)</script></svg>",
        "<a href='javascript:alert(1)'>x</a>",
        "<div style='background:url(//x.example)'>x</div>",
        "<form action=//x.example><input></form>",
        "<iframe src=//x.example></iframe>",
    ] {
        let out = clean(html);
        let bad = [
            "x.example",
            "script",
            "src",
            "style",
            "<form",
            "cid:",
            "<svg",
        ];
        assert!(!bad.iter().any(|bad| out.contains(bad)), "{html}: {out}");
    }
    assert_eq!(
        clean("<p>a<span style='display:none'>b</span>c</p>"),
        "<p>ac</p>"
    );
    assert!(clean("<a href=https://ok.example>x</a>").contains("noopener"));
    assert!(clean(&"<div>".repeat(5_000)).starts_with("<pre>"));
}

#[test]
fn hostile_html_takes_linear_time() {
    let mut attributes = "<a ".to_owned();
    (0..200_000).for_each(|n| attributes += &format!("x{n} "));
    for html in [
        "<div>".repeat(200_000),
        "<b>".repeat(100_000) + &"<div>".repeat(100_000) + &"</b>".repeat(100_000),
        "<div>".repeat(100_000) + &"</span>".repeat(100_000),
        "<blockquote>".repeat(50_000) + &"<br>x".repeat(50_000),
        "<style>".to_owned() + &"a{".repeat(400_000),
        "<!--".repeat(200_000),
        "<a href=\"".repeat(100_000),
        "<a =  ".to_owned() + &" '".repeat(400_000),
        "&".repeat(1_000_000),
        "</".repeat(500_000),
        "<script></scrip".repeat(60_000),
        "<ul><li>".repeat(100_000),
        attributes,
    ] {
        let before = work_done();
        let seen = html_to_text(&html, &HtmlLimits::default());
        let clean = sanitise_html(&html, &HtmlLimits::default());
        // counted, so that a busy machine changes nothing
        let looked = work_done() - before;
        assert!(looked <= 100 * html.len() as u64, "{html:.40} {looked}");
        assert!(seen.text.len() < 20 << 20 && clean.len() < 20 << 20);
    }
}
