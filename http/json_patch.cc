/* json_patch.cc: merging a change into the document of a task, by simdjson's DOM. What comes out is
 * read as a submit is, so nothing of a field's value is judged here, and a name that is none or
 * is given twice is left for the reader to refuse. */
#include "json_patch.h"

#include <charconv>

#include "json_reader.h"
#include "json_write.h"

namespace dom = simdjson::dom;

using namespace pawl_json;

namespace
{

/* More than an object of a task can have and lose in one change. A longer one is not merged: the reader refuses
 * it for its number, or for a null. */
constexpr size_t MEMBERS_MAX = 2 * PAWL_ARGUMENTS_MAX;

constexpr uint64_t WAYS = bit(TIME) | bit(AT) | bit(CRON) | bit(CALENDAR) | bit(TRIGGERS);

void
write_value(pawl_buffer *out, dom::element value);

/* A member's name with the comma before it. */
void
write_name(pawl_buffer *out, std::string_view name, bool *is_first)
{
    if (!*is_first)
        pawl_buffer_append_char(out, ',');
    *is_first = false;
    pawl_json_write_string(out, name.data(), name.size());
    pawl_buffer_append_char(out, ':');
}

/* The shortest number that is read as the same, and as no integer. */
void
write_double(pawl_buffer *out, double value)
{
    char text[64];
    std::to_chars_result end = std::to_chars(text, text + sizeof text - 2, value);
    std::string_view digits(text, size_t(end.ptr - text));

    pawl_buffer_append(out, digits.data(), digits.size());
    if (digits.find_first_of(".e") == digits.npos)
        pawl_buffer_append_str(out, ".0");
}

void
write_array(pawl_buffer *out, dom::array array)
{
    bool is_first = true;

    pawl_buffer_append_char(out, '[');
    for (dom::element value : array) {
        if (!is_first)
            pawl_buffer_append_char(out, ',');
        is_first = false;
        write_value(out, value);
    }
    pawl_buffer_append_char(out, ']');
}

void
write_object(pawl_buffer *out, dom::object object)
{
    bool is_first = true;

    pawl_buffer_append_char(out, '{');
    for (dom::key_value_pair member : object) {
        write_name(out, member.key, &is_first);
        write_value(out, member.value);
    }
    pawl_buffer_append_char(out, '}');
}

void
write_value(pawl_buffer *out, dom::element value)
{
    switch (value.type()) {
    case dom::element_type::ARRAY:
        write_array(out, value.get_array().value_unsafe());
        break;
    case dom::element_type::OBJECT:
        write_object(out, value.get_object().value_unsafe());
        break;
    case dom::element_type::STRING: {
        std::string_view text = value.get_string().value_unsafe();

        pawl_json_write_string(out, text.data(), text.size());
        break;
    }
    case dom::element_type::INT64:
        pawl_json_write_int(out, value.get_int64().value_unsafe());
        break;
    case dom::element_type::UINT64:
        pawl_json_write_uint(out, value.get_uint64().value_unsafe());
        break;
    case dom::element_type::DOUBLE:
        write_double(out, value.get_double().value_unsafe());
        break;
    case dom::element_type::BOOL:
        pawl_buffer_append_str(out, value.get_bool().value_unsafe() ? "true" : "false");
        break;
    default:
        pawl_buffer_append_str(out, "null");
    }
}

/* How many members stand before the first of a name, and its value; -1: there is none. */
int
find_member(dom::object object, std::string_view name, bool is_env, dom::element *out_value)
{
    int before = 0;

    for (dom::key_value_pair member : object) {
        if (is_env ? member.key == name : is_same_name(member.key, name)) {
            *out_value = member.value;
            return before;
        }
        before++;
    }
    return -1;
}

void
write_merged(pawl_buffer *out, bool has_old, dom::element base, bool is_env, dom::element patch);

/* What the patch gives in an object. Of a name that is there twice only the first is merged, so that what comes
 * out is no longer than what came in, however often it is there. */
void
write_changes(pawl_buffer *out, bool has_old, dom::object old, bool is_env, dom::object changes,
              bool *is_first)
{
    int i = -1;

    for (dom::key_value_pair member : changes) {
        dom::element value;
        bool is_again;

        i++;
        if (member.value.is_null())
            continue;
        write_name(out, member.key, is_first);
        is_again = has_old && find_member(changes, member.key, is_env, &value) < i;
        if (is_again)
            write_value(out, member.value);
        else
            write_merged(out, has_old && find_member(old, member.key, is_env, &value) >= 0,
                         value, is_env, member.value);
    }
}

/* A value of the patch, in the place of one that is an object or is not; is_env: the case of its names matters. */
void
write_merged(pawl_buffer *out, bool has_old, dom::element base, bool is_env, dom::element patch)
{
    dom::object old, changes;
    bool is_first = true;

    has_old = has_old && base.get(old) == simdjson::SUCCESS;
    if (patch.get(changes) != simdjson::SUCCESS || changes.size() > MEMBERS_MAX) {
        write_value(out, patch);
        return;
    }
    pawl_buffer_append_char(out, '{');
    if (has_old)
        for (dom::key_value_pair member : old) {
            dom::element value;

            if (find_member(changes, member.key, is_env, &value) < 0) {
                write_name(out, member.key, &is_first);
                write_value(out, member.value);
            }
        }
    write_changes(out, has_old, old, is_env, changes, &is_first);
    pawl_buffer_append_char(out, '}');
}

/* Whether a member of the patch says when, so that what said so goes. A time of zero is what answers
 * have where nothing fires by a time. */
bool
is_way(int field, dom::element value, bool is_cron)
{
    int64_t number;

    if (field < 0 || field >= NREAD || (bit(field) & WAYS) == 0 || value.is_null())
        return false;
    return field != TIME || !is_cron || value.get(number) != simdjson::SUCCESS || number != 0;
}

/* What goes from the task because of a member of the patch. */
uint64_t
replaced_by(int field, dom::element value, bool is_cron)
{
    std::string_view text;

    if (is_way(field, value, is_cron))
        return WAYS | bit(TIME_MAX);
    if (field == SCRIPT && value.get(text) == simdjson::SUCCESS && !text.empty())
        return bit(ACTION);
    return field == ACTION && !value.is_null() ? bit(SCRIPT) : 0;
}

/* The document, its members those of the patch and then the others of the task. */
void
write_document(pawl_buffer *out, dom::object base, dom::object patch, bool is_cron)
{
    uint64_t given = 0, gone = 0;
    bool is_first = true;

    pawl_buffer_append_char(out, '{');
    for (dom::key_value_pair member : patch) {
        int field = find_field(member.key);

        dom::element old;

        gone |= replaced_by(field, member.value, is_cron);
        write_name(out, member.key, &is_first);
        if (field >= 0 && field < NREAD && (given & bit(field)) == 0)
            write_merged(out, base.at_key(field_name(field)).get(old) == simdjson::SUCCESS, old,
                         field == ENV, member.value);
        else
            write_value(out, member.value);     /* ignored, unknown, or given twice */
        if (field >= 0 && field < NREAD)
            given |= bit(field);
    }
    for (dom::key_value_pair member : base) {
        int field = find_field(member.key);

        if (field < 0 || field >= NREAD || ((given | gone) & bit(field)) != 0 ||
            (field == TIME && !is_way(field, member.value, is_cron)))
            continue;
        write_name(out, member.key, &is_first);
        write_value(out, member.value);
    }
    pawl_buffer_append_char(out, '}');
}

int
refuse_memory(pawl_problem *out_problem)
{
    pawl_err err = {PAWL_ENOMEM, nullptr, "out of memory while the change was read"};

    pawl_problem_from_err(out_problem, &err);
    return PAWL_ENOMEM;
}

/* What the task is, parsed; text must live as long. */
bool
parse_view(dom::parser *parser, pawl_buffer *text, const pawl_view *view, dom::object *out)
{
    pawl_json_write_head(text, view);
    pawl_json_write_tail(text);
    if (pawl_buffer_reserve(text, PAWL_JSON_PADDING) == nullptr)
        return false;
    return parser->parse(reinterpret_cast<const uint8_t *>(text->data), text->len, false)
               .get(*out) == simdjson::SUCCESS;
}

} // namespace

int
pawl_json_merge(struct pawl_json_reader *reader, const struct pawl_view *view, char *patch,
                size_t len, size_t cap, struct pawl_buffer *out, struct pawl_problem *out_problem)
{
    dom::parser parser;
    dom::object base, changes;
    pawl_buffer text;
    int code = parse_object(reader, patch, len, cap, "a task document", &changes,
                            out_problem);

    if (code != 0)
        return code;
    pawl_buffer_init(&text);
    if (parse_view(&parser, &text, view, &base))
        write_document(out, base, changes, view->type == PAWL_CRON);
    else
        out->failed = true;
    pawl_buffer_fini(&text);
    return pawl_buffer_reserve(out, PAWL_JSON_PADDING) != nullptr ? 0
                                                                  : refuse_memory(out_problem);
}
