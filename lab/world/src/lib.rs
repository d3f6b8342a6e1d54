//! interlock-world
