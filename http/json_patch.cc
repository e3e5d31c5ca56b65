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

bool
has_member(dom::object object, std::string_view name)
{
    return object.at_key(name).error() == simdjson::SUCCESS;
}

/* A value of the patch, in the place of one that is an object or is not. */
void
write_merged(pawl_buffer *out, simdjson::simdjson_result<dom::element> base,
             dom::element patch)
{
    dom::object old, changes;
    bool is_first = true, has_old = base.get(old) == simdjson::SUCCESS;

    if (patch.get(changes) != simdjson::SUCCESS) {
        write_value(out, patch);
        return;
    }
    pawl_buffer_append_char(out, '{');
    if (has_old)
        for (dom::key_value_pair member : old)
            if (!has_member(changes, member.key)) {
                write_name(out, member.key, &is_first);
                write_value(out, member.value);
            }
    for (dom::key_value_pair member : changes)
        if (!member.value.is_null()) {
            write_name(out, member.key, &is_first);
            if (has_old)
                write_merged(out, old.at_key(member.key), member.value);
            else
                write_merged(out, simdjson::NO_SUCH_FIELD, member.value);
        }
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

        if (field >= 0 && field < NREAD)
            given |= bit(field);
        gone |= replaced_by(field, member.value, is_cron);
        write_name(out, member.key, &is_first);
        if (field >= 0 && field < NREAD)
            write_merged(out, base.at_key(field_name(field)), member.value);
        else
            write_value(out, member.value);
    }
    for (dom::key_value_pair member : base) {
        int field = find_field(member.key);

        if (field < 0 || field >= NREAD || ((given | gone) & bit(field)) != 0)
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
