/* requests.c: see requests.h. */
#include "requests.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* printf's words, allocated; NULL: out of memory. */
static char *
format(size_t *out_len, const char *words, ...)
{
    char *text = NULL;
    va_list arguments;
    int n;

    va_start(arguments, words);
    n = vasprintf(&text, words, arguments);
    va_end(arguments);
    *out_len = n < 0 ? 0 : (size_t) n;
    return n < 0 ? NULL : text;
}

/* One task, without its end of line. */
static char *
make_task(const struct pawl_load_options *options, size_t *out_len)
{
    return format(out_len, "{\"id\":\"%s%0*d\",\"taskType\":\"delay\",\"time\":%lld,\"script\":\"%s\"}",
                  options->prefix, PAWL_REQUESTS_DIGITS, 0, (long long) options->time_ns,
                  options->script);
}

static char *
make_submit(const struct pawl_load_options *options, size_t *out_len, size_t *out_first,
            size_t *out_stride)
{
    bool is_stream = options->work == PAWL_LOAD_NDJSON;
    unsigned n = is_stream ? options->batch : 1;
    size_t task_len, head_len;
    char *task = make_task(options, &task_len), *head = NULL, *text = NULL;

    if (task)
        head = format(&head_len,
                      "POST /api/tasks HTTP/1.1\r\nHost: %s\r\nContent-Type: application/%s\r\n"
                      "Content-Length: %zu\r\n\r\n", options->host,
                      is_stream ? "x-ndjson" : "json", is_stream ? (task_len + 1) * n : task_len);
    if (head)
        text = malloc(head_len + (task_len + 1) * n);
    if (text) {
        char *at = mempcpy(text, head, head_len);

        for (unsigned i = 0; i < n; i++) {
            at = mempcpy(at, task, task_len);
            if (is_stream)
                *at++ = '\n';
        }
        *out_len = (size_t) (at - text);
        *out_first = head_len + strlen("{\"id\":\"") + strlen(options->prefix);
        *out_stride = task_len + 1;
    }
    free(task);
    free(head);
    return text;
}

int
pawl_requests_init(struct pawl_requests *requests, const struct pawl_load_options *options,
                   uint64_t seed)
{
    *requests = (struct pawl_requests) {.random = seed * 2 + 1, .first = options->first};
    switch (options->work) {
    case PAWL_LOAD_SUBMIT:
    case PAWL_LOAD_NDJSON:
        requests->nnumbers = options->work == PAWL_LOAD_NDJSON ? options->batch : 1;
        requests->text = make_submit(options, &requests->len, &requests->first_digit,
                                     &requests->stride);
        break;
    case PAWL_LOAD_GET:
        requests->nnumbers = 1;
        requests->ntasks = options->ntasks;
        requests->first_digit = strlen("GET /api/tasks/") + strlen(options->prefix);
        requests->text = format(&requests->len, "GET /api/tasks/%s%0*d HTTP/1.1\r\nHost: %s\r\n\r\n",
                                options->prefix, PAWL_REQUESTS_DIGITS, 0, options->host);
        break;
    case PAWL_LOAD_LIST:
        requests->text = format(&requests->len, "GET /api/tasks?prefix=%s HTTP/1.1\r\nHost: %s\r\n\r\n",
                                options->prefix, options->host);
        break;
    }
    return requests->text ? 0 : -1;
}

void
pawl_requests_fini(struct pawl_requests *requests)
{
    free(requests->text);
}

/* xorshift64 (Marsaglia, 2003). */
static uint64_t
draw(struct pawl_requests *requests)
{
    requests->random ^= requests->random << 13;
    requests->random ^= requests->random >> 7;
    requests->random ^= requests->random << 17;
    return requests->random;
}

static void
put_number(char *digits, uint64_t number)
{
    for (int i = PAWL_REQUESTS_DIGITS; i-- > 0; number /= 10)
        digits[i] = (char) ('0' + number % 10);
}

const char *
pawl_requests_make(struct pawl_requests *requests, uint64_t n)
{
    uint64_t number = requests->ntasks > 0 ? draw(requests) % requests->ntasks
                                           : requests->first + n * requests->nnumbers;

    for (unsigned i = 0; i < requests->nnumbers; i++)
        put_number(requests->text + requests->first_digit + i * requests->stride, number + i);
    return requests->text;
}
