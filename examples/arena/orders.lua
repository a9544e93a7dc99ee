-- Reading what clients send. Nothing here is trusted: a field of the wrong type, not finite
-- or out of range counts as not sent.
--
--   {seq, thrust, turn, aim, fire}         sail and shoot; thrust and turn from -1 to 1, aim in
--                                          radians. With a seq: one step's order, done in turn.
--   {left, right, up, down, shoot, aim_x, aim_y}   the same from a client that thinks in
--                                          directions; the built-in bot does
--   {type = "hello", name}                 what to call me
--   {type = "boon_pick", boon_id}          my choice between the rounds

local crew = require("crew")
local rounds = require("rounds")

local M = {}

local function number(value, low, high)
  if type(value) == "number" and value >= low and value <= high then
    return value
  end
end

function M.receive(state, ship, input)
  if input.type == "hello" then
    crew.rename(ship, input.name)
  elseif input.type == "boon_pick" then
    rounds.pick(state, ship, input.boon_id)
  elseif input.type == nil then
    M.steer(state, ship, input)
  end
end

function M.steer(state, ship, input)
  local order
  if M.has_directions(input) then
    order = M.from_directions(ship, input)
  else
    order = {
      thrust = number(input.thrust, -1, 1) or 0,
      turn = number(input.turn, -1, 1) or 0,
      aim = number(input.aim, -7, 7) or ship.keys.aim,
      fire = input.fire == true,
    }
  end
  local seq = number(input.seq, 0, 2 ^ 53)
  if seq and seq == math.floor(seq) then
    order.seq = seq
    ship.numbered = true
    if state.phase == "countdown" then
      -- Ships lie at anchor: nothing to move, only to acknowledge.
      ship.keys, ship.seq, ship.owed, ship.silent = order, seq, 0, 0
    else
      table.insert(ship.queue, order)
    end
  else
    order.seq = ship.seq
    ship.keys = order
    ship.numbered = false
    ship.silent = 0
  end
end

function M.has_directions(input)
  return input.thrust == nil and (input.up ~= nil or input.down ~= nil
    or input.left ~= nil or input.right ~= nil or input.shoot ~= nil)
end

function M.from_directions(ship, input)
  local dx = (input.right == true and 1 or 0) - (input.left == true and 1 or 0)
  local dy = (input.down == true and 1 or 0) - (input.up == true and 1 or 0)
  local order = { thrust = 0, turn = 0, aim = ship.keys.aim, fire = input.shoot == true }
  if dx ~= 0 or dy ~= 0 then
    local off = math.atan(dy, dx) - ship.heading
    off = math.atan(math.sin(off), math.cos(off))
    order.turn = math.max(-1, math.min(1, off * 2))
    order.thrust = math.abs(off) < 2 and 1 or 0.3
  end
  local x, y = number(input.aim_x, -1e6, 1e6), number(input.aim_y, -1e6, 1e6)
  if x and y then
    order.aim = math.atan(y - ship.y, x - ship.x)
  end
  return order
end

return M
