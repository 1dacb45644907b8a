//! One file per operation; each program cites the kernel function it hooks.

mod bind;
mod cgroup;
mod connect;
mod datagram;
mod exec;
mod exit;
mod fork;
mod inet_sock_set_state;
mod raw_socket;
