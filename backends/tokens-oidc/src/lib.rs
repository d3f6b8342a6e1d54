//! interlock-tokens-oidc
