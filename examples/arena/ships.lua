-- How a ship moves.
--
-- Try it: start the server, play, change SPEED, save. The ships of the running match are
-- faster from the next tick on.
--
-- The browser moves its own ship by the same rules before the server answers
-- (client/sailing.js). It gets the numbers from the state, so it follows a changed number by
-- itself; whoever changes the *rules* changes them there too.

local sea = require("sea")

local cos, sin, sqrt = math.cos, math.sin, math.sqrt
local abs, max, min = math.abs, math.max, math.min

local M = {}

M.SPEED = 165        -- full speed ahead, units a second
M.TURN = 1.9         -- full rudder at full speed, radians a second
M.HULL = 100         -- hit points of a new ship

M.STEP = 0.05        -- seconds of one step; a client sends one order for each
M.ACCELERATE = 1.5   -- how quickly speed follows the sails, per second
M.COAST = 0.65       -- ... and fades without them
M.ASTERN = 0.45      -- backing up, as a part of full speed
M.GRIP = 2.6         -- how quickly a sideways slide dies, per second
M.HELM = 6           -- how quickly the turn follows the rudder, per second
M.HELM_AT_REST = 0.5 -- rudder effect without speed, as a part of the full one
M.RADIUS = 21        -- of a ship, for everything that is solid

M.PROTECTED = 2      -- seconds a ship cannot be hurt after it comes in

-- What the browser needs to predict with, in the order sailing.js reads it.
function M.rules()
  return {
    M.ACCELERATE, M.COAST, M.ASTERN, M.GRIP, M.HELM, M.HELM_AT_REST, M.RADIUS,
  }
end

-- Puts a ship to sea, new, with its bow towards the middle.
function M.launch(state, ship)
  ship.x, ship.y = sea.berth(state, ship)
  ship.heading = math.atan(-ship.y, -ship.x)
  ship.vx, ship.vy, ship.spin = 0, 0, 0
  ship.hp = ship.kit.hull
  ship.reload = 0
  ship.down = 0
  ship.protected = M.PROTECTED
end

-- All ships, one step.
function M.step(state, dt)
  local islands = sea.islands(state.round)
  local order = state.order
  for _, id in ipairs(order) do
    local ship = state.ships[id]
    M.next_order(ship)
    if ship.hp > 0 then
      if state.phase == "playing" then
        M.sail(ship, ship.keys.thrust, ship.keys.turn, dt)
      else
        M.sail(ship, 0, 0, dt)
      end
      M.stay_in(ship, islands, state.sea)
      if ship.reload > 0 then
        ship.reload = max(0, ship.reload - dt)
      end
      if ship.protected > 0 then
        ship.protected = max(0, ship.protected - dt)
      end
      ship.hp = min(ship.kit.hull, ship.hp + ship.kit.repair * dt)
    end
  end
  M.keep_apart(state)
end

-- One ship, by its sails (-1 to 1) and rudder (-1 to 1).
function M.sail(ship, thrust, turn, dt)
  local kit = ship.kit
  local c, s = cos(ship.heading), sin(ship.heading)
  local ahead = ship.vx * c + ship.vy * s
  local aside = ship.vy * c - ship.vx * s

  local want = kit.speed * (thrust >= 0 and thrust or thrust * M.ASTERN)
  local rate = thrust == 0 and M.COAST or M.ACCELERATE
  ahead = ahead + (want - ahead) * rate * dt
  aside = aside * (1 - M.GRIP * dt)

  local way = min(1, abs(ahead) / kit.speed)
  local bite = M.HELM_AT_REST + (1 - M.HELM_AT_REST) * way
  ship.spin = ship.spin + (turn * kit.turn * bite - ship.spin) * M.HELM * dt

  ship.heading = ship.heading + ship.spin * dt
  if ship.heading > math.pi then
    ship.heading = ship.heading - 2 * math.pi
  elseif ship.heading < -math.pi then
    ship.heading = ship.heading + 2 * math.pi
  end
  ship.vx, ship.vy = ahead * c - aside * s, ahead * s + aside * c
  ship.x, ship.y = ship.x + ship.vx * dt, ship.y + ship.vy * dt
