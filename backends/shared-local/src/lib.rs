//! interlock-shared-local
