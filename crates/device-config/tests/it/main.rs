//! What the model promises, checked on pairs of configurations, on hand-reviewed cases, and on arbitrary text.
#![cfg(test)]

extern crate interlock_device_config as device_config;

mod pairs;
