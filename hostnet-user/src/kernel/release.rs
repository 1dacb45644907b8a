//! Which release of Linux runs.

/// Major and minor of the running kernel; the oldest there is when its name
/// cannot be read.
#[must_use]
pub fn running_release() -> (u32, u32) {
    let name = rustix::system::uname();
    name.release().to_str().ok().and_then(release).unwrap_or_default()
}

/// Major and minor of a release such as `5.10.0-23-amd64`.
#[must_use]
pub fn release(name: &str) -> Option<(u32, u32)> {
    let (major, rest) = name.split_once('.')?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    Some((major.parse().ok()?, rest[..end].parse().ok()?))
}

/// Whether programs of every type may ask such a kernel for the current task. Those before
/// are not relied on for it, whatever they have.
#[must_use]
pub fn gives_current_task(release: (u32, u32)) -> bool {
    release >= (6, 1)
}

#[cfg(test)]
mod tests {
    use super::release;

    #[test]
    fn kernel_releases() {
        assert_eq!(release("5.10.0-23-amd64"), Some((5, 10)));
        assert_eq!(release("6.18.44-fc-v669"), Some((6, 18)));
        assert_eq!(release("6.1"), Some((6, 1)));
        assert_eq!(release("7.0-rc1"), Some((7, 0)));
        assert_eq!(release("6.12+deb13-amd64"), Some((6, 12)));
        for strange in ["", "6", "6.", "six.one", ".1", "-1.2"] {
            assert_eq!(release(strange), None, "{strange}");
        }
    }
}
