//! `string.find`, `match`, `gmatch` and `gsub`. TODO
#![allow(unsafe_code)]
use mlua::Lua;
pub(crate) fn install(_lua: &Lua) -> mlua::Result<()> {
    Ok(())
}
