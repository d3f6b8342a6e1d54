//! libFuzzer's way into `interlock_fuzz::http::http2_frames`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::http::http2_frames(data);
});
