//! Memory that the start needed and the run does not, given back to the kernel.

use std::{fs, ops::Range, ptr};

use rustix::mm::{Advice, madvise};

/// Gives back what is free. glibc keeps small allocations unless it is asked.
pub fn give_back() {
    // SAFETY: takes no pointer and is safe to call at any time.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Gives back the pages of the program's file that were used until now. What is used again
/// comes back from the page cache, and is less than half: most code is of the start alone.
pub fn give_back_code() {
    let Ok(maps) = fs::read_to_string("/proc/self/maps") else { return };
    let here = give_back_code as *const () as usize;
    for range in code(&maps, here) {
        let start = ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: private mappings of the program's file that nobody has written to; whoever
        // reads there gets the same from the file.
        if let Err(error) = unsafe { madvise(start, range.len(), Advice::LinuxDontNeed) } {
            tracing::debug!("the code of the start stays in memory: {error}");
        }
    }
}

/// The mappings of a program's code and of what comes before it in its file: what comes
/// after it was writable while the program was linked, and is not as in the file.
fn code(maps: &str, within: usize) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut file = None;
    for line in maps.lines() {
        let Some((range, permissions, of)) = mapping(line) else { continue };
        if file != Some(of) {
            found.clear();
            file = Some(of);
        }
        let is_unwritten = matches!(permissions, "r--p" | "r-xp");
        if range.contains(&within) {
            if is_unwritten {
                found.push(range);
                return found;
            }
            break;
        }
        if is_unwritten {
            found.push(range);
        }
    }
    Vec::new()
}

/// Where a mapping is, what may be done there, and of which file it is: device and inode.
fn mapping(line: &str) -> Option<(Range<usize>, &str, (&str, &str))> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    let permissions = words.next()?;
    let file = (words.nth(1)?, words.next()?);
    Some((address(start)?..address(end)?, permissions, file))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
1000-2000 r-xp 00000000 fe:00 7 /lib/other.so
5000-6000 r--p 00000000 fe:00 41 /usr/bin/hostnet
6000-9000 r-xp 00001000 fe:00 41 /usr/bin/hostnet
9000-a000 r--p 00004000 fe:00 41 /usr/bin/hostnet
a000-b000 rw-p 00005000 fe:00 41 /usr/bin/hostnet
b000-c000 rw-p 00000000 00:00 0 [heap]
";

    #[test]
    fn code_ends_where_the_linker_has_written() {
        assert_eq!(code(MAPS, 0x6800), [0x5000..0x6000, 0x6000..0x9000]);
        assert_eq!(code(MAPS, 0x1800), std::slice::from_ref(&(0x1000..0x2000)));
        assert!(code(MAPS, 0xa800).is_empty(), "writable");
        assert!(code(MAPS, 0xf000).is_empty(), "not mapped");
    }

    #[test]
    fn a_program_goes_on_without_the_code_that_it_gave_back() {
        let maps = fs::read_to_string("/proc/self/maps").unwrap();
        let here = give_back_code as *const () as usize;
        assert!(code(&maps, here).iter().any(|range| range.contains(&here)));
        give_back_code();
        give_back();
        assert_eq!(fs::read_to_string("/proc/self/comm").is_ok(), !maps.is_empty());
    }
}
