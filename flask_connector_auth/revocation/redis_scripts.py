"""The keys of :class:`RedisStore` and its Lua scripts, each of which runs as one atomic step."""

TAG = "{connector-auth}:"
LOG, NAMES, NEXT, LEASE, OLD = (TAG + name for name in ("log", "names", "next", "lease", "old:"))

#: Appends changes, and returns the length of the log.
#:
#: KEYS: log, names. ARGV: the beginning of a log; its header, if there is none; the header if
#: entries are missing; the records; then keys and names, in pairs.
CHANGE = """
local log, names = unpack(KEYS)
if redis.call('EXISTS', log) == 0 then
  redis.call('SET', log, ARGV[2 + redis.call('EXISTS', names)])
elseif redis.call('GETRANGE', log, 0, #ARGV[1] - 1) ~= ARGV[1] then
  return redis.error_reply('ERR not a log of this version')
end
local length = redis.call('APPEND', log, ARGV[4])
redis.call('HSET', names, '', '', unpack(ARGV, 5))
return length
"""

#: Returns the state of the store, and a part of a log. On a replica, which may have lost its
#: master, it returns an error: the first command changes nothing, but only a master executes it.
#:
#: KEYS: log, names, and where the log is kept that the worker has read, if it was replaced: its end
#: is the header of the log that replaced it. ARGV: its generation; the first and the last byte to
#: return of it.
READ = """
local log, names, old = unpack(KEYS)
local answer = redis.pcall('PERSIST', log)
if type(answer) == 'table' and string.find(answer.err, 'READONLY', 1, true) then
  return redis.error_reply('READONLY a replica')
end
local header, successor, source, last = redis.call('GETRANGE', log, 0, 63), '', log, ARGV[3]
if string.sub(header, 17, 24) ~= ARGV[1] and redis.call('EXISTS', old) == 1 then
  successor, source = redis.call('GETRANGE', old, -64, -1), old
  last = math.min(last, redis.call('STRLEN', old) - 65)
end
return {
  redis.call('TIME'), header, redis.call('EXISTS', names), successor,
  redis.call('GETRANGE', source, ARGV[2], last)
}
"""

#: Begins to write a log, and returns whether this worker may: no other one does, and the present
#: log is still the one that is known.
#:
#: KEYS: next, lease, log. ARGV: the name of this worker; how long the other workers wait, in
#: milliseconds; generation of the present log; empty: there is none.
BEGIN = """
local next, lease, log = unpack(KEYS)
local writer = redis.call('GET', lease) or ARGV[1]
if redis.call('GETRANGE', log, 16, 23) ~= ARGV[3] or writer ~= ARGV[1] then return 0 end
redis.call('SET', lease, writer, 'PX', ARGV[2])
redis.call('DEL', next)
return 1
"""

#: Writes a part of it, and returns whether this worker still may.
#:
#: KEYS: next, lease. ARGV: as above; the records.
WRITE = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return 0 end
redis.call('APPEND', KEYS[1], ARGV[3])
for _, key in ipairs(KEYS) do redis.call('PEXPIRE', key, ARGV[2]) end
return 1
"""

#: Replaces the log, and returns whether it did. What was appended meanwhile is copied.
#:
#: KEYS: next, lease, log, names, and where to keep the present log. ARGV: as above; the length of
#: the new log, its header; generation of the present log, how much of it is in the new one, and the
#: last record of that; for how long to keep it, in seconds. One that is full, so that it cannot end
#: with the header, is not kept.
REPLACE = """
local next, lease, log, names, old = unpack(KEYS)
if redis.call('GET', lease) ~= ARGV[1] then return 0 end
redis.call('DEL', lease)
local last = #ARGV[7] > 0 and redis.call('GETRANGE', log, ARGV[6] - #ARGV[7], ARGV[6] - 1) or ''
if redis.call('STRLEN', next) ~= tonumber(ARGV[3]) or last ~= ARGV[7]
  or redis.call('GETRANGE', log, 16, 23) ~= ARGV[5] then
  redis.call('DEL', next)
  return 0
end
redis.call('SETRANGE', next, 0, ARGV[4])
if ARGV[5] ~= '' then
  redis.call('APPEND', next, redis.call('GETRANGE', log, ARGV[6], -1))
  if type(redis.pcall('APPEND', log, ARGV[4])) == 'number' then
    redis.call('RENAME', log, old)
    redis.call('EXPIRE', old, ARGV[8])
  end
end
redis.call('RENAME', next, log)
redis.call('PERSIST', log)
redis.call('HSET', names, '', '')
return 1
"""

TIME = "return redis.call('TIME')"
INFO = "return redis.call('INFO', 'server')"
MEMORY = "return redis.call('INFO', 'memory')"
