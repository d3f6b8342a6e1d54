//! interlock-catalyst-center-simulator
