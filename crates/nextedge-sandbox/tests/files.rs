//! Uploads, links and downloads.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod support;

use reqwest::multipart::{Form, Part};
use serde_json::{Value, json};
use support::{World, quick, world, world_of};

async fn upload(
    world: &World,
    name: &str,
    content: &str,
    folder: Option<&str>,
    options: Value,
) -> (u16, Value) {
    let part = Part::text(content.to_owned())
        .file_name(name.to_owned())
        .mime_str("text/plain")
        .unwrap();
    let mut form = Form::new()
        .part("file", part)
        .text("options", options.to_string());
    if let Some(folder) = folder {
        form = form.text("folderPath", folder.to_owned());
    }
    let url = format!("{}/files/2026-09/files", world.sandbox.hubspot_url());
    let answer = world
        .client
        .post(url)
        .bearer_auth("sandbox-token")
        .multipart(form)
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test]
async fn a_private_file_opens_only_with_a_signed_link() {
    let world = world().await;
    let (status, file) = upload(
        &world,
        "notes.txt",
        "hello",
        Some("/mail"),
        json!({"access": "PRIVATE"}),
    )
    .await;
    assert_eq!(status, 201, "{file}");
    assert_eq!(file["fileMd5"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(
        (&file["name"], &file["extension"], &file["size"]),
        (&json!("notes"), &json!("txt"), &json!(5))
    );
    assert_eq!(file["path"], "/mail/notes.txt");
    let open = |url: String| async { world.client.get(url).send().await.unwrap() };
    assert_eq!(
        open(file["url"].as_str().unwrap().to_owned())
            .await
            .status(),
        403
    );
    let (_, signed) = world
        .get(&format!(
            "/files/2026-09/files/{}/signed-url",
            file["id"].as_str().unwrap()
        ))
        .await;
    let answer = open(signed["url"].as_str().unwrap().to_owned()).await;
    assert_eq!(
        answer.headers()["content-disposition"],
        "attachment; filename=\"notes.txt\""
    );
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.text().await.unwrap(), "hello");
    let journal = world.sandbox.journal();
    let download = journal
        .iter()
        .rfind(|one| one["path"].as_str().unwrap().starts_with("/hubfs"))
        .unwrap();
    assert!(
        download["query"]
            .as_str()
            .unwrap()
            .ends_with("signature=[redacted]")
    );
}

#[tokio::test]
async fn an_upload_needs_access_and_one_folder() {
    let world = world().await;
    assert_eq!(
        upload(&world, "a.txt", "x", Some("/m"), json!({})).await.0,
        400
    );
    assert_eq!(
        upload(
            &world,
            "a.txt",
            "x",
            Some("/m"),
            json!({"access": "EVERYONE"})
        )
        .await
        .0,
        400
    );
    assert_eq!(
        upload(&world, "a.txt", "x", None, json!({"access": "PRIVATE"}))
            .await
            .0,
        400
    );
    assert_eq!(
        upload(
            &world,
            "a.txt",
            "x",
            Some("/m"),
            json!({"access": "PRIVATE", "ttl": "PT1H"})
        )
        .await
        .0,
        400
    );
    assert_eq!(
        upload(
            &world,
            "a.txt",
            "x",
            Some("/m"),
            json!({"access": "PRIVATE", "ttl": "P3M"})
        )
        .await
        .0,
        201
    );
}

#[tokio::test]
async fn duplicates_are_renamed_overwritten_returned_or_refused() {
    let world = world().await;
    let go = |content: &'static str, options: Value| {
        upload(&world, "a.txt", content, Some("/m"), options)
    };
    let (_, first) = go("one", json!({"access": "PRIVATE"})).await;
    let (_, second) = go("two", json!({"access": "PRIVATE"})).await;
    assert_ne!(second["path"], first["path"]);
    let (_, third) = go("three", json!({"access": "PRIVATE", "overwrite": true})).await;
    assert_eq!((&third["id"], &third["size"]), (&first["id"], &json!(5)));
    let same = |strategy: &str| json!({"access": "PRIVATE", "duplicateValidationStrategy": strategy, "duplicateValidationScope": "EXACT_FOLDER"});
    let (status, fourth) = go("two", same("RETURN_EXISTING")).await;
    assert_eq!((status, &fourth["id"]), (201, &second["id"]));
    assert_eq!(go("two", same("REJECT")).await.0, 400);
    assert_eq!(world.sandbox.records("files").len(), 2);
}

#[tokio::test]
async fn a_file_can_hang_on_a_mail_and_be_deleted() {
    let world = world().await;
    let (_, file) = upload(
        &world,
        "a.txt",
        "x",
        Some("/m"),
        json!({"access": "PRIVATE"}),
    )
    .await;
    let id = file["id"].as_str().unwrap();
    let mail = json!({"hs_timestamp": "1795255200000", "hs_email_direction": "EMAIL", "hs_attachment_ids": id});
    world.create("emails", mail).await;
    let path = format!("/files/v3/files/{id}");
    assert_eq!(
        world
            .call(reqwest::Method::DELETE, &path, Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(world.get(&path).await.0, 404);
}

#[tokio::test]
async fn a_bench_keeps_facts_and_no_bodies() {
    let world = world_of(quick().discard_bodies()).await;
    let (_, file) = upload(
        &world,
        "a.txt",
        "hello",
        Some("/m"),
        json!({"access": "PUBLIC_NOT_INDEXABLE"}),
    )
    .await;
    assert_eq!(file["fileMd5"], "5d41402abc4b2a76b9719d911017c592");
    assert_eq!(
        world
            .client
            .get(file["url"].as_str().unwrap())
            .send()
            .await
            .unwrap()
            .status(),
        410
    );
    let mail = json!({"hs_timestamp": "1795255200000", "hs_email_direction": "EMAIL", "hs_email_text": "é".repeat(5_000)});
    world.create("emails", mail).await;
    let text = world.sandbox.records("emails")[0]["properties"]["hs_email_text"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        text.len() < 300 && text.ends_with("[10000 bytes]"),
        "{text}"
    );
    assert_eq!(
        world.sandbox.journal().last().unwrap()["request"],
        json!({"discarded": true})
    );
}
