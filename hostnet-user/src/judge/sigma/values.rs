//! What a rule compares a field with, so that it matches what the field holds: YAML has
//! numbers, texts and truth values, and so have events, and the crate that judges takes
//! none for another. What can never match is refused with the reason. Pure.

use std::net::IpAddr;

use serde_norway::Value;

use crate::format::fields::Kind;

/// How a rule compares: the modifiers that matter to the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the whole value.
    Equal,
    /// By a part of it: contains, startswith, endswith, and what is done to texts first.
    Part,
    /// By size.
    Size(Size),
    /// By a network.
    Network,
    /// By a regular expression.
    Regex,
    /// Whether there is one.
    Exists,
    /// By another field of the same event.
    Field,
}

/// Which sizes match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Less,
    LessOrEqual,
    More,
    MoreOrEqual,
}

impl Way {
    pub fn of(modifiers: &[String]) -> Self {
        let has = |one: &str| modifiers.iter().any(|modifier| modifier == one);
        let of_parts = ["contains", "startswith", "endswith", "base64", "base64offset", "windash"];
        match () {
            () if has("exists") => Self::Exists,
            () if has("fieldref") => Self::Field,
            () if has("re") => Self::Regex,
            () if has("cidr") => Self::Network,
            () if has("lt") => Self::Size(Size::Less),
            () if has("lte") => Self::Size(Size::LessOrEqual),
            () if has("gt") => Self::Size(Size::More),
            () if has("gte") => Self::Size(Size::MoreOrEqual),
            () if of_parts.iter().any(|one| has(one)) => Self::Part,
            () => Self::Equal,
        }
    }
}

/// The value that matches what a field of this kind holds, or why none can. What is not
/// known to be wrong is left for the crate to say.
pub fn prepared(name: &str, kind: Kind, way: Way, value: &Value) -> Result<Value, String> {
    match way {
        Way::Exists => Ok(flag(value).map_or_else(|| value.clone(), Value::Bool)),
        Way::Field => Ok(value.clone()),
        Way::Regex | Way::Part => Ok(text(value).map_or_else(|| value.clone(), Value::String)),
        Way::Network => match kind {
            Kind::Number | Kind::Flag | Kind::Word(_) => {
                Err(format!("`{name}` holds {}: |cidr compares addresses", holds(kind)))
            }
            Kind::Text | Kind::Ip | Kind::Texts | Kind::Objects | Kind::Free => Ok(value.clone()),
        },
        Way::Size(size) => match kind {
            Kind::Number | Kind::Free => sized(name, size, value),
            Kind::Text | Kind::Word(_) | Kind::Flag | Kind::Ip | Kind::Texts | Kind::Objects => {
                Err(format!(
                    "`{name}` holds {}: |lt, |lte, |gt and |gte compare numbers",
                    holds(kind)
                ))
            }
        },
        Way::Equal => equal(name, kind, value),
    }
}

/// Whether two fields can be equal, else why they cannot.
pub fn comparable(name: &str, kind: Kind, other: &str, other_kind: Kind) -> Result<(), String> {
    let class = |kind| match kind {
        Kind::Number => Some(0),
        Kind::Flag => Some(1),
        Kind::Text | Kind::Word(_) | Kind::Ip => Some(2),
        Kind::Texts | Kind::Objects | Kind::Free => None,
    };
    match (class(kind), class(other_kind)) {
        (Some(one), Some(two)) if one != two => Err(format!(
            "`{name}` holds {} and `{other}` {}: they never match",
            holds(kind),
            holds(other_kind)
        )),
        _ => Ok(()),
    }
}

fn equal(name: &str, kind: Kind, value: &Value) -> Result<Value, String> {
    let never = |shown: &str| format!("`{name}` holds {}: {shown} never matches", holds(kind));
    let Some(given) = text(value) else { return Ok(value.clone()) };
    if value.is_string() && given.contains(['*', '?']) {
        return Ok(value.clone());
    }
    let shown = if value.is_string() { format!("the text `{given}`") } else { given.clone() };
    match kind {
        Kind::Number => match whole(value) {
            Some(number) if number >= 0 => Ok(Value::String(number.to_string())),
            _ => Err(never(&shown)),
        },
        Kind::Flag => match flag(value) {
            Some(flag) => Ok(Value::String(flag.to_string())),
            None => Err(never(&shown)),
        },
        Kind::Ip => match given.parse::<IpAddr>() {
            Ok(address) => Ok(Value::String(address.to_canonical().to_string())),
            Err(_) if given.contains('/') => {
                Err(format!("`{name}` holds one address: compare it with {given} by |cidr"))
            }
            Err(_) => Err(never(&shown)),
        },
        Kind::Text | Kind::Word(_) | Kind::Texts | Kind::Objects | Kind::Free => {
            if matches!(value, Value::Number(number) if number.is_f64()) {
                return Err(format!(
                    "YAML takes {given} for a number and may write it differently: put it in quotes"
                ));
            }
            Ok(Value::String(given))
        }
    }
}

/// A bound. Between two whole numbers there is none, so that of a fraction is the next.
fn sized(name: &str, size: Size, value: &Value) -> Result<Value, String> {
    let number = match (whole(value), fraction(value)) {
        (Some(number), _) => number,
        (None, Some(fraction)) => match size {
            Size::Less | Size::MoreOrEqual => fraction.ceil() as i128,
            Size::LessOrEqual | Size::More => fraction.floor() as i128,
        },
        (None, None) => {
            let given = text(value).unwrap_or_default();
            return Err(format!("`{given}` is no number: `{name}` is compared with one by size"));
        }
    };
    let number = i64::try_from(number)
        .map_err(|_| format!("{number} is more than is compared by size: at most {}", i64::MAX))?;
    Ok(Value::Number(number.into()))
}

/// A whole number, written as a number or as text.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => {
            let whole = number.as_i64().map(i128::from).or(number.as_u64().map(i128::from));
            whole.or_else(|| fraction(value).filter(|it| it.fract() == 0.0).map(|it| it as i128))
        }
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// Any number that is no more than a whole one could be.
fn fraction(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.abs() < 1e18)
}

/// True or false, in the words that YAML has had for them.
fn flag(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) => match &*text.trim().to_ascii_lowercase() {
            "true" | "yes" | "on" => Some(true),
            "false" | "no" | "off" => Some(false),
            _ => None,
        },
        _ => None,
    }
}

/// A scalar as text: what it is compared with is text, too.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

const fn holds(kind: Kind) -> &'static str {
    match kind {
        Kind::Text | Kind::Texts => "text",
        Kind::Word(_) => "one of a few words",
        Kind::Number => "a whole number",
        Kind::Flag => "true or false",
        Kind::Ip => "an address",
        Kind::Objects | Kind::Free => "objects",
    }
}
