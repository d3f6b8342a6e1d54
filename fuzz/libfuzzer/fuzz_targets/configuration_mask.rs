//! libFuzzer's way into `interlock_fuzz::device::configuration_mask`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::device::configuration_mask(data);
});
