//! The records, as they come out of the kernel's ring buffer.
//!
//! Nothing wakes the reader: the programs submit without a notification, and the
//! pipeline decides when to look. aya's reader maps the data twice and whole,
//! and every mapped page counts as the agent's memory; a ring that is to hold a
//! long burst would make the agent look eight times its size. This one maps a
//! window and moves it along.
//!
//! Layout and protocol: kernel/bpf/ringbuf.c (`ringbuf_map_mmap_kern`,
//! `bpf_ringbuf_reserve`, `bpf_ringbuf_commit`; 5.8–7.3). Page 0 is the consumer's
//! position, page 1 the producer's, then the data, twice in a row, so that a
//! record that wraps is contiguous.

use std::{
    os::fd::{AsFd, OwnedFd},
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};

use anyhow::{Context, Result};
use aya::maps::MapData;
use rustix::{
    mm::{MapFlags, ProtFlags, mmap, munmap},
    param::page_size,
};
use serde::Serialize;

/// Bytes of data mapped at a time: some hundred records, so that moving it costs each little.
const WINDOW: u64 = 1 << 17;

/// Bytes before each record: length and flags, then a page offset.
const RECORD_HEADER: u64 = 8;

// include/uapi/linux/bpf.h
const BUSY: u32 = 1 << 31;
const DISCARDED: u32 = 1 << 30;

/// The consumer's end of the ring.
pub struct Ring {
    fd: OwnedFd,
    /// Size of the data, a power of two.
    size: u64,
    consumer: Mapping,
    producer: Mapping,
    window: Mapping,
    /// Where in the data the window starts.
    window_start: u64,
    position: u64,
    records: u64,
}

/// How full the ring is, and how much has been through it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RingNumbers {
    /// Room in it.
    pub size_bytes: u64,
    /// Put into it by the programs, as the kernel counts: each record with its header
    /// and padding.
    pub produced_bytes: u64,
    /// Taken out of it by the agent, as it counts itself.
    pub consumed_bytes: u64,
    /// Records among the latter; those that programs discarded are not.
    pub records: u64,
}

/// Where reading was, and how many records had been read.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    position: u64,
    records: u64,
}

/// A record; it is the kernel's again once it was dropped and [given back](Ring::give_back).
pub struct Record<'a> {
    ring: &'a mut Ring,
    at: NonNull<u8>,
    length: usize,
}

impl Ring {
    /// Maps the ring of a map.
    pub(super) fn of(map: &MapData) -> Result<Self> {
        let size = map.info().context("cannot ask how long the ring buffer is")?.max_entries();
        Self::new(map.fd().as_fd().try_clone_to_owned()?, size)
    }

    /// Maps the ring behind `fd`, whose data has `size` bytes.
    fn new(fd: OwnedFd, size: u32) -> Result<Self> {
        let size = u64::from(size);
        let page = page_size() as u64;
        let consumer = Mapping::new(&fd, 0, page, ProtFlags::READ | ProtFlags::WRITE)?;
        let producer = Mapping::new(&fd, page, page, ProtFlags::READ)?;
        let window = Mapping::new(&fd, 2 * page, WINDOW.min(size), ProtFlags::READ)?;
        // A ring that was pinned has what the agent before has not given back.
        let position = consumer.first_word().load(Ordering::Acquire);
        Ok(Self { fd, size, consumer, producer, window, window_start: 0, position, records: 0 })
    }

