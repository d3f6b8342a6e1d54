//! libFuzzer's way into `interlock_fuzz::oauth::basic_credentials`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::oauth::basic_credentials(data);
});
