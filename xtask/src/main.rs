//! interlock-xtask
fn main() {}
