//! The file manager: upload, read, signed links, download, delete.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use md5::{Digest, Md5};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::Hubspot;
use super::call::{Answer, Body, Call, Part, Reply};
use super::error::ApiError;
use super::time::{now_ms, rfc3339};

/// One uploaded file.
#[derive(Clone, Debug)]
pub(crate) struct StoredFile {
    pub(crate) id: u64,
    /// Name with extension.
    pub(crate) file_name: String,
    pub(crate) folder: String,
    pub(crate) access: String,
    pub(crate) content_type: String,
    pub(crate) size: usize,
    pub(crate) md5: String,
    /// `None` once the account keeps no more contents.
    pub(crate) content: Option<Bytes>,
    created_ms: i64,
    updated_ms: i64,
    expires_ms: Option<i64>,
}

/// All files of an account.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) by_id: BTreeMap<u64, StoredFile>,
    by_path: HashMap<String, u64>,
    by_md5: HashMap<String, Vec<u64>>,
    folders: HashMap<String, u64>,
    kept: usize,
    keep: usize,
    next: u64,
}

impl Files {
    /// Keeps the contents of files up to `keep` bytes in all; facts about files are always kept.
    pub(crate) fn new(keep: usize) -> Self {
        Self {
            by_id: BTreeMap::new(),
            by_path: HashMap::new(),
            by_md5: HashMap::new(),
            folders: HashMap::new(),
            kept: 0,
            keep,
            next: FIRST_ID,
        }
    }

    /// Whether a text is the id of a file.
    pub(crate) fn exists(&self, id: &str) -> bool {
        id.parse().is_ok_and(|id: u64| self.by_id.contains_key(&id))
    }

    fn folder_id(&mut self, path: &str) -> u64 {
        let fresh = FIRST_FOLDER + self.folders.len() as u64;
        *self.folders.entry(path.to_owned()).or_insert(fresh)
    }

    fn folder_path(&self, id: &str) -> Option<String> {
        let id: u64 = id.parse().ok()?;
        let found = self.folders.iter().find(|(_, one)| **one == id);
        found.map(|(path, _)| path.clone())
    }

    fn duplicate(&self, upload: &Upload) -> Option<&StoredFile> {
        let same = self.by_md5.get(&upload.md5)?;
        same.iter().filter_map(|id| self.by_id.get(id)).find(|one| {
            upload.options.scope() == Scope::EntirePortal || one.folder == upload.folder
        })
    }

    fn remove(&mut self, id: u64) -> Option<StoredFile> {
        let file = self.by_id.remove(&id)?;
        self.by_path.remove(&file.path());
        if let Some(ids) = self.by_md5.get_mut(&file.md5) {
            ids.retain(|one| *one != id);
        }
        self.kept -= file.content.as_ref().map_or(0, Bytes::len);
        Some(file)
    }

    fn insert(&mut self, mut file: StoredFile) {
        let size = file.content.as_ref().map_or(0, Bytes::len);
        if self.kept + size > self.keep {
            file.content = None;
        } else {
            self.kept += size;
        }
        self.by_path.insert(file.path(), file.id);
        self.by_md5
            .entry(file.md5.clone())
            .or_default()
            .push(file.id);
        self.by_id.insert(file.id, file);
    }
}

impl StoredFile {
    pub(crate) fn path(&self) -> String {
        format!("{}/{}", self.folder.trim_end_matches('/'), self.file_name)
    }

    fn split(&self) -> (&str, &str) {
        self.file_name
            .rsplit_once('.')
            .unwrap_or((&self.file_name, ""))
    }

    fn is_public(&self) -> bool {
        self.access.starts_with("PUBLIC")
    }

    pub(crate) fn json(&self, base: &str, folder_id: u64) -> Value {
        let (name, extension) = self.split();
        let url = format!("{base}/hubfs/{}{}", self.id, self.path());
        json!({
            "id": self.id.to_string(), "createdAt": rfc3339(self.created_ms),
            "updatedAt": rfc3339(self.updated_ms), "archived": false,
            "parentFolderId": folder_id.to_string(), "name": name, "path": self.path(),
            "size": self.size, "type": file_type(&self.content_type), "extension": extension,
            "defaultHostingUrl": url, "url": url, "isUsableInContent": false,
            "access": self.access, "fileMd5": self.md5, "sourceGroup": "CONTENT",
            "expiresAt": self.expires_ms,
        })
    }

    /// The body and headers of a download, never shown inline.
    pub(crate) fn download(&self) -> Answer {
        let content = self.content.clone().ok_or_else(|| {
            ApiError::new(
                410,
                "OBJECT_NOT_FOUND",
                "The sandbox did not keep the content of this file.",
            )
        })?;
        let name: String = self
            .file_name
            .chars()
            .map(|c| {
                if c.is_ascii_graphic() && !"\"\\%;".contains(c) {
                    c
                } else {
                    '_'
                }
            })
            .collect();
        Ok(Reply {
            status: 200,
            body: Body::Raw(Cow::Borrowed("application/octet-stream"), content),
            headers: vec![
                (
                    "content-disposition",
                    format!("attachment; filename=\"{name}\""),
                ),
                ("x-content-type-options", "nosniff".to_owned()),
            ],
        })
    }
}

