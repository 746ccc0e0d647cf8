-- Signed deliveries of one body, each with an id of its own (the id is not part of what GitHub signs).
local before, after, prefix, count = "", "", "", 0
local threads = 0

function setup(thread)
  threads = threads + 1
  thread:set("number", threads)
end

function init(args)
  local file = assert(io.open(args[1], "rb"))
  local body = file:read("*a")
  file:close()
  prefix = args[3] .. "-" .. number .. "-"
  before = "POST " .. wrk.path .. " HTTP/1.1\r\nHost: " .. wrk.host .. "\r\nAccept: */*\r\n"
    .. "Content-Type: application/json\r\nUser-Agent: GitHub-Hookshot/bench\r\nX-GitHub-Event: issues\r\n"
    .. "X-GitHub-Hook-ID: 1\r\nX-Hub-Signature-256: " .. args[2] .. "\r\nContent-Length: " .. #body
    .. "\r\nX-GitHub-Delivery: "
  after = "\r\n\r\n" .. body
end

function request()
  count = count + 1
  return before .. prefix .. string.format("%08d", count) .. after
end

function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write
    + summary.errors.timeout
  io.write(string.format(
    'RESULT {"answers": %d, "microseconds": %d, "failed": %d, "p50_us": %d, "p99_us": %d, "max_us": %d}\n',
    summary.requests, summary.duration, failed, latency:percentile(50), latency:percentile(99), latency.max))
end
