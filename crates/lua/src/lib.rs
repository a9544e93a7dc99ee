//! Lua as one implementation of the game traits.
