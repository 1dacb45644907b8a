//! The 32-bit system calls, from a 64-bit program: `int 0x80` goes through the
//! i386 table whatever the program is, so no 32-bit toolchain is needed.

use crate::{arguments::Arguments, truth::tell};

pub const SUBCOMMANDS: crate::Subcommands = &[("ia32", ia32)];

/// `ia32 ADDR PORT [--socketcall]`: binds and listens, connects, and sends a
/// datagram to ADDR PORT, by i386 calls of their own or by `socketcall`.
pub fn ia32(arguments: &Arguments) {
    #[cfg(target_arch = "x86_64")]
    if i386::is_there() {
        return i386::perform(arguments);
    }
    let _ = arguments;
    tell("ia32").with("result", "unsupported").send();
}

#[cfg(target_arch = "x86_64")]
mod i386 {
    use std::{
        arch::asm,
        io,
        net::{IpAddr, SocketAddr},
        os::fd::{FromRawFd as _, OwnedFd},
    };

    use socket2::{SockAddr, Socket};

    use crate::{
        arguments::{Arguments, parse},
        sockets::{keep, local},
        truth::{tell, tell_accept, tell_connect},
    };

    const GETPID: u32 = 20;
    const SOCKETCALL: u32 = 102;

    /// An operation: its number as a system call, and as an argument of `socketcall`.
    type Call = (u32, u32);
    const SOCKET: Call = (359, 1);
    const BIND: Call = (361, 2);
    const CONNECT: Call = (362, 3);
    const LISTEN: Call = (363, 4);
    const SENDTO: Call = (369, 11);

    /// Whether `int 0x80` works: without `CONFIG_IA32_EMULATION` it is a fault.
    pub fn is_there() -> bool {
        // SAFETY: the child only calls `getpid` and ends.
        let child = unsafe { libc::fork() };
        assert!(child >= 0, "fork: {}", io::Error::last_os_error());
        if child == 0 {
            // SAFETY: takes no arguments; the fault it may be ends this child only.
            let known = unsafe { int80(GETPID, [0; 5]) } > 0;
            // SAFETY: nothing of the parent's must run in the child.
            unsafe { libc::_exit(i32::from(!known)) };
        }
        let mut status = 0;
        // SAFETY: `status` is a valid place for the answer.
        unsafe { libc::waitpid(child, &raw mut status, 0) };
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }

    /// # Safety
    /// As the system call's; pointers are numbers below 4 GiB.
    unsafe fn int80(number: u32, arguments: [u32; 5]) -> i32 {
        let result: i32;
        // SAFETY: the caller's. The compiler keeps rbx for itself, and the kernel
        // does not promise to keep r8 to r11.
        unsafe {
            asm!(
                "push rbx",
                "mov ebx, {first:e}",
                "int 0x80",
                "pop rbx",
                first = in(reg) arguments[0],
                inlateout("eax") number as i32 => result,
                in("ecx") arguments[1],
                in("edx") arguments[2],
                in("esi") arguments[3],
                in("edi") arguments[4],
                lateout("r8") _,
                lateout("r9") _,
                lateout("r10") _,
                lateout("r11") _,
            );
        }
        result
    }

    /// A page that 32-bit pointers reach.
    struct LowPage(*mut u8);

    impl LowPage {
        fn new() -> Self {
            // SAFETY: a new private mapping.
            let page = unsafe {
                libc::mmap(
                    std::ptr::null_mut(),
                    4096,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_32BIT,
                    -1,
                    0,
                )
            };
            assert_ne!(page, libc::MAP_FAILED, "mmap: {}", io::Error::last_os_error());
            Self(page.cast())
        }

        /// Copies bytes to an offset; returns where they are for the kernel.
        fn put(&self, offset: usize, bytes: &[u8]) -> u32 {
            assert!(offset + bytes.len() <= 4096);
            // SAFETY: inside the page, which nobody else has.
            unsafe {
                std::ptr::copy_nonoverlapping(bytes.as_ptr(), self.0.add(offset), bytes.len())
            };
            (self.0 as usize + offset) as u32
        }

        fn address(&self, address: &SockAddr) -> [u32; 2] {
            // SAFETY: the address is this long.
            let bytes = unsafe {
                std::slice::from_raw_parts(address.as_ptr().cast::<u8>(), address.len() as usize)
            };
            [self.put(0, bytes), address.len()]
        }

        fn call(&self, call: Call, by_socketcall: bool, arguments: &[u32]) -> io::Result<i32> {
            let mut registers = [0; 5];
            // SAFETY: every pointer among the arguments is into this page.
            let result = if by_socketcall {
                let words: Vec<u8> =
                    arguments.iter().flat_map(|argument| argument.to_ne_bytes()).collect();
                registers[..2].copy_from_slice(&[call.1, self.put(256, &words)]);
                // SAFETY: as above.
                unsafe { int80(SOCKETCALL, registers) }
            } else {
                let count = arguments.len().min(5);
                registers[..count].copy_from_slice(&arguments[..count]);
                // SAFETY: as above.
                unsafe { int80(call.0, registers) }
            };
            if result < 0 { Err(io::Error::from_raw_os_error(-result)) } else { Ok(result) }
        }
    }

    pub fn perform(arguments: &Arguments) {
        let page = LowPage::new();
        let by_socketcall = arguments.switch("--socketcall");
        let call = |what, words: &[u32]| page.call(what, by_socketcall, words);
        let ip: IpAddr = parse(arguments.operands()[0]);
        let peer = arguments.peer(0);
        let family = if ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 } as u32;
        let make = |kind: i32| -> (u32, Socket) {
            let fd = call(SOCKET, &[family, kind as u32, 0]).expect("socket");
            // SAFETY: the kernel has just made this descriptor for us.
            (fd as u32, unsafe { OwnedFd::from_raw_fd(fd) }.into())
        };

        let (fd, listener) = make(libc::SOCK_STREAM);
        let asked = SocketAddr::new(ip, 0);
        let [pointer, length] = page.address(&asked.into());
        let result = call(BIND, &[fd, pointer, length]);
        let address = local(&listener).expect("bound");
        tell("bind")
            .with("via", "int 0x80")
            .socket(&listener)
            .endpoint("requested", Some(asked))
            .endpoint("local", Some(address))
            .result(&result)
            .send();
        let result = call(LISTEN, &[fd, 8]);
        tell("listen").socket(&listener).endpoint("local", Some(address)).result(&result).send();

        let (fd, client) = make(libc::SOCK_STREAM);
        let [pointer, length] = page.address(&address.into());
        let result = call(CONNECT, &[fd, pointer, length]);
        tell_connect(&client, address, &result);
        let (server, from) = listener.accept().expect("accept");
        tell_accept(&server, from.as_socket());

        // Six arguments do not fit where the compiler leaves five registers.
        if by_socketcall {
            let (fd, datagrams) = make(libc::SOCK_DGRAM);
            let [pointer, length] = page.address(&peer.into());
            let bytes = page.put(512, b"i386");
            let result = call(SENDTO, &[fd, bytes, 4, 0, pointer, length]);
            tell("send").socket(&datagrams).endpoint("remote", Some(peer)).result(&result).send();
            keep(datagrams);
        }
        for socket in [listener, client, server] {
            keep(socket);
        }
    }
}
