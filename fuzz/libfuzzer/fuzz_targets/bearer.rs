//! libFuzzer's way into `interlock_fuzz::oauth::bearer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::oauth::bearer(data);
});
