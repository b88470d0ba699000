/**
 * What runs in the store, in Lua: each is done as a whole, or not at all. What merging does here, the
 * core does as well (`core/shared`); `test/vectors/shared.json` has what both must come to.
 *
 * Labels are compared byte by byte: `<` on strings follows the store's locale.
 *
 * @module
 */

/** Changes are kept in the stream for so long, in milliseconds. */
const STREAM_KEPT_MS = 120_000;
/** So many seconds it is known that a registry which is gone now has kept peers for long. */
const MAX_AGE_KEPT = 3600;
/** Where the clock was set back, nothing gets that old for long: then so many are kept. */
const STREAM_KEPT = 10_000;

/** The parts that records are made of, as `lib/wire/shared/record` has them. */
const RECORDS = `
-- Size of what a register has before its content, and of its MAC.
local HEAD, MAC = 22, 16
local KINDS = {1, 2, 4}

-- The registers of a record by kind, and whether one is proved; nil where it is none.
local function parse(record)
  if #record < 2 or string.byte(record, 1) ~= 1 then return nil end
  local which = string.byte(record, 2)
  if which == 0 or which > 7 then return nil end
  local registers, at, proved = {}, 3, false
  for _, kind in ipairs(KINDS) do
    if which % (kind + kind) >= kind then
      local size = string.byte(record, at + HEAD - 1)
      if size == nil then return nil end
      local past = at + HEAD + size + MAC
      if past - 1 > #record then return nil end
      registers[kind] = string.sub(record, at, past - 1)
      if string.byte(record, at + HEAD - 2) % 2 == 1 then proved = true end
      at = past
    end
  end
  if at ~= #record + 1 then return nil end
  return registers, proved
end

local function isProved(register)
  return string.byte(register, HEAD - 1) % 2 == 1
end
`;

/**
 * Says who the store is, and names it where nobody has.
 *
 * KEYS: id, format, changes, max-age. ARGV: the name that it gets, its format, this registry's maximal
 * age in seconds; scripts whose hashes it says.
 */
export const GREET = `
local id = redis.call('GET', KEYS[1])
if not id then
  local made = redis.pcall('SET', KEYS[1], ARGV[1])
  if type(made) == 'table' and made.err then return made end
  local format = redis.pcall('SET', KEYS[2], ARGV[2], 'NX')
  if type(format) == 'table' and format.err then return format end
  id = ARGV[1]
end
local format = redis.call('GET', KEYS[2]) or ''
local first = redis.call('XRANGE', KEYS[3], '-', '+', 'COUNT', 1)[1]
local last = redis.call('XREVRANGE', KEYS[3], '+', '-', 'COUNT', 1)[1]
local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or ''
local memory = redis.pcall('INFO', 'memory')
local policy = type(memory) == 'string' and string.match(memory, 'maxmemory_policy:([%w-]+)') or ''
local time = redis.call('TIME')
local said = {id, format, time[1], time[2], run, first and first[1] or '', last and last[1] or '', policy}
-- The largest one of those who ask is kept; where it can't be, that is told by the next write.
local most = tonumber(redis.pcall('GET', KEYS[4]) or nil) or 0
if format == ARGV[2] and tonumber(ARGV[3]) >= most then
  redis.pcall('SET', KEYS[4], ARGV[3], 'EX', ${MAX_AGE_KEPT})
end
for i = 4, #ARGV do said[#said + 1] = redis.sha1hex(ARGV[i]) end
return said
`;

/**
 * Merges records into a group, and tells of what has changed: where that can't be told, nothing is
 * written. Returns how many peers have changed, 1 where the group had none before, and IDs and records
 * of those whose registers here stay though others were given; or -1 where the store is another one by
 * now: nothing is written then.
 *
 * KEYS: id, the group's peers, changes. ARGV: the store's name, the writer, the group; of each peer its ID,
 * its record, and the MACs of registers that count as none where they are here.
 */
