/* json_read_when.cc: the fields of a task document that say when it fires.
 *
 * A delay task has one of `time` and `at`; a cron task one of `time`, `cron` and
 * `calendar`, or a list `triggers` of them. What a task would do by its time alone is
 * left at that (spec.when stays NULL), and a field that means nothing there, such as the
 * zone of an interval, is checked and dropped. Answers are read again: they have "time":0
 * where nothing fires by a time, and beside triggers the time of the first that does.
 *
 * Expressions and zones are the engine's to judge. What it refuses is looked at once more
 * to say where it is (pawl_json_locate_refusal()). */
#include "json_reader.h"

#include <cstring>

#include "../engine/cron.h"

namespace dom = simdjson::dom;

using namespace pawl_json;

namespace
{

constexpr uint64_t WAYS = bit(TIME) | bit(AT) | bit(CRON) | bit(CALENDAR) | bit(TRIGGERS);

/* In the order of their enumerations. */
constexpr const char *dst_names[] = {"run-after", "once", "twice", "shift"};
constexpr const char *day_match_names[] = {"or", "vixie"};
constexpr const char *jitter_names[] = {"hash", "random"};
constexpr const char *from_names[] = {"schedule", "completion"};

template <size_t n>
int
read_one_of(task_read &read, int field, dom::element value, const char *const (&names)[n],
            size_t *out_choice)
{
    return read_choice(read, field, value, names, n, out_choice);
}

/* --- Fields --- */

void
begin_when(task_read &read)
{
    pawl_json_when &when = read.reader->when;

    when.when = {};
    when.when.triggers = when.triggers;
    when.when.start_ns = when.when.end_ns = PAWL_NO_TIME;
    when.top = {};
    when.is_list = false;
}

int
read_span(task_read &read, int field, dom::element value, int64_t *out_ns)
{
    int code = read_duration(read, field, value, out_ns);

    if (code == 0 && *out_ns < 0)
        return refuse(read, field, "%s is negative: give 0 or more", place(read, field));
    return code;
}

/* A field that both a task and a trigger have, into trigger. */
int
read_trigger_field(task_read &read, pawl_trigger *trigger, int field, dom::element value)
{
    size_t choice = 0;
    int code;

    switch (field) {
    case CRON:
    case CALENDAR:
        return read_string(read, field, value, &trigger->expr, &trigger->expr_len);
    case AT:
        return read_moment(read, field, value, &trigger->at_ns);
    case TIME:
        return read_duration(read, field, value, &trigger->time_ns);
    case TIME_MAX:
        return read_span(read, field, value, &trigger->time_max_ns);
    case TIMEZONE:
        code = read_string(read, field, value, &trigger->timezone,
                           &trigger->timezone_len);
        if (code == 0 && trigger->timezone_len == 0)
            return refuse(read, field, "%s is empty: give the name of a time zone, such as "
                          "Europe/Berlin, or none", place(read, field));
        return code;
    case DST:
        code = read_one_of(read, field, value, dst_names, &choice);
        trigger->dst = pawl_cron_dst(choice);
        return code;
    default:
        code = read_one_of(read, field, value, day_match_names, &choice);
        trigger->day_match = pawl_cron_day_match(choice);
        return code;
    }
}

/* --- Triggers --- */

enum pawl_trigger_kind
kind_of(uint64_t way)
{
    return way == bit(CRON)       ? PAWL_BY_CRON
           : way == bit(CALENDAR) ? PAWL_BY_CALENDAR
           : way == bit(AT)       ? PAWL_BY_AT
                                  : PAWL_BY_SPAN;
}

/* Takes from a trigger what means nothing for its kind. A zone is checked first: nobody
 * else will. */
int
settle_trigger(task_read &read, pawl_trigger *trigger)
{
    const char *local = pawl_zone_name(pawl_zone_local());
    const pawl_zone *zone;
    pawl_err err;
    int code = 0;

    if (trigger->kind == PAWL_BY_CRON || trigger->kind == PAWL_BY_CALENDAR)
        return 0;
    if (trigger->timezone != nullptr &&
        std::string_view(trigger->timezone, trigger->timezone_len) != local)
        code = pawl_zone_load(trigger->timezone, trigger->timezone_len, &zone, &err);
    if (code != 0) {
        err.field = place(read, TIMEZONE);
        pawl_problem_from_err(read.problem, &err);
        return code;
    }
    trigger->timezone = nullptr;
    trigger->timezone_len = 0;
    trigger->dst = PAWL_CRON_RUN_AFTER;
    trigger->day_match = PAWL_CRON_OR;
    return 0;
}

/* The first field of a set. */
int
first_of(uint64_t set)
{
    return __builtin_ctzll(set);
}

int
refuse_ways(task_read &read, uint64_t ways)
{
    int first = first_of(ways & ~bit(TIME)), second = first_of(ways & ~bit(first));

    return refuse(read, first, "%s has both %s and %s: write two triggers",
                  read.trigger < 0 ? "the task" : "a trigger", field_name(first),
                  field_name(second));
}

int
read_trigger_members(task_read &read, pawl_trigger *trigger, dom::object object,
                     uint64_t *given)
{
    uint64_t seen = 0;

    for (dom::key_value_pair member : object) {
        int field = find_field(member.key), code = 0;

        if (field < 0 || field >= NREAD || (bit(field) & OF_A_TRIGGER) == 0)
            return refuse_unknown(read, member.key, OF_A_TRIGGER);
        if (seen & bit(field))
            return refuse_twice(read, field, member.key);
        seen |= bit(field);
        if (member.value.is_null())
            continue;
        *given |= bit(field);
        code = read_trigger_field(read, trigger, field, member.value);
        if (code != 0)
            return code;
    }
    return 0;
}

int
read_trigger(task_read &read, pawl_trigger *trigger, dom::element value)
{
    dom::object object;
    uint64_t given = 0, ways;
    int code;

    if (value.get(object) != simdjson::SUCCESS)
        return refuse_type(read, TRIGGERS, value, "an object");
    trigger->timezone = read.reader->when.top.timezone;
    trigger->timezone_len = read.reader->when.top.timezone_len;
    trigger->dst = read.reader->when.top.dst;
    trigger->day_match = read.reader->when.top.day_match;
    code = read_trigger_members(read, trigger, object, &given);
    if (code != 0)
        return code;
    ways = given & WAYS;
    if (ways == 0)
        return refuse(read, TRIGGERS, "%s has none of cron, calendar, at and time",
                      place(read, TRIGGERS));
    if ((ways & (ways - 1)) != 0)
        return refuse_ways(read, ways);
    if ((given & bit(TIME_MAX)) != 0 && ways != bit(TIME))
        return refuse(read, TIME_MAX, "timeMax goes with time, not with %s",
                      field_name(first_of(ways)));
    trigger->kind = kind_of(ways);
    return settle_trigger(read, trigger);
}

int
read_triggers(task_read &read)
{
    pawl_json_when &when = read.reader->when;
    dom::array array;

    if (read.triggers.get(array) != simdjson::SUCCESS)
        return refuse_type(read, TRIGGERS, read.triggers, "an array of triggers");
    for (dom::element value : array) {
        int code;

        if (when.when.ntriggers == PAWL_TRIGGERS_MAX)
            return refuse(read, TRIGGERS, "triggers has %zu elements: the limit is %d",
                          array.size(), PAWL_TRIGGERS_MAX);
        read.trigger = int(when.when.ntriggers);
        when.triggers[read.trigger] = {};
        code = read_trigger(read, &when.triggers[read.trigger], value);
        read.trigger = -1;
        if (code != 0)
            return code;
        when.when.ntriggers++;
    }
    if (when.when.ntriggers == 0)
        return refuse(read, TRIGGERS, "triggers is empty: give 1 to %d",
                      PAWL_TRIGGERS_MAX);
    when.is_list = true;
    return 0;
}

/* --- The document --- */

int
check_delay(task_read &read, uint64_t ways)
{
    uint64_t again = ways & (bit(CRON) | bit(CALENDAR) | bit(TRIGGERS));

    if (again != 0)
        return refuse(read, TASK_TYPE,
                      "taskType delay runs once: use taskType cron for %s",
                      field_name(first_of(again)));
    if (ways == 0)
        return refuse(read, TIME, "time is required: a delay, or give at");
    if (ways == (bit(TIME) | bit(AT)))
        return refuse(read, AT, "at and time are both given: taskType delay runs once, "
                      "by one of them");
    return 0;
}

int
check_cron(task_read &read, uint64_t ways)
{
    uint64_t single = ways & ~(bit(TRIGGERS) | bit(TIME));
    int first;

    if (ways == 0)
        return refuse(read, CRON,
                      "one of cron, time, calendar or triggers is required");
    if (ways == bit(AT))
        return refuse(read, AT, "at is one time: use taskType delay, or triggers");
    if ((ways & bit(TRIGGERS)) != 0 && single != 0)
        return refuse(read, first_of(single),
                      "%s and triggers are both given: put it into triggers",
                      field_name(first_of(single)));
    if ((ways & bit(TRIGGERS)) == 0 && (ways & (ways - 1)) != 0) {
        first = first_of(single);
        return refuse(read, first,
                      "%s and %s are both given: use triggers for a task that fires by "
                      "several", field_name(first),
                      field_name(first_of(ways & ~bit(first))));
    }
    return 0;
}

/* The document says by itself when, in one way. */
int
take_top(task_read &read, uint64_t way)
{
    pawl_json_when &when = read.reader->when;

    if ((read.given & bit(TIME_MAX)) != 0 && way != bit(TIME))
        return refuse(read, TIME_MAX, "timeMax goes with time, not with %s",
                      field_name(first_of(way)));
    when.top.kind = kind_of(way);
    when.top.time_ns = way == bit(TIME) ? read.spec.time_ns : 0;
    when.triggers[0] = when.top;
    when.when.ntriggers = 1;
    return settle_trigger(read, &when.triggers[0]);
}

/* It says by a list when. A time beside it is that of an answer. */
int
take_triggers(task_read &read, uint64_t ways)
{
    pawl_json_when &when = read.reader->when;
    int code = read_triggers(read);

    if (code != 0)
        return code;
    if ((read.given & bit(TIME_MAX)) != 0)
        return refuse(read, TIME_MAX, "timeMax and triggers are both given: put it into "
                      "triggers");
    if ((ways & bit(TIME)) == 0)
        return 0;
    for (size_t i = 0; i < when.when.ntriggers; i++)
        if (when.triggers[i].kind == PAWL_BY_SPAN) {
            if (when.triggers[i].time_ns == read.spec.time_ns)
                return 0;
            break;
        }
    return refuse(read, TIME, "time and triggers are both given: put it into triggers");
}

/* Whether a task by its time alone is the same. */
bool
is_plain(const pawl_when &when)
{
    return when.ntriggers == 1 && when.triggers[0].kind == PAWL_BY_SPAN &&
           when.triggers[0].time_max_ns == 0 && when.start_ns == PAWL_NO_TIME &&
           when.end_ns == PAWL_NO_TIME && when.max_runs == 0 && when.jitter_ns == 0 &&
           !when.runs_on_start && !when.from_completion;
}

} // namespace

