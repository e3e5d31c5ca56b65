/* json_fields.cc: which names a task document may have, and what a misspelt one was meant
 * to be. Pure, any thread. Names are matched without case, as Go's encoding/json does. */
#include "json_fields.h"

#include <algorithm>
#include <strings.h>

namespace
{

constexpr size_t NAME_MAX_BYTES = 40;           /* longer than any name, folded or not */
constexpr int QUOTE_MAX = 64;                   /* bytes of a name that an error quotes */

/* In the order of the enumeration; behind NREAD, what is ignored. */
constexpr struct {
    std::string_view name;              /* of a literal, so it ends with a NUL */
    std::string_view folded;
} fields[] = {
    {"id", "id"},
    {"taskType", "tasktype"},
    {"time", "time"},
    {"script", "script"},
    {"keepResults", "keepresults"},
    {"cron", "cron"},
    {"calendar", "calendar"},
    {"at", "at"},
    {"triggers", "triggers"},
    {"timeMax", "timemax"},
    {"timezone", "timezone"},
    {"dst", "dst"},
    {"dayMatch", "daymatch"},
    {"startAt", "startat"},
    {"endAt", "endat"},
    {"maxRuns", "maxruns"},
    {"runOnStart", "runonstart"},
    {"jitter", "jitter"},
    {"jitterMode", "jittermode"},
    {"intervalFrom", "intervalfrom"},
    {"tags", "tags"},
    {"interpreter", "interpreter"},
    {"args", "args"},
    {"env", "env"},
    {"cwd", "cwd"},
    {"umask", "umask"},
    {"timeout", "timeout"},
    {"killGrace", "killgrace"},
    {"killMode", "killmode"},
    {"condition", "condition"},
    {"action", "action"},
    {"overlap", "overlap"},
    {"queueLimit", "queuelimit"},
    {"maxRunning", "maxrunning"},
    {"misfire", "misfire"},
    {"misfireGrace", "misfiregrace"},
    {"misfireLimit", "misfirelimit"},
    {"retries", "retries"},
    {"retryDelay", "retrydelay"},
    {"retryBackoff", "retrybackoff"},
    {"retryMaxDelay", "retrymaxdelay"},
    {"retryJitter", "retryjitter"},
    {"retryOn", "retryon"},
    {"group", "group"},
    {"groupOverflow", "groupoverflow"},
    {"results", "results"},
    {"status", "status"},
    {"state", "state"},
    {"lastStatusUpdated", "laststatusupdated"},
    {"version", "version"},
    {"createdAt", "createdat"},
    {"nextRun", "nextrun"},
    {"previousRun", "previousrun"},
    {"runCount", "runcount"},
    {"failureCount", "failurecount"},
    {"running", "running"},
    {"skipped", "skipped"},
    {"missed", "missed"},
    {"missedPaused", "missedpaused"},
    {"endReason", "endreason"},
    {"paused", "paused"},
    {"attempt", "attempt"},
    {"waitingFor", "waitingfor"},
    {"warnings", "warnings"},
};
constexpr int NFIELDS = sizeof fields / sizeof *fields;

static_assert(pawl_json::NREAD <= 64 && NFIELDS - pawl_json::NREAD <= 64, "a bit a field, in each half");

/* The name in lower case as Go folds it, in out; its length, or 0 when it is too long
 * to be known. Two characters outside ASCII fold into it: U+017F, the long s, and
 * U+212A, the Kelvin sign. */
size_t
fold(std::string_view name, char out[NAME_MAX_BYTES])
{
    size_t len = 0;

    for (size_t i = 0; i < name.size(); i++, len++) {
        if (len == NAME_MAX_BYTES)
            return 0;
        if (name[i] >= 'A' && name[i] <= 'Z') {
            out[len] = char(name[i] + 32);
        } else if (name.substr(i, 2) == "\xc5\xbf") {
            out[len] = 's';
            i += 1;
        } else if (name.substr(i, 3) == "\xe2\x84\xaa") {
            out[len] = 'k';
            i += 2;
        } else {
            out[len] = name[i];
        }
    }
    return len;
}

/* How many characters must be inserted, removed or replaced to make one of the other. */
size_t
distance(std::string_view a, std::string_view b)
{
    size_t row[NAME_MAX_BYTES + 1];

    for (size_t j = 0; j <= b.size(); j++)
        row[j] = j;
    for (size_t i = 1; i <= a.size(); i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b.size(); j++) {
            size_t replaced = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            row[j] = std::min(replaced, 1 + std::min(row[j], row[j - 1]));
        }
    }
    return row[b.size()];
}

} // namespace

const char *
pawl_json::field_name(int field)
{
    return fields[field].name.data();
}

int
pawl_json::find_field(std::string_view name)
{
    char text[NAME_MAX_BYTES];

    if (!name.empty() && name[0] >= 'a')        /* else it is written in another case */
        for (int i = 0; i < NFIELDS; i++)
            if (fields[i].name == name)
                return i;

    std::string_view folded(text, fold(name, text));

    for (int i = 0; i < NFIELDS; i++)
        if (fields[i].folded == folded)
            return i;
    return -1;
}

bool
pawl_json::is_same_name(std::string_view a, std::string_view b)
{
    return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

int
pawl_json::suggest_field(std::string_view name, uint64_t among)
{
    char text[NAME_MAX_BYTES];
    std::string_view folded(text, fold(name, text));
    size_t best = 3;
    int found = -1;

    for (int i = 0; i < NREAD; i++) {
        size_t away = distance(folded, fields[i].folded);

        if ((among & bit(i)) != 0 && away < best && away < fields[i].folded.size() &&
            away < folded.size()) {
            best = away;
            found = i;
        }
    }
    return found;
}

int
pawl_json::quote_len(std::string_view text)
{
    size_t len = std::min(text.size(), size_t(QUOTE_MAX));

    while (len < text.size() && len > 0 && (text[len] & 0xc0) == 0x80)
        len--;
    return int(len);
}
