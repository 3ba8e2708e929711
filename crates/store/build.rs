//! Rebuilds the crate when a migration is added: the compiler can't see that `migrations/` changed.

fn main() {
    println!("cargo::rerun-if-changed=../../migrations");
}
