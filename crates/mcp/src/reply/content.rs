//! Content blocks and parts of resources in rmcp's types. Bytes become base64 here and nowhere else.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rmcp::model::{ContentBlock, PromptMessage, Resource, ResourceContents as Contents, Role as WireRole};

use crate::content::{Body, Content, ResourceContents};
use crate::offers::Role;

pub(crate) fn block(content: Content) -> ContentBlock {
    match content {
        Content::Text(text) => ContentBlock::text(text),
        Content::Image { data, mime_type } => ContentBlock::image(STANDARD.encode(data), mime_type),
        Content::Audio { data, mime_type } => ContentBlock::audio(STANDARD.encode(data), mime_type),
        Content::Resource(part) => ContentBlock::resource(contents(part)),
        Content::Link { uri, name, description, mime_type } => {
            let mut link = Resource::new(uri, name);
            link.description = description;
            link.mime_type = mime_type;
            ContentBlock::resource_link(link)
        }
    }
}

pub(crate) fn contents(part: ResourceContents) -> Contents {
    let ResourceContents { uri, mime_type, body } = part;
    match body {
        Body::Text(text) => Contents::TextResourceContents { uri, mime_type, text, meta: None },
        Body::Bytes(bytes) => {
            Contents::BlobResourceContents { uri, mime_type, blob: STANDARD.encode(bytes), meta: None }
        }
    }
}

pub(crate) fn prompt_message(role: Role, content: Content) -> PromptMessage {
    let role = match role {
        Role::User => WireRole::User,
        Role::Assistant => WireRole::Assistant,
    };
    PromptMessage::new(role, block(content))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::block;
    use crate::content::{Body, Content, ResourceContents};

    #[test]
    fn every_kind_of_block_has_the_form_of_the_specification() {
        let part = |body| ResourceContents { uri: "test://a".into(), mime_type: Some("text/plain".into()), body };
        let link = Content::Link { uri: "test://a".into(), name: "a".into(), description: None, mime_type: None };
        for (content, wire) in [
            (Content::Text("é".into()), json!({"type": "text", "text": "é"})),
            (
                Content::Image { data: vec![0, 255], mime_type: "image/png".into() },
                json!({"type": "image", "data": "AP8=", "mimeType": "image/png"}),
            ),
            (
                Content::Audio { data: vec![], mime_type: "audio/wav".into() },
                json!({"type": "audio", "data": "", "mimeType": "audio/wav"}),
            ),
            (
                Content::Resource(part(Body::Text("t".into()))),
                json!({"type": "resource", "resource": {"uri": "test://a", "mimeType": "text/plain", "text": "t"}}),
            ),
            (
                Content::Resource(part(Body::Bytes(vec![1]))),
                json!({"type": "resource", "resource": {"uri": "test://a", "mimeType": "text/plain", "blob": "AQ=="}}),
            ),
            (link, json!({"type": "resource_link", "uri": "test://a", "name": "a"})),
        ] {
            assert_eq!(serde_json::to_value(block(content)).unwrap_or_default(), wire);
        }
    }
}
