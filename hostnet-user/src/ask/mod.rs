//! How the outside is asked: on threads of their own, within a limit, with a share for each
//! owner. What is asked, this does not know.

pub mod desk;
pub mod in_time;
