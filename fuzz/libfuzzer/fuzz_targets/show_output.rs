//! libFuzzer's way into `interlock_fuzz::device::show_output`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::device::show_output(data);
});
