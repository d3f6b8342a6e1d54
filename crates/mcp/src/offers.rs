//! What a server offers beside tools: resources, resource templates, prompts, and completion of their arguments. Types
//! only; the handler answers, and every answer that reaches a system does so by a registered tool (rule T13).
//!
//! Next: `handler` for the questions, `content` for what a prompt or a resource holds.

use std::collections::BTreeMap;

use crate::content::{Content, ResourceContents};

/// One page of a list. Cursors are opaque to the caller and validated by the handler.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// In a deterministic order.
    pub items: Vec<T>,
    /// Where the next page begins.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The whole list.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }
}

/// A resource (MCP "Resources").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceDescription {
    /// Absolute URI.
    pub uri: String,
    /// Programmatic name.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// What it holds.
    pub description: Option<String>,
    /// Media type.
    pub mime_type: Option<String>,
}

/// A family of resources by an RFC 6570 template of level 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceTemplate {
    /// `scheme://…/{argument}`.
    pub uri_template: String,
    /// Programmatic name.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// What one of them holds.
    pub description: Option<String>,
    /// Media type of all of them.
    pub mime_type: Option<String>,
}

/// A prompt (MCP "Prompts").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptDescription {
    /// Programmatic name.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// What it takes; all of them text.
    pub arguments: Vec<PromptArgument>,
}

/// One argument of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptArgument {
    /// Name.
    pub name: String,
    /// What it means.
    pub description: Option<String>,
    /// Whether it must be given.
    pub required: bool,
}

/// Who speaks in a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

/// A prompt with its arguments filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// What it is for.
    pub description: Option<String>,
    /// The conversation so far.
    pub messages: Vec<(Role, Content)>,
}

/// What `completion/complete` completes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompletionOf {
    /// An argument of this prompt.
    Prompt(String),
    /// A variable of this resource template.
    Resource(String),
}

/// A question for values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CompletionQuestion {
    /// What the argument belongs to.
    pub of: CompletionOf,
    /// The argument.
    pub argument: String,
    /// What was typed so far.
    pub typed: String,
    /// Arguments that are already settled.
    pub settled: BTreeMap<String, String>,
}

/// Proposed values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Completion {
    /// At most 100.
    pub values: Vec<String>,
    /// How many there are in all, where that is known.
    pub total: Option<u32>,
    /// Whether there are more than these.
    pub has_more: bool,
}

/// What a resource holds, and how long a client may keep it.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceRead {
    /// One or several parts.
    pub contents: Vec<ResourceContents>,
    /// `ttlMs`.
    pub ttl_ms: u64,
}
