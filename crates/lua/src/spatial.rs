//! `game.spatial` over a table of entities the script passes in: pure functions of `x` and `y`.
//!
//! The forms without entities ask the zone around a world script, and answer an error here.

use mlua::{IntoLua, Lua, MultiValue, Table, Value};

use crate::api::error_table;

const QUERY_RADIUS: &str =
    "query_radius requires (x, y, radius) or (entities, x, y, radius[, opts])";
const NEAREST: &str = "nearest requires (entities, x, y, n[, opts])";

/// The functions.
pub(crate) fn table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    add(lua, &table, "query_radius", query_radius)?;
    add(lua, &table, "nearest", nearest)?;
    add(lua, &table, "in_range", in_range)?;
    add(lua, &table, "distance", distance)?;
    Ok(table)
}

type Answer = mlua::Result<Result<Value, &'static str>>;

fn add(
    lua: &Lua,
    table: &Table,
    name: &str,
    act: fn(&Lua, &[Value]) -> Answer,
) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let args: Vec<Value> = args.into_iter().collect();
        act(lua, &args)?.or_else(|message| error_table(lua, message))
    })?;
    table.raw_set(name, function)
}

/// An entity that was found.
struct Hit {
    id: Value,
    entity: Table,
    /// Squared.
    distance: f64,
}

#[derive(Default)]
struct Options {
    types: Option<Vec<Value>>,
    exclude: Vec<Value>,
    max_results: Option<usize>,
    sort: Option<Sort>,
}

#[derive(Clone, Copy)]
enum Sort {
    Nearest,
    Farthest,
}

impl Options {
    fn read(value: Option<&Value>) -> mlua::Result<Self> {
        let Some(Value::Table(table)) = value else {
            return Ok(Self::default());
        };
        let one_or_many = |key: &str| -> mlua::Result<Option<Vec<Value>>> {
            Ok(match table.raw_get(key)? {
                value @ Value::String(_) => Some(vec![value]),
                Value::Table(list) => Some(list.sequence_values().collect::<mlua::Result<_>>()?),
                _ => None,
            })
        };
        let sort = match table.raw_get::<Value>("sort")? {
            Value::String(s) if s == "nearest" => Some(Sort::Nearest),
            Value::String(s) if s == "farthest" => Some(Sort::Farthest),
            _ => None,
        };
        Ok(Self {
            types: one_or_many("type")?,
            exclude: one_or_many("exclude")?.unwrap_or_default(),
            max_results: number(&table.raw_get("max_results")?).map(|n| n as usize),
            sort,
        })
    }

    fn admits(&self, id: &Value, entity: &Table) -> mlua::Result<bool> {
        if self.exclude.contains(id) {
            return Ok(false);
        }
        match &self.types {
            None => Ok(true),
            Some(types) => Ok(types.contains(&entity.raw_get::<Value>("type")?)),
        }
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(i) => Some(*i as f64),
        Value::Number(n) => Some(*n),
        _ => None,
    }
}

fn position(entity: &Table) -> mlua::Result<Option<(f64, f64)>> {
    let (x, y) = (number(&entity.raw_get("x")?), number(&entity.raw_get("y")?));
    Ok(x.zip(y))
}

/// Entities within `radius` (or all) that the options admit; what has no position is passed over.
fn collect(
    entities: &Table,
    (cx, cy): (f64, f64),
    radius: f64,
    options: &Options,
) -> mlua::Result<Vec<Hit>> {
    let mut hits = Vec::new();
    let limit = radius * radius;
    for pair in entities.pairs::<Value, Value>() {
        let (id, Value::Table(entity)) = pair? else {
            continue;
        };
        let Some((x, y)) = position(&entity)? else {
            continue;
        };
        let distance = (x - cx).powi(2) + (y - cy).powi(2);
        if distance <= limit && options.admits(&id, &entity)? {
            hits.push(Hit {
                id,
                entity,
                distance,
            });
        }
    }
    Ok(hits)
}

fn to_lua(lua: &Lua, hits: Vec<Hit>) -> mlua::Result<Value> {
    let list = lua.create_table_with_capacity(hits.len(), 0)?;
    for (i, hit) in hits.into_iter().enumerate() {
        let entry = lua.create_table_with_capacity(0, 3)?;
        entry.raw_set("id", hit.id)?;
        entry.raw_set("entity", hit.entity)?;
        entry.raw_set("distance", hit.distance.sqrt())?;
        list.raw_set(i + 1, entry)?;
    }
    list.into_lua(lua)
}

fn query_radius(lua: &Lua, args: &[Value]) -> Answer {
    if let [x, y, radius] = args
        && [x, y, radius].iter().all(|v| number(v).is_some())
    {
        return Ok(Err("query_radius(x, y, radius) requires zone context"));
    }
    let (Some(Value::Table(entities)), Some(x), Some(y), Some(radius), true) = (
        args.first(),
        numeric(args, 1),
        numeric(args, 2),
        numeric(args, 3),
        args.len() <= 5,
    ) else {
        return Ok(Err(QUERY_RADIUS));
    };
    let options = Options::read(args.get(4))?;
    let mut hits = collect(entities, (x, y), radius, &options)?;
    match options.sort {
        Some(Sort::Nearest) => hits.sort_by(|a, b| a.distance.total_cmp(&b.distance)),
        Some(Sort::Farthest) => hits.sort_by(|a, b| b.distance.total_cmp(&a.distance)),
        None => {}
    }
    hits.truncate(options.max_results.unwrap_or(usize::MAX));
    to_lua(lua, hits).map(Ok)
}

fn nearest(lua: &Lua, args: &[Value]) -> Answer {
    let (Some(Value::Table(entities)), Some(x), Some(y), Some(n), true) = (
        args.first(),
        numeric(args, 1),
        numeric(args, 2),
        numeric(args, 3),
        args.len() <= 5,
    ) else {
        return Ok(Err(NEAREST));
    };
    let options = Options::read(args.get(4))?;
    let mut hits = collect(entities, (x, y), f64::INFINITY, &options)?;
    hits.sort_by(|a, b| a.distance.total_cmp(&b.distance));
    hits.truncate(n as usize);
    to_lua(lua, hits).map(Ok)
}

fn numeric(args: &[Value], index: usize) -> Option<f64> {
    args.get(index).and_then(number)
}

/// The squared distance of two entities.
fn between(a: &Value, b: &Value) -> mlua::Result<Option<f64>> {
    let (Value::Table(a), Value::Table(b)) = (a, b) else {
        return Ok(None);
    };
    let (Some((ax, ay)), Some((bx, by))) = (position(a)?, position(b)?) else {
        return Ok(None);
    };
    Ok(Some((ax - bx).powi(2) + (ay - by).powi(2)))
}

fn in_range(_: &Lua, args: &[Value]) -> Answer {
    let wrong = Ok(Err("in_range requires (entity_a, entity_b, range)"));
    let ([a, b, _], Some(range)) = (args, numeric(args, 2)) else {
        return wrong;
    };
    match between(a, b)? {
        Some(distance) => Ok(Ok(Value::Boolean(distance <= range * range))),
        None => wrong,
    }
}

fn distance(_: &Lua, args: &[Value]) -> Answer {
    let wrong = Ok(Err("distance requires (entity_a, entity_b)"));
    let [a, b] = args else { return wrong };
    match between(a, b)? {
        Some(distance) => Ok(Ok(Value::Number(distance.sqrt()))),
        None => wrong,
    }
}
