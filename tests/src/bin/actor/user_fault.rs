//! userfaultfd: a page that this process supplies at the moment the kernel
//! reads it, so that the kernel waits in the middle of copying an argument.

use std::{
    io,
    os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd},
};

use crate::sockets::outcome;

const PAGE: usize = 4096;

// include/uapi/linux/userfaultfd.h
const UFFD_API: u64 = 0xaa;
const UFFDIO_API: libc::Ioctl = 0xc018_aa3f_u32 as libc::Ioctl;
const UFFDIO_REGISTER: libc::Ioctl = 0xc020_aa00_u32 as libc::Ioctl;
const UFFDIO_COPY: libc::Ioctl = 0xc028_aa03_u32 as libc::Ioctl;
const UFFDIO_REGISTER_MODE_MISSING: u64 = 1;
const UFFD_EVENT_PAGEFAULT: u8 = 0x12;

/// The descriptor, and the page it is asked for.
pub struct UserFault {
    descriptor: OwnedFd,
    missing: usize,
}

/// Two pages, with the place of an address that begins on the first and goes on
/// on the second.
#[derive(Clone, Copy)]
pub struct Pages {
    second: usize,
}

impl UserFault {
    /// Needs `CAP_SYS_PTRACE`, or `vm.unprivileged_userfaultfd`: the faults are
    /// the kernel's own.
    pub fn new() -> io::Result<Self> {
        // SAFETY: makes a descriptor and touches nothing else.
        let raw = unsafe { libc::syscall(libc::SYS_userfaultfd, libc::O_CLOEXEC) };
        let raw = outcome(raw)? as i32;
        // SAFETY: just made, and owned by nobody else.
        let descriptor = unsafe { OwnedFd::from_raw_fd(raw) };
        let fault = Self { descriptor, missing: 0 };
        fault.control(UFFDIO_API, &mut [UFFD_API, 0, 0])?;
        Ok(fault)
    }

    fn control<const N: usize>(
        &self,
        request: libc::Ioctl,
        words: &mut [u64; N],
    ) -> io::Result<()> {
        // SAFETY: each request's structure is as long as its caller's words.
        let result =
            unsafe { libc::ioctl(self.descriptor.as_raw_fd(), request, words.as_mut_ptr()) };
        outcome(result.into()).map(drop)
    }

    /// Puts the first half of `bytes` at the end of one page; the second half
    /// belongs at the beginning of the next, which is missing. Returns where the
    /// whole begins.
    pub fn straddling(&mut self, bytes: [u8; 8]) -> (Pages, usize) {
        // SAFETY: a new private mapping.
        let pages = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                2 * PAGE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
                -1,
                0,
            )
        };
        assert_ne!(pages, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
        let second = pages as usize + PAGE;
        self.missing = second;
        let mut register = [second as u64, PAGE as u64, UFFDIO_REGISTER_MODE_MISSING, 0];
        self.control(UFFDIO_REGISTER, &mut register).expect("UFFDIO_REGISTER");
        let pages = Pages { second };
        pages.write(second - 4, &bytes[..4]);
        (pages, second - 4)
    }

    /// Waits until somebody reads the missing page.
    pub fn wait(&self) {
        let mut message = [0u8; 32];
        // SAFETY: a message is 32 bytes.
        let length = unsafe {
            libc::read(self.descriptor.as_raw_fd(), message.as_mut_ptr().cast(), message.len())
        };
        assert_eq!(length, 32, "userfaultfd: {}", io::Error::last_os_error());
        assert_eq!(message[0], UFFD_EVENT_PAGEFAULT);
    }

    /// Supplies the missing page, with the second half of `bytes` at its beginning.
    pub fn supply(&self, bytes: [u8; 8]) {
        let mut page = vec![0u8; PAGE];
        page[..4].copy_from_slice(&bytes[4..]);
        let mut copy = [self.missing as u64, page.as_ptr() as u64, PAGE as u64, 0, 0];
        self.control(UFFDIO_COPY, &mut copy).expect("UFFDIO_COPY");
    }
}

impl Pages {
    /// Replaces the part that is there; the other only when it has been supplied.
    pub fn overwrite(self, bytes: [u8; 8]) {
        self.write(self.second - 4, &bytes[..4]);
    }

    fn write(self, at: usize, bytes: &[u8]) {
        for (offset, byte) in bytes.iter().enumerate() {
            // SAFETY: inside the mapping, which is never unmapped; the kernel may
            // read it meanwhile, which is the point.
            unsafe { ((at + offset) as *mut u8).write_volatile(*byte) };
        }
    }
}
