-- Marks a new store, or recognises one, and notices a server whose history is not the one that was left.
--
-- KEYS  the store's mark
-- ARGV  format, cluster id (empty: none), replication id, `1` if another one was seen here before
local function mark(...) return redis.call('HSET', KEYS[1], ...) end
local m = redis.call('HMGET', KEYS[1], 'format', 'cluster', 'history', 'era')
local era = tonumber(m[4] or '0')
if m[1] then
  if (tonumber(m[1]) or 1e9) > tonumber(ARGV[1]) then return {'format', m[1]} end
  if ARGV[2] ~= '' then
    if m[2] and m[2] ~= ARGV[2] then return {'cluster', m[2]} end
    if not m[2] then mark('cluster', ARGV[2]) end
  end
else
  mark('format', ARGV[1])
  if ARGV[2] ~= '' then mark('cluster', ARGV[2]) end
end
local broken = m[3] and m[3] ~= ARGV[3] or not m[3] and ARGV[4] == '1'
if broken then era = math.max(era + 1, tonumber(redis.call('TIME')[1])) end
if broken or not m[3] then mark('history', ARGV[3], 'era', string.format('%.0f', era)) end
return {'era', string.format('%.0f', era)}
