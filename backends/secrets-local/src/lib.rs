//! interlock-secrets-local
