//! Forms with files (RFC 7578), as far as the upload of an attachment needs them.

/// One part of a form.
pub(crate) struct Part<'a> {
    /// Name of the field.
    pub(crate) name: String,
    /// Name of the file, for files.
    pub(crate) file_name: Option<String>,
    /// Content type; octets when nothing is said.
    pub(crate) kind: String,
    /// What it holds.
    pub(crate) bytes: &'a [u8],
}

/// The parts of a body under its content type; nothing when it is no such form.
pub(crate) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let boundary = content_type.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?.trim_matches('"');
    let mark = format!("--{boundary}");
    let mut rest = body.get(find(body, mark.as_bytes())? + mark.len()..)?;
    let mut parts = Vec::new();
    while let Some(after) = rest.strip_prefix(b"\r\n") {
        let head_end = find(after, b"\r\n\r\n")?;
        let head = std::str::from_utf8(after.get(..head_end)?).ok()?;
        let content = after.get(head_end + 4..)?;
        let end = find(content, format!("\r\n{mark}").as_bytes())?;
        parts.push(part(head, content.get(..end)?)?);
        rest = content.get(end + 2 + mark.len()..)?;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn part<'a>(head: &str, bytes: &'a [u8]) -> Option<Part<'a>> {
    let header = |name: &str| {
        head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    let value = |name: &str| {
        let found = disposition.split(';').find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='));
        found.map(|text| text.trim_matches('"').to_owned())
    };
    Some(Part {
        name: value("name")?,
        file_name: value("filename"),
        kind: header("content-type").unwrap_or("application/octet-stream").to_owned(),
        bytes,
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
