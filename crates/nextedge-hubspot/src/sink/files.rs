//! Attachments: uploaded once for each distinct content, always private.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures::StreamExt;
use nextedge_core::{
    Effect, EffectVerb, Guarantee, MessageUid, RecordId, RecordKind, RecordRef, Slot,
};
use sha2::{Digest, Sha256};

use super::deliver::Job;
use crate::error::Fault;
use crate::wire::email::Engagement;
use crate::wire::files::Upload;

/// One file of one item.
struct Wanted {
    item: usize,
    slot: u32,
    name: String,
    media_type: String,
    sha256: String,
    bytes: Bytes,
    message: MessageUid,
}

impl Job<'_> {
    /// Uploads what the chosen items attach, and the whole mail where a body does not fit.
    ///
    /// A file that HubSpot refuses is noted on its mail, which is written all the same.
    pub(super) async fn files(&mut self, chosen: &[usize]) {
        let mut wanted = Vec::new();
        for &index in chosen {
            wanted.extend(self.wanted(index));
        }
        let mut uploads: BTreeMap<&str, &Wanted> = BTreeMap::new();
        for file in &wanted {
            if !self.uploaded.contains_key(&file.sha256) {
                uploads.entry(&file.sha256).or_insert(file);
            }
        }
        let answers = self.upload_all(uploads.into_values().collect()).await;
        let mut fresh = BTreeMap::new();
        for (sha256, answer) in answers {
            if let Ok(id) = &answer {
                self.uploaded.insert(sha256.clone(), id.clone());
            }
            fresh.insert(sha256, answer);
        }
        for file in &wanted {
            self.settle_file(file, &mut fresh);
        }
    }

    /// Sends uploads a few at a time; after a fault that concerns every call, no more are started.
    async fn upload_all(&mut self, files: Vec<&Wanted>) -> Vec<(String, Result<RecordId, Fault>)> {
        let folder = self.profile.settings.file_folder.as_str();
        let (sink, cx) = (self.sink, self.cx);
        let one = |file: &Wanted| {
            let (name, media_type) = (file.name.clone(), file.media_type.clone());
            let (sha256, bytes, message) = (file.sha256.clone(), file.bytes.clone(), file.message);
            async move {
                let upload = Upload {
                    name: &name,
                    media_type: &media_type,
                    folder,
                    bytes: &bytes,
                    sha256: &sha256,
                };
                let answer = sink.client.upload(cx, &upload, message).await;
                (sha256, answer)
            }
        };
        let parallel = self.sink.limits.parallel_uploads.max(1);
        let mut running = futures::stream::iter(files.into_iter().map(one)).buffered(parallel);
        let mut answers = Vec::new();
        let mut halt = None;
        while let Some((sha256, answer)) = running.next().await {
            let fault = answer.as_ref().err().filter(|fault| fault.halts()).cloned();
            answers.push((sha256, answer));
            if fault.is_some() {
                halt = fault;
                break;
            }
        }
        drop(running);
        if let Some(fault) = halt {
            // The same bytes are answered with the same file, so sending them again is safe.
            self.stop(fault.not_applied());
        }
        answers
    }

    fn wanted(&mut self, index: usize) -> Vec<Wanted> {
        let delivery = &self.batch[index];
        let mut wanted = Vec::new();
        self.items[index].files.clear();
        let mut want = |slot, name: &str, media_type: &str, sha256: String, bytes: &Bytes| {
            wanted.push(Wanted {
                item: index,
                slot,
                name: name.to_owned(),
                media_type: media_type.to_owned(),
                sha256,
                bytes: bytes.clone(),
                message: delivery.message,
            });
        };
        let mut slot = 0;
        for file in &delivery.attachments {
            want(
                slot,
                &file.name,
                &file.media_type,
                file.sha256.clone(),
                &file.bytes,
            );
            slot += 1;
        }
        if !Engagement::cuts_of(&delivery.activity).is_empty() {
            let original = &delivery.activity.original;
            want(slot, ORIGINAL, "message/rfc822", hash(original), original);
        }
        let done = |slot: u32| {
            let mut effects = delivery.done.iter();
            effects.find(|effect| effect.slot == Slot::Attachment(slot))
        };
        let mut kept = Vec::new();
        for file in wanted {
            match done(file.slot) {
                Some(effect) => self.items[index].files.push(effect.record.id.to_string()),
                None => kept.push(file),
            }
        }
        kept
    }

    fn settle_file(
        &mut self,
        file: &Wanted,
        fresh: &mut BTreeMap<String, Result<RecordId, Fault>>,
    ) {
        let index = file.item;
        if let Some(id) = self.uploaded.get(&file.sha256).cloned() {
            // The first mail with this content has made the file, later ones share it.
            let verb = match fresh.remove(&file.sha256) {
                Some(_) => EffectVerb::Created,
                None => EffectVerb::Adopted,
            };
            self.items[index].files.push(id.to_string());
            self.push(
                index,
                Effect {
                    slot: Slot::Attachment(file.slot),
                    record: RecordRef {
                        kind: RecordKind::File,
                        id,
                    },
                    verb,
                    guarantee: Guarantee::LookedUp,
                    previous: BTreeMap::new(),
                    notes: Vec::new(),
                },
            );
            return;
        }
        match fresh.get(&file.sha256) {
            Some(Err(fault)) if fault.is_refusal() => {
                let status = fault.status.unwrap_or_default();
                let note = format!("{} not stored: HubSpot refused it with {status}", file.name);
                self.items[index].notes.push(note);
            }
            Some(Err(fault)) if !fault.halts() => {
                let fault = fault.clone().not_applied();
                self.fail(&[index], &fault);
            }
            _ => {}
        }
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// The name of a whole mail whose bodies do not fit.
const ORIGINAL: &str = "original.eml";
