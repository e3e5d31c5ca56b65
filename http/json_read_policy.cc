/* json_read_policy.cc: what a task document says of what happens when something is in the
 * way: another run, downtime, a failure, other tasks of its group.
 *
 * What the values must be, and which of them go together, is the engine's; here only what
 * it could not be given is refused. */
#include "json_reader.h"

#include <cstring>

namespace dom = simdjson::dom;

using namespace pawl_json;

namespace
{

/* In the order of their enumerations. */
constexpr const char *OVERLAPS[] = {"skip", "queue", "replace", "allow"};
constexpr const char *MISFIRES[] = {"once", "skip", "all"};
constexpr const char *OVERFLOWS[] = {"wait", "skip"};

static_assert(std::size(OVERLAPS) == PAWL_NOVERLAP && std::size(MISFIRES) == PAWL_NMISFIRE &&
              std::size(OVERFLOWS) == PAWL_NGROUP_OVERFLOW);

/* A whole number; those that do not fit become one that the engine refuses, which knows the
 * bounds. */
int
read_number(task_read &read, int field, dom::element value, uint32_t *out_number)
{
    int64_t number;

    if (value.is_uint64() && !value.is_int64())
        number = -1;
    else if (value.get(number) != simdjson::SUCCESS)
        return refuse_type(read, field, value, "a whole number");
    *out_number = number < 0 || number > UINT32_MAX ? UINT32_MAX : uint32_t(number);
    return 0;
}

int
read_exit_codes(task_read &read, pawl_policy *policy, dom::element value)
{
    dom::array codes;
    size_t n = 0;

    if (value.get(codes) != simdjson::SUCCESS)
        return refuse_type(read, RETRY_ON, value, "an array of exit codes");
    for (dom::element element : codes) {
        int64_t code;

        if (!element.is_int64() && !element.is_uint64())
            return refuse(read, RETRY_ON, "retryOn[%zu] must be an exit code from 1 to 255, "
                          "not %s", n, type_name(element));
        if (element.get(code) != simdjson::SUCCESS || code < 1 || code > 255)
            return refuse(read, RETRY_ON, "retryOn[%zu] must be an exit code from 1 to 255",
                          n);
        policy->retry_on[code / 8] |= uint8_t(1 << code % 8);
        n++;
    }
    if (n == 0)
        return refuse(read, RETRY_ON, "retryOn is empty: give exit codes, or leave it out: "
                      "then any failure is tried again");
    return 0;
}

int
read_group(task_read &read, pawl_policy *policy, dom::element value)
{
    const char *name;
    size_t len;
    int code = read_string(read, GROUP, value, &name, &len);

    if (code != 0)
        return code;
    if (len == 0 || len > PAWL_GROUP_NAME_MAX)
        return refuse(read, GROUP, "group has %zu bytes: give a name of 1 to %d", len,
                      PAWL_GROUP_NAME_MAX);
    if (memchr(name, 0, len) != nullptr)
        return refuse(read, GROUP, "group has a NUL: it is one word");
    memcpy(policy->group, name, len);
    policy->group[len] = 0;
    return 0;
}

template <typename choice, size_t nnames>
int
read_one_of(task_read &read, int field, dom::element value,
            const char *const (&names)[nnames], choice *out_choice)
{
    size_t found;
    int code = read_choice(read, field, value, names, nnames, &found);

    if (code == 0)
        *out_choice = choice(found);
    return code;
}

} // namespace

int
pawl_json::read_policy(task_read &read, int field, dom::element value)
{
    pawl_policy *policy = &read.reader->policy;

    if (value.is_null())
        return 0;
    if (read.spec.policy == nullptr)
        pawl_policy_init(policy);
    read.spec.policy = policy;
    switch (field) {
    case OVERLAP:
        return read_one_of(read, field, value, OVERLAPS, &policy->overlap);
    case QUEUE_LIMIT:
        return read_number(read, field, value, &policy->queue_limit);
    case MAX_RUNNING:
        return read_number(read, field, value, &policy->max_running);
    case MISFIRE:
        return read_one_of(read, field, value, MISFIRES, &policy->misfire);
    case MISFIRE_GRACE:
        return read_duration(read, field, value, &policy->misfire_grace_ns);
    case MISFIRE_LIMIT:
        return read_number(read, field, value, &policy->misfire_limit);
    case RETRIES:
        return read_number(read, field, value, &policy->retries);
    case RETRY_DELAY:
        return read_duration(read, field, value, &policy->retry_delay_ns);
    case RETRY_BACKOFF:
        if (value.get(policy->retry_backoff) == simdjson::SUCCESS)
            return 0;
        return refuse_type(read, field, value, "a number");
    case RETRY_MAX_DELAY:
        return read_duration(read, field, value, &policy->retry_max_delay_ns);
    case RETRY_JITTER:
        return read_duration(read, field, value, &policy->retry_jitter_ns);
    case GROUP:
        return read_group(read, policy, value);
    case GROUP_OVERFLOW:
        return read_one_of(read, field, value, OVERFLOWS, &policy->group_overflow);
    default:
        return read_exit_codes(read, policy, value);
    }
}
