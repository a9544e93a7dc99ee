-- The game `asobi bench match` plays: what a small shooter costs, with nothing left out to
-- look good and nothing added to look bad.
--
-- Ten players on a square field push themselves about and fire; shots fly, hit, and score.
-- Every tick moves everything, tests every shot against every player, and builds a new view of
-- one to two kilobytes: ten players with seven fields each and about a dozen shots. The game
-- never ends, keeps nothing that grows, and needs no person to watch it.
--
-- `n` is what the bench looks for: each input carries a counter, and the view shows the last
-- one that counted, so the time from sending an input to seeing its effect can be measured.

mode = "bench"
chat = { global = { "bench" } }
match_size = 10
max_players = 10
strategy = "fill"
guest_auth = true
tick_rate = 100
-- One view for everybody, built and encoded once a tick.
state_strategy = "shared"

local SIZE = 1000         -- the field's side
local PUSH = 600          -- acceleration at full thrust, per second squared
local DRAG = 0.8          -- share of the speed kept from tick to tick
local SHOT_SPEED = 500    -- per second
local SHOT_TICKS = 8      -- how long a shot flies
local HIT_RADIUS = 20
local HIT_DAMAGE = 10
local FULL_HP = 100
local DT = tick_rate / 1000

local floor = math.floor

function init(config)
  return { tick = 0, players = {}, shots = {} }
end

-- Puts the player somewhere on the field, whole again.
local function place(player)
  player.x, player.y = math.random(0, SIZE), math.random(0, SIZE)
  player.vx, player.vy = 0, 0
  player.hp = FULL_HP
end

function join(player_id, state)
  local player = { push_x = 0, push_y = 0, fire = false, score = 0, n = 0 }
  place(player)
  state.players[player_id] = player
  return state
end

function leave(player_id, state)
  state.players[player_id] = nil
  return state
end

-- A direction from a client: a number from -1 to 1, whatever was sent.
local function direction(value)
  if type(value) ~= "number" or value ~= value then return 0 end
  return math.max(-1, math.min(1, value))
end

function handle_input(player_id, input, state)
  local player = state.players[player_id]
  if not player then return state end
  player.push_x, player.push_y = direction(input.x), direction(input.y)
  player.fire = player.fire or input.fire == true
  if type(input.n) == "number" then player.n = input.n end
  return state
end

local function inside(value)
  return math.max(0, math.min(SIZE, value))
end

local function move(player)
  player.vx = player.vx * DRAG + player.push_x * PUSH * DT
  player.vy = player.vy * DRAG + player.push_y * PUSH * DT
  player.x = inside(player.x + player.vx * DT)
  player.y = inside(player.y + player.vy * DT)
end

-- Fires where the player pushes, or to the right when it does not.
local function fire(state, player_id, player)
  player.fire = false
  local x, y = player.push_x, player.push_y
  local length = math.sqrt(x * x + y * y)
  if length == 0 then x, y, length = 1, 0, 1 end
  state.shots[#state.shots + 1] = {
    owner = player_id,
    x = player.x, y = player.y,
    vx = x / length * SHOT_SPEED, vy = y / length * SHOT_SPEED,
    ticks = SHOT_TICKS,
  }
end

-- The player this shot hits, if any.
local function target(state, shot)
  for player_id, player in pairs(state.players) do
    local dx, dy = player.x - shot.x, player.y - shot.y
    if player_id ~= shot.owner and dx * dx + dy * dy < HIT_RADIUS * HIT_RADIUS then
      return player
    end
  end
end

local function hit(state, shot, player)
  player.hp = player.hp - HIT_DAMAGE
  local owner = state.players[shot.owner]
  if owner then owner.score = owner.score + 1 end
  if player.hp <= 0 then place(player) end
end

-- Moves the shots; those that hit or have flown far enough are gone.
local function fly(state)
  local flying = {}
  for _, shot in ipairs(state.shots) do
    shot.x, shot.y = shot.x + shot.vx * DT, shot.y + shot.vy * DT
    shot.ticks = shot.ticks - 1
    local struck = target(state, shot)
    if struck then
      hit(state, shot, struck)
    elseif shot.ticks > 0 then
      flying[#flying + 1] = shot
    end
  end
  state.shots = flying
end

function tick(state)
  state.tick = state.tick + 1
  for player_id, player in pairs(state.players) do
    move(player)
    if player.fire then fire(state, player_id, player) end
  end
  fly(state)
  return state
end

-- Coordinates to a tenth: what a client can show, in few characters.
local function tenths(value)
  return floor(value * 10 + 0.5) / 10
end

function get_state(state)
  local view = { tick = state.tick, players = {}, shots = {} }
  for player_id, player in pairs(state.players) do
    view.players[player_id] = {
      x = tenths(player.x), y = tenths(player.y),
      vx = tenths(player.vx), vy = tenths(player.vy),
      hp = player.hp, score = player.score, n = player.n,
    }
  end
  for at, shot in ipairs(state.shots) do
    view.shots[at] = {
      x = tenths(shot.x), y = tenths(shot.y),
      vx = tenths(shot.vx), vy = tenths(shot.vy),
    }
  end
  return view
end
