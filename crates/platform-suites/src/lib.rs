//! interlock-platform-suites
