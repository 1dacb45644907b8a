//! An event taken apart as it is: a typed document's fields, without its being written first.
//! What the encoder has as text already is walked through like a line.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, Impossible, SerializeMap, SerializeSeq, SerializeStruct, SerializeTuple},
};
use serde_json::Error;

use super::{
    document::{Field, Look, Parts, Walk, text},
    tree::{ROOT, Tree},
};
use crate::text::json;

/// What a name and its punctuation take at most beside the name itself.
const PUNCTUATION: usize = 6;

/// Where the pieces are put.
pub struct Pieces<'p> {
    pub look: Look,
    pub names: &'p mut Tree<Field>,
    pub parts: &'p mut Parts,
    /// The values' texts, one after the other.
    pub text: &'p mut Vec<u8>,
    /// Not less than what the document takes when it is written.
    pub length: usize,
}

impl Pieces<'_> {
    /// Takes a document apart.
    ///
    /// # Errors
    /// When it has a name that is not ours, or a kind of value that documents do not have.
    pub fn take(&mut self, document: &impl Serialize) -> Result<(), Error> {
        document.serialize(Value { pieces: self, id: ROOT, is_json: false })?;
        self.length += self.text.len();
        Ok(())
    }

    fn write(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        json::write(self.text, &value)
    }

    /// What was written from `start` on is a value.
    fn end(&mut self, id: usize, start: usize) {
        self.parts.push(id, start, self.text.len());
    }

    /// JSON that the encoder has written before.
    fn walk(&mut self, id: usize, json: &str) {
        let start = self.text.len();
        self.text.extend_from_slice(json.as_bytes());
        Walk::new(self.look, self.names, self.parts, json, start).value(id);
    }
}

/// The value of a name.
struct Value<'v, 'p> {
    pieces: &'v mut Pieces<'p>,
    id: usize,
    /// It is JSON that is in a text.
    is_json: bool,
}

impl<'v, 'p> Value<'v, 'p> {
    fn leaf(self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let start = self.pieces.text.len();
        self.pieces.write(value)?;
        self.pieces.end(self.id, start);
        Ok(())
    }

    fn list(self) -> Composite<'v, 'p> {
        self.composite(Shape::List)
    }

    fn object(self) -> Composite<'v, 'p> {
        let is_whole = self.pieces.names.node(self.id).about.is_whole;
        if !is_whole && self.id != ROOT {
            self.pieces.parts.push_object(self.id);
        }
        self.composite(if is_whole { Shape::Whole } else { Shape::Fields })
    }

    fn composite(self, shape: Shape) -> Composite<'v, 'p> {
        let Self { pieces, id, .. } = self;
        let start = pieces.text.len();
        match shape {
            Shape::List => pieces.text.push(b'['),
            Shape::Whole => pieces.text.push(b'{'),
            Shape::Fields | Shape::Json => {}
        }
        Composite { pieces, id, shape, start, previous: None, key: String::new(), is_empty: true }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// A list, one value.
    List,
    /// An object that is one value.
    Whole,
    /// An object with fields of their own.
    Fields,
    /// What serde_json makes of text that is JSON.
    Json,
}

/// A list or an object on its way.
struct Composite<'v, 'p> {
    pieces: &'v mut Pieces<'p>,
    id: usize,
    shape: Shape,
    start: usize,
    /// The field before.
    previous: Option<usize>,
    key: String,
    is_empty: bool,
}

impl Composite<'_, '_> {
    fn separate(&mut self) {
        if !std::mem::take(&mut self.is_empty) {
            self.pieces.text.push(b',');
        }
    }

    fn item(&mut self, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        self.separate();
        self.pieces.write(value)
    }

