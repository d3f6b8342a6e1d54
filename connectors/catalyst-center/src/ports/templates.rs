//! Versions of templates, for plans: which one is meant, which is the newest, and which parameters the template itself calls
//! sensitive.

use async_trait::async_trait;
use platform::Error;
use serde::Deserialize;
use tool_runtime::ToolCx;
use tool_runtime::ports::TemplateSource;
use tool_runtime::ports::template_source::{TemplateFacts, TemplateParameter};

use super::CenterPorts;
use super::changer::version_unknown;
use crate::client::segment;
use crate::vendor::templates::{self, TEMPLATES};

/// A version, as the route of templates shows it under the version's id.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Detail {
    #[serde(default)]
    template_params: Option<Vec<Parameter>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parameter {
    parameter_name: String,
    #[serde(default)]
    sensitive: Option<bool>,
}

#[async_trait]
impl TemplateSource for CenterPorts {
    async fn template(&self, cx: &ToolCx, template_id: &str, version_id: Option<&str>) -> Result<TemplateFacts, Error> {
        let template = templates::versions(&self.api, cx, template_id).await?;
        templates::open_to_all(template.project_name.as_deref())?;
        let newest = template.latest_committed()?.id.clone();
        let version = version_id.unwrap_or(&newest);
        if !template.versions_info.iter().any(|known| known.id == version) {
            return Err(version_unknown());
        }
        let detail: Detail = self.api.get(cx, &format!("{TEMPLATES}/{}", segment(version)?)).await?;
        let parameters = detail.template_params.unwrap_or_default().into_iter();
        Ok(TemplateFacts {
            version_id: version.to_owned(),
            parameters: parameters
                .map(|p| TemplateParameter { name: p.parameter_name, sensitive: p.sensitive.unwrap_or(false) })
                .collect(),
            template_id: template.template_id,
            name: template.name,
            newest_version_id: newest,
        })
    }
}
