//! interlock-sqlite-file
