//! Draws a soak's curve as an SVG: memory on the left axis, file size on the right, over mails.

use std::fmt::Write;

use crate::soak::{Curve, Sample};

/// Returns the whole file.
pub(crate) fn svg(curve: &Curve) -> String {
    let most = |of: fn(&Sample) -> f64| curve.0.iter().map(of).fold(0.0, f64::max);
    let mails = Axis::up_to(most(|s| s.mails as f64));
    let memory = Axis::up_to(most(|s| s.rss_mib));
    let file = Axis::up_to(most(|s| s.file_mib));
    let last = curve.0.last().copied().unwrap_or_default();
    let mut out = String::from(HEAD);
    let title = format!(
        "{} mails in {:.0} s: resident set and database",
        last.mails, last.seconds
    );
    text(&mut out, WIDTH / 2.0, 24.0, "middle", "#222", &title);
    for tick in mails.ticks() {
        let x = LEFT + mails.share(tick) * PLOT_WIDTH;
        grid(&mut out, (x, TOP), (x, BOTTOM));
        text(&mut out, x, BOTTOM + 18.0, "middle", "#222", &label(tick));
    }
    for tick in memory.ticks() {
        let y = BOTTOM - memory.share(tick) * PLOT_HEIGHT;
        grid(&mut out, (LEFT, y), (RIGHT, y));
        text(&mut out, LEFT - 8.0, y + 4.0, "end", MEMORY, &label(tick));
    }
    for tick in file.ticks() {
        let y = BOTTOM - file.share(tick) * PLOT_HEIGHT;
        text(&mut out, RIGHT + 8.0, y + 4.0, "start", FILE, &label(tick));
    }
    text(
        &mut out,
        WIDTH / 2.0,
        BOTTOM + 40.0,
        "middle",
        "#222",
        "mails done",
    );
    text(
        &mut out,
        LEFT,
        TOP - 10.0,
        "middle",
        MEMORY,
        "resident set, MiB",
    );
    text(
        &mut out,
        RIGHT,
        TOP - 10.0,
        "middle",
        FILE,
        "database with log, MiB",
    );
    line(&mut out, curve, &mails, &memory, MEMORY, |s| s.rss_mib);
    line(&mut out, curve, &mails, &file, FILE, |s| s.file_mib);
    out.push_str("</svg>\n");
    out
}

/// An axis from zero to a round number.
struct Axis {
    end: f64,
    step: f64,
}

impl Axis {
    fn up_to(most: f64) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let power = 10_f64.powf((most / TICKS).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
        let enough = steps.into_iter().find(|step| step * TICKS >= most);
        let step = enough.unwrap_or(10.0 * power);
        Self {
            end: (most / step).ceil() * step,
            step,
        }
    }

    fn share(&self, value: f64) -> f64 {
        value / self.end
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let (step, count) = (self.step, (self.end / self.step).round() as u32);
        (0..=count).map(move |number| f64::from(number) * step)
    }
}

fn line(
    out: &mut String,
    curve: &Curve,
    across: &Axis,
    up: &Axis,
    colour: &str,
    value: fn(&Sample) -> f64,
) {
    let points = curve.0.iter().map(|sample| {
        let x = LEFT + across.share(sample.mails as f64) * PLOT_WIDTH;
        let y = BOTTOM - up.share(value(sample)) * PLOT_HEIGHT;
        format!("{x:.1},{y:.1}")
    });
    let points = points.collect::<Vec<_>>().join(" ");
    let _ = writeln!(
        out,
        "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" points=\"{points}\"/>"
    );
}

fn grid(out: &mut String, from: (f64, f64), to: (f64, f64)) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(
        out,
        "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"#ddd\"/>"
    );
}

fn text(out: &mut String, x: f64, y: f64, anchor: &str, colour: &str, words: &str) {
    let _ = writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"
    );
}

/// A number with its thousands apart.
fn label(value: f64) -> String {
    let digits = format!("{value:.0}");
    if value > 0.0 && value < 10.0 && value.fract() > 0.0 {
        return format!("{value:.1}");
    }
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

const HEAD: &str = "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 800 420\" \
    font-family=\"sans-serif\" font-size=\"12\">\n<rect width=\"800\" height=\"420\" fill=\"#fff\"/>\n";
const WIDTH: f64 = 800.0;
const LEFT: f64 = 80.0;
const RIGHT: f64 = 710.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 360.0;
const PLOT_WIDTH: f64 = RIGHT - LEFT;
const PLOT_HEIGHT: f64 = BOTTOM - TOP;
const MEMORY: &str = "#1f5fa8";
const FILE: &str = "#b3541e";
/// Most steps of an axis.
const TICKS: f64 = 6.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers_above_the_data() {
        let ticks = |most| Axis::up_to(most).ticks().map(label).collect::<Vec<_>>();
        assert_eq!(ticks(58.0), ["0", "10", "20", "30", "40", "50", "60"]);
        assert_eq!(
            ticks(1_000_000.0).last().map(String::as_str),
            Some("1,000,000")
        );
        assert_eq!(ticks(2.2), ["0", "0.5", "1", "1.5", "2", "2.5"]);
        assert!(ticks(0.0).len() > 1);
    }

    #[test]
    fn the_last_sample_lies_at_its_place_on_both_curves() {
        let sample = |mails, rss_mib, file_mib| Sample {
            seconds: 1.0,
            mails,
            rss_mib,
            file_mib,
        };
        let svg = svg(&Curve(vec![sample(0, 30.0, 0.0), sample(600, 60.0, 300.0)]));
        assert!(svg.contains("points=\"80.0,210.0 710.0,60.0\""), "{svg}");
        assert!(svg.contains("points=\"80.0,360.0 710.0,60.0\""), "{svg}");
    }
}
