-- Sends the requests of a file one after another, byte for byte, and prints what benchmarks/wrk.py reads.
-- Arguments: the path without the number of the thread, which follows it.

local count = 0

function setup(thread)
  thread:set("number", count)
  count = count + 1
end

function init(args)
  local file = assert(io.open(args[1] .. number, "rb"))
  requests, sent = {}, 0
  for size in file:lines() do
    requests[#requests + 1] = file:read(tonumber(size))
  end
  file:close()
end

function request()
  sent = sent + 1
  return requests[(sent - 1) % #requests + 1]
end

function done(summary, latency)
  local errors = summary.errors
  local lost = errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format("done %d %d %d %d\n", summary.requests, summary.duration, errors.status, lost))
  for permille = 0, 999 do
    io.write(string.format("latency %d\n", latency:percentile(permille / 10)))
  end
end
