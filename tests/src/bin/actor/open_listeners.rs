//! Listeners that stay open between the lines of `actor repl`.

use socket2::{Domain, Socket, Type};

use crate::{
    arguments::{Arguments, parse},
    listeners::opened,
    sockets::{local, socket_for},
    tcp,
    truth::tell,
};

#[derive(Default)]
pub struct Listeners(Vec<Socket>);

impl Listeners {
    /// `listen ADDR PORT [--backlog N] [--no-bind] [--reuse-port]`
    pub fn listen(&mut self, arguments: &Arguments) {
        let address = arguments.peer(0);
        let backlog = arguments.option("--backlog").unwrap_or(128);
        let socket = if arguments.switch("--no-bind") {
            let socket =
                Socket::new(Domain::for_address(address), Type::STREAM, None).expect("socket");
            socket.listen(backlog).expect("listen");
            socket
        } else {
            let socket = socket_for(address, Type::STREAM);
            socket.set_reuse_port(arguments.switch("--reuse-port")).expect("SO_REUSEPORT");
            opened(socket, address, backlog)
        };
        tell("listen")
            .socket(&socket)
            .endpoint("local", local(&socket))
            .with("result", "ok")
            .send();
        self.0.push(socket);
    }

    /// `serve PORT [--count N] [--reply BYTES]`: serves on an open listener.
    pub fn serve(&self, arguments: &Arguments) {
        let port = parse(arguments.operands()[0]);
        tcp::serve_on(self.on(port), arguments);
    }

    /// `unlisten PORT`
    pub fn close(&mut self, arguments: &Arguments) {
        let port = parse(arguments.operands()[0]);
        let address = local(self.on(port));
        self.0.retain(|socket| local(socket) != address);
        tell("close").endpoint("local", address).send();
    }

    fn on(&self, port: u16) -> &Socket {
        self.0
            .iter()
            .find(|socket| local(socket).is_some_and(|address| address.port() == port))
            .unwrap_or_else(|| panic!("nothing listens on {port}"))
    }
}
