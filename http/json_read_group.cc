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
        if (member.key != "size" || found) {
            pawl_problem_set(out_problem, 400, nullptr,
                             member.key == "size" ? "field '%.*s' is given twice"
                                                  : "unknown field '%.*s'; known here: size",
                             quote_len(member.key), member.key.data());
            return PAWL_EINVAL;
        }
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
