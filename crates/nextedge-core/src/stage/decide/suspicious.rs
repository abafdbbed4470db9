//! Text that talks to software instead of people.

use crate::stage::cues::Cues;
use crate::stage::text::Folded;

/// Tells whether a text addresses an assistant or tries to give instructions to software.
///
/// Such mail is not hidden or dropped: a person reads it. Authority never comes from text anyway, so
/// this only keeps a label from being talked into.
pub fn addresses_an_assistant(subject: &str, text: &str) -> bool {
    Cues::of(&Folded::of(subject, text)).suspicious
}

/// Phrases that people do not write to people.
pub(in crate::stage) const CUES: &[&str] = &[
    "ignore all previous instructions",
    "ignore previous instructions",
    "ignore the previous instructions",
    "ignore all prior instructions",
    "ignore your instructions",
    "ignore the above instructions",
    "disregard previous instructions",
    "disregard all previous instructions",
    "disregard your instructions",
    "forget your instructions",
    "forget all previous instructions",
    "override your instructions",
    "new system prompt",
    "system prompt",
    "your system prompt",
    "you are now the crm",
    "you are now an ai",
    "you are now a helpful",
    "as an ai language model",
    "as an ai assistant",
    "dear ai",
    "dear assistant",
    "attention ai",
    "note to the ai",
    "instructions for the ai",
    "instruction to the model",
    "classify this mail as",
    "classify this email as",
    "classify this message as",
    "with confidence 1.0",
    "do not mention this paragraph",
    "developer mode",
    "jailbreak",
    "ignoriere alle vorherigen anweisungen",
    "ignoriere alle bisherigen anweisungen",
    "ignoriere die vorherigen anweisungen",
    "vergiss deine anweisungen",
    "klassifiziere diese mail als",
    "klassifiziere diese e-mail als",
    "ignore toutes les instructions précédentes",
    "ignorez toutes les instructions précédentes",
    "ignorez les instructions précédentes",
    "classe ce message comme",
    "ignora todas las instrucciones anteriores",
    "ignora las instrucciones anteriores",
    "ignora tutte le istruzioni precedenti",
    "ignora le istruzioni precedenti",
    "ignore todas as instruções anteriores",
    "ignore as instruções anteriores",
    "negeer alle vorige instructies",
    "negeer alle eerdere instructies",
];

/// Marks of chat formats.
pub(in crate::stage) const MARKS: &[&str] = &[
    "<|im_start|>",
    "<|system|>",
    "[inst]",
    "<<sys>>",
    "### system",
    "### instruction",
    "以前の指示を無視",
    "これまでの指示を無視",
    "忽略之前的指令",
    "忽略以上指令",
];
