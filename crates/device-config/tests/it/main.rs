//! What the crate promises, from outside.
#![cfg(test)]

extern crate interlock_device_config as device_config;

mod asa;
mod commands;
mod danger;
mod given;
mod masking;
mod pairs;
mod properties;
mod show;
mod table;
mod template;
