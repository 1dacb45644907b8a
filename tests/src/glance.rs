//! As much of an event as who counts very many of them looks at; the rest of its
//! line is passed over.

use std::borrow::Cow;

use serde::Deserialize;

/// What may be missing is empty.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Glance<'a> {
    #[serde(borrow)]
    pub event: Event<'a>,
    #[serde(borrow)]
    pub container: Container<'a>,
    #[serde(borrow)]
    pub hostnet: Hostnet<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Event<'a> {
    pub action: &'a str,
    pub sequence: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Container<'a> {
    pub id: Option<&'a str>,
    #[serde(borrow)]
    pub name: Option<Cow<'a, str>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Hostnet<'a> {
    #[serde(borrow)]
    pub local: Endpoint<'a>,
    #[serde(borrow)]
    pub remote: Endpoint<'a>,
    #[serde(borrow)]
    pub owner: Owner<'a>,
    #[serde(borrow)]
    pub attribution: Attribution<'a>,
    pub loss: Loss,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint<'a> {
    pub ip: &'a str,
    pub port: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Owner<'a> {
    pub kind: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Attribution<'a> {
    pub confidence: &'a str,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Loss {
    pub by: Vec<Lost>,
}

#[derive(Debug, Deserialize)]
pub struct Lost {
    pub count: u64,
}
