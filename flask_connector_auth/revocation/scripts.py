"""What must be one step for all workers in; the Lua that Redis runs as one step out.

Four keys, under one hash tag, so that a Cluster has them on one node:

- ``entries``, a hash: the time of each entry, by its field. The truth.
- ``expiry``, a sorted set: the fields by the time from which they may be forgotten.
- ``log``, a stream: the last changes, each with its version.
- ``meta``, a hash: ``run``, a random name that is new where the data are; ``version``, of the last
  change; ``last``, its id in the log; ``size``, of ``entries``. By these four each worker sees
  whether it missed anything, and whether the store did.
"""

TAG = "{connector-auth}:"
ENTRIES, EXPIRY, LOG, META = (TAG + name for name in ("entries", "expiry", "log", "meta"))

#: KEYS: the four. ARGV: "1" to leave alone what is there; a run, with a log of its own, if there
#: is none; the length of the log; then for each change its field, its time or nothing, and when it
#: may be forgotten. Returns how many entries there are.
#: The oldest hundred of what may be forgotten go: a day later, since this clock may be off too.
CHANGE = """
local entries, expiry, log, meta = unpack(KEYS)
if redis.call('HSETNX', meta, 'run', ARGV[2]) == 1 then redis.call('DEL', log) end
for i = 4, #ARGV, 3 do
  local field, value, till = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local old = redis.call('HGET', entries, field)
  if not (old and ARGV[1] == '1') then
    if value == '' then
      redis.call('HDEL', entries, field)
      redis.call('ZREM', expiry, field)
    else
      if old and tonumber(old) > tonumber(value) then value = old end
      redis.call('HSET', entries, field, value)
      redis.call('ZADD', expiry, 'GT', till, field)
    end
    local version = redis.call('HINCRBY', meta, 'version', 1)
    local id = redis.call('XADD', log, 'MAXLEN', '~', ARGV[3], '*', 'v', version, field, value)
    redis.call('HSET', meta, 'last', id)
  end
end
local over = redis.call('TIME')[1] - 86400
for _, field in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', over, 'LIMIT', 0, 100)) do
  redis.call('HDEL', entries, field)
  redis.call('ZREM', expiry, field)
end
local size = redis.call('HLEN', entries)
redis.call('HSET', meta, 'size', size)
return size
"""

#: KEYS: the same. ARGV: an id in the log; how many changes after it to return, at most.
READ = """
local entries, expiry, log, meta = unpack(KEYS)
local state = redis.call('HMGET', meta, 'run', 'version', 'last', 'size')
local news = redis.call('XRANGE', log, '(' .. ARGV[1], '+', 'COUNT', ARGV[2])
return {
  state[1] or '', state[2] or '0', state[3] or '0-0', state[4] or '0',
  redis.call('HLEN', entries), news
}
"""

TIME = "return redis.call('TIME')"
INFO = "return redis.call('INFO', 'server')"
