//! One file per operation; each program cites the kernel function it hooks.

mod bind;
mod cgroup;
mod connect;
mod connected_udp;
mod datagram;
mod exec;
mod exit;
mod family_socket;
mod first_use;
mod fork;
mod inet_results;
mod inet_sock_set_state;
mod multicast;
mod netlink;
mod packet;
mod raw_socket;
mod unix;
