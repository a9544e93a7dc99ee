//! Properties of the three ways values cross the VM's border: JSON out, JSON in, snapshots.

use mlua::{Lua, Table, Value};
use proptest::prelude::*;
use serde_json::json;

use crate::decode::decode;
use crate::json::{JsonError, Shape, encode};
use crate::snapshot::{self, Seen, SnapshotError};

const SHAPE: Shape = Shape {
    limit: 1 << 20,
    empty_object: false,
};

/// A Lua value as a test describes it.
#[derive(Clone, Debug)]
enum Tree {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Vec<u8>),
    Function,
    List(Vec<Tree>),
    Map(Vec<(Key, Tree)>),
}

#[derive(Clone, Debug, PartialEq)]
enum Key {
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Int),
        (0i64..200).prop_map(Tree::Int),
        any::<f64>().prop_map(Tree::Float),
        (-50i32..50).prop_map(|n| Tree::Float(n.into())),
        prop::sample::select(vec![f64::NAN, f64::INFINITY, -0.0, 1e300, 5e-324])
            .prop_map(Tree::Float),
        ".{0,12}".prop_map(|s| Tree::Text(s.into_bytes())),
        prop::collection::vec(any::<u8>(), 0..100).prop_map(Tree::Text),
        Just(Tree::Function),
    ];
    let key = prop_oneof![
        4 => "[a-z]{0,3}".prop_map(Key::Text),
        1 => ".{0,6}".prop_map(Key::Text),
        1 => (-3i64..6).prop_map(Key::Int),
        1 => any::<i64>().prop_map(Key::Int),
        1 => (0i32..4).prop_map(|n| Key::Float(f64::from(n) + 0.5)),
        1 => any::<bool>().prop_map(Key::Bool),
    ];
    leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Tree::List),
            prop::collection::vec((key.clone(), inner), 0..8).prop_map(Tree::Map),
        ]
    })
}

impl Tree {
    fn to_lua(&self, lua: &Lua) -> Value {
        match self {
            Self::Bool(b) => Value::Boolean(*b),
            Self::Int(i) => Value::Integer(*i),
            Self::Float(n) => Value::Number(*n),
            Self::Text(t) => Value::String(lua.create_string(t).unwrap()),
            Self::Function => lua.globals().get("print").unwrap(),
            Self::List(list) => {
                let table = lua.create_table().unwrap();
                for (i, item) in list.iter().enumerate() {
                    table.raw_set(i + 1, item.to_lua(lua)).unwrap();
                }
                Value::Table(table)
            }
            Self::Map(map) => {
                let table = lua.create_table().unwrap();
                for (key, value) in map {
                    table.raw_set(key.to_lua(lua), value.to_lua(lua)).unwrap();
                }
                Value::Table(table)
            }
        }
    }

    /// The JSON this should become, arrived at by another way.
    fn to_json(&self, top: bool) -> serde_json::Value {
        match self {
            Self::Bool(b) => json!(b),
            Self::Int(i) => json!(i),
            Self::Float(n) => json!(n),
            Self::Text(t) => json!(String::from_utf8_lossy(t)),
            Self::Function => json!(null),
            Self::List(list) if list.is_empty() && top => json!({}),
            Self::List(list) => list.iter().map(|t| t.to_json(false)).collect(),
            Self::Map(map) => map_to_json(map, top),
        }
    }
}

fn map_to_json(map: &[(Key, Tree)], top: bool) -> serde_json::Value {
    // Later entries replace earlier ones of the same key.
    let mut unique: Vec<(&Key, &Tree)> = Vec::new();
    for (key, tree) in map {
        match unique.iter_mut().find(|(k, _)| *k == key) {
            Some(entry) => entry.1 = tree,
            None => unique.push((key, tree)),
        }
    }
    if unique.is_empty() {
        return if top { json!({}) } else { json!([]) };
    }
    let mut numbered: Vec<(i64, &Tree)> = unique
        .iter()
        .filter(|(k, _)| matches!(k, Key::Int(_)))
        .map(|(k, t)| (k.int(), *t))
        .collect();
    numbered.sort_by_key(|(i, _)| *i);
    let is_list =
        numbered.len() == unique.len() && numbered.iter().zip(1..).all(|((i, _), n)| *i == n);
    if is_list {
        return numbered.iter().map(|(_, t)| t.to_json(false)).collect();
    }
    let object = unique
        .iter()
        .map(|(k, t)| (k.text(), t.to_json(false)))
        .collect();
    serde_json::Value::Object(object)
}

