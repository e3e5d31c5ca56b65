/* head.c: see head.h. The order of the checks is the order in which they matter: what
 * the bytes of the connection mean, who asks, what is asked. */
#include "head.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "routes.h"

static bool
is_caseless(const struct pawl_text *text, const char *str)
{
    return text->len == strlen(str) && strncasecmp(text->text, str, text->len) == 0;
}

/* Media types compare without case and without their parameters. */
static bool
is_media_type(const struct pawl_text *value, const char *type)
{
    size_t len = strlen(type), end = len;

    if (value->len < len || strncasecmp(value->text, type, len) != 0)
        return false;
    while (end < value->len && (value->text[end] == ' ' || value->text[end] == '\t'))
        end++;
    return end == value->len || value->text[end] == ';';
}

/* A splitmix64 step: ids that differ, not secrets. */
static uint64_t
next_id(struct pawl_http *http)
{
    uint64_t x = http->next_id += UINT64_C(0x9e3779b97f4a7c15);

    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static void
set_id(struct pawl_request *request, const struct pawl_text *given)
{
    static const char digits[] = "0123456789abcdef";
    bool usable = given->len > 0 && given->len <= PAWL_REQUEST_ID_MAX;
    uint64_t made;

    for (size_t i = 0; usable && i < given->len; i++)
        usable = given->text[i] > ' ' && given->text[i] < 0x7f;
    if (usable) {
        memcpy(request->id, given->text, given->len);
        request->id[given->len] = '\0';
        return;
    }
    made = next_id(request->http);
    for (int i = 0; i < 16; i++, made >>= 4)
        request->id[i] = digits[made & 15];
    request->id[16] = '\0';
}

__attribute__((format(printf, 3, 4))) static bool
refuse(struct pawl_request *request, int status, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pawl_problem_vset(&request->refused, status, NULL, format, args);
    va_end(args);
    return false;
}

/* Two readings of where a request ends are how requests are smuggled. */
static bool
check_framing(struct pawl_request *request, const struct pawl_head *head)
{
    request->must_close = true;
    if (head->has_bad_name)
        return refuse(request, 400, "the name of a header is empty or has a blank in it");
    if (head->nencodings > 0 && head->nlengths > 0)
        return refuse(request, 400,
            "Transfer-Encoding and Content-Length in one request: send "
            "only one of them");
    if (head->nencodings > 1 ||
        (head->nencodings == 1 && !is_caseless(&head->transfer_encoding, "chunked")))
        return refuse(request, 501, "the only Transfer-Encoding known is 'chunked'");
    if (head->nlengths > 1)
        return refuse(request, 400, "more than one Content-Length");
    if (head->nhosts > 1)
        return refuse(request, 400, "more than one Host");
    request->must_close = false;
    return true;
}

static bool
judge(struct pawl_request *request, enum pawl_verdict verdict, const char *header,
      const struct pawl_text *value)
{
    int shown = (int) (value->len < 128 ? value->len : 128);

    if (verdict == PAWL_GUARD_MALFORMED)
        return refuse(request, 403, "%s '%.*s' is malformed", header, shown, value->text);
    if (verdict == PAWL_GUARD_FOREIGN)
        return refuse(request, 403,
            "%s '%.*s' is not served here, to keep web pages from running "
            "scripts on their visitors' machines: if it is yours, start "
            "pawld with --host NAME",
            header, shown, value->text);
    return true;
}

static bool
check_origin(struct pawl_request *request, const struct pawl_head *head)
{
    const struct pawl_guard *guard = request->http->service->guard;
    const struct pawl_text *authority = &request->uri.authority;

    if (!request->conn->is_unix && head->nhosts == 1 &&
        !judge(request, pawl_guard_host(guard, head->host.text, head->host.len), "Host",
            &head->host))
        return false;
    if (!request->conn->is_unix && authority->text != NULL &&
        !judge(request, pawl_guard_host(guard, authority->text, authority->len),
            "the host", authority))
        return false;
    if (head->norigins > 1)
        return refuse(request, 400, "more than one Origin");
    return head->norigins == 0 ||
           judge(request, pawl_guard_origin(guard, head->origin.text, head->origin.len),
               "Origin", &head->origin);
}

static bool
check_route(struct pawl_request *request, const struct pawl_head *head)
{
    bool is_ndjson = is_media_type(&head->content_type, "application/x-ndjson");
    unsigned allowed = 0;

    request->route = pawl_route_find(request->method, &request->uri, is_ndjson, &allowed);
    if (request->route != NULL)
        return pawl_route_check_params(request->route, &request->uri, &request->refused);
    if (allowed == 0)
        return refuse(request, 404,
            "there is nothing at this path: tasks are at /api/tasks and "
            "/api/tasks/{id}, the id percent-encoded");
    request->allow = allowed;
    if (request->method == PAWL_OPTIONS)
        return true;
    return refuse(
        request, 405, "%s is not possible here, see Allow", request->method_name);
}

static bool
check_target(struct pawl_request *request)
{
    size_t len = request->target_len;
    const char *wrong;

    /* The copy that is rewritten stands behind the one that is kept. */
    pawl_buffer_append(&request->target, "", 1);
    if (pawl_buffer_reserve(&request->target, len) == NULL)
        return refuse(request, 503, "out of memory");
    memcpy(request->target.data + len + 1, request->target.data, len);
    wrong = pawl_uri_parse(request->target.data + len + 1, len, &request->uri);
    return wrong == NULL || refuse(request, 400, "%s", wrong);
}

static bool
check_length(struct pawl_request *request, const struct pawl_head *head)
{
    size_t max = request->http->service->max_body_bytes;

    /* A stream has no bound of its own, its lines do. */
    if ((request->route != NULL && request->route->is_ndjson) ||
        pawl_head_length(head) <= max)
        return true;
    return refuse(request, 413, "the body has %.*s bytes, more than %zu: --max-body",
        (int) (head->content_length.len < 20 ? head->content_length.len : 20),
        head->content_length.text, max);
}

/* Streams may come packed, other bodies not. */
static bool
check_coding(struct pawl_request *request, const struct pawl_head *head)
{
    const struct pawl_text *text = &head->content_encoding;

    request->coding = pawl_coding_of(text->text, text->len);
    if (request->coding == PAWL_CODING_NONE)
        return true;
    if (request->route == NULL || !request->route->is_ndjson)
        return refuse(request, 415,
            "a Content-Encoding is possible with Content-Type: application/x-ndjson only: send "
            "this body as it is");
    return request->coding != PAWL_CODING_OTHER ||
           refuse(request, 415, "the Content-Encoding '%.*s' is not known: gzip and zstd are",
               (int) (text->len < 64 ? text->len : 64), text->text);
}

void
pawl_head_check(struct pawl_request *request, const struct pawl_head *head)
{
    request->refused.status = 0;
    request->if_none_match = head->if_none_match;
    set_id(request, &head->request_id);
    /* One after the other until one refuses. */
    if (check_framing(request, head) && check_target(request) &&
        check_origin(request, head) && check_route(request, head) &&
        check_coding(request, head))
        check_length(request, head);
}

bool
pawl_head_has_body(const struct pawl_head *head)
{
    return head->nencodings > 0 || pawl_head_length(head) > 0;
}

uint64_t
pawl_head_length(const struct pawl_head *head)
{
    uint64_t value = 0;

    for (size_t i = 0; i < head->content_length.len; i++) {
        unsigned digit = (unsigned) (head->content_length.text[i] - '0');

        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return UINT64_MAX;
        value = value * 10 + digit;
    }
    return value;
}
