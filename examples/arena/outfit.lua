-- What a ship is capable of: the plain numbers, then its boons, then the round's modifier.
-- Worked out anew every tick, so that an edited number counts at once.

local boons = require("boons")
local cannon = require("cannon")
local modifiers = require("modifiers")
local ships = require("ships")

local M = {}

function M.plain()
  return {
    speed = ships.SPEED,
    turn = ships.TURN,
    hull = ships.HULL,
    repair = 0,
    reload = cannon.RELOAD,
    damage = cannon.DAMAGE,
    range = cannon.RANGE,
  }
end

function M.fit(state, ship)
  local kit = M.plain()
  for _, id in ipairs(ship.boons) do
    local boon = boons.find(id)
    if boon and boon.apply then
      boon.apply(kit)
    end
  end
  local modifier = modifiers.find(state.modifier)
  if modifier and modifier.apply then
    modifier.apply(kit)
  end
  ship.kit = kit
end

function M.all(state)
  for _, id in ipairs(state.order) do
    M.fit(state, state.ships[id])
  end
end

return M