    /// The next record, if there is one.
    ///
    /// # Errors
    /// When the window cannot be moved; nothing is consumed then.
    pub fn take(&mut self) -> Result<Option<Record<'_>>> {
        let next = self.next()?;
        Ok(next.map(|(at, length)| Record { ring: self, at, length }))
    }

    /// When the next record was made, `CLOCK_BOOTTIME` nanoseconds; 0 when it does not
    /// say so.
    ///
    /// # Errors
    /// As [`take`](Self::take).
    pub fn next_ns(&mut self) -> Result<Option<u64>> {
        let next = self.next()?;
        // SAFETY: mapped, and the kernel's only once it is given back.
        let bytes = next.map(|(at, length)| unsafe {
            std::slice::from_raw_parts(at.as_ptr().cast_const(), length)
        });
        Ok(bytes.map(|bytes| hostnet_abi::header(bytes).map_or(0, |header| header.boot_ns)))
    }

    /// Where the next record is, and how long.
    fn next(&mut self) -> Result<Option<(NonNull<u8>, usize)>> {
        loop {
            // Pairs with the store in __bpf_ringbuf_reserve.
            if self.position == self.producer.first_word().load(Ordering::Acquire) {
                return Ok(None);
            }
            let at = self.at(RECORD_HEADER)?;
            // SAFETY: eight mapped, aligned bytes; the kernel commits with an atomic exchange.
            let header = unsafe { AtomicU32::from_ptr(at.as_ptr().cast()) }.load(Ordering::Acquire);
            if header & BUSY != 0 {
                return Ok(None);
            }
            let length = u64::from(header & !DISCARDED);
            if header & DISCARDED != 0 {
                self.advance(length);
                continue;
            }
            let at = self.at(RECORD_HEADER + length)?;
            // SAFETY: `at` is followed by the record's header and `length` mapped bytes.
            let at = unsafe { at.add(RECORD_HEADER as usize) };
            self.records += 1;
            return Ok(Some((at, length as usize)));
        }
    }

    /// Whether there is more to take, now or once it has been written.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.position != self.producer.first_word().load(Ordering::Acquire)
    }

    /// How full it is, and how much has been through it.
    #[must_use]
    pub fn numbers(&self) -> RingNumbers {
        RingNumbers {
            size_bytes: self.size,
            produced_bytes: self.producer.first_word().load(Ordering::Acquire),
            consumed_bytes: self.position,
            records: self.records,
        }
    }

    /// Whether records and what is not given back take more than half of it.
    #[must_use]
    pub fn is_half_full(&self) -> bool {
        let given_back = self.consumer.first_word().load(Ordering::Relaxed);
        let produced = self.producer.first_word().load(Ordering::Acquire);
        produced.wrapping_sub(given_back) > self.size / 2
    }

    /// Where the current position is mapped, with at least `length` bytes after it.
    fn at(&mut self, length: u64) -> Result<NonNull<u8>> {
        let offset = self.position & (self.size - 1);
        let is_inside = offset >= self.window_start
            && offset + length <= self.window_start + self.window.length as u64;
        if !is_inside {
            let page = page_size() as u64;
            let start = offset & !(page - 1);
            let end = (start + WINDOW.max(length + page)).min(2 * self.size);
            let bytes = (end - start).next_multiple_of(page);
            self.window = Mapping::new(&self.fd, 2 * page + start, bytes, ProtFlags::READ)?;
            self.window_start = start;
        }
        // SAFETY: inside the window, as was checked or made so above.
        Ok(unsafe { self.window.start.add((offset - self.window_start) as usize) })
    }

    fn advance(&mut self, length: u64) {
        self.position += (RECORD_HEADER + length).next_multiple_of(8);
    }

    /// Up to where records were taken, bytes since the ring was made.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// Where reading is.
    pub const fn place(&self) -> Place {
        Place { position: self.position, records: self.records }
    }

    /// Takes what was taken since once more; it was not given back.
    pub const fn return_to(&mut self, place: Place) {
        (self.position, self.records) = (place.position, place.records);
    }

    /// Gives back the room of the records before `position`: whoever reads this ring
    /// next will not see them.
    pub fn give_back(&self, position: u64) {
        // Published only after they have been read; the kernel may then reuse it.
        self.consumer.first_word().store(position, Ordering::Release);
    }
}

impl std::ops::Deref for Record<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        // SAFETY: mapped and not reused by the kernel until the record is dropped;
        // the window cannot move while the ring is borrowed.
        unsafe { std::slice::from_raw_parts(self.at.as_ptr(), self.length) }
    }
}

impl Drop for Record<'_> {
    fn drop(&mut self) {
        self.ring.advance(self.length as u64);
    }
}

/// Shared memory that is unmapped when it is dropped.
struct Mapping {
    start: NonNull<u8>,
    length: usize,
}

// SAFETY: the memory is the kernel's and not tied to a thread.
unsafe impl Send for Mapping {}

impl Mapping {
    fn new(fd: &impl AsFd, offset: u64, length: u64, protection: ProtFlags) -> Result<Self> {
        let length = length as usize;
        // SAFETY: a new mapping at an address the kernel chooses.
        let start =
            unsafe { mmap(std::ptr::null_mut(), length, protection, MapFlags::SHARED, fd, offset) }
                .context("cannot map the ring buffer")?;
        let start = NonNull::new(start.cast()).context("the ring buffer was mapped at zero")?;
        Ok(Self { start, length })
    }

    fn first_word(&self) -> &AtomicU64 {
        // SAFETY: page-aligned memory of at least one page, shared with the kernel,
        // which accesses this word atomically.
        unsafe { AtomicU64::from_ptr(self.start.as_ptr().cast::<u64>()) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping, of which no reference is left.
        let unmapped = unsafe { munmap(self.start.as_ptr().cast(), self.length) };
        debug_assert!(unmapped.is_ok(), "a mapping of ours can be unmapped");
    }
}
