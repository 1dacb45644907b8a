//! The machine itself: its serial ports, modules, addresses, and its end.

use std::{
    collections::HashMap,
    fs::{self, File},
    io,
    os::fd::OwnedFd,
    path::Path,
};

use rustix::{
    fs::{Mode, OFlags},
    system::RebootCommand,
    termios::{OptionalActions, tcgetattr, tcsetattr},
};

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
