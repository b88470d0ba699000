/**
 * What decides of leases in the store, in Lua: all of a call or nothing. `core/lease/server/claims`
 * says what each claim does; the tests have it slow and readable, and compare both.
 *
 * @module
 */

import { LEASE_GRACE, MOST_LOGGED, YOUNG_TABLE } from "../../core/lease/server/claims.ts";

/** The table: by address, who has it. */
export const LEASES_KEY = "{wgsig}:leases";
/** The log. */
export const LEASE_CHANGES_KEY = "{wgsig}:lease-changes";
/** What servers have read of the log. */
export const LEASE_READERS_KEY = "{wgsig}:lease-readers";

/**
 * All keys, in the order of the script: table, addresses by key and family, addresses by when their
 * leases end, log, what is known of the table and log, and servers.
 */
export const LEASE_KEYS: readonly string[] = [
  LEASES_KEY,
  "{wgsig}:lease-of",
  "{wgsig}:lease-ends",
  LEASE_CHANGES_KEY,
  "{wgsig}:lease-head",
  LEASE_READERS_KEY,
];

/** About so many entries of the log are kept. */
const KEPT = 16_384;
/** So many leases that have ended are removed with a call. */
const SWEPT = 64;

/**
 * Claims, and reads the log.
 *
 * KEYS: {@linkcode LEASE_KEYS}. ARGV: the server (8 bytes), a name for a new table, "1" where all
 * that was read is taken over, claims count until then (Unix seconds), the name of the table that was
 * read, how far (decimal; empty to learn where the log ends), the last entry; claims.
 *
 * Returns the store's time, the table's name, how far the log is read with this, the last entry,
 * whether there is more, a gap, and whether the table is young ("1" or ""), and entries.
 */
