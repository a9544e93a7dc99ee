-- Who is aboard: joining, leaving, names, places.

local outfit = require("outfit")
local pace = require("pace")
local ships = require("ships")

local M = {}

M.PLACES = 10
M.NAME_LENGTH = 16

-- Captains hired when people leave in the middle of a match.
local HIRED = { "Calloway", "Marsh", "Ferro", "Odalys", "Bram", "Wren" }

function M.is_bot(id)
  return string.sub(id, 1, 4) == "bot_"
end

function M.join(state, id)
  if state.ships[id] then
    return state
  end
  local slot = M.free_slot(state)
  if not slot then
    return nil, "no_berth"
  end
  local ship = {
    id = id,
    slot = slot,
    name = string.match(id, "^bot_(.+)_[^_]+$") or ("Captain " .. slot),
    keys = { thrust = 0, turn = 0, aim = 0, fire = false },
    queue = {},
    seq = 0,
    owed = 0,
    silent = 0,
    numbered = false,
    boons = {},
    score = 0,
    round_score = 0,
    shots = 0,
    hits = 0,
    sunk = 0,
    lost = 0,
    renamed = 0,
    hp = 0,
  }
  state.ships[id] = ship
  table.insert(state.order, id)
  outfit.fit(state, ship)
  ships.launch(state, ship)
  return state
end

function M.leave(state, id)
  state.ships[id] = nil
  for i, other in ipairs(state.order) do
    if other == id then
      table.remove(state.order, i)
      break
    end
  end
  return state
end

function M.free_slot(state)
  local taken = {}
  for _, id in ipairs(state.order) do
    taken[state.ships[id].slot] = true
  end
  for slot = 1, M.PLACES do
    if not taken[slot] then
      return slot
    end
  end
end

-- A name a stranger typed, fit to be shown to others; nil if nothing is left of it.
function M.clean_name(text)
  if type(text) ~= "string" or #text > 200 or not utf8.len(text) then
    return nil
  end
  text = text:gsub("%c", " "):gsub("\xC2[\x80-\x9F]", "")
  -- Marks that are invisible or turn the direction of writing.
  text = text:gsub("\xE2\x80[\x8B-\x8F\xA8-\xAE]", ""):gsub("\xE2\x81[\xA0-\xAF]", "")
  text = text:gsub("\xEF\xBB\xBF", "")
  text = text:gsub("%s+", " "):gsub("^ ", ""):gsub(" $", "")
  local length = utf8.len(text)
  if not length or length == 0 then
    return nil
  end
  if length > M.NAME_LENGTH then
    text = text:sub(1, utf8.offset(text, M.NAME_LENGTH + 1) - 1):gsub(" $", "")
  end
  return text
end

function M.rename(ship, text)
  local name = M.clean_name(text)
  if name and name ~= ship.name and ship.renamed < 10 then
    ship.name = name
    ship.renamed = ship.renamed + 1
  end
end

-- Sunk ships come back, empty places are filled, an abandoned match ends.
function M.keep(state, seconds)
  local people = 0
  for _, id in ipairs(state.order) do
    local ship = state.ships[id]
    if not M.is_bot(id) then
      people = people + 1
    end
    if ship.hp <= 0 and state.phase == "playing" then
      ship.down = ship.down - seconds
      if ship.down <= 0 then
        ships.launch(state, ship)
      end
    end
  end
  if people > 0 then
    state.deserted = 0
    state.visited = true
  elseif state.visited then
    state.deserted = state.deserted + seconds
  end
  state.hiring = math.max(0, state.hiring - seconds)
  if people > 0 and #state.order < pace.min_ships and state.hiring == 0 then
    state.hiring = 3
    game.bots.add(HIRED[math.random(#HIRED)])
  end
end

-- Everybody, best first.
function M.ranking(state, key)
  local ranking = table.move(state.order, 1, #state.order, 1, {})
  table.sort(ranking, function(a, b)
    local one, two = state.ships[a], state.ships[b]
    if one[key] ~= two[key] then
      return one[key] > two[key]
    elseif one.sunk ~= two.sunk then
      return one.sunk > two.sunk
    end
    return one.slot < two.slot
  end)
  return ranking
end

return M
