//! Discovery (OpenID Connect Discovery 1.0, RFC 8414) and the key set (RFC 7517).

use platform::Json;
use serde_json::json;

use crate::claims::{ACR_MFA, ACR_PASSWORD};
use crate::clients::GrantType;
use crate::issuer::State;

/// The discovery document.
pub(crate) fn document(state: &State) -> Json {
    let at = |path: &str| format!("{}{path}", state.url);
    let mut document = json!({
        "issuer": state.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "device_authorization_endpoint": at("/device_authorization"),
        "introspection_endpoint": at("/introspect"),
        "revocation_endpoint": at("/revoke"),
        "end_session_endpoint": at("/logout"),
        "scopes_supported": ["openid", "profile", "mcp"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": GrantType::ALL.map(GrantType::name),
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": [ACR_PASSWORD, ACR_MFA],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid",
            "name", "preferred_username", "groups"
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "client_id_metadata_document_supported": true,
    });
    if state.open_registration {
        document["registration_endpoint"] = json!(at("/register"));
    }
    document
}

/// The document of the administration as a protected resource (RFC 9728; T1).
pub(crate) fn administration(state: &State) -> Json {
    json!({
        "resource": state.admin_resource(),
        "resource_name": "Interlock administration",
        "authorization_servers": [state.url],
        "scopes_supported": ["openid"],
        "bearer_methods_supported": ["header"],
    })
}

/// The public keys.
pub(crate) fn keys(state: &State) -> Json {
    state.keys.jwks(state.clock.epoch_seconds())
}
