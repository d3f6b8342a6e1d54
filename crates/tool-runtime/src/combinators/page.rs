//! Lists: `cursor`, `limit` and `fields` in, `{items, next_cursor, total}` out.
//!
//! Cursors are opaque and bound to the arguments they were issued for; a cursor used with other arguments is refused
//! with `invalid_cursor` instead of silently answering another question.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use platform::{Error, ErrorKind, Json, canonical};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::tool::{Tool, ToolCx, ToolOutput, ToolSpec, parse_arguments, schema_of};

/// Rows per page when the caller does not say.
const DEFAULT_LIMIT: u32 = 50;
/// Most rows per page.
const MAX_LIMIT: u32 = 500;

/// The part of a list that the function is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Rows to skip; 0 for the first page.
    pub offset: u64,
    /// Rows wanted, 1 to 500.
    pub limit: u32,
}

/// What the function found.
#[derive(Debug, Clone)]
pub struct PageOf<R> {
    /// Rows, at most as many as were asked for.
    pub rows: Vec<R>,
    /// Rows in the whole list, where the target says so.
    pub total: Option<u64>,
    /// Whether another page may follow.
    pub more: bool,
}

/// What the function found, where the target counts rows that it does not show: the next page begins where the target says,
/// and not after the rows that came.
#[derive(Debug, Clone)]
pub struct PartOf<R> {
    /// Rows, at most as many as were asked for; a page without any may still have a next one.
    pub rows: Vec<R>,
    /// Rows in the whole list, where the target says so.
    pub total: Option<u64>,
    /// Rows to skip for the next page; nothing after the last one.
    pub next: Option<u64>,
}

/// What the function of a list may answer with.
pub trait Found {
    /// A row of it.
    type Row;

    /// The rows, and where the next page begins; `offset` is that of the page that was asked for.
    fn part(self, offset: u64) -> PartOf<Self::Row>;
}

impl<R> Found for PageOf<R> {
    type Row = R;

    fn part(self, offset: u64) -> PartOf<R> {
        let end = offset + self.rows.len() as u64;
        PartOf { next: (self.more && !self.rows.is_empty()).then_some(end), rows: self.rows, total: self.total }
    }
}

impl<R> Found for PartOf<R> {
    type Row = R;

    fn part(self, _: u64) -> Self {
        self
    }
}

impl<R> PageOf<R> {
    /// Cuts a page out of a whole list, for targets whose list has no paging of its own.
    pub fn cut<V: Into<R>>(all: Vec<V>, page: PageRequest) -> Self {
        let total = all.len() as u64;
        let skip = usize::try_from(page.offset).unwrap_or(usize::MAX);
        let rows: Vec<R> = all.into_iter().skip(skip).take(page.limit as usize).map(Into::into).collect();
        let more = page.offset + (rows.len() as u64) < total;
        Self { rows, total: Some(total), more }
    }
}

/// A page as callers see it.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Page {
    /// Rows.
    pub items: Vec<Json>,
    /// Pass as `cursor` for the next page; absent on the last one.
    pub next_cursor: Option<String>,
    /// Rows in the whole list, where known.
    pub total: Option<u64>,
}

#[derive(Serialize, Deserialize)]
struct Cursor {
    /// Offset.
    o: u64,
    /// First 8 bytes of the digest of the tool's name and arguments, in hexadecimal.
    a: String,
}

struct PagedTool<F, A, L> {
    spec: ToolSpec,
    list: F,
    types: std::marker::PhantomData<fn(A) -> L>,
}

/// Makes a list tool. `spec` comes from `ToolSpec::new::<A, Page>`; `cursor`, `limit` and `fields` are added to its
/// input schema and the schema of a row of `L` to its output schema. `L` is [`PageOf`], or [`PartOf`] where the target says
/// itself where the next page begins.
pub fn paged<A, L, F, Fut>(mut spec: ToolSpec, list: F) -> Arc<dyn Tool>
where
    A: DeserializeOwned + Send + 'static,
    L: Found<Row: Serialize + JsonSchema> + 'static,
    F: Fn(ToolCx, A, PageRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<L, Error>> + Send + 'static,
{
    spec.output = page_schema::<L::Row>();
    let members: Vec<_> = spec
        .output
        .pointer("/properties/items/items/properties")
        .and_then(Json::as_object)
        .map_or_else(Vec::new, |m| m.keys().cloned().collect());
    if let Some(properties) = spec.input.as_object_mut().map(|o| o.entry("properties").or_insert_with(|| json!({})))
        && let Some(properties) = properties.as_object_mut()
    {
        properties.insert(
            "cursor".into(),
            json!({"type": "string", "maxLength": 200,
            "description": "`next_cursor` of the page before; leave out for the first page."}),
        );
        properties.insert(
            "limit".into(),
            json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT,
            "default": DEFAULT_LIMIT, "description": "Rows per page."}),
        );
        properties.insert(
            "fields".into(),
            json!({"type": "array", "maxItems": 50, "uniqueItems": true,
            "items": {"enum": members}, "description": "Only these members of each row."}),
        );
    }
    Arc::new(PagedTool { spec, list, types: std::marker::PhantomData })
}

