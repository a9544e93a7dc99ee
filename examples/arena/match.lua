-- Broadside Bay: a naval shooter for 4 to 10 captains.
--
-- This file tells the server what kind of match to form and hands each callback to the module
-- that knows about it. Where to look for what:
--   ships.lua      how a ship moves           cannon.lua     shots, hits, sinking
--   sea.lua        islands, the edge          outfit.lua     what a ship is capable of
--   boons.lua      rewards between rounds     modifiers.lua  what a round can be like
--   rounds.lua     the order of events        crew.lua       who is aboard
--   orders.lua     reading what clients send  view.lua       what clients are shown
--   settings.lua   how long it all takes      bots/          captains without a person
-- (pace.lua is settings.lua with the gaps filled.)

local cannon = require("cannon")
local crew = require("crew")
local orders = require("orders")
local outfit = require("outfit")
local pace = require("pace")
local rounds = require("rounds")
local ships = require("ships")
local view = require("view")

mode = "arena"
match_size = 4
group_up_to = 10
max_players = 10
strategy = "fill"
guest_auth = true
queue_status = true
reconnect_grace = 20
tick_rate = 100
-- One view for everybody: it is made and encoded once a tick, however many watch.
state_strategy = "shared"
bots = {
  script = "bots/captain.lua",
  min_players = pace.fill_to,
  fill_after = pace.bots_after,
}

function init(config)
  return rounds.new()
end

function join(player_id, state)
  return crew.join(state, player_id)
end

function leave(player_id, state)
  return crew.leave(state, player_id)
end

function handle_input(player_id, input, state)
  local ship = state.ships[player_id]
  if ship and type(input) == "table" then
    orders.receive(state, ship, input)
  end
  return state
end

function tick(state)
  local seconds = tick_rate / 1000
  state.tick = state.tick + 1
  state.fx = {}
  outfit.all(state)
  if state.phase ~= "countdown" then
    -- Two short steps instead of one long one: shots do not jump through hulls, and each
    -- step is one order of a client (see orders.lua).
    local steps = math.max(1, math.floor(seconds / ships.STEP + 0.5))
    for _ = 1, steps do
      ships.step(state, seconds / steps)
      cannon.step(state, seconds / steps)
    end
  end
  rounds.advance(state, seconds)
  crew.keep(state, seconds)
  return state
end

function get_state(state)
  return view.make(state, tick_rate)
end

function vote_requested(state)
  return rounds.vote_wanted(state)
end

function vote_resolved(template, result, state)
  rounds.voted(state, result.winner)
  return state
end
