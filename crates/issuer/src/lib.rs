//! interlock-issuer