export const WRITE = `${RECORDS}
-- How the first so many bytes of two texts are in order, from a place on: below 0 where a is less.
local function compare(a, b, from, to)
  for i = from, to do
    local difference = string.byte(a, i) - string.byte(b, i)
    if difference ~= 0 then return difference end
  end
  return 0
end

-- The later label wins. Of two contents with one label, the one that was heard first: who plays a request
-- to another registry comes later than whoever has made it.
local function wins(a, b)
  local order = compare(a, b, 1, 12)
  if order ~= 0 then return order > 0 end
  if string.sub(a, 21, -MAC - 1) == string.sub(b, 21, -MAC - 1) then return false end
  return compare(a, b, 13, 20) < 0
end

-- Leaves out registers with these MACs. Returns whether one of the others is proved.
local function leaveOut(registers, wrong)
  local proved = false
  for _, kind in ipairs(KINDS) do
    local register = registers[kind]
    if register then
      local mac = string.sub(register, -MAC)
      for at = 1, #wrong, MAC do
        if string.sub(wrong, at, at + MAC - 1) == mac then registers[kind] = nil end
      end
      if registers[kind] and isProved(register) then proved = true end
    end
  end
  return proved
end

local function join(registers)
  local which, parts = 0, {}
  for _, kind in ipairs(KINDS) do
    if registers[kind] then
      which = which + kind
      parts[#parts + 1] = registers[kind]
    end
  end
  return string.char(1, which) .. table.concat(parts)
end

if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1} end
local said = {0, 1 - redis.call('EXISTS', KEYS[2])}
local told, written = {}, {}
for i = 4, #ARGV, 3 do
  local id, given, wrong = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local new, newProved = parse(given)
  if new then
    local stored = redis.call('HGET', KEYS[2], id)
    local old, oldProved
    if stored then old, oldProved = parse(stored) end
    old = old or {}
    if wrong ~= '' then oldProved = leaveOut(old, wrong) end
    local proved = newProved or oldProved
    local merged, changed, any, stays = {}, {}, false, false
    for _, kind in ipairs(KINDS) do
      local before, after = old[kind], new[kind]
      if before and proved and not isProved(before) then before = nil end
      if after and proved and not isProved(after) then after, stays = nil, true end
      if after and (before == nil or wins(after, before)) then
        merged[kind], changed[kind], any = after, after, true
      else
        merged[kind] = before
        if after and string.sub(after, 21, -MAC - 1) ~= string.sub(before, 21, -MAC - 1) then
          stays = true
        end
      end
    end
    if any then
      written[#written + 1] = {id, join(merged)}
      local record = join(changed)
      told[#told + 1] = id .. string.char(math.floor(#record / 256), #record % 256) .. record
      said[1] = said[1] + 1
    end
    if stays and stored then
      said[#said + 1] = id
      said[#said + 1] = stored
    end
  end
end
if said[1] > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local oldest = string.format('%.0f', now - ${STREAM_KEPT_MS})
  local place = redis.call('XADD', KEYS[3], 'MINID', '~', oldest, '*',
    'w', ARGV[2], 'g', ARGV[3], 'r', table.concat(told))
  if tonumber(string.match(place, '^%d+')) > now + ${STREAM_KEPT_MS} then
    redis.call('XTRIM', KEYS[3], 'MAXLEN', '~', ${STREAM_KEPT})
  end
  for _, pair in ipairs(written) do redis.call('HSET', KEYS[2], pair[1], pair[2]) end
end
return said
`;

/**
 * Forgets peers of a group none of whose registers was heard since, nor within the maximal age of any
 * other registry. Returns how many those were.
 *
 * KEYS: the group's peers, max-age. ARGV: Unix seconds by the store's clock, big-endian IEEE 754; IDs.
 */
export const FORGET = `${RECORDS}
local since, count = struct.unpack('>d', ARGV[1]), 0
local most = tonumber(redis.pcall('GET', KEYS[2]) or nil)
if most then since = math.min(since, redis.call('TIME')[1] - most) end
for i = 2, #ARGV do
  local stored = redis.call('HGET', KEYS[1], ARGV[i])
  if stored then
    local isGone = true
    for _, register in pairs(parse(stored) or {}) do
      if struct.unpack('>d', register, 13) >= since then isGone = false end
    end
    if isGone then count = count + redis.call('HDEL', KEYS[1], ARGV[i]) end
  end
end
return count
`;
