//! The machine itself: its serial ports, modules, addresses, and its end.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::fd::{AsRawFd as _, OwnedFd},
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    system::RebootCommand,
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

/// `_IOW('R', 0x03, int[2])`, from linux/random.h.
const RNDADDENTROPY: libc::c_ulong = 0x4008_5203;

/// `name=value` words of the kernel's command line.
pub struct Parameters(HashMap<String, String>);

impl Parameters {
    pub fn read() -> Result<Self, String> {
        let line = fs::read_to_string("/proc/cmdline").map_err(|error| error.to_string())?;
        let pairs = line.split_whitespace().filter_map(|word| word.split_once('='));
        Ok(Self(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

/// The second serial port, which passes bytes on as they are.
pub fn report_port() -> io::Result<File> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let port: OwnedFd = rustix::fs::open("/dev/ttyS1", flags, Mode::empty())?;
    let mut settings = tcgetattr(&port)?;
    settings.make_raw();
    tcsetattr(&port, OptionalActions::Now, &settings)?;
    Ok(port.into())
}

/// Random bytes for the kernel. A machine without hardware may wait for them
/// for ever, and everybody on it who asks for some; here nobody guards secrets.
pub fn entropy() -> Result<(), String> {
    #[repr(C)]
    struct Pool {
        bits: libc::c_int,
        bytes: libc::c_int,
        pool: [u8; 64],
    }
    let mut pool = Pool { bits: 512, bytes: 64, pool: [0; 64] };
    let since_boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    pool.pool[..8].copy_from_slice(&since_boot.tv_nsec.to_ne_bytes());
    let add = || -> io::Result<()> {
        let random = File::options().write(true).open("/dev/random")?;
        // SAFETY: the request reads a `rand_pool_info`, which `Pool` is laid out as.
        let result = unsafe { libc::ioctl(random.as_raw_fd(), RNDADDENTROPY, &raw const pool) };
        if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    };
    add().map_err(|error| format!("/dev/random: {error}"))
}

pub fn kernel_release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

pub fn load_module(path: &Path) -> Result<(), String> {
    let load = || -> io::Result<()> {
        rustix::system::finit_module(File::open(path)?, c"", 0)?;
        Ok(())
    };
    match load() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        result => result.map_err(|error| format!("{}: {error}", path.display())),
    }
}

pub fn power_off() -> ! {
    rustix::fs::sync();
    let error = rustix::system::reboot(RebootCommand::PowerOff);
    panic!("power off: {error:?}");
}
