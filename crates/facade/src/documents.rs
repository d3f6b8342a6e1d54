//! The façade's metadata (RFC 8414), at the path that the RFC inserts and at the one that some clients append.

use std::sync::Arc;

use axum::extract::State as Extension;
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use crate::State;
use crate::oauth::answer;

pub(crate) async fn metadata(Extension(state): Extension<Arc<State>>) -> Response {
    let url = &state.url;
    answer(
        StatusCode::OK,
        &json!({
            "issuer": url,
            "authorization_endpoint": format!("{url}/authorize"),
            "token_endpoint": format!("{url}/token"),
            "registration_endpoint": format!("{url}/register"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": state.options.scopes,
            "authorization_response_iss_parameter_supported": true,
        }),
    )
}