impl Key {
    fn to_lua(&self, lua: &Lua) -> Value {
        match self {
            Self::Bool(b) => Value::Boolean(*b),
            Self::Int(i) => Value::Integer(*i),
            Self::Float(n) => Value::Number(*n),
            Self::Text(t) => Value::String(lua.create_string(t).unwrap()),
        }
    }

    fn int(&self) -> i64 {
        if let Self::Int(i) = self { *i } else { 0 }
    }

    fn text(&self) -> String {
        match self {
            Self::Bool(b) => b.to_string(),
            Self::Int(i) => i.to_string(),
            Self::Float(n) => n.to_string(),
            Self::Text(t) => t.clone(),
        }
    }
}

/// Equality, up to the last digit that serde_json's reading of floats leaves open.
fn alike(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value as Json;
    match (a, b) {
        (Json::Number(a), Json::Number(b)) if a.is_f64() && b.is_f64() => {
            let (a, b) = (a.as_f64().unwrap(), b.as_f64().unwrap());
            a == b || (a - b).abs() <= 1e-15 * a.abs() + 1e-300
        }
        (Json::Array(a), Json::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| alike(a, b))
        }
        (Json::Object(a), Json::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, a)| b.get(k).is_some_and(|b| alike(a, b)))
        }
        _ => a == b,
    }
}

fn to_json(lua: &Lua, value: &Value, shape: Shape) -> Result<serde_json::Value, JsonError> {
    let mut out = b"before".to_vec();
    let result = encode(lua, value, shape, &mut out);
    assert!(out.starts_with(b"before"));
    if result.is_err() {
        assert_eq!(out, b"before", "an error leaves nothing behind");
    }
    result?;
    Ok(serde_json::from_slice(&out[6..]).expect("valid JSON"))
}

/// Whether two Lua values are the same: kinds of numbers and of keys included.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan())
        }
        (Value::Table(a), Value::Table(b)) => {
            let count = |t: &Table| t.pairs::<Value, Value>().count();
            count(a) == count(b)
                && a.pairs::<Value, Value>().all(|pair| {
                    let (key, value) = pair.unwrap();
                    same(&value, &b.raw_get(key).unwrap())
                })
        }
        (Value::Integer(a), Value::Integer(b)) => a == b,
        (Value::Table(_) | Value::Number(_) | Value::Integer(_), _) => false,
        _ => a == b,
    }
}

fn snapshot_bytes(lua: &Lua, value: &Value, anchors: Option<&Table>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    snapshot::encode(lua, value, anchors, 1 << 20, &mut Seen::default(), &mut out).unwrap();
    out.split_off(6)
}

