//! interlock-server
