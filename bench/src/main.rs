//! interlock-bench
fn main() {}
