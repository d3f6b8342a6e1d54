//! interlock-device-config
