//! The records, as they come out of the kernel's ring buffer.

use aya::maps::{MapData, RingBuf, ring_buf::RingBufItem};

/// The consumer's end of the ring. Nothing wakes it: the programs submit
/// without a notification, and the pipeline decides when to look.
pub struct Ring(RingBuf<MapData>);

impl Ring {
    pub(super) const fn new(ring: RingBuf<MapData>) -> Self {
        Self(ring)
    }

    /// The next record, if there is one; its room is given back when it is dropped.
    pub fn take(&mut self) -> Option<RingBufItem<'_>> {
        self.0.next()
    }
}
