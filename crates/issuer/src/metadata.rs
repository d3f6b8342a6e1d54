//! Discovery (OpenID Connect Discovery 1.0, RFC 8414) and the key set (RFC 7517).

use platform::Json;
use serde_json::json;

use crate::claims::{ACR_MFA, ACR_PASSWORD};
use crate::issuer::State;

/// The discovery document.
pub(crate) fn document(state: &State) -> Json {
    let at = |path: &str| format!("{}{path}", state.url);
    json!({
        "issuer": state.url,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "userinfo_endpoint": at("/userinfo"),
        "jwks_uri": at("/jwks"),
        "scopes_supported": ["openid", "profile", "mcp"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
        "acr_values_supported": [ACR_PASSWORD, ACR_MFA],
        "prompt_values_supported": ["none", "login"],
        "claims_supported": [
            "iss", "sub", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "azp", "at_hash", "sid",
            "name", "preferred_username", "groups"
        ],
        "claims_parameter_supported": false,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
        "authorization_response_iss_parameter_supported": true,
    })
}

/// The public keys.
pub(crate) fn keys(state: &State) -> Json {
    json!({ "keys": [state.key.jwk()] })
}
