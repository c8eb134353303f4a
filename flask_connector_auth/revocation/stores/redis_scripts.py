"""The Lua scripts that Redis runs, each as one atomic step.

Four keys, under one hash tag, so that a Cluster has them on one node:

- ``entries``, a hash: the time of each entry, by its field. The truth.
- ``expiry``, a sorted set: the fields by the time from which they may be forgotten.
- ``log``, a stream: the last changes, each with its version and its mark.
- ``meta``, a hash: ``run``, the random name of a history; of the last change its ``version``, its
  ``mark``, a random value, and ``last``, its id in the log; ``size``, of ``entries``; ``lost``,
  while entries are missing that no worker has written back. By these each worker sees whether it
  missed anything, and whether the store did.
"""

TAG = "{connector-auth}:"
ENTRIES, EXPIRY, LOG, META = (TAG + name for name in ("entries", "expiry", "log", "meta"))

#: KEYS: the four. ARGV: "1" to leave alone what is there; a random value, the mark of these changes
#: and the run of a history that begins; the length of the log; the time, by the caller's clock;
#: then for each change its field, its time or nothing, and when it may be forgotten. Returns how
#: many entries there are.
#: A history begins where there is none, and where a key was evicted: Redis evicts just before it
#: runs a command, which may be this script. The sizes are compared before anything is written,
#: since the new size would hide the loss. ``lost`` then stays until a worker that had a
#: copy has written back what it knows, and says so: by "1" and no change.
#: Of two times at which an entry may be forgotten the later one stays; an entry without one, whose
#: ``expiry`` was evicted, gets none.
#: The oldest hundred of what may be forgotten go: a day later by both clocks, the server's and the
#: caller's, since either may be ahead.
CHANGE = """
local entries, expiry, log, meta = unpack(KEYS)
local run, before = unpack(redis.call('HMGET', meta, 'run', 'size'))
local whole = tonumber(before or 0) == redis.call('HLEN', entries)
if not run then redis.call('DEL', log) end
if not run or not whole then redis.call('HSET', meta, 'run', ARGV[2]) end
if not whole then redis.call('HSET', meta, 'lost', 1) end
if ARGV[1] == '1' and #ARGV == 4 then redis.call('HDEL', meta, 'lost') end
for i = 5, #ARGV, 3 do
  local field, value, till = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local old = redis.call('HGET', entries, field)
  if value ~= '' and old then
    redis.call('ZADD', expiry, 'XX', 'GT', till, field)
  elseif value ~= '' then
    redis.call('ZADD', expiry, 'GT', till, field)
  end
  if not (old and ARGV[1] == '1') then
    if value == '' then
      redis.call('HDEL', entries, field)
      redis.call('ZREM', expiry, field)
    else
      if old and tonumber(old) > tonumber(value) then value = old end
      redis.call('HSET', entries, field, value)
    end
    local version = redis.call('HINCRBY', meta, 'version', 1)
    local id = redis.call(
      'XADD', log, 'MAXLEN', '~', ARGV[3], '*', 'v', version, 'm', ARGV[2], field, value
    )
    redis.call('HSET', meta, 'last', id, 'mark', ARGV[2])
  end
end
local over = math.min(redis.call('TIME')[1], ARGV[4]) - 86400
for _, field in ipairs(redis.call('ZRANGEBYSCORE', expiry, '-inf', over, 'LIMIT', 0, 100)) do
  redis.call('HDEL', entries, field)
  redis.call('ZREM', expiry, field)
end
local size = redis.call('HLEN', entries)
redis.call('HSET', meta, 'size', size)
return size
"""

#: KEYS: the same. ARGV: the first and the last id in the log to return, as XRANGE takes them; how
#: many changes to return, at most. Where the first one is not in the log, the version of the oldest
#: change says whether it was cut off.
READ = """
local entries, expiry, log, meta = unpack(KEYS)
local state = redis.call('HMGET', meta, 'run', 'version', 'last', 'mark', 'size', 'lost')
local found = redis.call('XRANGE', log, ARGV[1], ARGV[2], 'COUNT', ARGV[3])
local oldest
if not (found and found[1] and found[1][1] == ARGV[1]) then
  oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
end
return {
  state[1] or '', state[2] or '0', state[3] or '0-0', state[4] or '', state[5] or '0',
  redis.call('HLEN', entries), state[6] or '', redis.call('TIME'),
  oldest and oldest[2][2] or '', found
}
"""

TIME = "return redis.call('TIME')"
INFO = "return redis.call('INFO', 'server')"
MEMORY = "return redis.call('INFO', 'memory')"
