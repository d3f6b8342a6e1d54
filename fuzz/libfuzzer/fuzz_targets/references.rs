//! libFuzzer's way into `interlock_fuzz::http::references`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::http::references(data);
});
