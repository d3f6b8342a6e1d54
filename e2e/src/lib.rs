//! interlock-e2e
