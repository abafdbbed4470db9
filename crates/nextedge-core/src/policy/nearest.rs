//! The nearest valid name for a misspelt one.

/// Returns the candidate that is close enough to be meant, if there is one.
pub(crate) fn nearest<'a>(
    name: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let name: Vec<char> = name.to_lowercase().chars().take(MAX_NAME_CHARS).collect();
    candidates
        .into_iter()
        .map(|candidate| {
            let chars: Vec<char> = candidate
                .to_lowercase()
                .chars()
                .take(MAX_NAME_CHARS)
                .collect();
            let allowed = (name.len().max(chars.len()) / 3).max(1);
            (distance(&name, &chars), allowed, candidate)
        })
        .filter(|(distance, allowed, _)| distance <= allowed)
        .min_by_key(|(distance, ..)| *distance)
        .map(|(.., candidate)| candidate)
}

/// Counts insertions, deletions, replacements and swaps of neighbours.
fn distance(left: &[char], right: &[char]) -> usize {
    let width = right.len() + 1;
    let mut before: Vec<usize> = vec![0; width];
    let mut last: Vec<usize> = (0..width).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1; width];
        for (j, b) in right.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b))
                .min(last[j + 1] + 1)
                .min(row[j] + 1);
            let swapped = i > 0 && j > 0 && left[i - 1] == *b && right[j - 1] == *a;
            if swapped {
                best = best.min(before[j - 1] + 1);
            }
            row[j + 1] = best;
        }
        before = std::mem::replace(&mut last, row);
    }
    last[right.len()]
}

/// Longer names are compared by their beginning: the work stays bounded.
const MAX_NAME_CHARS: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meant_name_is_found_and_a_stranger_is_not() {
        let names = ["threshold", "enabled", "subject"];
        for (typed, meant) in [
            ("treshold", Some("threshold")),
            ("Threshold", Some("threshold")),
            ("enabeld", Some("enabled")),
            ("subjct", Some("subject")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(typed, names), meant, "{typed}");
        }
    }
}
