//! The templates that lines are rendered from: which version of one is meant, whether a newer one is committed, and which of
//! its parameters hold secrets.

use std::sync::Arc;

use async_trait::async_trait;
use platform::Error;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::port_tool;
use crate::tool::{Tool, ToolCx, ToolSpec};

/// A committed version of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateFacts {
    /// The target system's id of the template.
    pub template_id: String,
    /// Its name.
    pub name: String,
    /// The version that was asked for, or the newest one, by its own id.
    pub version_id: String,
    /// The newest committed version, by its own id.
    pub newest_version_id: String,
    /// Parameters of the version.
    pub parameters: Vec<TemplateParameter>,
}

/// A parameter of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TemplateParameter {
    /// Its name.
    pub name: String,
    /// The template says that its value is a secret.
    pub sensitive: bool,
}

/// Knows templates.
#[async_trait]
pub trait TemplateSource: Send + Sync + 'static {
    /// A committed version of a template, the newest one where none is named. What is staged for a change is no template here.
    async fn template(&self, cx: &ToolCx, template_id: &str, version_id: Option<&str>) -> Result<TemplateFacts, Error>;
}

/// Arguments of [`DESCRIBE`].
#[derive(Serialize, Deserialize, JsonSchema)]
pub(super) struct DescribeTemplate {
    /// The target system's id of the template.
    #[schemars(length(min = 1, max = 64))]
    pub(super) template_id: String,
    /// A committed version, by its own id; left out, the newest.
    #[schemars(length(min = 1, max = 64))]
    pub(super) version_id: Option<String>,
}

/// The tool behind [`TemplateSource::template`].
pub const DESCRIBE: &str = "port_describe_template";

/// Its tools.
pub(super) fn tools(port: &Arc<dyn TemplateSource>) -> Vec<Arc<dyn Tool>> {
    let spec = ToolSpec::new::<DescribeTemplate, TemplateFacts>(
        DESCRIBE,
        "Describe a template's version",
        "Tells which committed version of a template is meant, for change control.",
    );
    vec![port_tool(port, spec, |port, cx, args: DescribeTemplate| async move {
        port.template(&cx, &args.template_id, args.version_id.as_deref()).await
    })]
}