proptest! {
    #[test]
    fn json_is_what_the_rules_say(tree in tree()) {
        let lua = Lua::new();
        let value = tree.to_lua(&lua);
        let (got, expected) = (to_json(&lua, &value, SHAPE).unwrap(), tree.to_json(true));
        prop_assert!(alike(&got, &expected), "{} is not {}", got, expected);
    }

    #[test]
    fn json_over_the_limit_is_an_error(tree in tree(), limit in 0usize..200) {
        let lua = Lua::new();
        let value = tree.to_lua(&lua);
        let mut whole = Vec::new();
        encode(&lua, &value, SHAPE, &mut whole).unwrap();
        let limited = to_json(&lua, &value, Shape { limit, ..SHAPE });
        prop_assert_eq!(limited.is_ok(), whole.len() <= limit);
    }

    #[test]
    fn json_survives_the_round_trip(tree in tree()) {
        let lua = Lua::new();
        let mut text = Vec::new();
        encode(&lua, tree.to_lua(&lua), SHAPE, &mut text).unwrap();
        let value = decode(&lua, &text, &mut Vec::new()).unwrap();
        let mut again = Vec::new();
        encode(&lua, &value, SHAPE, &mut again).unwrap();
        // What is absent after decoding: values that were null.
        let strip = |text: &[u8]| without_nulls(serde_json::from_slice(text).unwrap());
        if let (Some(a), Some(b)) = (strip(&text), strip(&again)) {
            prop_assert!(alike(&a, &b), "{} is not {}", a, b);
        }
    }

    #[test]
    fn decoding_noise_is_an_error(text in prop::collection::vec(any::<u8>(), 0..60)) {
        let lua = Lua::new();
        let ours = decode(&lua, &text, &mut Vec::new()).is_ok();
        prop_assert_eq!(ours, serde_json::from_slice::<serde_json::Value>(&text).is_ok());
    }

    #[test]
    fn snapshots_survive_the_round_trip(tree in tree()) {
        let lua = Lua::new();
        let value = tree.to_lua(&lua);
        let anchors = lua.create_table().unwrap();
        let bytes = snapshot_bytes(&lua, &value, Some(&anchors));
        prop_assert!(same(&value, &snapshot::decode(&lua, &bytes, Some(&anchors)).unwrap()));
        // Without anchors, all but the functions.
        let bytes = snapshot_bytes(&lua, &value, None);
        let first = snapshot::decode(&lua, &bytes, None).unwrap();
        let again = snapshot_bytes(&lua, &first, None);
        prop_assert!(same(&first, &snapshot::decode(&lua, &again, None).unwrap()));
    }

    #[test]
    fn truncated_and_foreign_snapshots_are_errors(tree in tree(), cut in any::<prop::sample::Index>()) {
        let lua = Lua::new();
        let bytes = snapshot_bytes(&lua, &tree.to_lua(&lua), None);
        let cut = &bytes[..cut.index(bytes.len())];
        prop_assert!(snapshot::decode(&lua, cut, None).is_err());
        let longer = [&bytes[..], b"x"].concat();
        prop_assert!(snapshot::decode(&lua, &longer, None).is_err());
    }

    #[test]
    fn damaged_snapshots_do_no_harm(
        tree in tree(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let lua = Lua::new();
        let mut bytes = snapshot_bytes(&lua, &tree.to_lua(&lua), None);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let anchors = lua.create_table().unwrap();
        let _ = snapshot::decode(&lua, &bytes, None);
        let _ = snapshot::decode(&lua, &bytes, Some(&anchors));
    }

    #[test]
    fn noise_is_no_snapshot(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = snapshot::decode(&Lua::new(), &bytes, None);
    }
}

/// `None` when nulls in lists make the two sides differ by right.
fn without_nulls(value: serde_json::Value) -> Option<serde_json::Value> {
    use serde_json::Value as Json;
    Some(match value {
        Json::Null => return None,
        Json::Array(list) => {
            Json::Array(list.into_iter().map(without_nulls).collect::<Option<_>>()?)
        }
        Json::Object(map) => {
            let map: serde_json::Map<_, _> = map
                .into_iter()
                .map(|(k, v)| without_nulls(v).map(|v| (k, v)))
                .collect::<Option<_>>()?;
            if map.is_empty() {
                Json::Array(Vec::new())
            } else {
                Json::Object(map)
            }
        }
        other => other,
    })
}

fn eval(lua: &Lua, code: &str) -> Value {
    lua.load(code).eval().unwrap()
}

#[track_caller]
fn becomes(code: &str, expected: &str) {
    let lua = Lua::new();
    let mut out = Vec::new();
    encode(&lua, eval(&lua, code), SHAPE, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn examples_of_json() {
    becomes("{}", "{}");
    becomes("{{}}", "[[]]");
    becomes("{1, 2.0, 0.5, 'a'}", r#"[1,2.0,0.5,"a"]"#);
    becomes("{[1] = 1, [3] = 3}", r#"{"1":1,"3":3}"#);
    becomes("{10, nil, 30}", r#"{"1":10,"3":30}"#);
    becomes("{[2] = 'b', [1] = 'a'}", r#"["a","b"]"#);
    becomes("{[0] = 1}", r#"{"0":1}"#);
    becomes("{[1.5] = 1}", r#"{"1.5":1}"#);
    becomes("{[{}] = 1}", "{}");
    becomes("{0/0, 1/0, -1/0}", "[null,null,null]");
    becomes(
        "{print, coroutine.create(print), io.stdout}",
        "[null,null,null]",
    );
    becomes(r#"{'\n"\\\t\1\127'}"#, "[\"\\n\\\"\\\\\\t\\u0001\u{7f}\"]");
    becomes(r#"{'\xff\xc3\xa4\xc3'}"#, "[\"\u{fffd}ä\u{fffd}\"]");
    becomes("'text'", "\"text\"");
    becomes("setmetatable({a = 1}, {__index = {b = 2}})", r#"{"a":1}"#);
}

#[test]
fn a_cycle_ends_at_the_depth_cap() {
    let lua = Lua::new();
    let value = eval(&lua, "local t = {} t.t = t return t");
    let json = to_json(&lua, &value, SHAPE).unwrap();
    let mut depth = 0;
    let mut at = &json;
    while let Some(next) = at.get("t") {
        depth += 1;
        at = next;
    }
    assert_eq!((depth, at), (65, &json!("too_deep")));
}

#[test]
fn a_cycle_that_branches_ends_at_the_output_limit() {
    let lua = Lua::new();
    let value = eval(&lua, "local t = {} t[1] = t t[2] = t return t");
    let start = std::time::Instant::now();
    assert!(matches!(
        to_json(&lua, &value, SHAPE),
        Err(JsonError::TooLarge(_))
    ));
    assert!(start.elapsed().as_secs() < 2);
}

#[test]
fn a_huge_string_is_refused_without_a_copy() {
    let lua = Lua::new();
    let value = eval(&lua, "return { string.rep('x', 2000000) }");
    assert!(matches!(
        to_json(&lua, &value, SHAPE),
        Err(JsonError::TooLarge(_))
    ));
}

#[test]
fn examples_of_decoding() {
    let lua = Lua::new();
    let check = |text: &str, code: &str| {
        let value = decode(&lua, text.as_bytes(), &mut Vec::new()).unwrap();
        let test: mlua::Function = lua
            .load(format!("local v = ... return {code}"))
            .into_function()
            .unwrap();
        assert!(test.call::<bool>(value).unwrap(), "{text}: {code}");
    };
    check(
        r#"{"a":1,"b":2.0,"c":null,"d":[1,null,3]}"#,
        "v.a == 1 and math.type(v.b) == 'float' and v.c == nil and v.d[3] == 3",
    );
    check(
        "9223372036854775807",
        "v == math.maxinteger and math.type(v) == 'integer'",
    );
    check(
        "9223372036854775808",
        "v == 2^63 and math.type(v) == 'float'",
    );
    check(
        "-123456789012345678901234567890",
        "math.type(v) == 'float' and v < -1e29",
    );
    check(r#""\u00e4\ud83d\ude00""#, "v == 'ä😀'");
    check(r#"{"a":1,"a":2}"#, "v.a == 2");
    check("[]", "next(v) == nil");
}

#[test]
fn decoding_is_capped_at_sixty_four_levels() {
    let lua = Lua::new();
    let nested = |depth: usize| [b"[".repeat(depth), b"]".repeat(depth)].concat();
    assert!(decode(&lua, &nested(64), &mut Vec::new()).is_ok());
    assert!(decode(&lua, &nested(65), &mut Vec::new()).is_err());
    assert!(decode(&lua, &nested(100_000), &mut Vec::new()).is_err());
}

#[test]
fn snapshots_keep_identity_and_cycles() {
    let lua = Lua::new();
    let value = eval(
        &lua,
        "local p = { x = 1 } local t = { a = p, b = { p, p } } t.self = t t.b.up = t return t",
    );
    let bytes = snapshot_bytes(&lua, &value, None);
    let copy = snapshot::decode(&lua, &bytes, None).unwrap();
    let test: mlua::Function = lua
        .load("local t = ... return t.a == t.b[1] and t.a == t.b[2] and t.self == t and t.b.up == t and t.a.x == 1")
        .into_function()
        .unwrap();
    assert!(test.call::<bool>(copy).unwrap());
}

#[test]
fn a_snapshot_has_limits() {
    let lua = Lua::new();
    let encode = |code: &str, limit: usize| {
        let value = eval(&lua, code);
        snapshot::encode(
            &lua,
            value,
            None,
            limit,
            &mut Seen::default(),
            &mut Vec::new(),
        )
    };
    let long = "return { string.rep('x', 1000) }";
    assert!(matches!(
        encode(long, 900),
        Err(SnapshotError::TooLarge(900))
    ));
    assert!(encode(long, 1100).is_ok());
    let deep = |n: usize| format!("local t = {{}} for i = 1, {n} do t = {{ t }} end return t");
    assert!(matches!(
        encode(&deep(1000), 1 << 20),
        Err(SnapshotError::TooDeep)
    ));
    assert!(encode(&deep(300), 1 << 20).is_ok());
}
