/* spec.c: what a new task may be. */
#include "spec.h"

#include "err.h"
#include "utf8.h"

#include <string.h>

static int
check_id(const char *id, size_t len, struct pawl_err *err)
{
    unsigned point;

    if (len == 0)
        return pawl_err_set(err, PAWL_EINVAL, "id", "id is empty: give 1 to %d bytes", PAWL_ID_MAX);
    if (len > PAWL_ID_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "id", "id has %zu bytes: the limit is %d", len,
                            PAWL_ID_MAX);
    for (size_t i = 0, n; i < len; i += n) {
        n = pawl_utf8_next(id + i, len - i, &point);
        if (n == 0)
            return pawl_err_set(err, PAWL_EINVAL, "id", "id is not valid UTF-8 at byte %zu", i);
        if (point < 0x20 || (point >= 0x7F && point < 0xA0))
            return pawl_err_set(err, PAWL_EINVAL, "id",
                                "id has the control character U+%04X at byte %zu", point, i);
    }
    return PAWL_OK;
}

static int
check_time(const struct pawl_spec *spec, struct pawl_err *err)
{
    if (spec->time_ns < 0)
        return pawl_err_set(err, PAWL_EINVAL, "time", "time is negative: give 0 or more");
    if (spec->type == PAWL_CRON && spec->time_ns < PAWL_INTERVAL_MIN_NS)
        return pawl_err_set(err, PAWL_EINVAL, "time",
                            "time is the interval of a cron task: give 1ms (1000000) or more");
    return PAWL_OK;
}

static int
check_script(const char *script, size_t len, struct pawl_err *err)
{
    const char *nul;

    if (len == 0)
        return pawl_err_set(err, PAWL_EINVAL, "script", "script is empty: give what bash shall run");
    if (len > PAWL_SCRIPT_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "script",
                            "script has %zu bytes: the limit is %zu (1 MiB)", len, PAWL_SCRIPT_MAX);
    nul = memchr(script, '\0', len);
    if (nul)
        return pawl_err_set(err, PAWL_EINVAL, "script",
                            "script has a NUL at byte %zu: bash cannot read it",
                            (size_t) (nul - script));
    if (!pawl_utf8_valid(script, len))
        return pawl_err_set(err, PAWL_EINVAL, "script", "script is not valid UTF-8");
    return PAWL_OK;
}

int
pawl_spec_check(const struct pawl_spec *spec, struct pawl_err *err)
{
    int code = check_id(spec->id, spec->id_len, err);

    if (code == PAWL_OK && spec->type != PAWL_DELAY && spec->type != PAWL_CRON)
        code = pawl_err_set(err, PAWL_EINVAL, "taskType", "taskType is neither delay nor cron");
    if (code == PAWL_OK)
        code = check_time(spec, err);
    if (code == PAWL_OK)
        code = check_script(spec->script, spec->script_len, err);
    if (code == PAWL_OK && spec->keep_results > PAWL_KEEP_MAX)
        code = pawl_err_set(err, PAWL_EINVAL, "keepResults",
                            "keepResults is %d: give 0 to %d", spec->keep_results, PAWL_KEEP_MAX);
    return code;
}
