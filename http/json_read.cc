/* json_read.cc: task documents by simdjson's DOM, behind a C interface.
 *
 * A reader is used by one thread at a time; it allocates when a document is larger
 * than any before it, and not otherwise. The DOM and not the on-demand half of
 * simdjson: it checks all of the document, also what we skip. Where a malformed
 * document is wrong is json_locate.c's to find; its values are json_values.cc's, and what
 * says when a task fires is json_read_when.cc's. */
#include "json_reader.h"

#include <algorithm>
#include <cassert>
#include <climits>
#include <cstring>
#include <new>

namespace dom = simdjson::dom;

using namespace pawl_json;

static_assert(PAWL_JSON_PADDING >= simdjson::SIMDJSON_PADDING, "simdjson reads further");

namespace
{

constexpr size_t FIRST_CAPACITY = size_t(16) << 10;
constexpr size_t KEPT_CAPACITY = size_t(256) << 10;   /* larger ones are given back */

/* --- Problems --- */

bool
is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Says where the text is malformed; skipped: the bytes of a mark in front of it. */
int
refuse_malformed(const char *text, size_t len, size_t skipped, simdjson::error_code error,
                 const char *wanted, pawl_problem *out_problem)
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
                         "the body is empty: %s is expected", wanted);
        return PAWL_EINVAL;
    }
    pawl_json_position(text - skipped, fault.offset + skipped, &line, &column);
    field = fault.key == nullptr ? -1 : find_field({fault.key, fault.key_len});
    pawl_problem_set(out_problem, 400, field < 0 ? nullptr : field_name(field),
                     "the document is not valid JSON at line %d, column %d%s%s: %s%s%s",
                     line, column, field < 0 ? "" : ", in ",
                     field < 0 ? "" : field_name(field), fault.what,
                     field == TIME ? "; time is " : "",
                     field == TIME ? DURATION_HINT : "");
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
        pawl_problem_set(read.problem, 400, field_name(TASK_TYPE),
                         "taskType must be \"delay\" or \"cron\", not \"%.*s\"",
                         quote_len(text), text.data());
        return PAWL_EINVAL;
    }
    return 0;
}

int
read_time(task_read &read, dom::element value)
{
    if (value.is_null())
        return 0;
    read.given |= bit(TIME);
    return read_duration(read, TIME, value, &read.spec.time_ns);
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
        pawl_problem_set(read.problem, 400, field_name(KEEP_RESULTS),
                         "keepResults must be 0 to %d", PAWL_KEEP_MAX);
        return PAWL_EINVAL;
    default:
        return refuse_type(read, KEEP_RESULTS, value, "a whole number");
    }
}

/* What a tag may be is the engine's to say, but it could not see a NUL. */
int
read_tag(task_read &read, dom::element value)
{
    std::string_view text;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse(read, TAGS, "tags must be an array of strings: it has %s",
                      type_name(value));
    if (text.find('\0') != text.npos)
        return refuse(read, TAGS, "a tag has the control character U+0000 at byte %zu",
                      text.find('\0'));
    if (read.spec.ntags == PAWL_TAGS_MAX)
        return refuse(read, TAGS, "more than %d tags are given", PAWL_TAGS_MAX);
    read.reader->tags[read.spec.ntags++] = text.data();
    return 0;
}

int
read_tags(task_read &read, dom::element value)
{
    dom::array array;
    int code;

    if (value.is_null())
        return 0;
    if (value.get(array) != simdjson::SUCCESS)
        return refuse_type(read, TAGS, value, "an array of strings");
    read.spec.tags = read.reader->tags;
    for (dom::element tag : array)
        if ((code = read_tag(read, tag)) != 0)
            return code;
    return 0;
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
        if (value.is_null())
            return 0;
        return read_string(read, SCRIPT, value, &read.spec.script, &read.spec.script_len);
    case KEEP_RESULTS:
        return read_keep_results(read, value);
    case TAGS:
        return read_tags(read, value);
    default:
        if (field >= NREAD)
            return 0;
        if (bit(field) & OF_AN_ACTION)
            return read_action(read, field, value);
        if (bit(field) & OF_A_POLICY)
            return read_policy(read, field, value);
        return read_when(read, field, value);
    }
}

/* A task may call a URL instead. */
int
do_without_script(task_read &read)
{
    if (read.spec.action == nullptr || read.spec.action->http == nullptr)
        return refuse(read, SCRIPT, "script is required, or an action to call a URL");
    read.spec.script = "";
    return 0;
}

int
read_members(task_read &read, dom::object object)
{
    uint64_t ignored = 0;
    int code;

    for (dom::key_value_pair member : object) {
        int field = find_field(member.key);

        if (field < 0)
            return refuse_unknown(read, member.key, EVERY_READ);

        uint64_t &seen = field < NREAD ? read.seen : ignored;
        uint64_t own = bit(field < NREAD ? field : field - NREAD);

        if (seen & own)
            return refuse_twice(read, field, member.key);
        seen |= own;
        code = read_value(read, field, member.value);
        if (code != 0)
            return code;
    }
    for (int field : {ID, TASK_TYPE})
        if (!(read.seen & bit(field)))
            return refuse_missing(read, field);
    if (read.given != bit(TIME) && (code = finish_when(read)) != 0)
        return code;
    return read.spec.script != nullptr ? 0 : do_without_script(read);
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
pawl_json::parse_object(pawl_json_reader *reader, char *text, size_t len, size_t cap,
                        const char *wanted, dom::object *out_object,
                        pawl_problem *out_problem)
{
    size_t skipped = len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    dom::element top;

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
        return refuse_malformed(text, len, skipped, error, wanted, out_problem);
    if (top.get(*out_object) != simdjson::SUCCESS) {
        pawl_problem_set(out_problem, 400, nullptr, "%s is a JSON object, not %s", wanted,
                         type_name(top));
        return PAWL_EINVAL;
    }
    return 0;
}

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
    task_read read = {reader, {}, out_problem, 0, 0, -1, {}};
    dom::object object;
    int code = parse_object(reader, text, len, cap, "a task document", &object, out_problem);

    if (code != 0)
        return code;
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
