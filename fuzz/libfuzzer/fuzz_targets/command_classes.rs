//! libFuzzer's way into `interlock_fuzz::device::command_classes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::device::command_classes(data);
});
