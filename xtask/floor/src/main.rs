//! What watching costs before anybody does anything with it: built for bpfel,
//! programs on hostnet's connect and bind hooks that do next to nothing; built
//! for the host, the process that loads them and empties their ring.
#![cfg_attr(target_arch = "bpf", no_std, no_main)]

#[cfg(not(target_arch = "bpf"))]
mod consumer;
#[cfg(target_arch = "bpf")]
mod programs;

#[cfg(not(target_arch = "bpf"))]
fn main() -> anyhow::Result<()> {
    consumer::main()
}
