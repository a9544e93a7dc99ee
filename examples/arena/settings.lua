-- How long everything takes, in seconds, and how many take part. A test copies this folder
-- and shortens the rounds; `pace.lua` has the defaults for whatever is left out.
return {
  rounds = 3,
  countdown_seconds = 3,
  round_seconds = 90,
  boon_seconds = 8,
  vote_seconds = 10,
  results_seconds = 1,

  boon_pickers = 3, -- how many of the best captains of a round choose a boon
  respawn_seconds = 3,
  min_ships = 4,    -- bots take the places of people who leave below this
  bots_after = 4,   -- how long the first in the queue waits before bots fill up
  fill_to = 6,      -- ... to this many ships
}
