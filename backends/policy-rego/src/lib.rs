//! interlock-policy-rego
