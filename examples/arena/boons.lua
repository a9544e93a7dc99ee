-- Rewards for the best of a round. A boon stays with its ship to the end of the match.
--
-- `apply` changes what the ship is capable of; the names of the numbers are those of
-- outfit.lua. Add one to the list and it will be on offer.

local M = {}

M.ALL = {
  {
    id = "swift_keel",
    name = "Swift Keel",
    text = "Copper below the waterline: 15% faster",
    apply = function(kit) kit.speed = kit.speed * 1.15 end,
  },
  {
    id = "oak_hull",
    name = "Oak Hull",
    text = "Another layer of planks: +35 hull",
    apply = function(kit) kit.hull = kit.hull + 35 end,
  },
  {
    id = "drilled_crew",
    name = "Drilled Crew",
    text = "Guns are ready 25% sooner",
    apply = function(kit) kit.reload = kit.reload * 0.75 end,
  },
  {
    id = "heavy_shot",
    name = "Heavy Shot",
    text = "Balls do 35% more damage",
    apply = function(kit) kit.damage = kit.damage * 1.35 end,
  },
  {
    id = "carpenter",
    name = "Ship's Carpenter",
    text = "Repairs 3 hull a second, even in battle",
    apply = function(kit) kit.repair = kit.repair + 3 end,
  },
  {
    id = "long_nines",
    name = "Long Nines",
    text = "Guns reach 30% further",
    apply = function(kit) kit.range = kit.range * 1.3 end,
  },
  {
    id = "broad_rudder",
    name = "Broad Rudder",
    text = "Turns 30% tighter",
    apply = function(kit) kit.turn = kit.turn * 1.3 end,
  },
}

M.OFFERED = 3

function M.find(id)
  for _, boon in ipairs(M.ALL) do
    if boon.id == id then
      return boon
    end
  end
end

-- Different boons for this break, as the clients are shown them.
function M.offers()
  local offers = {}
  for _, i in ipairs(M.some_of(#M.ALL, M.OFFERED)) do
    local boon = M.ALL[i]
    table.insert(offers, { id = boon.id, name = boon.name, text = boon.text })
  end
  return offers
end

-- `count` different numbers from 1 to `n`, in random order.
function M.some_of(n, count)
  local numbers = {}
  for i = 1, n do
    numbers[i] = i
  end
  for i = 1, math.min(count, n) do
    local j = math.random(i, n)
    numbers[i], numbers[j] = numbers[j], numbers[i]
  end
  return table.move(numbers, 1, math.min(count, n), 1, {})
end

return M
