//! What is advised for what was seen.

mod acts;
mod ports;
mod scene;
mod services;
mod shown;
mod sure;
mod table;

use self::scene::{DAY, Scene};
use super::{Advice, show};

/// A web server in use, for a day.
fn web_server() -> Scene {
    let mut scene = Scene::new();
    scene.listen("0.0.0.0:8080");
    scene.accept("10.0.0.2:8080", "10.0.0.9:5000", 20);
    scene.pass(DAY);
    scene
}

fn run(advice: &Advice) -> String {
    advice.change.options(usize::MAX / 2).0
}

fn because(advice: &Advice) -> String {
    advice.verdict.because.join("; ")
}

fn text(advice: &Advice) -> String {
    let mut bytes = Vec::new();
    let to = anstream::StripStream::new(&mut bytes);
    show::each(std::slice::from_ref(advice), show::Form::Table, to).unwrap();
    String::from_utf8(bytes).unwrap()
}
