/* json_fields.h: the names of the fields of a task document. Private to json_*.cc. */
#ifndef PAWL_JSON_FIELDS_H
#define PAWL_JSON_FIELDS_H

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pawl_json
{

/* The fields that are read come first; the others are what an answer has and a submit
 * ignores. */
enum field {
    ID, TASK_TYPE, TIME, SCRIPT, KEEP_RESULTS,
    CRON, CALENDAR, AT, TRIGGERS, TIME_MAX, TIMEZONE, DST, DAY_MATCH, START_AT, END_AT,
    MAX_RUNS, RUN_ON_START, JITTER, JITTER_MODE, INTERVAL_FROM,
    TAGS,
    INTERPRETER, ARGS, ENV, CWD, UMASK, TIMEOUT, KILL_GRACE, KILL_MODE, CONDITION,
    ACTION,
    OVERLAP, QUEUE_LIMIT, MAX_RUNNING, MISFIRE, MISFIRE_GRACE, MISFIRE_LIMIT,
    RETRIES, RETRY_DELAY, RETRY_BACKOFF, RETRY_MAX_DELAY, RETRY_JITTER, RETRY_ON,
    GROUP, GROUP_OVERFLOW,
    NREAD
};

constexpr uint64_t
bit(int field)
{
    return uint64_t(1) << field;
}

constexpr uint64_t EVERY_READ = bit(NREAD) - 1;
constexpr uint64_t OF_A_TRIGGER = bit(CRON) | bit(CALENDAR) | bit(AT) | bit(TIME) |
                                  bit(TIME_MAX) | bit(TIMEZONE) | bit(DST) |
                                  bit(DAY_MATCH);

constexpr uint64_t OF_AN_EXPRESSION = bit(CRON) | bit(CALENDAR) | bit(TIMEZONE);

constexpr uint64_t OF_AN_ACTION = bit(INTERPRETER) | bit(ARGS) | bit(ENV) | bit(CWD) |
                                  bit(UMASK) | bit(TIMEOUT) | bit(KILL_GRACE) |
                                  bit(KILL_MODE) | bit(CONDITION) | bit(ACTION);

constexpr uint64_t OF_A_POLICY = bit(OVERLAP) | bit(QUEUE_LIMIT) | bit(MAX_RUNNING) |
                                 bit(MISFIRE) |
                                 bit(MISFIRE_GRACE) | bit(MISFIRE_LIMIT) | bit(RETRIES) |
                                 bit(RETRY_DELAY) | bit(RETRY_BACKOFF) |
                                 bit(RETRY_MAX_DELAY) | bit(RETRY_JITTER) | bit(RETRY_ON) |
                                 bit(GROUP) | bit(GROUP_OVERFLOW);

/* The name of a field as the documentation writes it. A literal. Threads: any. */
const char *
field_name(int field);

/* The field of a name, whatever its case, or -1. Threads: any. */
int
find_field(std::string_view name);

/* Whether two names are the same but for the case of their ASCII letters. Threads: any. */
bool
is_same_name(std::string_view a, std::string_view b);

/* The field whose name is closest to this one, of those whose bit is set, or -1 when none
 * is close. Slow, for errors. Threads: any. */
int
suggest_field(std::string_view name, uint64_t among);

/* The length of what an error may quote of a text: cut at a character. Threads: any. */
int
quote_len(std::string_view text);

} // namespace pawl_json

#endif
