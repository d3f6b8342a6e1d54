//! libFuzzer's way into `interlock_fuzz::configuration::device_config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::configuration::device_config(data);
});
