//! From JSON text to a Lua value.
//!
//! serde_json parses straight into the compact form of [`crate::snapshot`], with no tree in
//! between, and that is then read into the VM in one protected call. Integers beyond 64 bits
//! become floats; `null` is an absent value; objects and arrays nest at most 64 deep.

use std::fmt;

use mlua::{Lua, Value};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::json::MAX_DEPTH;
use crate::snapshot::{self, SnapshotError};

/// Why a JSON text has no Lua value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DecodeError {
    #[error("not valid JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Lua(#[from] SnapshotError),
}

/// Decodes `text`. `scratch` is memory to be reused.
pub(crate) fn decode(lua: &Lua, text: &[u8], scratch: &mut Vec<u8>) -> Result<Value, DecodeError> {
    scratch.clear();
    let mut json = serde_json::Deserializer::from_slice(text);
    Node {
        out: scratch,
        depth: 0,
    }
    .deserialize(&mut json)?;
    json.end()?;
    Ok(snapshot::decode(lua, scratch, None)?)
}

struct Node<'a> {
    out: &'a mut Vec<u8>,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        snapshot::put_nil(self.out);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        snapshot::put_bool(self.out, value);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        snapshot::put_int(self.out, value);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => snapshot::put_int(self.out, value),
            Err(_) => snapshot::put_float(self.out, value as f64),
        }
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        snapshot::put_float(self.out, value);
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        snapshot::put_string(self.out, value.as_bytes());
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let counts = snapshot::begin_table(self.out);
        let mut elements = 0;
        while seq
            .next_element_seed(Node {
                out: self.out,
                depth,
            })?
            .is_some()
        {
            elements += 1;
        }
        snapshot::end_table(self.out, counts, elements, 0);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let counts = snapshot::begin_table(self.out);
        let mut pairs = 0;
        while map
            .next_key_seed(Node {
                out: self.out,
                depth,
            })?
            .is_some()
        {
            map.next_value_seed(Node {
                out: self.out,
                depth,
            })?;
            pairs += 1;
        }
        snapshot::end_table(self.out, counts, 0, pairs);
        Ok(())
    }
}

fn deeper<E: Error>(depth: usize) -> Result<usize, E> {
    if depth < MAX_DEPTH {
        Ok(depth + 1)
    } else {
        Err(E::custom("nested more than 64 deep"))
    }
}
