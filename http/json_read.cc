/* json_read.cc: task documents by simdjson's DOM, behind a C interface.
 *
 * A reader is used by one thread at a time; it allocates when a document is larger
 * than any before it, and not otherwise. The DOM and not the on-demand half of
 * simdjson: it checks all of the document, also what we skip. Where a malformed
 * document is wrong is json_locate.c's to find. */
#define SIMDJSON_EXCEPTIONS 0
#pragma GCC diagnostic push
/* pawl.h has a call and a struct of one name. */
#pragma GCC diagnostic ignored "-Wshadow"
#include "json_read.h"
#pragma GCC diagnostic pop

#include <algorithm>
#include <cassert>
#include <climits>
#include <cstring>
#include <new>
#include <string_view>

#include <simdjson.h>

#include "../engine/duration.h"

namespace dom = simdjson::dom;

static_assert(PAWL_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson reads further");

struct pawl_json_reader {
    dom::parser parser;
    const char *id = nullptr;           /* of the last document, in the parser's memory */
    size_t id_len = 0;
};

namespace
{

constexpr size_t FIRST_CAPACITY = size_t(16) << 10;
constexpr size_t KEPT_CAPACITY = size_t(256) << 10;   /* larger ones are given back */
constexpr size_t NAME_MAX_BYTES = 40;           /* longer than any name, folded or not */
constexpr int QUOTE_MAX = 64;                   /* bytes of a name that an error quotes */

/* The fields that are read come first; the others are what an answer has and a submit
 * ignores. */
enum field { ID, TASK_TYPE, TIME, SCRIPT, KEEP_RESULTS, NREAD };

constexpr struct {
    std::string_view name;              /* of a literal, so it ends with a NUL */
    std::string_view folded;
} fields[] = {
    {"id", "id"},
    {"taskType", "tasktype"},
    {"time", "time"},
    {"script", "script"},
    {"keepResults", "keepresults"},
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
};
constexpr int NFIELDS = sizeof fields / sizeof *fields;

constexpr char TIME_HINT[] =
    "integer nanoseconds, or a duration string such as \"1m30s\"";

/* One document being read; used by one call. */
struct task_read {
    pawl_json_reader *reader;
    pawl_spec spec;
    pawl_problem *problem;
    unsigned seen;                      /* a bit a field */
};

const char *
literal(int field)
{
    return fields[field].name.data();
}

/* --- Names --- */

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

/* The field of this name, or -1. */
int
find_field(std::string_view name)
{
    char text[NAME_MAX_BYTES];

    for (int i = 0; i < NFIELDS; i++)
        if (fields[i].name == name)
            return i;

    std::string_view folded(text, fold(name, text));

    for (int i = 0; i < NFIELDS; i++)
        if (fields[i].folded == folded)
            return i;
    return -1;
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

/* The field that is read whose name is closest to this one, or -1 when none is close. */
int
suggest_field(std::string_view name)
{
    char text[NAME_MAX_BYTES];
    std::string_view folded(text, fold(name, text));
    size_t best = 3;
    int found = -1;

    for (int i = 0; i < NREAD; i++) {
        size_t away = distance(folded, fields[i].folded);

        if (away < best && away < fields[i].folded.size() && away < folded.size()) {
            best = away;
            found = i;
        }
    }
    return found;
}

/* The length of what an error may quote of a name: cut at a character. */
int
quote_len(std::string_view name)
{
    size_t len = std::min(name.size(), size_t(QUOTE_MAX));

    while (len < name.size() && len > 0 && (name[len] & 0xc0) == 0x80)
        len--;
    return int(len);
}

/* --- Problems --- */

int
refuse_unknown(task_read &read, std::string_view name)
{
    int close = suggest_field(name), len = quote_len(name);
    const char *more = size_t(len) < name.size() ? "..." : "";

    if (close >= 0)
        pawl_problem_set(read.problem, 400, name.data(),
                         "unknown field \"%.*s%s\": did you mean \"%s\"?", len,
                         name.data(), more, literal(close));
    else
        pawl_problem_set(read.problem, 400, name.data(),
                         "unknown field \"%.*s%s\": a task has id, taskType, time, "
                         "script and keepResults", len, name.data(), more);
    return PAWL_EINVAL;
}

int
refuse_twice(task_read &read, int field, std::string_view name)
{
    if (name == fields[field].name)
        pawl_problem_set(read.problem, 400, literal(field), "the field %s is given twice",
                         literal(field));
    else
        pawl_problem_set(read.problem, 400, literal(field),
                         "the field %s is given twice, the second time as \"%.*s\": "
                         "case does not matter in names", literal(field),
                         quote_len(name), name.data());
    return PAWL_EINVAL;
}

int
refuse_missing(task_read &read, int field)
{
    pawl_problem_set(read.problem, 400, literal(field), "%s is required", literal(field));
    return PAWL_EINVAL;
}

const char *
type_name(dom::element value)
{
    switch (value.type()) {
    case dom::element_type::ARRAY:
        return "an array";
    case dom::element_type::OBJECT:
        return "an object";
    case dom::element_type::STRING:
        return "a string";
    case dom::element_type::BOOL:
        return "true or false";
    case dom::element_type::NULL_VALUE:
        return "null";
    case dom::element_type::DOUBLE:
        return "a number with a fraction or an exponent";
    case dom::element_type::INT64:
    case dom::element_type::UINT64:
        break;
    }
    return "a number";
}

int
refuse_type(task_read &read, int field, dom::element value, const char *wanted)
{
    if (value.is_null())
        return refuse_missing(read, field);
    pawl_problem_set(read.problem, 400, literal(field), "%s must be %s, not %s",
                     literal(field), wanted, type_name(value));
    return PAWL_EINVAL;
}

bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Says where the text is malformed; skipped: the bytes of a mark in front of it. */
int
refuse_malformed(const char *text, size_t len, size_t skipped, simdjson::error_code error,
                 pawl_problem *out_problem)
{
    pawl_json_fault fault;
    int line, column, field;

    if (!pawl_json_locate(text, len, &fault)) {
        pawl_problem_set(out_problem, 400, nullptr, "the document is not valid JSON: %s",
                         simdjson::error_message(error));
        return PAWL_EINVAL;
    }
    if (std::all_of(text, text + len, is_space)) {
        pawl_problem_set(out_problem, 400, nullptr,
                         "the body is empty: a task document is expected");
        return PAWL_EINVAL;
    }
    pawl_json_position(text - skipped, fault.offset + skipped, &line, &column);
    field = fault.key == nullptr ? -1 : find_field({fault.key, fault.key_len});
    pawl_problem_set(out_problem, 400, field < 0 ? nullptr : literal(field),
                     "the document is not valid JSON at line %d, column %d%s%s: %s%s%s",
                     line, column, field < 0 ? "" : ", in ",
                     field < 0 ? "" : literal(field), fault.what, field == TIME ? "; time is " : "",
                     field == TIME ? TIME_HINT : "");
    out_problem->line = line;
    out_problem->column = column;
    return PAWL_EINVAL;
}

int
refuse_memory(pawl_problem *out_problem)
{
    pawl_err err = {PAWL_ENOMEM, nullptr, "out of memory while the document was read"};

    pawl_problem_from_err(out_problem, &err);
    return PAWL_ENOMEM;
}

/* --- Values --- */

int
read_string(task_read &read, int field, dom::element value, const char **out_text,
            size_t *out_len)
{
    std::string_view text;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse_type(read, field, value, "a string");
    *out_text = text.data();
    *out_len = text.size();
    return 0;
}

int
read_type(task_read &read, dom::element value)
{
    std::string_view text;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse_type(read, TASK_TYPE, value, "\"delay\" or \"cron\"");
    if (text == "delay") {
        read.spec.type = PAWL_DELAY;
    } else if (text == "cron") {
        read.spec.type = PAWL_CRON;
    } else {
        pawl_problem_set(read.problem, 400, literal(TASK_TYPE),
                         "taskType must be \"delay\" or \"cron\", not \"%.*s\"",
                         quote_len(text), text.data());
        return PAWL_EINVAL;
    }
    return 0;
}

int
read_time(task_read &read, dom::element value)
{
    std::string_view text;
    pawl_err err;

    switch (value.type()) {
    case dom::element_type::INT64:
        read.spec.time_ns = value.get_int64().value_unsafe();
        return 0;
    case dom::element_type::STRING:
        text = value.get_string().value_unsafe();
        if (pawl_duration_parse(text.data(), text.size(), &read.spec.time_ns, &err) == 0)
            return 0;
        err.field = literal(TIME);
        pawl_problem_from_err(read.problem, &err);
        return PAWL_EINVAL;
    case dom::element_type::UINT64:
        pawl_problem_set(read.problem, 400, literal(TIME),
                         "time is too large: it is at most 9223372036854775807 ns");
        return PAWL_EINVAL;
    default:
        return refuse_type(read, TIME, value, TIME_HINT);
    }
}

/* Negative is refused here, since in a spec it means the default; too large is the
 * engine's. */
int
read_keep_results(task_read &read, dom::element value)
{
    int64_t count;

    switch (value.type()) {
    case dom::element_type::NULL_VALUE:
        return 0;
    case dom::element_type::UINT64:
        read.spec.keep_results = INT_MAX;
        return 0;
    case dom::element_type::INT64:
        count = value.get_int64().value_unsafe();
        if (count >= 0) {
            read.spec.keep_results = int(std::min(count, int64_t(INT_MAX)));
            return 0;
        }
        pawl_problem_set(read.problem, 400, literal(KEEP_RESULTS),
                         "keepResults must be 0 to %d", PAWL_KEEP_MAX);
        return PAWL_EINVAL;
    default:
        return refuse_type(read, KEEP_RESULTS, value, "a whole number");
    }
}

int
read_value(task_read &read, int field, dom::element value)
{
    switch (field) {
    case ID:
        return read_string(read, ID, value, &read.spec.id, &read.spec.id_len);
    case TASK_TYPE:
        return read_type(read, value);
    case TIME:
        return read_time(read, value);
    case SCRIPT:
        return read_string(read, SCRIPT, value, &read.spec.script, &read.spec.script_len);
    case KEEP_RESULTS:
        return read_keep_results(read, value);
    default:
        return 0;
    }
}

int
read_members(task_read &read, dom::object object)
{
    for (dom::key_value_pair member : object) {
        int field = find_field(member.key), code;

        if (field < 0)
            return refuse_unknown(read, member.key);
        if (read.seen & 1u << field)
            return refuse_twice(read, field, member.key);
        read.seen |= 1u << field;
        code = read_value(read, field, member.value);
        if (code != 0)
            return code;
    }
    for (int field : {ID, TASK_TYPE, TIME, SCRIPT})
        if (!(read.seen & 1u << field))
            return refuse_missing(read, field);
    return 0;
}

/* Remembers the id of a refused document, which may stand behind what was wrong. */
void
note_id(pawl_json_reader *reader, dom::object object)
{
    for (dom::key_value_pair member : object) {
        std::string_view text;

        if (find_field(member.key) == ID && member.value.get(text) == simdjson::SUCCESS) {
            reader->id = text.data();
            reader->id_len = text.size();
            return;
        }
    }
}

/* --- The parser --- */

/* Makes room for a document of len bytes, by doubling, and gives back what a large one
 * took. */
bool
prepare(pawl_json_reader *reader, size_t len)
{
    dom::parser &parser = reader->parser;
    size_t have = std::min(parser.capacity(), parser.doc.capacity());
    size_t want = FIRST_CAPACITY;

    reader->id = nullptr;
    reader->id_len = 0;
    if (have >= len && (have <= KEPT_CAPACITY || len > KEPT_CAPACITY))
        return true;
    while (want < len)
        want *= 2;
    parser = dom::parser();
    return parser.allocate(want, PAWL_JSON_DEPTH + 1) == simdjson::SUCCESS &&
           parser.doc.allocate(want) == simdjson::SUCCESS;
}

} // namespace

int
pawl_json_reader_new(struct pawl_json_reader **out_reader)
{
    pawl_json_reader *reader = new (std::nothrow) pawl_json_reader;

    if (reader == nullptr || !prepare(reader, FIRST_CAPACITY)) {
        delete reader;
        return PAWL_ENOMEM;
    }
    *out_reader = reader;
    return 0;
}

void
pawl_json_reader_free(struct pawl_json_reader *reader)
{
    delete reader;
}

void
pawl_json_reader_trim(struct pawl_json_reader *reader)
{
    if (reader->parser.capacity() > KEPT_CAPACITY)
        prepare(reader, FIRST_CAPACITY);
}

const char *
pawl_json_last_id(const struct pawl_json_reader *reader, size_t *out_len)
{
    *out_len = reader->id_len;
    return reader->id;
}

int
pawl_json_read_task(struct pawl_json_reader *reader, char *text, size_t len, size_t cap,
                    struct pawl_spec *out_spec, struct pawl_problem *out_problem)
{
    size_t skipped = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    task_read read = {reader, {}, out_problem, 0};
    dom::element top;
    dom::object object;
    int code;

    assert(cap >= len + PAWL_JSON_PADDING);
    (void) cap;
    text += skipped;
    len -= skipped;
    if (!prepare(reader, len))
        return refuse_memory(out_problem);

    auto *bytes = reinterpret_cast<const uint8_t *>(text);
    simdjson::error_code error = reader->parser.parse(bytes, len, false).get(top);

    if (error == simdjson::MEMALLOC)
        return refuse_memory(out_problem);
    if (error != simdjson::SUCCESS)
        return refuse_malformed(text, len, skipped, error, out_problem);
    if (top.get(object) != simdjson::SUCCESS) {
        pawl_problem_set(out_problem, 400, nullptr,
                         "a task document is a JSON object, not %s", type_name(top));
        return PAWL_EINVAL;
    }
    read.spec.keep_results = -1;
    code = read_members(read, object);
    if (code != 0) {
        note_id(reader, object);
        return code;
    }
    reader->id = read.spec.id;
    reader->id_len = read.spec.id_len;
    *out_spec = read.spec;
    return 0;
}
