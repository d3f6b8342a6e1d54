//! interlock-gateway
