/* json_read_http.cc: the `action` of a task document: the HTTP call that is made instead of
 * running a script.
 *
 * What the values must be is the engine's; here only what it could not be given is
 * refused. A header is put together as "Name: value". */
#include "json_reader.h"

#include <climits>
#include <cstdarg>
#include <cstring>
#include <iterator>

namespace dom = simdjson::dom;

using namespace pawl_json;

namespace
{

enum member { URL, METHOD, HEADERS, BODY, SUCCESS_CODES, MAX_REDIRECTS };

constexpr const char *MEMBERS[] = {
    "action.http.url", "action.http.method", "action.http.headers", "action.http.body",
    "action.http.successCodes", "action.http.maxRedirects",
};
constexpr size_t PREFIX = sizeof "action.http." - 1;

/* An error that names a place within the action: a literal. */
int
refuse_at(task_read &read, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

int
refuse_at(task_read &read, const char *place, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pawl_problem_vset(read.problem, 400, place, format, args);
    va_end(args);
    return PAWL_EINVAL;
}

int
refuse_kind(task_read &read, const char *place, dom::element value, const char *wanted)
{
    return refuse_at(read, place, "%s must be %s, not %s", place, wanted, type_name(value));
}

/* --- Its members --- */

/* A text without a NUL. */
int
read_text(task_read &read, const char *place, dom::element value, const char **out_text)
{
    std::string_view text;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse_kind(read, place, value, "a string");
    if (text.find('\0') != text.npos)
        return refuse_at(read, place, "%s has a NUL at byte %zu", place, text.find('\0'));
    *out_text = text.data();
    return 0;
}

/* Adds "Name: value". False: there is no room. */
bool
put_header(pawl_json_action *action, std::string_view name, std::string_view value)
{
    char *at = action->header_text + action->header_len;
    size_t len = name.size() + value.size() + 3;

    if (len > sizeof action->header_text - action->header_len)
        return false;
    action->headers[action->nheaders++] = at;
    memcpy(at, name.data(), name.size());
    memcpy(at + name.size(), ": ", 2);
    memcpy(at + name.size() + 2, value.data(), value.size());
    at[len - 1] = '\0';
    action->header_len += len;
    return true;
}

int
read_headers(task_read &read, pawl_json_action *action, dom::element value)
{
    const char *place = MEMBERS[HEADERS];
    dom::object object;

    if (value.get(object) != simdjson::SUCCESS)
        return refuse_kind(read, place, value, "an object of strings");
    for (dom::key_value_pair member : object) {
        std::string_view text, name = member.key;
        int shown = quote_len(name);

        if (member.value.get(text) != simdjson::SUCCESS)
            return refuse_at(read, place, "%s.%.*s must be a string, not %s", place, shown,
                             name.data(), type_name(member.value));
        if (name.find_first_of(std::string_view(":\0", 2)) != name.npos)
            return refuse_at(read, place, "%s.%.*s: a name has neither : nor NUL", place,
                             shown, name.data());
        if (text.find('\0') != text.npos)
            return refuse_at(read, place, "%s.%.*s has a NUL at byte %zu", place, shown,
                             name.data(), text.find('\0'));
        if (action->nheaders == PAWL_HEADERS_MAX || !put_header(action, name, text))
            return refuse_at(read, place, "%s has more than %d entries, or more than %zu "
                             "bytes", place, PAWL_HEADERS_MAX, PAWL_HEADERS_BYTES);
    }
    action->headers[action->nheaders] = nullptr;
    action->http.headers = action->nheaders > 0 ? action->headers : nullptr;
    return 0;
}

/* A status, or a class such as "2xx"; 0: neither. */
uint16_t
code_of(dom::element value)
{
    std::string_view text;
    int64_t number;

    if (value.get(number) == simdjson::SUCCESS)
        return number >= 100 && number <= 599 ? uint16_t(number) : 0;
    if (value.get(text) == simdjson::SUCCESS && text.size() == 3 && text[0] >= '1' &&
        text[0] <= '5' && strcasecmp(text.data() + 1, "xx") == 0)
        return uint16_t(text[0] - '0');
    return 0;
}

int
read_codes(task_read &read, pawl_json_action *action, dom::element value)
{
    const char *place = MEMBERS[SUCCESS_CODES];
    dom::array array;
    size_t n = 0;

    if (value.get(array) != simdjson::SUCCESS)
        return refuse_kind(read, place, value, "an array of status codes");
    for (dom::element element : array) {
        if (n == PAWL_CODES_MAX)
            return refuse_at(read, place, "%s has more than %d entries", place,
                             PAWL_CODES_MAX);
        if ((action->codes[n++] = code_of(element)) == 0)
            return refuse_at(read, place, "%s[%zu] must be a number from 100 to 599, or a "
                             "class from \"1xx\" to \"5xx\"", place, n - 1);
    }
    if (n == 0)
        return refuse_at(read, place, "%s is empty: give status codes, or leave it out: then "
                         "2xx is a success", place);
    action->http.codes = action->codes;
    action->http.ncodes = n;
    return 0;
}

/* Those that do not fit become one that the engine refuses, which knows the bounds. */
int
read_redirects(task_read &read, dom::element value, int *out_max)
{
    int64_t number;

    if (value.is_uint64() && !value.is_int64())
        number = -1;
    else if (value.get(number) != simdjson::SUCCESS)
        return refuse_kind(read, MEMBERS[MAX_REDIRECTS], value, "a whole number");
    *out_max = number < 0 || number > INT_MAX ? INT_MAX : int(number);
    return 0;
}

int
read_body(task_read &read, dom::element value, pawl_http_call *http)
{
    std::string_view text;

    if (value.get(text) != simdjson::SUCCESS)
        return refuse_kind(read, MEMBERS[BODY], value, "a string");
    http->body = text.data();
    http->body_len = text.size();
    return 0;
}

int
read_member(task_read &read, pawl_json_action *action, int member, dom::element value)
{
    if (value.is_null())
        return 0;
    switch (member) {
    case URL:
        return read_text(read, MEMBERS[URL], value, &action->http.url);
    case METHOD:
        return read_text(read, MEMBERS[METHOD], value, &action->http.method);
    case HEADERS:
        return read_headers(read, action, value);
    case BODY:
        return read_body(read, value, &action->http);
    case SUCCESS_CODES:
        return read_codes(read, action, value);
    default:
        return read_redirects(read, value, &action->http.max_redirects);
    }
}

/* --- The whole --- */

int
find_member(std::string_view name)
{
    for (size_t i = 0; i < std::size(MEMBERS); i++)
        if (is_same_name(MEMBERS[i] + PREFIX, name))
            return int(i);
    return -1;
}

int
read_call(task_read &read, pawl_json_action *action, dom::element value)
{
    dom::object object;
    unsigned seen = 0;
    int code;

    if (value.get(object) != simdjson::SUCCESS)
        return refuse_kind(read, "action.http", value, "an object");
    for (dom::key_value_pair given : object) {
        int member = find_member(given.key);

        if (member < 0)
            return refuse_at(read, "action.http", "unknown field \"%.*s\" in action.http: it "
                             "has url, method, headers, body, successCodes and maxRedirects",
                             quote_len(given.key), given.key.data());
        if (seen & 1u << member)
            return refuse_at(read, MEMBERS[member], "the field %s is given twice",
                             MEMBERS[member]);
        seen |= 1u << member;
        if ((code = read_member(read, action, member, given.value)) != 0)
            return code;
    }
    if (action->http.url == nullptr)
        return refuse_at(read, MEMBERS[URL], "%s is required", MEMBERS[URL]);
    action->action.http = &action->http;
    return 0;
}

} // namespace

int
pawl_json::read_http(task_read &read, pawl_json_action *action, dom::element value)
{
    dom::object object;
    int code = 0;

    if (value.get(object) != simdjson::SUCCESS)
        return refuse_kind(read, "action", value, "an object");
    action->http = {};
    action->http.max_redirects = -1;
    action->nheaders = action->header_len = 0;
    for (dom::key_value_pair member : object) {
        if (!is_same_name(member.key, "http"))
            return refuse_at(read, "action", "unknown field \"%.*s\" in action: it has http",
                             quote_len(member.key), member.key.data());
        if (action->action.http != nullptr)
            return refuse_at(read, "action.http", "the field action.http is given twice");
        if (!member.value.is_null() && (code = read_call(read, action, member.value)) != 0)
            return code;
    }
    if (action->action.http == nullptr)
        return refuse_at(read, "action", "action is empty: give action.http, or a script "
                         "instead");
    return 0;
}
