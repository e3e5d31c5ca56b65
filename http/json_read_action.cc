/* json_read_action.cc: what a task document says of how its script is run.
 *
 * Arguments stay where the parser has them; a variable is put together as NAME=value. What
 * cannot be kept is refused here: NULs, and more than an action may have; names and values
 * are the engine's. */
#include "json_reader.h"

#include <cstring>
#include <new>

namespace dom = simdjson::dom;

using namespace pawl_json;

namespace
{

constexpr int64_t UMASK_MAX = 0777;
constexpr const char *KILL_MODES[] = {"group", "tree"};     /* as their enumeration */

pawl_json_action *
begin_action(pawl_json_reader *reader)
{
    if (reader->action == nullptr)
        reader->action.reset(new (std::nothrow) pawl_json_action);
    if (reader->action != nullptr) {
        reader->action->action = {};
        reader->action->action.umask = -1;
        reader->action->action.kill_grace_ns = -1;
        reader->action->nargs = reader->action->nenv = reader->action->text_len = 0;
    }
    return reader->action.get();
}

int
read_text(task_read &read, int field, dom::element value, const char **out_text)
{
    size_t len;
    int code = read_string(read, field, value, out_text, &len);

    if (code == 0 && strlen(*out_text) != len)
        return refuse(read, field, "%s has a NUL at byte %zu", field_name(field),
                      strlen(*out_text));
    return code;
}

/* --- Lists --- */

int
refuse_many(task_read &read, int field)
{
    return refuse(read, field, "args and env have more than %d entries together",
                  PAWL_ARGUMENTS_MAX);
}

int
read_args(task_read &read, pawl_json_action *action, dom::element value)
{
    dom::array array;

    if (value.get(array) != simdjson::SUCCESS)
        return refuse_type(read, ARGS, value, "an array of strings");
    for (dom::element element : array) {
        std::string_view text;

        if (element.get(text) != simdjson::SUCCESS)
            return refuse(read, ARGS, "args[%zu] must be a string, not %s", action->nargs,
                          type_name(element));
        if (text.find('\0') != text.npos)
            return refuse(read, ARGS, "args[%zu] has a NUL at byte %zu", action->nargs,
                          text.find('\0'));
        if (action->nargs + action->nenv == PAWL_ARGUMENTS_MAX)
            return refuse_many(read, ARGS);
        action->args[action->nargs++] = text.data();
    }
    action->args[action->nargs] = nullptr;
    action->action.args = action->args;
    return 0;
}

/* Adds NAME=value. False: there is no room. */
bool
put_variable(pawl_json_action *action, std::string_view name, std::string_view value)
{
    char *at = action->text + action->text_len;
    size_t len = name.size() + value.size() + 2;

    if (len > sizeof action->text - action->text_len)
        return false;
    action->env[action->nenv++] = at;
    memcpy(at, name.data(), name.size());
    at[name.size()] = '=';
    memcpy(at + name.size() + 1, value.data(), value.size());
    at[len - 1] = '\0';
    action->text_len += len;
    return true;
}

int
read_env(task_read &read, pawl_json_action *action, dom::element value)
{
    dom::object object;

    if (value.get(object) != simdjson::SUCCESS)
        return refuse_type(read, ENV, value, "an object of strings");
    for (dom::key_value_pair member : object) {
        std::string_view text, name = member.key;
        int shown = quote_len(name);

        if (member.value.get(text) != simdjson::SUCCESS)
            return refuse(read, ENV, "env.%.*s must be a string, not %s", shown,
                          name.data(), type_name(member.value));
        if (name.find_first_of(std::string_view("=\0", 2)) != name.npos)
            return refuse(read, ENV, "env.%.*s: a name has neither = nor NUL", shown,
                          name.data());
        if (text.find('\0') != text.npos)
            return refuse(read, ENV, "env.%.*s has a NUL at byte %zu", shown, name.data(),
                          text.find('\0'));
        if (action->nargs + action->nenv == PAWL_ARGUMENTS_MAX)
            return refuse_many(read, ENV);
        if (!put_variable(action, name, text))
            return refuse(read, ENV, "args and env have more than %zu bytes together",
                          PAWL_ARGUMENTS_BYTES);
    }
    action->env[action->nenv] = nullptr;
    action->action.env = action->env;
    return 0;
}

/* --- Words and numbers --- */

int
read_kill_mode(task_read &read, dom::element value, enum pawl_kill_mode *out_mode)
{
    size_t mode = PAWL_KILL_GROUP;
    int code = read_choice(read, KILL_MODE, value, KILL_MODES, PAWL_NKILL_MODE, &mode);

    *out_mode = pawl_kill_mode(mode);
    return code;
}

int
read_umask(task_read &read, dom::element value, int *out_umask)
{
    static const char wanted[] = "a string with an octal number such as \"027\", or a "
                                 "number";
    std::string_view text;
    int64_t number = 0;

    if (value.get(text) == simdjson::SUCCESS) {
        for (char c : text)
            number = c >= '0' && c <= '7' && number <= UMASK_MAX ? number * 8 + (c - '0')
                                                                 : UMASK_MAX + 1;
        if (text.empty())
            number = -1;
    } else if (value.is_uint64() && !value.is_int64()) {
        number = UMASK_MAX + 1;
    } else if (value.get(number) != simdjson::SUCCESS) {
        return refuse_type(read, UMASK, value, wanted);
    }
    if (number < 0 || number > UMASK_MAX)
        return refuse(read, UMASK, "umask must be \"000\" to \"777\", in octal digits");
    *out_umask = int(number);
    return 0;
}

/* Below zero and, for a limit, zero mean something else in an action. */
int
read_limit(task_read &read, int field, dom::element value, int64_t min_ns,
           const char *at_least, int64_t *out_ns)
{
    int code = read_duration(read, field, value, out_ns);

    if (code == 0 && *out_ns < min_ns)
        return refuse(read, field, "%s must be %s or more", field_name(field), at_least);
    return code;
}

} // namespace

int
pawl_json::read_action(task_read &read, int field, dom::element value)
{
    pawl_json_action *action = read.reader->action.get();

    if (value.is_null())
        return 0;
    if (read.spec.action == nullptr && (action = begin_action(read.reader)) == nullptr) {
        pawl_problem_set(read.problem, 503, nullptr,
                         "out of memory while the document was read");
        return PAWL_ENOMEM;
    }
    read.spec.action = &action->action;
    switch (field) {
    case INTERPRETER:
        return read_text(read, field, value, &action->action.interpreter);
    case ARGS:
        return read_args(read, action, value);
    case ENV:
        return read_env(read, action, value);
    case CWD:
        return read_text(read, field, value, &action->action.cwd);
    case UMASK:
        return read_umask(read, value, &action->action.umask);
    case TIMEOUT:
        return read_limit(read, field, value, PAWL_TIMEOUT_MIN_NS, "1ms (1000000)",
                          &action->action.timeout_ns);
    case ACTION:
        return read_http(read, action, value);
    case CONDITION:
        return read_text(read, field, value, &action->action.condition);
    case KILL_MODE:
        return read_kill_mode(read, value, &action->action.kill_mode);
    default:
        return read_limit(read, field, value, 0, "0", &action->action.kill_grace_ns);
    }
}
