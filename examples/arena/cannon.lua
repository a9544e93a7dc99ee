-- Shots, hits, sinking.

local pace = require("pace")
local sea = require("sea")

local abs, cos, floor, max, min, sin = math.abs, math.cos, math.floor, math.max, math.min, math.sin

local M = {}

M.RELOAD = 1.15      -- seconds between two volleys
M.DAMAGE = 13        -- of one ball
M.RANGE = 470        -- how far a ball flies
M.BALL_SPEED = 440   -- units a second
M.BROADSIDE = 0.5    -- how far to the side (sine of the angle) all guns of a side bear

M.HIT_POINTS = 10    -- score of a ball that hits
M.SINK_POINTS = 50   -- score of sinking a ship

-- Guns of one side, along the hull from the middle. Ahead and astern only one bears.
local GUNS = { -15, 0, 15 }
local BEAM = 11      -- from the middle to the gun ports

-- A hull is a thick line along the keel.
local HALF_KEEL = 17
local THICKNESS = 16
local REACH = HALF_KEEL + THICKNESS

-- What happened this tick, for the clients to show: {kind, x, y, slot of the gunner, slot hit}.
M.HIT, M.SPLASH, M.GROUND, M.SUNK = 1, 2, 3, 4

function M.step(state, dt)
  if state.phase == "playing" then
    for _, id in ipairs(state.order) do
      local ship = state.ships[id]
      if ship.hp > 0 and ship.keys.fire and ship.reload <= 0 then
        M.fire(state, ship)
      end
    end
  end
  M.fly(state, dt)
end

function M.fire(state, ship)
  local kit, aim = ship.kit, ship.keys.aim
  ship.reload = kit.reload
  ship.protected = 0
  local dx, dy = cos(aim), sin(aim)
  local c, s = cos(ship.heading), sin(ship.heading)
  local across = dy * c - dx * s -- sine of the angle between keel and aim
  if abs(across) >= M.BROADSIDE then
    local side = across > 0 and BEAM or -BEAM
    for _, along in ipairs(GUNS) do
      M.shoot(state, ship, ship.x + along * c - side * s, ship.y + along * s + side * c, dx, dy)
    end
  else
    M.shoot(state, ship, ship.x + dx * 24, ship.y + dy * 24, dx, dy)
  end
end

function M.shoot(state, ship, x, y, dx, dy)
  state.last_ball = state.last_ball % 9999 + 1
  ship.shots = ship.shots + 1
  table.insert(state.balls, {
    id = state.last_ball,
    owner = ship.id,
    slot = ship.slot,
    x = x,
    y = y,
    vx = dx * M.BALL_SPEED,
    vy = dy * M.BALL_SPEED,
    left = ship.kit.range,
    damage = ship.kit.damage,
  })
end

function M.fly(state, dt)
  if #state.balls == 0 then
    return
  end
  local islands = sea.islands(state.round)
  local flying = {}
  for _, ball in ipairs(state.balls) do
    ball.x, ball.y = ball.x + ball.vx * dt, ball.y + ball.vy * dt
    ball.left = ball.left - M.BALL_SPEED * dt
    local struck = M.struck(state, ball)
    if struck then
      M.hit(state, ball, struck)
    elseif M.over_land(islands, ball) then
      M.show(state, M.GROUND, ball.x, ball.y, ball.slot, 0)
    elseif ball.left <= 0 then
      M.show(state, M.SPLASH, ball.x, ball.y, ball.slot, 0)
    else
      table.insert(flying, ball)
    end
  end
  state.balls = flying
end

-- The ship a ball touches, if any.
function M.struck(state, ball)
  local x, y = ball.x, ball.y
  local ships, order = state.ships, state.order
  for i = 1, #order do
    local ship = ships[order[i]]
    local dx, dy = x - ship.x, y - ship.y
    if dx * dx + dy * dy < REACH * REACH and ship.hp > 0 and ship.id ~= ball.owner then
      local c, s = cos(ship.heading), sin(ship.heading)
      local along = max(-HALF_KEEL, min(HALF_KEEL, dx * c + dy * s))
      local px, py = dx - along * c, dy - along * s
      if px * px + py * py < THICKNESS * THICKNESS then
        return ship
      end
    end
  end
end

function M.over_land(islands, ball)
  for i = 1, #islands do
    local island = islands[i]
    local dx, dy = ball.x - island[1], ball.y - island[2]
    local reach = island[3] - 6
    if dx * dx + dy * dy < reach * reach then
      return true
    end
  end
  return false
end

function M.hit(state, ball, ship)
  if ship.protected > 0 then
    M.show(state, M.SPLASH, ball.x, ball.y, ball.slot, ship.slot)
    return
  end
  ship.hp = ship.hp - ball.damage
  M.show(state, M.HIT, ball.x, ball.y, ball.slot, ship.slot)
  local gunner = state.ships[ball.owner] -- gone, if its captain left meanwhile
  if gunner then
    gunner.hits = gunner.hits + 1
    M.score(gunner, M.HIT_POINTS)
  end
  if ship.hp <= 0 then
    M.sink(state, ship, gunner)
  end
end

function M.sink(state, ship, gunner)
  ship.hp = 0
  ship.lost = ship.lost + 1
  ship.down = pace.respawn_seconds
  M.show(state, M.SUNK, ship.x, ship.y, gunner and gunner.slot or 0, ship.slot)
  if gunner then
    gunner.sunk = gunner.sunk + 1
    M.score(gunner, M.SINK_POINTS)
  end
  game.broadcast("sunk", {
    by = gunner and gunner.name,
    by_slot = gunner and gunner.slot,
    ship = ship.name,
    ship_slot = ship.slot,
  })
end

function M.score(ship, points)
  ship.score = ship.score + points
  ship.round_score = ship.round_score + points
end

function M.show(state, kind, x, y, by, ship)
  table.insert(state.fx, { kind, floor(x + 0.5), floor(y + 0.5), by, ship })
end

return M
