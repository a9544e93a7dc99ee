-- What clients are shown, ten times a second: everything anyone needs, in few bytes. Ten ships
-- in battle are under 3 KB.

local cannon = require("cannon")
local modifiers = require("modifiers")
local pace = require("pace")
local sea = require("sea")
local ships = require("ships")

local M = {}

local floor = math.floor

local function tenths(n)
  return floor(n * 10 + 0.5) / 10
end

local function thousandths(n)
  return floor(n * 1000 + 0.5) / 1000
end

function M.make(state, tick_rate)
  local modifier = modifiers.find(state.modifier)
  local view = {
    phase = state.phase,
    tick = state.tick,
    ms = tick_rate,
    left = tenths(math.max(0, state.left)),
    round = state.round,
    rounds = pace.rounds,
    mod = modifier and modifier.id,
    mod_name = modifier and modifier.name,
    fog = modifier and modifier.fog,
    sea = tenths(state.sea),
    islands = sea.islands(state.round),
    rules = ships.rules(),
    shot = { cannon.BALL_SPEED, cannon.BROADSIDE },
    players = {},
    crew = {},
    balls = {},
    fx = state.fx,
  }
  for i, id in ipairs(state.order) do
    local ship = state.ships[id]
    view.players[id] = M.ship(ship)
    -- Slot (a ship's colour), name, score, score of this round, ships sunk, ships lost, boons.
    view.crew[i] = {
      ship.slot, ship.name, ship.score, ship.round_score, ship.sunk, ship.lost, ship.boons,
    }
  end
  for i, ball in ipairs(state.balls) do
    view.balls[i] = {
      ball.id, ball.slot, floor(ball.x + 0.5), floor(ball.y + 0.5),
      floor(ball.vx + 0.5), floor(ball.vy + 0.5),
    }
  end
  if state.phase == "countdown" then
    view.mod_text = modifier and modifier.text
  elseif state.phase == "boon_pick" then
    view.boon_offers = state.boon_offers
    view.pickers = M.pickers(state)
  elseif state.phase == "voting" then
    view.ballot = state.ballot
  end
  return view
end

function M.ship(ship)
  local kit = ship.kit
  return {
    s = ship.slot,
    x = tenths(ship.x),
    y = tenths(ship.y),
    h = thousandths(ship.heading),
    vx = tenths(ship.vx),
    vy = tenths(ship.vy),
    w = thousandths(ship.spin),
    hp = floor(ship.hp + 0.5) > 0 and floor(ship.hp + 0.5) or (ship.hp > 0 and 1 or 0),
    -- What this ship is capable of: speed, turn, reload, range, hull.
    k = {
      tenths(kit.speed), thousandths(kit.turn), thousandths(kit.reload),
      floor(kit.range), floor(kit.hull),
    },
    r = ship.reload > 0 and thousandths(ship.reload) or nil,
    p = ship.protected > 0 and tenths(ship.protected) or nil,
    down = ship.hp <= 0 and tenths(math.max(0, ship.down)) or nil,
    -- For prediction: the last order done, and steps sailed without one (see ships.lua).
    seq = ship.seq,
    o = ship.owed > 0 and ship.owed or nil,
  }
end

-- Who chooses a boon, as {slot, chosen id or false}.
function M.pickers(state)
  local list = {}
  for i, picker in ipairs(state.pickers) do
    local ship = state.ships[picker.id]
    list[i] = { ship and ship.slot or 0, picker.boon or false }
  end
  return list
end

return M