int
pawl_json::read_when(task_read &read, int field, dom::element value)
{
    pawl_json_when &when = read.reader->when;
    size_t choice = 0;
    int code;

    if (value.is_null())
        return 0;
    if ((read.given & SAYS_WHEN) == 0)
        begin_when(read);
    read.given |= bit(field);
    switch (field) {
    case TRIGGERS:
        read.triggers = value;          /* once the defaults are known */
        return 0;
    case START_AT:
        return read_moment(read, field, value, &when.when.start_ns);
    case END_AT:
        return read_moment(read, field, value, &when.when.end_ns);
    case MAX_RUNS:
        return read_count(read, field, value, &when.when.max_runs);
    case RUN_ON_START:
        return read_bool(read, field, value, &when.when.runs_on_start);
    case JITTER:
        return read_span(read, field, value, &when.when.jitter_ns);
    case JITTER_MODE:
        code = read_one_of(read, field, value, jitter_names, &choice);
        when.when.is_jitter_random = choice == 1;
        return code;
    case INTERVAL_FROM:
        code = read_one_of(read, field, value, from_names, &choice);
        when.when.from_completion = choice == 1;
        return code;
    default:
        return read_trigger_field(read, &when.top, field, value);
    }
}

int
pawl_json::finish_when(task_read &read)
{
    uint64_t ways = read.given & WAYS;
    int code;

    if ((ways & ~bit(TIME)) != 0 && read.spec.time_ns == 0)
        ways &= ~bit(TIME);
    code = read.spec.type == PAWL_DELAY ? check_delay(read, ways)
                                        : check_cron(read, ways);
    if (code == 0)
        code = (ways & bit(TRIGGERS)) != 0 ? take_triggers(read, ways)
                                           : take_top(read, ways);
    if (code == 0 && !is_plain(read.reader->when.when))
        read.spec.when = &read.reader->when.when;
    return code;
}

