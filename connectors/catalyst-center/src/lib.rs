//! interlock-catalyst-center
