-- The game of the tests that examples/arena cannot serve: it talks and has something to tell.

match_size = 1
guest_auth = true
chat = { global = { "lobby", "slow" }, slow_mode = { ["global:slow"] = 30 } }

function init(config)
  return {}
end

function join(player_id, state)
  return state
end

function leave(player_id, state)
  return state
end

function handle_input(player_id, input, state)
  if input.notify then
    game.notify(player_id, "quest", "Quest done", { gold = input.notify })
  end
  if input.say then
    game.chat.send("global:lobby", "herald", input.say)
  end
  return state
end

function tick(state)
  return state
end

function get_state(player_id, state)
  return {}
end

function chat_filter(channel, sender, text)
  if text == "forbidden" then
    return false, "house rules"
  end
  return (text:gsub("darn", "****"))
end