/* Parses an expression again: whether it is refused, and where. One of the other kind is
 * refused as a whole. */
static bool
is_refused(const pawl_spec *spec, const pawl_trigger *trigger, size_t *out_position)
{
    pawl_cron_options options = {};
    pawl_cron_notes notes = {};
    pawl_cron cron;

    if (trigger->kind != PAWL_BY_CRON && trigger->kind != PAWL_BY_CALENDAR)
        return false;
    options.id = spec->id;
    options.id_len = spec->id_len;
    if (trigger->timezone_len > 0 &&
        pawl_zone_load(trigger->timezone, trigger->timezone_len, &options.zone,
                       nullptr) != 0)
        return true;
    if (pawl_cron_parse(&cron, trigger->expr, trigger->expr_len, &options, &notes,
                        nullptr) == 0)
        return (trigger->kind == PAWL_BY_CALENDAR) !=
               (cron.kind == PAWL_CRON_DAILY || cron.kind == PAWL_CRON_WEEKLY ||
                cron.kind == PAWL_CRON_MONTHLY);
    *out_position = notes.position;
    return true;
}

void
pawl_json_locate_refusal(struct pawl_json_reader *reader, const struct pawl_spec *spec,
                         struct pawl_problem *problem)
{
    pawl_problem refused = *problem;
    size_t position = 0, i = 0;
    pawl_json_when &when = reader->when;
    int field = problem->field == nullptr ? -1 : find_field(problem->field);

    if (spec->when == nullptr || field < 0 || (bit(field) & OF_A_TRIGGER) == 0)
        return;
    while (i < spec->when->ntriggers &&
           ((bit(field) & OF_AN_EXPRESSION) == 0 ||
            !is_refused(spec, &when.triggers[i], &position)))
        i++;
    if (i == spec->when->ntriggers && i > 1)
        return;
    if (i == spec->when->ntriggers)
        i = 0;                          /* nothing is wrong but that it never fires */
    if (when.is_list) {
        size_t len = strlen(refused.field);
        bool is_named = strncmp(refused.detail, refused.field, len) == 0 &&
                        refused.detail[len] == ':';

        snprintf(when.name, sizeof when.name, "triggers[%zu].%s", i, refused.field);
        pawl_problem_set(problem, refused.status, when.name, "%s%s%s", when.name,
                         is_named ? "" : ": ", refused.detail + (is_named ? len : 0));
        problem->code = refused.code;
    }
    problem->position = int(position);
}
