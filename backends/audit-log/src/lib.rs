//! interlock-audit-log
