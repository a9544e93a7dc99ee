-- A captain without a person: thinks ten times a second about what every client is shown, and
-- answers with the same orders a client sends.

names = {
  "Barnacle", "Gale", "Morrow", "Sable", "Tamsin", "Rook", "Isolde", "Kestrel",
  "Dagny", "Flint", "Mirelle", "Corvin",
}

local BALL_SPEED = 440 -- as in cannon.lua
local CLOSE = 170      -- nearer than this, turn away
local LOOK_AHEAD = 190 -- for land

-- What each bot remembers, by its id. Not part of the match: lost on a restart, no harm done.
local minds = {}

local function mind_of(id)
  local mind = minds[id]
  if not mind then
    mind = {
      -- Some shoot better than others, some come closer than others.
      unsteady = 0.06 + 0.14 * math.random(),
      nerve = 0.5 + 0.4 * math.random(),
      side = math.random(2) == 1 and 1 or -1,
      clock = 0,
      wobble = 0,
    }
    minds[id] = mind
  end
  return mind
end

local function wrap(angle)
  return math.atan(math.sin(angle), math.cos(angle))
end

local function distance(a, b)
  return math.sqrt((a.x - b.x) ^ 2 + (a.y - b.y) ^ 2)
end

-- The nearest ship afloat, a wounded one counting as nearer; the old target as nearer still,
-- so that the bot makes up its mind.
local function choose(id, me, state, mind)
  local best, best_cost
  for other_id, other in pairs(state.players) do
    if other_id ~= id and other.hp > 0 then
      local cost = distance(me, other) + other.hp
      if other_id == mind.target then
        cost = cost - 140
      end
      if other.p then
        cost = cost + 250
      end
      if not best or cost < best_cost then
        best, best_cost, mind.target = other, cost, other_id
      end
    end
  end
  return best
end

-- Turns a course away from land and from the edge.
local function clear_of_land(me, state, course)
  local out = math.sqrt(me.x * me.x + me.y * me.y)
  if out > state.sea - 150 then
    local home = math.atan(-me.y, -me.x)
    local off = wrap(course - home)
    if math.abs(off) > 1.1 then
      course = home + (off > 0 and 1.1 or -1.1)
    end
  end
  local nearest = LOOK_AHEAD
  for _, island in ipairs(state.islands) do
    local dx, dy = island[1] - me.x, island[2] - me.y
    local gap = math.sqrt(dx * dx + dy * dy) - island[3]
    if gap < nearest then
      local off = wrap(course - math.atan(dy, dx))
      local clear = 1.5 - 1.1 * math.max(0, gap - 40) / LOOK_AHEAD
      if math.abs(off) < clear then
        nearest = gap
        course = math.atan(dy, dx) + (off >= 0 and clear or -clear)
      end
    end
  end
  return course
end

function think(bot_id, state)
  local me = state.players and state.players[bot_id]
  if not me or me.hp <= 0 or not me.k then
    return {}
  end
  local mind = mind_of(bot_id)
  mind.clock = mind.clock + 1
  if mind.clock % 12 == 0 then
    mind.wobble = (math.random() * 2 - 1) * mind.unsteady
  end
  if mind.clock % 90 == 0 then
    mind.side = -mind.side
  end

  local target = choose(bot_id, me, state, mind)
  if not target then
    return { thrust = 0.6, turn = 0.2 * mind.side, fire = false }
  end

  local range = me.k[4]
  local gap = distance(me, target)
  local bearing = math.atan(target.y - me.y, target.x - me.x)

  -- Far off: straight there. In range: across its bows, so that all guns bear. Too near: away.
  local course = bearing
  if gap < CLOSE then
    course = bearing + 2.1 * mind.side
  elseif gap < range * mind.nerve then
    course = bearing + 1.45 * mind.side
  elseif gap < range then
    course = bearing + 0.8 * mind.side
  end
  course = clear_of_land(me, state, course)

  -- Where it will be when the ball arrives.
  local flight = gap / BALL_SPEED + 0.1
  local tx = target.x + (target.vx or 0) * flight
  local ty = target.y + (target.vy or 0) * flight
  local aim = math.atan(ty - me.y, tx - me.x) + mind.wobble
  local in_reach = math.sqrt((tx - me.x) ^ 2 + (ty - me.y) ^ 2) < range * 0.96
  local bears = math.abs(math.sin(aim - me.h)) > 0.5

  local off = wrap(course - me.h)
  return {
    thrust = math.abs(off) > 2.2 and 0.4 or 1,
    turn = math.max(-1, math.min(1, off * 2.2)),
    aim = wrap(aim),
    fire = in_reach and not me.r and (bears or math.random() < 0.06) and math.random() < 0.3,
  }
end
