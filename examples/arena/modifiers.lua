-- What a round can be like. The captains vote on three of these before each round but the
-- first.
--
-- `apply` changes every ship's capabilities (see outfit.lua); `closes_to` shrinks the sea to
-- this part of its size in the course of the round; `fog` is how far a captain sees.

local M = {}

M.ALL = {
  {
    id = "double_damage",
    name = "Double Damage",
    text = "Every ball hits twice as hard",
    apply = function(kit) kit.damage = kit.damage * 2 end,
  },
  {
    id = "tight_quarters",
    name = "Tight Quarters",
    text = "The storm closes in until the bay is half its size",
    closes_to = 0.5,
  },
  {
    id = "fog_bank",
    name = "Fog Bank",
    text = "You see no further than your guns reach, and the chart is blank",
    fog = 420,
  },
  {
    id = "swift_winds",
    name = "Swift Winds",
    text = "A gale behind every ship: 35% faster, quicker to turn",
    apply = function(kit)
      kit.speed = kit.speed * 1.35
      kit.turn = kit.turn * 1.2
    end,
  },
  {
    id = "long_guns",
    name = "Long Guns",
    text = "Shots carry 60% further",
    apply = function(kit) kit.range = kit.range * 1.6 end,
  },
  {
    id = "glass_hulls",
    name = "Glass Hulls",
    text = "Ships are worth four balls, no more",
    apply = function(kit) kit.hull = kit.hull * 0.45 end,
  },
  {
    id = "powder_frenzy",
    name = "Powder Frenzy",
    text = "Guns reload in half the time",
    apply = function(kit) kit.reload = kit.reload * 0.5 end,
  },
}

M.ON_BALLOT = 3

function M.find(id)
  for _, modifier in ipairs(M.ALL) do
    if modifier.id == id then
      return modifier
    end
  end
end

return M
