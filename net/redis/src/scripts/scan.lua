-- A range of rows, as of one moment.
--
-- KEYS  the partition's records, the order of its rows
-- ARGV  first row, end, limit (-1 for none)
local rows = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local out = {redis.call('HGET', KEYS[1], 'v')}
-- In parts: Lua's stack takes some thousand arguments.
for first = 1, #rows, 1000 do
  local last = math.min(first + 999, #rows)
  local found = redis.call('HMGET', KEYS[1], unpack(rows, first, last))
  for at = first, last do
    out[2 * at], out[2 * at + 1] = rows[at], found[at - first + 1]
  end
end
return out
