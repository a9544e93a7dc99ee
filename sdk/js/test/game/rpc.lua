return {
  echo = function(player_id, params)
    return { player = player_id, params = params }
  end,
  refuse = function()
    return nil, "not today"
  end,
  crash = function()
    error("boom")
  end,
}
