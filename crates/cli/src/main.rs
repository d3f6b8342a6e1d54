//! interlock-cli
fn main() {}
