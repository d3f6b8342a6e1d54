//! Content blocks of results, prompts and resources (MCP "Content"). Next: `offers`, `handler`.

/// One block.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Text.
    Text(String),
    /// An image.
    Image {
        /// The bytes; base64 on the wire.
        data: Vec<u8>,
        /// Media type.
        mime_type: String,
    },
    /// Sound.
    Audio {
        /// The bytes; base64 on the wire.
        data: Vec<u8>,
        /// Media type.
        mime_type: String,
    },
    /// A resource, whole.
    Resource(ResourceContents),
    /// A resource by its address.
    Link {
        /// Absolute URI.
        uri: String,
        /// Name.
        name: String,
        /// What it holds.
        description: Option<String>,
        /// Media type.
        mime_type: Option<String>,
    },
}

/// One part of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceContents {
    /// Absolute URI.
    pub uri: String,
    /// Media type.
    pub mime_type: Option<String>,
    /// What it holds.
    pub body: Body,
}

/// Text or bytes.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Text.
    Text(String),
    /// Bytes; base64 on the wire.
    Bytes(Vec<u8>),
}
