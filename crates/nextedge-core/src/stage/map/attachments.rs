//! Which attachments go to the CRM.

use crate::domain::AttachmentChoice;
use crate::mail::Attachment;
use crate::policy::AttachmentPolicy;

/// Chooses by the policy; the notes name what was refused and why.
pub(super) fn choose(
    attachments: &[Attachment],
    policy: &AttachmentPolicy,
) -> (Vec<AttachmentChoice>, Vec<String>) {
    let (mut chosen, mut refused): (Vec<AttachmentChoice>, Vec<String>) = Default::default();
    for attachment in attachments {
        let fault = fault(attachment, policy).or_else(|| {
            let again = chosen.iter().any(|known| known.sha256 == attachment.sha256);
            if again {
                return Some("the same file stands twice".to_owned());
            }
            (chosen.len() >= policy.max_count)
                .then(|| format!("more than {} attachments", policy.max_count))
        });
        match fault {
            Some(fault) if refused.len() < MAX_NOTES => {
                refused.push(format!(
                    "attachment “{}” left out: {fault}",
                    attachment.name
                ));
            }
            Some(_) => {}
            None => chosen.push(AttachmentChoice {
                index: attachment.index,
                name: attachment.name.clone(),
                media_type: attachment.media_type.clone(),
                bytes: attachment.bytes,
                sha256: attachment.sha256.clone(),
            }),
        }
    }
    (chosen, refused)
}

fn fault(attachment: &Attachment, policy: &AttachmentPolicy) -> Option<String> {
    let name = attachment.name.to_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    if policy
        .refused_endings
        .iter()
        .any(|refused| refused.eq_ignore_ascii_case(ending))
    {
        return Some(format!("the ending .{ending} is refused"));
    }
    if !policy
        .types
        .iter()
        .any(|allowed| fits(allowed, &attachment.media_type))
    {
        // Mailers that do not know a type call it octet-stream; the ending then speaks.
        let generic = attachment.media_type == "application/octet-stream";
        if !(generic && DOCUMENT_ENDINGS.contains(&ending)) {
            return Some(format!("the type {} is not allowed", attachment.media_type));
        }
    }
    if attachment.bytes > policy.max_bytes {
        return Some(format!("larger than {} bytes", policy.max_bytes));
    }
    (attachment.bytes == 0).then(|| "it is empty".to_owned())
}

fn fits(allowed: &str, media_type: &str) -> bool {
    match allowed.strip_suffix('*') {
        Some(start) => media_type.starts_with(start),
        None => allowed.eq_ignore_ascii_case(media_type),
    }
}

/// Notes about refused attachments of one mail.
const MAX_NOTES: usize = 50;

const DOCUMENT_ENDINGS: &[&str] = &[
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "odp", "rtf", "csv", "txt",
    "png", "jpg", "jpeg", "gif", "webp", "tif", "tiff", "bmp", "heic",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn attachment(index: u32, name: &str, media_type: &str, bytes: u64) -> Attachment {
        Attachment {
            index,
            name: name.to_owned(),
            media_type: media_type.to_owned(),
            bytes,
            sha256: format!("{name}{bytes}"),
            inline: false,
        }
    }

    #[test]
    fn types_endings_and_sizes_decide() {
        let policy = AttachmentPolicy::default();
        for (name, media_type, bytes, taken) in [
            ("a.pdf", "application/pdf", 10, true),
            ("a.pdf", "application/octet-stream", 10, true),
            (
                "a.docx",
                "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                10,
                true,
            ),
            ("a.exe", "application/pdf", 10, false),
            ("a.PDF.EXE", "image/png", 10, false),
            ("a.zip", "application/zip", 10, false),
            ("a.png", "image/png", 10 * 1024 * 1024, true),
            ("a.png", "image/png", 10 * 1024 * 1024 + 1, false),
            ("a.png", "image/png", 0, false),
            ("a.bin", "application/octet-stream", 10, false),
        ] {
            let (chosen, refused) = choose(&[attachment(0, name, media_type, bytes)], &policy);
            assert_eq!(
                (chosen.len(), refused.len()),
                (usize::from(taken), usize::from(!taken)),
                "{name}"
            );
        }
    }

    #[test]
    fn the_same_file_goes_once_and_the_count_is_bounded() {
        let policy = AttachmentPolicy {
            max_count: 2,
            ..AttachmentPolicy::default()
        };
        let all = [
            attachment(0, "a.png", "image/png", 1),
            attachment(1, "a.png", "image/png", 1),
            attachment(2, "b.png", "image/png", 1),
            attachment(3, "c.png", "image/png", 1),
        ];
        let (chosen, refused) = choose(&all, &policy);
        assert_eq!(chosen.iter().map(|c| c.index).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(refused.len(), 2);
    }
}