fn file_type(content_type: &str) -> &'static str {
    match content_type.split('/').next() {
        Some("image") => "IMG",
        Some("audio") => "AUDIO",
        Some("video") => "MOVIE",
        Some("text") => "DOCUMENT",
        _ if content_type.contains("pdf") || content_type.contains("document") => "DOCUMENT",
        _ => "OTHER",
    }
}

/// Answers a path below `/files/{version}/`.
pub(crate) fn route(hub: &Hubspot, call: &Call, path: &[&str]) -> Answer {
    match (path, call.method.as_str()) {
        (["files"], "POST") => upload(hub, call),
        (["files", id], "GET") => {
            let mut account = hub.account();
            let file = get(&account.files, id)?.clone();
            let folder = account.files.folder_id(&file.folder);
            Ok(Reply::json(200, file.json(&call.base, folder)))
        }
        (["files", id], "DELETE") | (["files", id, "gdpr-delete"], "DELETE") => {
            let mut account = hub.account();
            let id = get(&account.files, id)?.id;
            account.files.remove(id);
            Ok(Reply::no_content())
        }
        (["files", id, "signed-url"], "GET") => signed_url(hub, call, id),
        (["files", id, "download"], "GET") => get(&hub.account().files, id)?.download(),
        (["files"] | ["files", ..], _) if path.len() <= 3 => Err(ApiError::method_not_allowed()),
        _ => Err(ApiError::unknown_path()),
    }
}

/// Answers a file's own URL, which needs no token: public files, or a valid signature.
pub(crate) fn hosted(hub: &Hubspot, call: &Call, id: &str) -> Answer {
    let account = hub.account();
    let file = get(&account.files, id)?;
    let expires: i64 = call
        .query("expires")
        .and_then(|ms| ms.parse().ok())
        .unwrap_or(0);
    let signed = call.query("signature") == Some(&hub.sign(file.id, expires));
    if file.is_public() || (signed && expires > now_ms()) {
        return file.download();
    }
    Err(ApiError::new(403, "FORBIDDEN", "This file is private."))
}

fn get<'a>(files: &'a Files, id: &str) -> Result<&'a StoredFile, ApiError> {
    let found = id.parse().ok().and_then(|id: u64| files.by_id.get(&id));
    found.ok_or_else(|| ApiError::not_found(&format!("File {id} does not exist.")))
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Options {
    access: String,
    #[serde(default)]
    overwrite: bool,
    #[serde(default)]
    duplicate_validation_strategy: Strategy,
    #[serde(default)]
    duplicate_validation_scope: Option<Scope>,
    #[serde(default)]
    ttl: Option<String>,
}

impl Options {
    fn scope(&self) -> Scope {
        self.duplicate_validation_scope
            .unwrap_or(Scope::EntirePortal)
    }
}

#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Strategy {
    #[default]
    None,
    Reject,
    ReturnExisting,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
enum Scope {
    EntirePortal,
    ExactFolder,
}

/// A checked upload.
struct Upload {
    file_name: String,
    folder: String,
    content_type: String,
    content: Bytes,
    md5: String,
    options: Options,
    expires_ms: Option<i64>,
}

fn upload(hub: &Hubspot, call: &Call) -> Answer {
    // Hashing and checking happen before the account is locked.
    let (folder_path, folder_id) = (
        field(&call.parts, "folderPath"),
        field(&call.parts, "folderId"),
    );
    if folder_path.is_some() == folder_id.is_some() {
        return Err(ApiError::invalid(
            "Exactly one of folderPath and folderId is required.",
        ));
    }
    let mut upload = read_upload(call, &folder_path.unwrap_or_default())?;
    let mut account = hub.account();
    let files = &mut account.files;
    if let Some(id) = folder_id {
        let missing = || ApiError::not_found(&format!("Folder {id} does not exist."));
        upload.folder = files.folder_path(&id).ok_or_else(missing)?;
    }
    let folder = files.folder_id(&upload.folder);
    if upload.options.duplicate_validation_strategy != Strategy::None
        && let Some(existing) = files.duplicate(&upload)
    {
        return match upload.options.duplicate_validation_strategy {
            Strategy::Reject => Err(
                ApiError::invalid("A file with this content already exists.")
                    .with_code("DUPLICATE_FILE", "A file with this content already exists.")
                    .with_context("id", vec![existing.id.to_string()]),
            ),
            Strategy::None | Strategy::ReturnExisting => {
                let existing = existing.clone();
                let folder = files.folder_id(&existing.folder);
                Ok(Reply::json(201, existing.json(&call.base, folder)))
            }
        };
    }
    let file = place(files, upload);
    let body = file.json(&call.base, folder);
    files.insert(file);
    Ok(Reply::json(201, body))
}

fn field(parts: &[Part], name: &str) -> Option<String> {
    let part = parts.iter().find(|one| one.name == name)?;
    Some(String::from_utf8_lossy(&part.content).into_owned()).filter(|text| !text.is_empty())
}

