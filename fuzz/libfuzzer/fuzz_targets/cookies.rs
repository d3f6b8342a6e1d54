//! libFuzzer's way into `interlock_fuzz::http::cookies`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::http::cookies(data);
});
