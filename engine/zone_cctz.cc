// zone_cctz.cc: reads a zone through cctz and gives its changes of offset.
//
// cctz knows every change that the file states, and those of its rule for four hundred years
// more, after which the calendar repeats: zone.c goes on from there. Any thread; no exception
// leaves this file. The name was checked by zone.c.
#include "zone.h"

#include <chrono>
#include <cstdlib>
#include <limits>
#include <new>

#include <cctz/time_zone.h>

namespace
{

using Instant = cctz::time_point<cctz::seconds>;

constexpr std::size_t kMost = 100000;   // no zone comes near it

bool
append(pawl_zone_change *&changes, std::size_t &n, std::size_t &cap, std::int64_t begin,
    int offset)
{
    if (n > 0 && changes[n - 1].offset_s == offset)
        return true;                    // only the name of the offset changes
    if (n == cap) {
        cap = cap == 0 ? 64 : 2 * cap;
        void *larger = std::realloc(changes, cap * sizeof *changes);
        if (larger == nullptr)
            return false;
        changes = static_cast<pawl_zone_change *>(larger);
    }
    changes[n++] = {begin, offset};
    return true;
}

} // namespace

extern "C" int
pawl_zone_changes(const char *name, pawl_zone_change **out, std::size_t *out_n)
{
    pawl_zone_change *changes = nullptr;
    std::size_t n = 0, cap = 0;

    try {
        cctz::time_zone zone;
        cctz::time_zone::civil_transition next;
        Instant at = Instant::min();

        if (!cctz::load_time_zone(name, &zone))
            return PAWL_ENOENT;
        bool is_whole = append(changes, n, cap, std::numeric_limits<std::int64_t>::min(),
            zone.lookup(at).offset);
        for (std::size_t i = 0; is_whole && i < kMost; i++) {
            if (!zone.next_transition(at, &next))
                break;
            Instant change = zone.lookup(next.to).trans;
            if (change <= at)
                break;
            at = change;
            is_whole = append(
                changes, n, cap, at.time_since_epoch().count(), zone.lookup(at).offset);
        }
        if (!is_whole)
            throw std::bad_alloc();
    } catch (...) {
        std::free(changes);
        return PAWL_ENOMEM;
    }
    *out = changes;
    *out_n = n;
    return PAWL_OK;
}
