//! What a source itself says about a message: its labels and folders.

use std::ops::Deref;

use serde::{Deserialize, Serialize};

/// Labels and folders of a message, as the source names them, in its order, each once.
///
/// At most [`Labels::MAX`] of at most [`Labels::MAX_CHARS`] characters: a longer one is cut, further
/// ones are left out. White space around a label and control characters are removed.
///
/// ```
/// use nextedge_core::Labels;
///
/// let labels = Labels::new(["Inbox", " Sales/VIP ", "", "Inbox"]);
/// assert_eq!(labels[..], ["Inbox", "Sales/VIP"]);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Vec<String>", into = "Vec<String>")]
pub struct Labels(Vec<String>);

impl Labels {
    /// Most labels of one message.
    pub const MAX: usize = 100;
    /// Most characters of one label.
    pub const MAX_CHARS: usize = 255;

    /// Takes what a source names.
    pub fn new<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Self {
        let mut labels: Vec<String> = Vec::new();
        for name in names {
            let shown = name.as_ref().trim().chars().filter(|c| !c.is_control());
            let label: String = shown.take(Self::MAX_CHARS).collect();
            if labels.len() >= Self::MAX {
                break;
            }
            if !label.is_empty() && !labels.contains(&label) {
                labels.push(label);
            }
        }
        Self(labels)
    }

    /// Takes these, or the others if there are none.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        if self.0.is_empty() { others } else { self }
    }
}

impl Deref for Labels {
    type Target = [String];

    fn deref(&self) -> &[String] {
        &self.0
    }
}

impl From<Vec<String>> for Labels {
    fn from(names: Vec<String>) -> Self {
        Self::new(names)
    }
}

impl From<Labels> for Vec<String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn count_and_length_are_bounded_also_when_read_back() {
        let many: Vec<String> = (0..500)
            .map(|n| format!("{n}-{}", "é".repeat(400)))
            .collect();
        let labels = Labels::new(&many);
        assert_eq!(labels.len(), Labels::MAX);
        assert!(
            labels
                .iter()
                .all(|l| l.chars().count() == Labels::MAX_CHARS)
        );
        let json = serde_json::to_string(&many).unwrap();
        assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), labels);
        assert_eq!(Labels::new(["a\u{7}b\r\n"])[..], ["ab"]);
    }
}
