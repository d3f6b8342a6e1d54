//! libFuzzer's way into `interlock_fuzz::oauth::form`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::oauth::form(data);
});
