//! interlock-own-tools