export const CLAIM = `
local LEASES, OF, ENDS, LOG, HEAD, READERS = unpack(KEYS)
local V4 = string.rep('\\0', 10) .. '\\255\\255'
local HELD, NEVER = 0, 2 ^ 53
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000

local head = redis.call('HMGET', HEAD, 'table', 'count', 'last', 'since')
-- A store that was short of memory may have lost a part alone: then it has lost all.
if head[1] and redis.call('HLEN', LEASES) ~= redis.call('ZCARD', ENDS) then head[1] = false end
if not head[1] then
  head = {ARGV[2], '0', '', string.format('%.6f', now)}
  redis.call('DEL', LEASES, OF, ENDS, LOG, READERS)
  redis.call('HSET', HEAD, 'table', head[1], 'count', head[2], 'last', head[3], 'since', head[4])
end
local name, count, last = head[1], tonumber(head[2]), head[3]
local isYoung = now < tonumber(head[4]) + ${YOUNG_TABLE}

local function id(n) return string.format('%.0f-0', n) end

local function entryAt(n)
  local found = redis.call('XRANGE', LOG, id(n), id(n))[1]
  return found and found[2][2]
end

local function answer(n, newest, entries, isGap)
  return {
    string.format('%.6f', now), name, string.format('%.0f', n), newest,
    n < count and not isGap and '1' or '', isGap and '1' or '', isYoung and '1' or '', entries,
  }
end

if ARGV[6] == '' then return answer(count, last, {}, false) end
local from = tonumber(ARGV[6])
local follows = ARGV[5] == name and from <= count and now <= tonumber(ARGV[4])
if follows and from == count then follows = ARGV[7] == last
elseif follows and from > 0 then follows = entryAt(from) == ARGV[7]
elseif follows then follows = entryAt(1) ~= nil end
if not follows then return answer(count, last, {}, true) end

if ARGV[3] == '1' then
  -- What a server has read, it may believe in until the last of it has ended.
  local longest = redis.call('ZREVRANGE', ENDS, 0, 0, 'WITHSCORES')[2]
  local row = struct.pack('>dd', from, longest and tonumber(longest) or 0)
  if redis.call('HGET', READERS, ARGV[1]) ~= row then redis.call('HSET', READERS, ARGV[1], row) end
end

local function leaseAt(address)
  local value = redis.call('HGET', LEASES, address)
  if not value then return nil end
  local ends, released = struct.unpack('>dd', value, 33)
  return {key = string.sub(value, 1, 32), ends = ends, released = released}
end

local function put(key, address, ends, released)
  redis.call('HSET', LEASES, address, key .. struct.pack('>dd', ends, released))
end

local function write(key, address, ends, isReleased)
  count = count + 1
  last = key .. address .. struct.pack('>dBd', ends, isReleased, now)
  redis.call('XADD', LOG, 'MAXLEN', '~', ${KEPT}, id(count), 'c', last)
end

local function ofKey(key, address)
  return key .. (string.sub(address, 1, 12) == V4 and '4' or '6')
end

local function release(key, address, lease)
  write(key, address, lease.ends, 1)
  put(key, address, lease.ends, count)
  redis.call('HDEL', OF, ofKey(key, address))
end

local readers

local function isFree(lease)
  if lease.ends + ${LEASE_GRACE} <= now then return true end
  if lease.released == HELD then return false end
  readers = readers or redis.call('HVALS', READERS)
  for _, row in ipairs(readers) do
    local read, till = struct.unpack('>dd', row)
    if read < lease.released and till + ${LEASE_GRACE} > now then return false end
  end
  return true
end

-- What a peer has and has not given back: its address, and the lease.
local function heldBy(key, address)
  local other = redis.call('HGET', OF, ofKey(key, address))
  local lease = other and leaseAt(other)
  if not lease or lease.key ~= key or lease.released ~= HELD then return nil end
  if lease.ends + ${LEASE_GRACE} <= now then return nil end
  return other, lease
end

local function grant(key, address, till)
  local other, held = heldBy(key, address)
  if other and other ~= address then release(key, other, held) end
  local lease = leaseAt(address)
  local ends = till
  if lease and lease.key == key and lease.ends > ends then ends = lease.ends end
  if lease and lease.key ~= key then
    local before = ofKey(lease.key, address)
    if redis.call('HGET', OF, before) == address then redis.call('HDEL', OF, before) end
  end
  put(key, address, ends, HELD)
  redis.call('HSET', OF, ofKey(key, address), address)
  redis.call('ZADD', ENDS, string.format('%.6f', ends), address)
  write(key, address, ends, 0)
end

local function claim(kind, seconds, key, address)
  local lease = leaseAt(address)
  local isOwn = lease and lease.key == key
  local other, held = heldBy(key, address)
  local till = now + seconds
  if kind == 4 then
    if other then release(key, other, held) end
  elseif kind == 5 then
    if isOwn and lease.released ~= HELD then put(key, address, lease.ends, NEVER) end
  elseif kind == 3 then
    if lease and (isOwn or not isFree(lease)) then return end
    -- There may be more.
    if isYoung then redis.call('HSET', HEAD, 'since', string.format('%.6f', now)) end
    if not other or held.ends <= now then return grant(key, address, till) end
    put(key, address, till, NEVER)
    redis.call('ZADD', ENDS, string.format('%.6f', till), address)
  elseif kind == 1 and other and held.ends > now then
    grant(key, other, till)
  elseif kind == 1 or kind == 2 then
    if lease and not isOwn and not isFree(lease) then return end
    if isYoung and not (isOwn and lease.ends > now) then return end
    grant(key, address, till)
  end
end

if #ARGV > 7 then
  local past = string.format('%.6f', now - ${LEASE_GRACE})
  for _, address in ipairs(redis.call('ZRANGEBYSCORE', ENDS, '-inf', past, 'LIMIT', 0, ${SWEPT})) do
    local lease = leaseAt(address)
    if lease then
      local owner = ofKey(lease.key, address)
      if redis.call('HGET', OF, owner) == address then redis.call('HDEL', OF, owner) end
    end
    redis.call('HDEL', LEASES, address)
    redis.call('ZREM', ENDS, address)
  end
  local rows = redis.call('HGETALL', READERS)
  for i = 1, #rows, 2 do
    local _, till = struct.unpack('>dd', rows[i + 1])
    if till + ${LEASE_GRACE} <= now then redis.call('HDEL', READERS, rows[i]) end
  end
  local before = count
  for i = 8, #ARGV do
    if #ARGV[i] == 57 then
      local kind, seconds = struct.unpack('>Bd', ARGV[i])
      claim(kind, seconds, string.sub(ARGV[i], 10, 41), string.sub(ARGV[i], 42, 57))
    end
  end
  if count > before then
    redis.call('HSET', HEAD, 'count', string.format('%.0f', count), 'last', last)
  end
end

local entries, read, newest = {}, from, ARGV[7]
if from < count then
  for _, each in ipairs(redis.call('XRANGE', LOG, id(from + 1), '+', 'COUNT', ${MOST_LOGGED})) do
    newest = each[2][2]
    entries[#entries + 1] = newest
    read = read + 1
  end
end
return answer(read, newest, entries, false)
`;
