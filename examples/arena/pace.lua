-- The settings, with a default for each that settings.lua leaves out.

local M = {
  rounds = 3,
  countdown_seconds = 3,
  round_seconds = 90,
  boon_seconds = 8,
  vote_seconds = 10,
  results_seconds = 1,
  boon_pickers = 3,
  respawn_seconds = 3,
  min_ships = 4,
  bots_after = 4,
  fill_to = 6,
}

local found, settings = pcall(require, "settings")
if found and type(settings) == "table" then
  for name, default in pairs(M) do
    if type(settings[name]) == type(default) then
      M[name] = settings[name]
    end
  end
end

return M
