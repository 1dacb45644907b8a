//! Texts remembered by a digest. Containers choose them, so it is one for which nobody can
//! make two texts with the same value: without a secret, a replay remembers the same.

use sha2::{Digest as _, Sha256};

/// The digest of texts that belong together.
pub fn digest(texts: &[&str]) -> u128 {
    let mut hasher = Sha256::new();
    for text in texts {
        // The length first: ("ab", "c") is not ("a", "bc").
        hasher.update((text.len() as u64).to_le_bytes());
        hasher.update(text);
    }
    let mut first = [0; 16];
    first.copy_from_slice(&hasher.finalize()[..16]);
    u128::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::digest;

    #[test]
    fn texts_are_kept_apart_and_every_run_gives_the_same_digest() {
        assert_eq!(digest(&["ab", "c"]), digest(&["ab", "c"]));
        for other in [&["a", "bc"][..], &["abc"], &["ab", "c", ""], &["c", "ab"]] {
            assert_ne!(digest(&["ab", "c"]), digest(other), "{other:?}");
        }
        // The first 16 bytes of SHA-256 of eight zeros: no state of this process is in it.
        assert_eq!(digest(&[""]), 0x0f66_0ac7_4baf_8cf7_7a0b_81a1_f570_55af_u128);
    }
}