/// The output schema of a list of `R`. Rows may be narrowed by `fields`, so no member is required.
pub fn page_schema<R: JsonSchema>() -> Json {
    let mut row = schema_of::<R>();
    if let Some(row) = row.as_object_mut() {
        row.remove("required");
        row.remove("$schema");
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": row},
            "next_cursor": {"type": ["string", "null"]},
            "total": {"type": ["integer", "null"], "minimum": 0}
        },
        "required": ["items"]
    })
}

#[async_trait::async_trait]
impl<A, L, F, Fut> Tool for PagedTool<F, A, L>
where
    A: DeserializeOwned + Send + 'static,
    L: Found<Row: Serialize> + 'static,
    F: Fn(ToolCx, A, PageRequest) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<L, Error>> + Send + 'static,
{
    fn spec(&self) -> &ToolSpec {
        &self.spec
    }

    async fn call(&self, cx: ToolCx, arguments: Json) -> Result<ToolOutput, Error> {
        let (arguments, page, fields) = split(arguments)?;
        let binding = binding_of(self.spec.name, &arguments)?;
        let request = page_request(&page, &binding)?;
        let arguments: A = parse_arguments(arguments)?;
        let found = (self.list)(cx, arguments, request).await?.part(request.offset);
        let next_cursor = found.next.map(|next| cursor(next, binding));
        let items = found.rows.iter().map(|row| narrowed(row, fields.as_deref())).collect::<Result<_, _>>()?;
        let structured = Page { items, next_cursor, total: found.total }.into_json();
        Ok(ToolOutput { structured, follow_up: None })
    }
}

impl Page {
    /// As it is serialised, of the rows as they are: to Serde they are values to be copied, which costs as much as making them.
    fn into_json(self) -> Json {
        let Self { items, next_cursor, total } = self;
        let mut members = serde_json::Map::new();
        members.insert("items".to_owned(), Json::Array(items));
        members.insert("next_cursor".to_owned(), next_cursor.into());
        members.insert("total".to_owned(), total.into());
        Json::Object(members)
    }
}

#[derive(Default)]
struct Asked {
    cursor: Option<String>,
    limit: Option<u32>,
}

fn split(mut arguments: Json) -> Result<(Json, Asked, Option<Vec<String>>), Error> {
    let mut asked = Asked::default();
    let mut fields = None;
    if let Some(members) = arguments.as_object_mut() {
        asked.cursor = members.remove("cursor").map(parse_arguments).transpose()?;
        asked.limit = members.remove("limit").map(parse_arguments).transpose()?;
        fields = members.remove("fields").map(parse_arguments).transpose()?;
    }
    Ok((arguments, asked, fields))
}

fn binding_of(tool: &str, arguments: &Json) -> Result<String, Error> {
    let mut digest = canonical::json_digest_hex(&json!([tool, arguments]))?;
    digest.truncate(16);
    Ok(digest)
}

fn cursor(offset: u64, binding: String) -> String {
    let cursor = serde_json::to_vec(&Cursor { o: offset, a: binding }).unwrap_or_default();
    URL_SAFE_NO_PAD.encode(cursor)
}

fn page_request(asked: &Asked, binding: &str) -> Result<PageRequest, Error> {
    let limit = asked.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT);
    let Some(text) = &asked.cursor else { return Ok(PageRequest { offset: 0, limit }) };
    let cursor: Option<Cursor> = URL_SAFE_NO_PAD.decode(text).ok().and_then(|b| serde_json::from_slice(&b).ok());
    match cursor {
        Some(cursor) if cursor.a == binding => Ok(PageRequest { offset: cursor.o, limit }),
        // Not found and not invalid: no schema can tell such a cursor from one that was issued.
        _ => Err(Error::new(
            ErrorKind::NotFound,
            "invalid_cursor",
            "The cursor is not one that was issued for these arguments; start again without a cursor.",
        )),
    }
}

fn narrowed<R: Serialize>(row: &R, fields: Option<&[String]>) -> Result<Json, Error> {
    let mut row = serde_json::to_value(row).map_err(Error::internal)?;
    if let (Some(fields), Some(members)) = (fields, row.as_object_mut()) {
        members.retain(|name, _| fields.iter().any(|f| f == name));
    }
    Ok(row)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Page;

    #[test]
    fn a_page_is_what_serde_makes_of_it() {
        for (next_cursor, total) in [(Some("c".to_owned()), None), (None, Some(3))] {
            let page = || Page { items: vec![json!({"a": 1})], next_cursor: next_cursor.clone(), total };
            assert_eq!(page().into_json(), serde_json::to_value(page()).unwrap());
        }
    }
}
