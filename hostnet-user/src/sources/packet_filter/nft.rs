//! The rules of nftables, by nfnetlink: those of iptables' newer form among them. Each is a
//! list of expressions that load something into a register, compare it, or act
//! (include/uapi/linux/netfilter/nf_tables.h).

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::IpAddr,
};

use super::{DEEPEST, Found, LOOPBACK, name, narrow, redirects};
use crate::{
    attribute::{Redirect, Redirects},
    sources::netlink::{Connection, attributes},
};

/// `NFNLGRP_NFTABLES` as a mask.
pub const GROUPS: u32 = 1 << 6;

const SUBSYSTEM: u16 = 10 << 8;
const NEW_CHAIN: u16 = SUBSYSTEM | 3;
const GET_CHAIN: u16 = SUBSYSTEM | 4;
const NEW_RULE: u16 = SUBSYSTEM | 6;
const GET_RULE: u16 = SUBSYSTEM | 7;

/// `struct nfgenmsg`, of every family.
const OF_ALL: [u8; 4] = [0; 4];
const FAMILY_INET: u8 = 1;
const FAMILY_IPV4: u8 = 2;
const FAMILY_IPV6: u8 = 10;

/// Hooks at which what the host sends passes: out, and over loopback in again.
const OUT: u32 = 3;
const IN: u32 = 0;

/// An attribute's kind without its flags, `NLA_TYPE_MASK`.
const KIND: u16 = 0x3fff;

/// Family, table, chain.
type Chain = (u8, Vec<u8>, Vec<u8>);

#[derive(Default)]
struct Rules {
    of: BTreeMap<Chain, Vec<Rule>>,
    begin: Vec<Chain>,
}

#[derive(Default)]
struct Rule {
    condition: Redirect,
    redirects: bool,
    jumps: Vec<Vec<u8>>,
    /// By a map of verdicts, to any of the table's chains.
    jumps_anywhere: bool,
}

