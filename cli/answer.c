/* answer.c: decodes the bodies and headers that the daemon answers with.
 * One thread. Pure: what is sent and received is client.c's. */
#define _GNU_SOURCE 1
#include "answer.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

/* Output of a script may hold U+0000, which jansson refuses unless told otherwise. */
#define LOAD_FLAGS (JSON_ALLOW_NUL)

static int
fail_body(const struct pawl_response *response, const json_error_t *error,
    struct pawl_fail *fail)
{
    if (error && json_error_code(error) == json_error_out_of_memory)
        pawl_text_oom();
    return pawl_client_fail(fail, PAWL_EXIT_ERROR,
        "the answer (status %ld) is not what pawld sends%s%s; "
        "is this the right --server?",
        response->status, error ? ": " : "", error ? error->text : "");
}

int
pawl_answer_document(
    const struct pawl_response *response, json_t **out_document, struct pawl_fail *fail)
{
    json_error_t error;
    json_t *document = json_loadb(
        pawl_text_string(&response->body), response->body.len, LOAD_FLAGS, &error);
    if (!document)
        return fail_body(response, &error, fail);
    if (!json_is_object(document)) {
        json_decref(document);
        return fail_body(response, NULL, fail);
    }
    *out_document = document;
    return PAWL_EXIT_OK;
}

/* Moves past blanks and gives the byte there, '\0' at the end. */
static char
skip_blanks(const struct pawl_text *body, size_t *position)
{
    while (*position < body->len && strchr(" \t\r\n", body->data[*position]) &&
           body->data[*position])
        ++*position;
    return *position < body->len ? body->data[*position] : '\0';
}

int
pawl_answer_element(const struct pawl_response *response, size_t *position,
    json_t **out_element, struct pawl_fail *fail)
{
    const struct pawl_text *body = &response->body;
    bool is_first = *position == 0;
    char mark = skip_blanks(body, position);
    json_error_t error;

    *out_element = NULL;
    if (is_first && mark != '[')
        return fail_body(response, NULL, fail);
    if (mark == ']')
        return PAWL_EXIT_OK;
    if (!is_first && mark != ',')
        return fail_body(response, NULL, fail);
    ++*position;
    mark = skip_blanks(body, position);
    if (is_first && mark == ']')
        return PAWL_EXIT_OK;
    if (mark != '{')
        return fail_body(response, NULL, fail);
    *out_element = json_loadb(body->data + *position, body->len - *position,
        LOAD_FLAGS | JSON_DISABLE_EOF_CHECK, &error);
    if (!*out_element)
        return fail_body(response, &error, fail);
    *position += (size_t)error.position;
    return PAWL_EXIT_OK;
}

static int
exit_status_of(long status)
{
    switch (status) {
    case 400:
    case 422:
        return PAWL_EXIT_USAGE;
    case 401:
    case 403:
        return PAWL_EXIT_NOT_ALLOWED;
    case 404:
    case 410:
        return PAWL_EXIT_NOT_FOUND;
    case 408:
    case 504:
        return PAWL_EXIT_TIMED_OUT;
    case 409:
    case 412:
        return PAWL_EXIT_REFUSED;
    case 502:
        return PAWL_EXIT_UNREACHABLE;
    default:
        return PAWL_EXIT_ERROR;
    }
}

/* Appends where in the input the problem is, unless the detail says so already. */
static void
append_place(struct pawl_text *text, const json_t *problem, const char *detail)
{
    const char *field = json_string_value(json_object_get(problem, "field"));
    const json_t *line = json_object_get(problem, "line");
    const json_t *column = json_object_get(problem, "column");

    if (field && !strstr(detail, field))
        pawl_text_printf(text, " (field %s)", field);
    if (json_is_integer(line) && json_is_integer(column) && !strstr(detail, "line"))
        pawl_text_printf(text, " (line %lld, column %lld)",
            (long long)json_integer_value(line), (long long)json_integer_value(column));
}

int
pawl_answer_problem(const struct pawl_response *response, struct pawl_fail *fail)
{
    struct pawl_text text = {0};
    json_t *problem = json_loadb(
        pawl_text_string(&response->body), response->body.len, LOAD_FLAGS, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    const char *title = json_string_value(json_object_get(problem, "title"));

    if (detail && *detail)
        pawl_text_puts(&text, detail);
    else if (title && *title)
        pawl_text_puts(&text, title);
    else
        pawl_text_printf(&text, "the server answered with status %ld", response->status);
    append_place(&text, problem, pawl_text_string(&text));
    if (!problem && response->status == 404)
        pawl_text_puts(&text, "; is this the right --server?");
    if (response->retry_after_s > 0)
        pawl_text_printf(&text, "; try again in %lds", response->retry_after_s);
    if (response->status >= 500 && response->request_id.len)
        pawl_text_printf(
            &text, " (request %s in the daemon's log)", response->request_id.data);
    pawl_client_fail(fail, exit_status_of(response->status), "%s", text.data);
    fail->is_transient = response->status == 408 || response->status == 429 ||
                         (response->status >= 502 && response->status <= 504);
    pawl_text_fini(&text);
    json_decref(problem);
    return fail->exit_status;
}

/* Whether the words from s to end, separated by blanks, hold "next". */
static bool
has_next(const char *s, const char *end)
{
    while (s < end) {
        size_t len = 0;
        while (s + len < end && s[len] != ' ' && s[len] != '\t')
            len++;
        if (len == 4 && strncasecmp(s, "next", 4) == 0)
            return true;
        s += len + 1;
    }
    return false;
}

/* Takes the parameters of a link (";rel=next; title=...") from s, moves past them and the
 * comma after them, and says whether they name the next page. */
static bool
take_parameters(const char **s, const char *end)
{
    bool found = false;

    while (*s < end && **s != ',') {
        const char *name = *s + strspn(*s, "; \t");
        const char *value = name + strcspn(name, "=;,");
        bool is_rel =
            *value == '=' && value - name == 3 && strncasecmp(name, "rel", 3) == 0;
        value += *value == '=';
        bool is_quoted = *value == '"';
        value += is_quoted;
        size_t len = strcspn(value, is_quoted ? "\"" : ";,");
        found = found || (is_rel && has_next(value, value + len));
        *s = value + len + (is_quoted && value[len]);
        *s += strspn(*s, " \t");
    }
    *s += *s < end;
    return found;
}

void
pawl_answer_next(const char *value, size_t len, struct pawl_text *out_query)
{
    struct pawl_text copy = {0};
    pawl_text_append(&copy, value, len);
    const char *s = copy.data, *end = copy.data + strlen(copy.data);

    while (s < end) {
        const char *target = strchr(s, '<');
        const char *close = target ? strchr(target, '>') : NULL;
        if (!close)
            break;
        const char *query = memchr(target, '?', (size_t)(close - target));
        s = close + 1;
        if (take_parameters(&s, end) && query) {
            pawl_text_reset(out_query);
            pawl_text_append(out_query, query + 1, (size_t)(close - query - 1));
            break;
        }
    }
    pawl_text_fini(&copy);
}
