//! libFuzzer's way into `interlock_fuzz::json::strict_json`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::json::strict_json(data);
});
