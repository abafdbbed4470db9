//! Header blocks inside a body: `From: … Sent: … To: … Subject: …`.

use super::Lines;
use super::labels::{LABELS, Label};

/// A header block and what it says.
#[derive(Debug)]
pub(crate) struct Block {
    fields: Vec<(Label, String)>,
    /// The first line behind the block.
    pub(crate) end: usize,
}

impl Block {
    /// Returns the value of the first field with this label.
    pub(crate) fn value(&self, label: Label) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields
            .find(|(found, _)| *found == label)
            .map(|(_, value)| value.as_str())
    }

    fn has(&self, label: Label) -> bool {
        self.value(label).is_some()
    }

    /// A From line, a date or subject, and at least three different fields: nobody types that.
    fn is_convincing(&self) -> bool {
        let labels = [
            Label::From,
            Label::Sent,
            Label::To,
            Label::Cc,
            Label::Subject,
        ];
        let different = labels.iter().filter(|label| self.has(**label)).count();
        different >= 3 && (self.has(Label::Sent) || self.has(Label::Subject))
    }
}

/// Reads a header block that starts at a line with a From label; `>` marks are looked through.
pub(crate) fn block_at(lines: &Lines<'_>, at: usize) -> Option<Block> {
    let (label, value) = field_of(lines.get(at))?;
    if label != Label::From || value.is_empty() {
        return None;
    }
    let mut block = Block {
        fields: vec![(label, value)],
        end: at + 1,
    };
    let last = lines.len().min(at + MAX_BLOCK_LINES);
    let mut blanks = 0;
    for next in at + 1..last {
        match field_of(lines.get(next)) {
            Some((Label::From, _)) => break,
            Some(field) => {
                block.fields.push(field);
                block.end = next + 1;
                blanks = 0;
            }
            // Converters put an empty line between the fields; two end the block.
            None if unquoted(lines.get(next)).is_empty() => {
                blanks += 1;
                if blanks > 1 || block.has(Label::Subject) {
                    break;
                }
            }
            None if blanks > 0 => break,
            None => continue_field(&mut block, unquoted(lines.get(next)), next),
        }
    }
    block.is_convincing().then_some(block)
}

/// Adds a wrapped line to the field before it.
fn continue_field(block: &mut Block, line: &str, at: usize) {
    if let Some((_, value)) = block.fields.last_mut()
        && value.len() < MAX_VALUE_BYTES
    {
        value.push(' ');
        value.push_str(line);
        block.end = at + 1;
    }
}

/// Splits `*Von:* Ada` or `差出人： Ada` into its label and value.
fn field_of(line: &str) -> Option<(Label, String)> {
    let line = unquoted(line);
    let (at, colon) = line
        .char_indices()
        .take(MAX_LABEL_CHARS)
        .find(|(_, c)| matches!(c, ':' | '：'))?;
    let name = line[..at].trim_matches(|c: char| c.is_whitespace() || c == '*');
    let name = name.to_lowercase();
    let label = LABELS.iter().find(|(known, _)| *known == name)?.1;
    let value = line[at + colon.len_utf8()..].trim_matches(|c: char| c.is_whitespace() || c == '*');
    Some((label, value.to_owned()))
}

fn unquoted(line: &str) -> &str {
    line.trim_matches(|c: char| c.is_whitespace() || c == '>')
        .trim_start_matches(|c: char| c == '>' || c.is_whitespace())
}

const MAX_BLOCK_LINES: usize = 14;
const MAX_LABEL_CHARS: usize = 24;
const MAX_VALUE_BYTES: usize = 2_000;
