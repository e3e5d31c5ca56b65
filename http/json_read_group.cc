/* json_read_group.cc: reads the document that says the size of a group. */
#include "json_reader.h"

namespace dom = simdjson::dom;

using namespace pawl_json;

namespace
{

int
read_size(dom::element value, uint64_t *out_size, pawl_problem *problem)
{
    int64_t number;

    if (value.get(*out_size) == simdjson::SUCCESS)
        return 0;
    if (value.get(number) == simdjson::SUCCESS)
        pawl_problem_set(problem, 400, "size", "size is negative: give 0 or more");
    else
        pawl_problem_set(problem, 400, "size", "size must be a whole number, not %s",
                         type_name(value));
    return PAWL_EINVAL;
}

/* What an answer has beside the size: a document that was got can be sent back. */
bool
is_of_answer(std::string_view name)
{
    for (const char *known : {"name", "source", "running", "waiting"})
        if (is_same_name(name, known))
            return true;
    return false;
}

int
refuse_member(std::string_view name, pawl_problem *problem)
{
    if (is_same_name(name, "size"))
        pawl_problem_set(problem, 400, "size", "the field size is given twice");
    else
        pawl_problem_set(problem, 400, name.data(), "unknown field \"%.*s\": a group has size",
                         quote_len(name), name.data());
    return PAWL_EINVAL;
}

} // namespace

int
pawl_json_read_size(struct pawl_json_reader *reader, char *text, size_t len, size_t cap,
                    uint64_t *out_size, struct pawl_problem *out_problem)
{
    bool found = false;
    dom::object object;
    int code = parse_object(reader, text, len, cap, "a document such as {\"size\":4}", &object,
                            out_problem);

    if (code != 0)
        return code;
    for (dom::key_value_pair member : object) {
        if (is_of_answer(member.key))
            continue;
        if (found || !is_same_name(member.key, "size"))
            return refuse_member(member.key, out_problem);
        found = true;
        code = read_size(member.value, out_size, out_problem);
        if (code != 0)
            return code;
    }
    if (!found) {
        pawl_problem_set(out_problem, 400, "size", "size is missing: give how many runs of the "
                         "group may be in progress at once, such as {\"size\":4}");
        return PAWL_EINVAL;
    }
    return 0;
}
