-- Compare and commit, in one step. The layout is described in schema.rs, the arguments in script.rs.
--
-- KEYS  the partition's records, the order of its rows
-- ARGV  write id, its fingerprint, newest version seen, floor, number of checks, `v`, `w`, checked rows...,
--       expected versions..., number of puts, (row, body)..., deleted rows...
local a, k, sub = ARGV, KEYS[1], string.sub
local checks = tonumber(a[5])
local m = redis.call('HMGET', k, unpack(a, 6, checks + 7))
local v, w = m[1], m[2]
local now, fresh = 0, 2
if v then
  if #v ~= 8 or not w or #w < 129 or (#w - 129) % 20 ~= 0 then return {3, 'its counter is malformed'} end
  now, fresh = struct.unpack('>I8', v), 0
  if string.find(w, a[2], 2, true) then
    -- Perhaps a retry: two bytes cannot tell. The whole ids can.
    local chunks = redis.call('HMGET', k, 'w0', 'w1', 'w2', 'w3', 'w4', 'w5', 'w6', 'w7')
    chunks[9] = sub(w, 130)
    for i = 1, 9 do
      local chunk = chunks[i] or ''
      for at = 1, #chunk, 20 do
        if sub(chunk, at, at + 15) == a[1] then
          local low = struct.unpack('>I4', chunk, at + 16)
          return now - (now - low) % 4294967296
        end
      end
    end
  end
else
  w = string.rep('\0', 129)
end
local seen = tonumber(a[3])
if now < seen then
  -- Someone was told of a commit that is gone. Never again a number that was given away.
  redis.call('HSET', k, 'v', struct.pack('>I8', seen), 'w', w)
  return {2, now}
end
local base = checks + 7
for i = 1, checks do
  local found, want = m[i + 2], a[base + i]
  if found then
    if sub(found, 1, 8) ~= want then return {1, i, sub(found, 1, 8)} end
  elseif want ~= '' then
    return {1, i}
  end
end
now = now + 1
local floor = tonumber(a[4])
if now < floor then now = floor end
local V = struct.pack('>I8', now)
local index, chunk = sub(w, 1, 1), sub(w, 130) .. a[1] .. sub(V, 5)
if #chunk == 160 then
  local at = string.byte(index) % 8
  redis.call('HSET', k, 'w' .. at, chunk)
  index, chunk = string.char(at + 1), ''
end
local W = index .. a[2] .. sub(w, 2, 127) .. chunk
local at = base + checks + 1
local puts = tonumber(a[at])
if puts == 1 then
  if redis.call('HSET', k, 'v', V, 'w', W, a[at + 1], V .. a[at + 2]) > fresh then
    redis.call('ZADD', KEYS[2], 0, a[at + 1])
  end
else
  local fields, order = {'v', V, 'w', W}, {}
  for i = 1, puts do
    local row = a[at + 2 * i - 1]
    fields[2 * i + 3], fields[2 * i + 4] = row, V .. a[at + 2 * i]
    order[2 * i - 1], order[2 * i] = 0, row
  end
  if redis.call('HSET', k, unpack(fields)) > fresh then redis.call('ZADD', KEYS[2], unpack(order)) end
end
at = at + 2 * puts
if #a > at and redis.call('HDEL', k, unpack(a, at + 1)) > 0 then
  redis.call('ZREM', KEYS[2], unpack(a, at + 1))
end
return now
