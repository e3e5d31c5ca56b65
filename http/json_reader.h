/* json_reader.h: what the parts of the reader of task documents share: json_read.cc has
 * the parser and the document, json_values.cc single values and what is wrong with them,
 * json_read_when.cc what says when, json_read_action.cc what says how, json_read_policy.cc
 * what happens when something is in the way. Private to json_*.cc; used by the reader's
 * thread. */
#ifndef PAWL_JSON_READER_H
#define PAWL_JSON_READER_H

#define SIMDJSON_EXCEPTIONS 0
#pragma GCC diagnostic push
/* pawl.h has a call and a struct of one name. */
#pragma GCC diagnostic ignored "-Wshadow"
#include "json_read.h"
#pragma GCC diagnostic pop

#include <simdjson.h>

#include <memory>

#include "json_fields.h"

/* When a task fires, as the last document said it: what spec.when points to. */
struct pawl_json_when {
    pawl_when when;
    pawl_trigger top;                   /* of the task itself: defaults for the others */
    pawl_trigger triggers[PAWL_TRIGGERS_MAX];
    bool is_list;                       /* the document has `triggers` */
    char name[96];                      /* of a field in one of them, for a problem */
};

/* How its script is run, or what is called, as it said it: what spec.action points to. */
struct pawl_json_action {
    pawl_action action;
    const char *args[PAWL_ARGUMENTS_MAX + 1];
    const char *env[PAWL_ARGUMENTS_MAX + 1];
    size_t nargs, nenv, text_len;
    char text[PAWL_ARGUMENTS_BYTES];    /* of the variables */
    pawl_http_call http;
    const char *headers[PAWL_HEADERS_MAX + 1];
    uint16_t codes[PAWL_CODES_MAX];
    size_t nheaders, header_len;
    char header_text[PAWL_HEADERS_BYTES];
};

struct pawl_json_reader {
    simdjson::dom::parser parser;
    const char *id = nullptr;           /* of the last document, in the parser's memory */
    size_t id_len = 0;
    pawl_json_when when;                /* set where it is used */
    const char *tags[PAWL_TAGS_MAX];    /* what spec.tags points to */
    pawl_policy policy;                 /* what spec.policy points to */
    std::unique_ptr<pawl_json_action> action;   /* made where it is used first */
};

namespace pawl_json
{

/* One document being read; used by one call. */
struct task_read {
    pawl_json_reader *reader;
    pawl_spec spec;
    pawl_problem *problem;
    uint64_t seen;                      /* a bit a field that is read */
    uint64_t given;                     /* of those that say when: seen, and not null */
    int trigger;                        /* the one that is being read; -1: none */
    simdjson::dom::element triggers;
};

/* --- json_read.cc --- */

/* Parses a document that is an object; the text is as pawl_json_read_task() takes it; wanted: "a task
 * document", for errors. Errors: as there. */
int
parse_object(pawl_json_reader *reader, char *text, size_t len, size_t cap,
             const char *wanted, simdjson::dom::object *out_object,
             pawl_problem *out_problem);

/* --- json_values.cc: all return PAWL_EINVAL and set the problem, or 0 --- */

/* The name of a field where it stands: "cron", "triggers[2].cron"; of TRIGGERS within
 * one, "triggers[2]". Lives until the next one in a trigger. */
const char *
place(task_read &read, int field);

int
refuse(task_read &read, int field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int
refuse_unknown(task_read &read, std::string_view name, uint64_t known);
int
refuse_twice(task_read &read, int field, std::string_view name);
int
refuse_missing(task_read &read, int field);
int
refuse_type(task_read &read, int field, simdjson::dom::element value, const char *wanted);

/* "an array", "null": what a value is, for errors. */
const char *
type_name(simdjson::dom::element value);

int
read_string(task_read &read, int field, simdjson::dom::element value,
            const char **out_text, size_t *out_len);
int
read_bool(task_read &read, int field, simdjson::dom::element value, bool *out_value);

/* The place in names, nnames of them, of a string that must be one. */
int
read_choice(task_read &read, int field, simdjson::dom::element value,
            const char *const *names, size_t nnames, size_t *out_choice);

/* Integer nanoseconds or a duration; negative ones too. */
int
read_duration(task_read &read, int field, simdjson::dom::element value, int64_t *out_ns);

/* A number that is not negative, UINT64_MAX at most. */
int
read_count(task_read &read, int field, simdjson::dom::element value, uint64_t *out_count);

/* RFC 3339. */
int
read_moment(task_read &read, int field, simdjson::dom::element value,
            int64_t *out_wall_ns);

constexpr char DURATION_HINT[] =
    "integer nanoseconds, or a duration string such as \"1m30s\"";

/* --- json_read_when.cc --- */

constexpr uint64_t SAYS_WHEN =
    EVERY_READ & ~OF_AN_ACTION & ~OF_A_POLICY &
    ~(bit(ID) | bit(TASK_TYPE) | bit(TIME) | bit(SCRIPT) | bit(KEEP_RESULTS) | bit(TAGS));

/* One field of SAYS_WHEN. */
int
read_when(task_read &read, int field, simdjson::dom::element value);

/* Once all fields were read: whether they say when, and no more than once. Sets
 * spec.when where a time alone does not say it all. */
int
finish_when(task_read &read);

/* --- json_read_action.cc --- */

/* One field of OF_AN_ACTION. Sets spec.action. */
int
read_action(task_read &read, int field, simdjson::dom::element value);

/* --- json_read_http.cc --- */

/* The field ACTION. */
int
read_http(task_read &read, pawl_json_action *action, simdjson::dom::element value);

/* --- json_read_policy.cc --- */

/* One field of OF_A_POLICY. Sets spec.policy. */
int
read_policy(task_read &read, int field, simdjson::dom::element value);

} // namespace pawl_json

#endif
