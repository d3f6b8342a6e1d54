//! Attaching artifacts to a change request: what its caller may read, once, under a name that tells which artifact it is.

use http::{HeaderValue, Method, header};
use platform::http::Request;
use platform::{Error, ErrorKind};
use tool_runtime::{ArtifactReference, ToolCx};

use crate::client::Api;
use crate::error::is_ambiguous;
use crate::query::{Query, Table};
use crate::record::Record;
use crate::write;

static FILES: Table = Table { name: "sys_attachment", fields: &["table_name", "table_sys_id", "file_name"] };

pub(super) async fn attach(api: &Api, cx: &ToolCx, id: &str, artifact: &ArtifactReference) -> Result<(), Error> {
    // As the caller: what was kept unmasked is nobody's to attach (T27).
    let opened = cx.artifacts.read(&artifact.id).await?;
    let (name, size) = (file_name(&opened.reference), opened.bytes.len() as u64);
    if is_there(api, cx, id, &name, size).await? {
        return Ok(());
    }
    let media_type = HeaderValue::from_str(&opened.reference.media_type).map_err(Error::internal)?;
    let path = format!("/api/now/attachment/file?table_name=change_request&table_sys_id={id}&file_name={name}");
    let mut request = Request::new(Method::POST, path, cx.deadline).header(header::CONTENT_TYPE, media_type);
    request.body = opened.bytes.into();
    write::sending(cx);
    let stored = match api.send::<Record>(cx, request).await {
        Ok(row) => row.number("size_bytes") == Some(size),
        Err(error) if is_ambiguous(&error) => match is_there(api, cx, id, &name, size).await {
            Ok(true) => true,
            _ => return Err(error),
        },
        Err(error) => return Err(error),
    };
    match stored {
        true => Ok(()),
        false => Err(Error::new(
            ErrorKind::Upstream,
            "target_garbled",
            "ServiceNow stored an attachment of another length than it was sent.",
        )),
    }
}

async fn is_there(api: &Api, cx: &ToolCx, id: &str, name: &str, size: u64) -> Result<bool, Error> {
    let query = Query::of(&FILES)
        .is("table_name", Some("change_request"))
        .is("table_sys_id", Some(id))
        .is("file_name", Some(name))
        .build()?;
    let rows = api.all(cx, &FILES, &query, &["size_bytes"]).await?;
    Ok(rows.iter().any(|row| row.number("size_bytes") == Some(size)))
}

/// `plan-3f2a….json`: what it is, which one, and how to open it.
fn file_name(artifact: &ArtifactReference) -> String {
    let plain = |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric()).collect::<String>();
    let ending = match artifact.media_type.split(';').next().unwrap_or_default() {
        "application/json" => "json",
        "text/plain" => "txt",
        _ => "bin",
    };
    let id: String = plain(&artifact.id).chars().take(16).collect();
    format!("{}-{id}.{ending}", plain(&artifact.kind))
}

#[cfg(test)]
mod tests {
    use tool_runtime::ArtifactReference;

    use super::file_name;

    #[test]
    fn a_file_tells_which_artifact_it_is() {
        let artifact = ArtifactReference {
            id: "0123456789abcdef0123".into(),
            kind: "plan".into(),
            media_type: "application/json; charset=utf-8".into(),
            bytes: 1,
            keep_until: String::new(),
            uri: String::new(),
        };
        assert_eq!(file_name(&artifact), "plan-0123456789abcdef.json");
    }
}