    fn field(&mut self, name: &str, value: &(impl Serialize + ?Sized)) -> Result<(), Error> {
        let Self { pieces, id, .. } = self;
        match self.shape {
            Shape::Json => value.serialize(Value { pieces, id: *id, is_json: true }),
            Shape::List | Shape::Whole => {
                self.separate();
                self.pieces.write(name)?;
                self.pieces.text.push(b':');
                self.pieces.write(value)
            }
            Shape::Fields => {
                self.is_empty = false;
                let child = pieces.names.child(*id, self.previous, name, pieces.look);
                let child = child.ok_or_else(|| Error::custom("a name that is not ours"))?;
                self.previous = Some(child);
                pieces.length += name.len() + PUNCTUATION;
                value.serialize(Value { pieces, id: child, is_json: false })
            }
        }
    }

    fn close(self) {
        let Self { pieces, id, shape, start, is_empty, .. } = self;
        match shape {
            Shape::Json => return,
            Shape::Fields if !is_empty => return,
            Shape::Fields => pieces.text.extend_from_slice(b"{}"),
            Shape::List => pieces.text.push(b']'),
            Shape::Whole => pieces.text.push(b'}'),
        }
        pieces.end(id, start);
    }
}

macro_rules! leaves {
    ($($name:ident: $type:ty,)+) => {
        $(fn $name(self, value: $type) -> Result<(), Error> { self.leaf(&value) })+
    };
}

impl<'v, 'p> Serializer for Value<'v, 'p> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Composite<'v, 'p>;
    type SerializeTuple = Composite<'v, 'p>;
    type SerializeTupleStruct = Impossible<(), Error>;
    type SerializeTupleVariant = Impossible<(), Error>;
    type SerializeMap = Composite<'v, 'p>;
    type SerializeStruct = Composite<'v, 'p>;
    type SerializeStructVariant = Impossible<(), Error>;

    leaves! {
        serialize_bool: bool,
        serialize_i8: i8,
        serialize_i16: i16,
        serialize_i32: i32,
        serialize_i64: i64,
        serialize_u8: u8,
        serialize_u16: u16,
        serialize_u32: u32,
        serialize_u64: u64,
        serialize_f32: f32,
        serialize_f64: f64,
        serialize_char: char,
        serialize_bytes: &[u8],
    }

    fn serialize_str(self, value: &str) -> Result<(), Error> {
        if self.is_json {
            self.pieces.walk(self.id, value);
            return Ok(());
        }
        self.leaf(value)
    }

    fn serialize_none(self) -> Result<(), Error> {
        self.leaf(&())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), Error> {
        self.leaf(&())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), Error> {
        self.leaf(&())
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), Error> {
        self.leaf(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Error> {
        Err(Error::custom(name))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Composite<'v, 'p>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple(self, _: usize) -> Result<Composite<'v, 'p>, Error> {
        Ok(self.list())
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Error>, Error> {
        Err(Error::custom(name))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Error>, Error> {
        Err(Error::custom(name))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Composite<'v, 'p>, Error> {
        Ok(self.object())
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Composite<'v, 'p>, Error> {
        // So serde_json calls a `RawValue`.
        Ok(if name.starts_with('$') { self.composite(Shape::Json) } else { self.object() })
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Impossible<(), Error>, Error> {
        Err(Error::custom(name))
    }
}

/// What lists of any length and of a known one have.
macro_rules! items {
    ($($of:ident)+) => {
        $(impl $of for Composite<'_, '_> {
            type Ok = ();
            type Error = Error;

            fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.item(value)
            }

            fn end(self) -> Result<(), Error> {
                self.close();
                Ok(())
            }
        })+
    };
}

items! { SerializeSeq SerializeTuple }

impl SerializeMap for Composite<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let start = self.pieces.text.len();
        self.pieces.write(key)?;
        let key = str::from_utf8(&self.pieces.text[start..]).ok().and_then(text);
        self.key.clear();
        self.key.push_str(&key.ok_or_else(|| Error::custom("a name is no text"))?);
        self.pieces.text.truncate(start);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.field(&key, value)?;
        self.key = key;
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}

impl SerializeStruct for Composite<'_, '_> {
    type Ok = ();
    type Error = Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), Error> {
        self.field(name, value)
    }

    fn end(self) -> Result<(), Error> {
        self.close();
        Ok(())
    }
}