end

-- Off the islands and inside the edge; speed into them is lost.
function M.stay_in(ship, islands, radius)
  for i = 1, #islands do
    local island = islands[i]
    local dx, dy = ship.x - island[1], ship.y - island[2]
    local reach = island[3] + M.RADIUS
    local d2 = dx * dx + dy * dy
    if d2 < reach * reach and d2 > 0 then
      local d = sqrt(d2)
      local nx, ny = dx / d, dy / d
      ship.x, ship.y = island[1] + nx * reach, island[2] + ny * reach
      local into = ship.vx * nx + ship.vy * ny
      if into < 0 then
        ship.vx, ship.vy = ship.vx - into * nx, ship.vy - into * ny
      end
    end
  end
  local d = sqrt(ship.x * ship.x + ship.y * ship.y)
  local limit = radius - M.RADIUS
  if d > limit then
    local nx, ny = ship.x / d, ship.y / d
    ship.x, ship.y = nx * limit, ny * limit
    local out = ship.vx * nx + ship.vy * ny
    if out > 0 then
      ship.vx, ship.vy = ship.vx - out * nx, ship.vy - out * ny
    end
  end
end

-- Ships do not overlap; where two meet, each gives way by half and they go on together.
function M.keep_apart(state)
  local afloat = {}
  for _, id in ipairs(state.order) do
    local ship = state.ships[id]
    if ship.hp > 0 then
      afloat[#afloat + 1] = ship
    end
  end
  local reach = 2 * M.RADIUS
  for i = 1, #afloat - 1 do
    local a = afloat[i]
    local x, y = a.x, a.y
    for j = i + 1, #afloat do
      local b = afloat[j]
      local dx, dy = b.x - x, b.y - y
      if dx * dx + dy * dy < reach * reach then
        M.push_apart(a, b, reach)
        x, y = a.x, a.y
      end
    end
  end
end

function M.push_apart(a, b, reach)
  local dx, dy = b.x - a.x, b.y - a.y
  local d = sqrt(dx * dx + dy * dy)
  local nx, ny = 1, 0
  if d > 0 then
    nx, ny = dx / d, dy / d
  end
  local push = (reach - d) / 2
  a.x, a.y = a.x - nx * push, a.y - ny * push
  b.x, b.y = b.x + nx * push, b.y + ny * push
  local closing = (b.vx - a.vx) * nx + (b.vy - a.vy) * ny
  if closing < 0 then
    local give = closing / 2
    a.vx, a.vy = a.vx + give * nx, a.vy + give * ny
    b.vx, b.vy = b.vx - give * nx, b.vy - give * ny
  end
end

-- The order a ship sails this step by.
--
-- A client sends one order for each step, so the n-th order belongs to the n-th step and its
-- prediction is exact. The network does not keep time that well. When the next order has not
-- come, the ship sails on by the last one and owes a step; orders that come late pay the debt
-- without moving the ship again. So nobody sails faster than the clock, whatever they send.
M.MOST_OWED = 8
M.MOST_QUEUED = 5

function M.next_order(ship)
  local queue = ship.queue
  while #queue > 0 and (ship.owed > 0 or #queue > M.MOST_QUEUED) do
    M.take_order(ship, table.remove(queue, 1))
    ship.owed = max(0, ship.owed - 1)
  end
  if #queue > 0 then
    M.take_order(ship, table.remove(queue, 1))
    ship.silent = 0
    return
  end
  ship.silent = ship.silent + 1
  if ship.silent > M.MOST_OWED then
    -- Nobody at the helm: sails down, guns quiet, debts forgotten.
    ship.keys = { thrust = 0, turn = 0, aim = ship.keys.aim, fire = false }
    ship.owed = 0
  elseif ship.numbered then
    ship.owed = ship.owed + 1
  end
end

function M.take_order(ship, order)
  ship.keys = order
  ship.seq = order.seq
end

return M
