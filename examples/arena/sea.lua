-- The sea: a round bay around (0, 0) with islands in it. Units are about half a metre;
-- a ship is 52 long.

local M = {}

M.RADIUS = 900

-- Islands as {x, y, radius}. A round uses the layout of its number, starting over after the
-- last one. Keep the middle and the rim navigable: bots steer around, not through.
M.LAYOUTS = {
  {
    { 0, 0, 96 }, { -430, -250, 70 }, { 420, -280, 62 }, { 440, 260, 74 },
    { -420, 290, 60 }, { 20, -560, 48 }, { -10, 570, 52 },
  },
  {
    { -240, -60, 88 }, { 260, 70, 84 }, { 40, -400, 66 }, { -50, 410, 70 },
    { -600, 220, 52 }, { 610, -230, 56 },
  },
  {
    { 0, -230, 64 }, { 205, 120, 70 }, { -210, 125, 60 }, { -560, -300, 66 },
    { 540, -330, 58 }, { 10, 590, 72 }, { 630, 250, 46 }, { -620, 240, 48 },
  },
}

function M.islands(round)
  return M.LAYOUTS[(round - 1) % #M.LAYOUTS + 1]
end

-- Where a ship may start: the best of some random places, judged by the distance to the
-- nearest other ship afloat.
function M.berth(state, ship)
  local best_x, best_y, best = 0, state.sea * 0.7, -1
  for _ = 1, 12 do
    local angle = math.random() * 2 * math.pi
    local out = state.sea * (0.35 + 0.5 * math.random())
    local x, y = math.cos(angle) * out, math.sin(angle) * out
    if M.is_free(state, x, y, 50) then
      local nearest = 2000
      for _, id in ipairs(state.order) do
        local other = state.ships[id]
        if other ~= ship and other.hp > 0 then
          nearest = math.min(nearest, math.sqrt((other.x - x) ^ 2 + (other.y - y) ^ 2))
        end
      end
      if nearest > best then
        best_x, best_y, best = x, y, nearest
      end
    end
  end
  return best_x, best_y
end

function M.is_free(state, x, y, room)
  for _, island in ipairs(M.islands(state.round)) do
    local reach = island[3] + room
    if (x - island[1]) ^ 2 + (y - island[2]) ^ 2 < reach * reach then
      return false
    end
  end
  return x * x + y * y < (state.sea - room) ^ 2
end

return M
