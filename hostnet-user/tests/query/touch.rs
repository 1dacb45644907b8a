//! What is counted of an event is what is counted of its document, for every kind.

use std::sync::{Arc, Mutex};

use anyhow::Result;
use hostnet::{
    docs::EVERY_KIND,
    engine::{
        capture::Recording,
        input::{self, Input, World},
        stages::{Filter, Stages},
    },
    event::Recorded,
    format::ecs::{Encoder, read::Read},
    judge::Judge,
    output::Output,
    row::touch::{Touch, boot_key},
};

struct Compare {
    encoder: Encoder,
    boot: i64,
    /// Events that touch a port, and somebody else.
    counts: Arc<Mutex<(usize, usize)>>,
}

impl Output for Compare {
    fn write(&mut self, record: &Recorded) -> Result<()> {
        let mut line = Vec::new();
        self.encoder.encode(record, &mut line)?;
        let read = Read::of(&line)?;
        let touch = Touch::of_event(&record.event, self.boot);
        assert_eq!(touch, Touch::of_document(&read), "{}", line.escape_ascii());
        let mut counts = self.counts.lock().expect("not poisoned");
        counts.0 += usize::from(touch.port.is_some());
        counts.1 += usize::from(!touch.exchanges.is_empty());
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

#[test]
fn an_event_and_its_document_count_the_same() {
    let mut recording = Recording::read(EVERY_KIND).expect("a recording");
    let (tag, bytes) = recording.frame().expect("readable").expect("a frame");
    let Ok(Input::World(World::Run { policy, identity, law })) = input::from_frame(tag, bytes)
    else {
        panic!("it begins with where it was made");
    };
    let counts = Arc::new(Mutex::new((0, 0)));
    let compare = Compare {
        encoder: Encoder::new(&identity),
        boot: boot_key(&identity.boot_id),
        counts: Arc::clone(&counts),
    };
    let mut stages =
        Stages::new(policy, Judge::new(&law), Filter::default(), vec![Box::new(compare)]);
    while let Some((tag, bytes)) = recording.frame().expect("readable") {
        stages.input(input::from_frame(tag, bytes).expect("an input")).expect("the same");
        drop(stages.take_requests());
    }
    stages.finish().expect("the same");
    let (ports, exchanges) = *counts.lock().expect("not poisoned");
    assert!(ports > 20 && exchanges > 20, "{ports} ports, {exchanges} exchanges");
}
