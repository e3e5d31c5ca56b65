-- submit.lua: wrk sends task documents of 150 bytes, each with an id of its own.
-- Usage: wrk -t1 -s submit.lua URL -- PREFIX, the prefix having 4 bytes.

local before, after
local n = 0

local function document(id)
    local script = "/usr/local/bin/report --day yesterday --quiet >> r.log"
    return '{"id":"' .. id .. '","taskType":"delay","time":86400000000000,"script":"' ..
        script .. '"}'
end

function init(args)
    local prefix = args[1] or "load"
    local pad = 150 - #document(prefix .. "-00000000")
    local text = document(prefix .. "-@")
    local at = text:find("@", 1, true)

    assert(pad >= 0, "the document is too long")
    before = "POST /api/tasks HTTP/1.1\r\nHost: 127.0.0.1\r\n" ..
        "Content-Type: application/json\r\nContent-Length: 150\r\n\r\n" .. text:sub(1, at - 1)
    after = text:sub(at + 1, -3) .. string.rep(" ", pad) .. '"}'
end

function request()
    n = n + 1
    return before .. string.format("%08d", n) .. after
end
