//! Driving a load: one order, one answer.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, sync_channel},
    thread,
    time::Duration,
};

use anyhow::{Context, Result, bail};

/// Longer than any load takes.
const PATIENCE: Duration = Duration::from_secs(300);

/// A load that waits for orders.
pub struct Load {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    process: u32,
    listener: u32,
}

/// What an order took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    pub cpu_ns: u64,
    pub wall_ns: u64,
}

impl Load {
    /// `command` must end up as `load` with its standard streams.
    pub fn start(mut command: Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let orders = child.stdin.take();
        let output = child.stdout.take().context("the load has no output")?;
        let (sender, answers) = sync_channel(1);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let mut load = Self { child, orders, answers, process: 0, listener: 0 };
        let ready = load.line()?;
        let numbers = ready.split_once(' ').context("the load is another program")?;
        (load.process, load.listener) = (numbers.0.parse()?, numbers.1.parse()?);
        Ok(load)
    }

    /// Accepts on the other load's listener from now on.
    pub fn listen_as(&mut self, other: &Self) -> Result<()> {
        self.order(&format!("listener-of {} {}", other.process, other.listener))?;
        let answer = self.line()?;
        if answer != "ok" {
            bail!("the load could not take another's listener: {answer}");
        }
        Ok(())
    }

    /// Does `count` operations as fast as it can.
    pub fn run(&mut self, kind: &str, count: u64) -> Result<Spent> {
        self.order(&format!("{kind} {count}"))?;
        spent(kind, &self.line()?)
    }

    /// Begins `count` operations, at `rate` per second if there is one.
    pub fn begin(&mut self, kind: &str, count: u64, rate: Option<u64>) -> Result<()> {
        let rate = rate.map(|rate| format!(" {rate}")).unwrap_or_default();
        self.order(&format!("{kind} {count}{rate}"))
    }

    /// What [`begin`](Self::begin) began, when it ends within `patience`.
    pub fn ended(&mut self, patience: Duration) -> Result<Option<Spent>> {
        match self.answers.recv_timeout(patience) {
            Ok(line) => spent("the load", &line).map(Some),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => bail!("the load has ended"),
        }
    }

    fn order(&mut self, order: &str) -> Result<()> {
        let orders = self.orders.as_mut().context("the load takes no orders")?;
        orders.write_all(format!("{order}\n").as_bytes()).context("the load has ended")
    }

    fn line(&mut self) -> Result<String> {
        self.answers.recv_timeout(PATIENCE).context("the load does not answer")
    }
}

fn spent(kind: &str, line: &str) -> Result<Spent> {
    let numbers: Vec<u64> = line.split(' ').map_while(|word| word.parse().ok()).collect();
    match numbers[..] {
        [0, cpu_ns, wall_ns] => Ok(Spent { cpu_ns, wall_ns }),
        [failures, _, _] => bail!("{failures} operations of {kind} failed"),
        _ => bail!("the load said {line:?}"),
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // It ends with its input; its container ends with it.
        self.orders = None;
        let _ended = self.child.wait();
    }
}
