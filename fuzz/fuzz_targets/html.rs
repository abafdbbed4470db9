//! Hands libFuzzer's bytes to the plain function of the same name.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| nextedge_hostile::targets::html(data));