pub fn read(connection: &Connection, found: &mut Found) -> io::Result<()> {
    let mut rules = Rules::default();
    let outcome =
        connection.dump_as((GET_CHAIN, NEW_CHAIN), &OF_ALL, |answer| rules.chain(answer)).and_then(
            |()| connection.dump_as((GET_RULE, NEW_RULE), &OF_ALL, |answer| rules.rule(answer)),
        );
    match outcome {
        Ok(()) => {}
        // This kernel has no nftables.
        Err(error) if matches!(error.raw_os_error(), Some(libc::EINVAL | libc::EOPNOTSUPP)) => {
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    for chain in &rules.begin {
        let is_v6 = match chain.0 {
            FAMILY_IPV4 => Some(false),
            FAMILY_IPV6 => Some(true),
            _ => None,
        };
        rules.walk(chain, &Redirect { is_v6, ..Redirect::default() }, 0, found);
    }
    Ok(())
}

impl Rules {
    fn chain(&mut self, answer: &[u8]) {
        let Some((family, fields)) = message(answer) else { return };
        let hook = fields.get(&4).and_then(|hook| nested(hook).get(&1).copied()).and_then(be32);
        if matches!(family, FAMILY_INET | FAMILY_IPV4 | FAMILY_IPV6)
            && matches!(hook, Some(OUT | IN))
            && let Some(chain) = chain_of(family, &fields, 3)
        {
            self.begin.push(chain);
        }
    }

    fn rule(&mut self, answer: &[u8]) {
        let Some((family, fields)) = message(answer) else { return };
        let Some(chain) = chain_of(family, &fields, 2) else { return };
        let mut rule = Rule::default();
        let mut loaded = HashMap::new();
        for (_, expression) in fields.get(&4).copied().into_iter().flat_map(attributes) {
            let parts = nested(expression);
            let what = parts.get(&1).map(|what| name(what)).unwrap_or_default();
            let data = parts.get(&2).map(|data| nested(data)).unwrap_or_default();
            rule.express(family, what, &data, &mut loaded);
        }
        self.of.entry(chain).or_default().push(rule);
    }

    fn walk(&self, chain: &Chain, condition: &Redirect, depth: usize, found: &mut Found) {
        for rule in self.of.get(chain).into_iter().flatten() {
            if !found.step() {
                return;
            }
            let Some(narrowed) = condition.and(&rule.condition) else { continue };
            if rule.redirects {
                found.add(narrowed.clone());
            }
            if depth >= DEEPEST {
                continue;
            }
            for to in &rule.jumps {
                let to = (chain.0, chain.1.clone(), to.clone());
                self.walk(&to, &narrowed, depth + 1, found);
            }
            if rule.jumps_anywhere {
                let is_of_table = |one: &&Chain| (one.0, &one.1) == (chain.0, &chain.1);
                for to in self.of.keys().filter(is_of_table) {
                    self.walk(to, &narrowed, DEEPEST, found);
                }
            }
        }
    }
}

/// What is in a register.
#[derive(Clone, Copy)]
enum Loaded {
    Protocol,
    Family,
    /// The first bytes of the destination.
    To {
        is_v6: bool,
    },
    Port,
    /// What kind of address the destination is.
    AddressKind,
}

type Fields<'a> = HashMap<u16, &'a [u8]>;

impl Rule {
    fn express(
        &mut self,
        family: u8,
        what: &[u8],
        data: &Fields<'_>,
        loaded: &mut HashMap<u32, Loaded>,
    ) {
        let number = |kind: u16| data.get(&kind).copied().and_then(be32);
        match what {
            b"nat" => self.redirects |= number(1) == Some(1),
            b"redir" | b"tproxy" => self.redirects = true,
            b"target" => self.redirects |= data.get(&1).is_some_and(|of| redirects(name(of))),
            b"match" => {
                let of = data.get(&1).map(|of| name(of)).unwrap_or_default();
                let info = data.get(&3).copied().unwrap_or_default();
                narrow(&mut self.condition, of, number(2).unwrap_or_default() as u8, info);
            }
            b"immediate" => {
                let verdict = data.get(&2).and_then(|data| nested(data).get(&2).copied());
                let to = verdict.and_then(|verdict| nested(verdict).get(&2).copied());
                self.jumps.extend(to.map(|to| name(to).to_vec()));
            }
            b"lookup" => self.jumps_anywhere |= number(3) == Some(0),
            b"meta" => match (number(2), number(1)) {
                (Some(16), Some(register)) => {
                    loaded.insert(register, Loaded::Protocol);
                }
                (Some(15), Some(register)) => {
                    loaded.insert(register, Loaded::Family);
                }
                (_, register) => forget(loaded, register),
            },
            b"payload" => {
                let place = (number(2), number(3), number(4).unwrap_or_default());
                let is = match place {
                    (Some(2), Some(2), 2) => Some(Loaded::Port),
                    (Some(1), Some(9), 1) if family == FAMILY_IPV4 => Some(Loaded::Protocol),
                    (Some(1), Some(16), 1..=4) if family != FAMILY_IPV6 => {
                        Some(Loaded::To { is_v6: false })
                    }
                    (Some(1), Some(24), 1..=16) if family != FAMILY_IPV4 => {
                        Some(Loaded::To { is_v6: true })
                    }
                    _ => None,
                };
                match (is, number(1)) {
                    (Some(is), Some(register)) => {
                        loaded.insert(register, is);
                    }
                    (_, register) => forget(loaded, register),
                }
            }
            b"fib" => match (number(2), number(3), number(1)) {
                // The destination alone, without an interface.
                (Some(3), Some(2), Some(register)) => {
                    loaded.insert(register, Loaded::AddressKind);
                }
                (_, _, register) => forget(loaded, register),
            },
            b"cmp" => {
                let value = data.get(&3).and_then(|data| nested(data).get(&1).copied());
                let is = number(1).and_then(|register| loaded.get(&register));
                if let (Some(is), Some(operator), Some(value)) = (is, number(2), value) {
                    self.compare(*is, operator, value);
                }
            }
            b"range" => {
                let end = |kind: u16| {
                    let value = nested(data.get(&kind)?).get(&1).copied()?;
                    Some(u16::from_be_bytes(value.try_into().ok()?))
                };
                let is = number(1).and_then(|register| loaded.get(&register));
                if let (Some(Loaded::Port), Some(0), Some(low), Some(high)) =
                    (is, number(2), end(3), end(4))
                {
                    self.condition.ports = Some((low, high));
                }
            }
            // It may have changed any register.
            b"bitwise" | b"byteorder" | b"hash" | b"numgen" | b"ct" | b"rt" | b"socket" => {
                loaded.clear();
            }
            _ => {}
        }
    }

    fn compare(&mut self, is: Loaded, operator: u32, value: &[u8]) {
        const EQUAL: u32 = 0;
        const UNEQUAL: u32 = 1;
        const LOCAL: u32 = 2;
        let condition = &mut self.condition;
        match (is, operator) {
            (Loaded::Protocol, EQUAL) => {
                condition.protocol = value.first().map(|one| (*one).into())
            }
            (Loaded::Family, EQUAL) => condition.is_v6 = Some(value == [FAMILY_IPV6]),
            (Loaded::Port, EQUAL) => {
                let port = value.try_into().ok().map(u16::from_be_bytes);
                condition.ports = port.map(|port| (port, port));
            }
            (Loaded::To { is_v6 }, EQUAL) => condition.to = range(is_v6, value),
            (Loaded::To { is_v6 }, UNEQUAL) => {
                condition.not_loopback |=
                    range(is_v6, value).is_some_and(|range| Redirects::covers(range, LOOPBACK));
            }
            (Loaded::AddressKind, EQUAL) => {
                let kind = value.try_into().ok().map(u32::from_ne_bytes);
                condition.own_only |= kind == Some(LOCAL);
            }
            (
                Loaded::Protocol
                | Loaded::Family
                | Loaded::Port
                | Loaded::AddressKind
                | Loaded::To { .. },
                _,
            ) => {}
        }
    }
}

fn forget(loaded: &mut HashMap<u32, Loaded>, register: Option<u32>) {
    if let Some(register) = register {
        loaded.remove(&register);
    }
}

/// The range of which these are the first bytes.
fn range(is_v6: bool, value: &[u8]) -> Option<(IpAddr, u8)> {
    let bits = u8::try_from(value.len() * 8).ok()?;
    let ip: IpAddr = if is_v6 {
        let mut bytes = [0; 16];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        bytes.into()
    } else {
        let mut bytes = [0; 4];
        bytes.get_mut(..value.len())?.copy_from_slice(value);
        bytes.into()
    };
    Some((ip, bits))
}

/// The family and the attributes of an answer.
fn message(answer: &[u8]) -> Option<(u8, Fields<'_>)> {
    Some((*answer.first()?, nested(answer.get(OF_ALL.len()..)?)))
}

fn nested(bytes: &[u8]) -> Fields<'_> {
    attributes(bytes).map(|(kind, value)| (kind & KIND, value)).collect()
}

/// The chain that an answer names: its table, and its name by that attribute.
fn chain_of(family: u8, fields: &Fields<'_>, kind: u16) -> Option<Chain> {
    let text = |kind: u16| Some(name(fields.get(&kind)?).to_vec());
    Some((family, text(1)?, text(kind)?))
}

fn be32(value: &[u8]) -> Option<u32> {
    value.try_into().ok().map(u32::from_be_bytes)
}
