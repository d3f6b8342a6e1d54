//! libFuzzer's way into `interlock_fuzz::device::template_directives`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    interlock_fuzz::device::template_directives(data);
});
