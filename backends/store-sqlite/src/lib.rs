//! interlock-store-sqlite
