//! libFuzzer's way into `interlock_fuzz::http::library_answers`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::http::library_answers(data);
});
