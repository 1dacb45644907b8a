//! The document: every field in the order it is written, and of those that are read what
//! they are read as. Parts that many documents share are text: they are written once, and
//! read when they turn out to be new.

use std::{fmt, marker::PhantomData, net::IpAddr};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    super::fit::Cut,
    ends::End,
    network::{Network, SocketFields},
};
use crate::event::{NameSource, Own, OwnFields, Side, Surface, Text};

/// A document. What is of no use to whoever reads an event again is passed over.
#[derive(Serialize, Deserialize)]
pub struct Document<'a> {
    #[serde(rename = "@timestamp", borrow)]
    pub timestamp: Text<'a>,
    #[serde(borrow, default)]
    pub message: Text<'a>,
    #[serde(skip_deserializing)]
    pub ecs: Option<&'a RawValue>,
    #[serde(skip_deserializing)]
    pub data_stream: DataStream,
    #[serde(borrow)]
    pub event: EventFields<'a>,
    pub agent: Option<&'a RawValue>,
    pub host: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub user: Option<User<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub orchestrator: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub network: Option<Network<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub client: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub destination: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub server: Option<End>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threat: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Related::is_empty", skip_deserializing)]
    pub related: Related,
    #[serde(borrow)]
    pub hostnet: Hostnet<'a>,
}

#[derive(Default, Serialize)]
pub struct DataStream {
    pub r#type: &'static str,
    pub dataset: &'static str,
    pub namespace: &'static str,
}

#[derive(Serialize, Deserialize)]
pub struct EventFields<'a> {
    pub id: Uuid,
    #[serde(default)]
    pub sequence: u64,
    #[serde(skip_deserializing)]
    pub kind: &'static str,
    #[serde(borrow)]
    pub module: Option<Text<'a>>,
    #[serde(skip_deserializing)]
    pub dataset: &'static str,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub provider: Option<Text<'a>>,
    #[serde(skip_deserializing)]
    pub category: [&'static str; 1],
    #[serde(skip_deserializing)]
    pub r#type: &'static [&'static str],
    #[serde(borrow)]
    pub action: Text<'a>,
    #[serde(borrow)]
    pub outcome: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub severity: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub reason: Option<Text<'a>>,
    #[serde(borrow)]
    pub created: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub start: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub end: Option<Text<'a>>,
}

#[derive(Serialize, Deserialize)]
pub struct User<'a> {
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none", borrow)]
    pub name: Option<Text<'a>>,
}

#[derive(Default, Serialize)]
pub struct Related {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ip: Vec<IpAddr>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub user: Vec<String>,
}

impl Related {
    const fn is_empty(&self) -> bool {
        self.ip.is_empty() && self.user.is_empty()
    }
}

/// A text that is borrowed where JSON has no escape in it.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Word<'a>(#[serde(borrow)] pub Text<'a>);

/// `hostnet.user`: what ECS has no field for.
#[derive(Serialize, Deserialize)]
pub struct OwnUser {
    pub name_source: Option<NameSource>,
}

#[derive(Serialize, Deserialize)]
pub struct SurfaceFields {
    pub target: Option<Surface>,
}

#[derive(Serialize, Deserialize)]
pub struct Time {
    pub boot_ns: u64,
}

/// An object of which a kind's own fields are a part: what is read and is no other field.
macro_rules! with_own_fields {
    ($(#[$about:meta])* $name:ident<$life:lifetime> {
        $($field:ident: $type:ty,)* ..own, $($last:ident: $of_last:ty,)*
    }) => {
        $(#[$about])*
        #[derive(Default, Serialize)]
        pub struct $name<$life> {
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $field: Option<$type>,)*
            #[serde(flatten)]
            pub own: Own<$life>,
            /// Fields that are not whole.
            #[serde(skip_serializing_if = "Option::is_none")]
            pub truncated: Option<&$life Cut>,
            $(#[serde(skip_serializing_if = "Option::is_none")] pub $last: Option<$of_last>,)*
        }

        impl<'de: $life, $life> Visitor<'de> for Fields<$name<$life>> {
            type Value = $name<$life>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<$name<$life>, A::Error> {
                let mut read = $name::default();
                let mut own = OwnFields::default();
                while let Some(Word(name)) = map.next_key()? {
                    match &*name {
                        $(stringify!($field) if read.$field.is_none() => {
                            read.$field = map.next_value()?;
                        })*
                        $(stringify!($last) if read.$last.is_none() => {
                            read.$last = map.next_value()?;
                        })*
                        $(stringify!($field) => {
                            return Err(A::Error::duplicate_field(stringify!($field)));
                        })*
                        $(stringify!($last) => {
                            return Err(A::Error::duplicate_field(stringify!($last)));
                        })*
                        _ => own.push(name, map.next_value()?),
                    }
                }
                read.own = Own::Unread(own);
                Ok(read)
            }
        }

        impl<'de: $life, $life> Deserialize<'de> for $name<$life> {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_map(Fields::<Self>(PhantomData))
            }
        }
    };
}

/// Takes the fields of an object.
struct Fields<T>(PhantomData<T>);

with_own_fields! {
    /// What ECS has no field for.
    Hostnet<'a> {
        operation: Word<'a>,
        amends: Uuid,
        local: Side,
        remote: Side,
        socket: SocketFields<'a>,
        netns: &'a RawValue,
        owner: &'a RawValue,
        attribution: &'a RawValue,
        creator: &'a RawValue,
        creator_container: &'a RawValue,
        container: &'a RawValue,
        compose: &'a RawValue,
        process: &'a RawValue,
        user: OwnUser,
        peer: &'a RawValue,
        surface: SurfaceFields,
        ..own,
        time: Time,
    }
}
