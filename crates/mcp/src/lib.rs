//! interlock-mcp