fn read_upload(call: &Call, folder: &str) -> Result<Upload, ApiError> {
    let part = call.parts.iter().find(|one| one.name == "file");
    let part = part.ok_or_else(|| ApiError::invalid("The part named file is required."))?;
    let options = field(&call.parts, "options")
        .ok_or_else(|| ApiError::invalid("options is required: it must at least set access."))?;
    let options: Options =
        serde_json::from_str(&options).map_err(|error| ApiError::bad_json(&error.to_string()))?;
    if !ACCESS.contains(&options.access.as_str()) {
        return Err(ApiError::invalid(format!(
            "access {:?} is not valid.",
            options.access
        )));
    }
    let given = field(&call.parts, "fileName").or_else(|| part.file_name.clone());
    let file_name = given.ok_or_else(|| ApiError::invalid("The file has no name."))?;
    let expires_ms = match &options.ttl {
        Some(ttl) => Some(now_ms() + ttl_ms(ttl)?),
        None => None,
    };
    Ok(Upload {
        file_name: with_extension(file_name, part.file_name.as_deref()),
        folder: format!("/{}", folder.trim_matches('/')),
        content_type: part.content_type.clone().unwrap_or_default(),
        md5: hex(&Md5::digest(&part.content)),
        content: part.content.clone(),
        options,
        expires_ms,
    })
}

/// A `fileName` without an extension takes that of the uploaded file.
fn with_extension(name: String, original: Option<&str>) -> String {
    match original.and_then(|one| one.rsplit_once('.')) {
        Some((_, extension)) if !name.contains('.') => format!("{name}.{extension}"),
        _ => name,
    }
}

/// Finds a free name, or the file to overwrite.
fn place(files: &mut Files, upload: Upload) -> StoredFile {
    let now = now_ms();
    let mut file = StoredFile {
        id: 0,
        file_name: upload.file_name,
        folder: upload.folder,
        access: upload.options.access,
        content_type: upload.content_type,
        size: upload.content.len(),
        md5: upload.md5,
        content: Some(upload.content),
        created_ms: now,
        updated_ms: now,
        expires_ms: upload.expires_ms,
    };
    let holder = files.by_path.get(&file.path()).copied();
    if let Some(old) = holder
        .filter(|_| upload.options.overwrite)
        .and_then(|id| files.remove(id))
    {
        file.id = old.id;
        file.created_ms = old.created_ms;
        return file;
    }
    files.next += 1;
    file.id = files.next;
    if holder.is_some() {
        // The id keeps this free of a search through all earlier duplicates.
        let (name, extension) = file.split();
        let dot = if extension.is_empty() { "" } else { "." };
        file.file_name = format!("{name}-{}{dot}{extension}", file.id);
    }
    file
}

fn ttl_ms(text: &str) -> Result<i64, ApiError> {
    const DAY: i64 = 86_400_000;
    let refused = || ApiError::invalid(format!("ttl {text:?} is not a period from P1D to P1Y."));
    let period = text.strip_prefix('P').ok_or_else(refused)?;
    let unit = match period.chars().last() {
        Some('D') => DAY,
        Some('W') => 7 * DAY,
        Some('M') => 30 * DAY,
        Some('Y') => 365 * DAY,
        _ => return Err(refused()),
    };
    let count: i64 = period[..period.len() - 1].parse().map_err(|_| refused())?;
    let ms = count.saturating_mul(unit);
    if (DAY..=365 * DAY).contains(&ms) {
        Ok(ms)
    } else {
        Err(refused())
    }
}

fn signed_url(hub: &Hubspot, call: &Call, id: &str) -> Answer {
    let account = hub.account();
    let file = get(&account.files, id)?;
    let expires = now_ms() + SIGNED_FOR_MS;
    let (name, extension) = file.split();
    let url = format!(
        "{}/hubfs/{}{}?expires={expires}&signature={}",
        call.base,
        file.id,
        file.path().replace(' ', "%20"),
        hub.sign(file.id, expires)
    );
    Ok(Reply::json(
        200,
        json!({
            "url": url, "expiresAt": rfc3339(expires), "name": name, "extension": extension,
            "type": file_type(&file.content_type), "size": file.size,
        }),
    ))
}

/// Signs a file link with the process's own secret.
pub(crate) fn signature(secret: &[u8], id: u64, expires: i64) -> String {
    let mut hash = Sha256::new();
    hash.update(secret);
    hash.update(format!("{id}:{expires}"));
    hex(&hash.finalize())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const ACCESS: &[&str] = &[
    "PRIVATE",
    "PUBLIC_INDEXABLE",
    "PUBLIC_NOT_INDEXABLE",
    "HIDDEN_INDEXABLE",
    "HIDDEN_NOT_INDEXABLE",
    "HIDDEN_PRIVATE",
    "HIDDEN_SENSITIVE",
    "SENSITIVE",
];

const FIRST_ID: u64 = 180_000_000_000;
const FIRST_FOLDER: u64 = 170_000_000_001;
const SIGNED_FOR_MS: i64 = 60 * 60 * 1_000;
