-- The order of events:
--
--   countdown -> playing -> boon_pick -> voting -> countdown -> playing -> ... -> results
--
-- `state.phase` names where the match is, `state.left` how many seconds it stays there.

local boons = require("boons")
local crew = require("crew")
local modifiers = require("modifiers")
local outfit = require("outfit")
local pace = require("pace")
local sea = require("sea")
local ships = require("ships")

local M = {}

function M.new()
  return {
    tick = 0,
    phase = "countdown",
    left = pace.countdown_seconds,
    round = 1,
    sea = sea.RADIUS,
    modifier = nil,
    ships = {},     -- by player id
    order = {},     -- player ids in the order they came: the order of everything
    balls = {},
    fx = {},
    last_ball = 0,
    hiring = 3,
    deserted = 0,
    visited = false,
  }
end

function M.advance(state, seconds)
  state.left = state.left - seconds
  if state.phase == "playing" then
    M.close_in(state)
  elseif state.phase == "boon_pick" and M.all_picked(state) then
    state.left = math.min(state.left, 2.5)
  end
  if state.deserted > 5 then
    M.finish(state)
  elseif state.left <= 0.0001 then
    M.next_phase(state)
  end
end

function M.next_phase(state)
  if state.phase == "countdown" then
    M.enter(state, "playing", pace.round_seconds)
  elseif state.phase == "playing" then
    state.balls = {}
    if state.round < pace.rounds then
      M.open_boons(state)
    else
      M.enter(state, "results", pace.results_seconds)
    end
  elseif state.phase == "boon_pick" then
    M.close_boons(state)
    M.open_vote(state)
  elseif state.phase == "voting" then
    -- The vote's answer should have come by now; the match does not hang on it.
    M.voted(state, nil)
  else
    M.finish(state)
  end
end

function M.enter(state, phase, seconds)
  state.phase, state.left = phase, seconds
end

function M.close_in(state)
  local modifier = modifiers.find(state.modifier)
  if modifier and modifier.closes_to then
    -- Two thirds of the round to close, the rest at close quarters.
    local gone = 1 - state.left / pace.round_seconds
    local part = math.max(0, math.min(1, gone * 1.5))
    state.sea = sea.RADIUS * (1 - part * (1 - modifier.closes_to))
  end
end

function M.start_round(state, round, modifier)
  state.round, state.modifier = round, modifier
  state.sea = sea.RADIUS
  state.balls = {}
  outfit.all(state)
  -- First everybody off the water, so that they are berthed one by one around the bay.
  for _, id in ipairs(state.order) do
    state.ships[id].hp = 0
  end
  for _, id in ipairs(state.order) do
    local ship = state.ships[id]
    ship.round_score = 0
    ship.queue, ship.owed = {}, 0
    ships.launch(state, ship)
  end
  M.enter(state, "countdown", pace.countdown_seconds)
end

-- Boons ---------------------------------------------------------------------------------

function M.open_boons(state)
  state.boon_offers = boons.offers()
  state.pickers = {}
  for rank, id in ipairs(crew.ranking(state, "round_score")) do
    if rank <= pace.boon_pickers then
      table.insert(state.pickers, { id = id })
    end
  end
  M.enter(state, "boon_pick", pace.boon_seconds)
end

function M.pick(state, ship, boon_id)
  if state.phase ~= "boon_pick" or type(boon_id) ~= "string" then
    return
  end
  if crew.is_bot(ship.id) then
    -- Bots ask for whatever is offered first; for variety they get something at random.
    boon_id = state.boon_offers[math.random(#state.boon_offers)].id
  end
  for _, picker in ipairs(state.pickers) do
    if picker.id == ship.id and not picker.boon then
      for _, offer in ipairs(state.boon_offers) do
        if offer.id == boon_id then
          picker.boon = boon_id
          table.insert(ship.boons, boon_id)
        end
      end
    end
  end
end

function M.all_picked(state)
  for _, picker in ipairs(state.pickers) do
    if not picker.boon and state.ships[picker.id] then
      return false
    end
  end
  return true
end

-- Who could not decide gets what lies on top.
function M.close_boons(state)
  for _, picker in ipairs(state.pickers) do
    local ship = state.ships[picker.id]
    if ship and not picker.boon and state.boon_offers[1] then
      table.insert(ship.boons, state.boon_offers[1].id)
    end
  end
  state.boon_offers, state.pickers = nil, nil
end

-- The vote ------------------------------------------------------------------------------

function M.open_vote(state)
  state.ballot = {}
  for _, i in ipairs(boons.some_of(#modifiers.ALL, modifiers.ON_BALLOT)) do
    local modifier = modifiers.ALL[i]
    table.insert(state.ballot, { id = modifier.id, label = modifier.name, text = modifier.text })
  end
  state.vote_wanted = true
  -- Room for the vote's own grace period; its result ends the phase.
  M.enter(state, "voting", pace.vote_seconds + 3)
end

-- Asked by the server after every tick.
function M.vote_wanted(state)
  if not state.vote_wanted then
    return nil
  end
  state.vote_wanted = false
  local options = {}
  for i, choice in ipairs(state.ballot) do
    options[i] = { id = choice.id, label = choice.label }
  end
  return {
    template = "modifier",
    options = options,
    method = "plurality",
    window_ms = math.floor(pace.vote_seconds * 1000),
  }
end

-- The captains have decided; without a winner, the dice.
function M.voted(state, winner)
  if state.phase ~= "voting" then
    return
  end
  if not modifiers.find(winner) then
    winner = state.ballot[math.random(#state.ballot)].id
  end
  state.ballot, state.vote_wanted = nil, nil
  M.start_round(state, state.round + 1, winner)
end

-- The end -------------------------------------------------------------------------------

function M.finish(state)
  local standings = {}
  for rank, id in ipairs(crew.ranking(state, "score")) do
    local ship = state.ships[id]
    standings[rank] = {
      id = id,
      slot = ship.slot,
      name = ship.name,
      bot = crew.is_bot(id),
      score = ship.score,
      sunk = ship.sunk,
      lost = ship.lost,
      hits = ship.hits,
      shots = ship.shots,
      boons = ship.boons,
    }
  end
  state._finished = true
  state._result = {
    status = "completed",
    winner = standings[1] and standings[1].id,
    standings = standings,
  }
end

return M
