/* client.c: sends requests to the daemon over TCP or a Unix socket with libcurl's easy
 * interface, one connection kept for the life of the client. One thread. What the answers
 * say is answer.c's; where the daemon is, address.c's. */
#define _GNU_SOURCE 1
#include "client.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "address.h"
#include "answer.h"
#include "version.h"

#define CONNECT_TIMEOUT_MS 5000L

/* The call that is being made. */
struct call {
    CURL *curl;
    const struct pawl_request *request;
    struct pawl_response *response;
};

struct pawl_client {
    CURL *curl;
    struct pawl_address address;
    long timeout_s;
    char curl_error[CURL_ERROR_SIZE];
};

int
pawl_client_fail(struct pawl_fail *fail, int exit_status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(fail->text, sizeof fail->text, format, args);
    va_end(args);
    fail->exit_status = exit_status;
    fail->is_transient = false;
    return exit_status;
}

int
pawl_client_open(const char *server, long timeout_s, struct pawl_client **out_client,
    struct pawl_fail *fail)
{
    char error[256];
    char *standard = NULL;

    if (!server || !*server)
        server = getenv("PAWL_SERVER");
    if (!server || !*server)
        server = standard = pawl_address_default(
            geteuid() == 0, PAWL_ADDRESS_ROOT_SOCKET, getenv("XDG_RUNTIME_DIR"));
    struct pawl_client *client = pawl_text_alloc(1, sizeof *client);
    int status = PAWL_EXIT_OK;
    if (pawl_address_parse(server, &client->address, error, sizeof error) < 0)
        status = pawl_client_fail(fail, PAWL_EXIT_USAGE, "server %s", error);
    free(standard);
    client->timeout_s = timeout_s > 0 ? timeout_s : 1;
    if (!status && (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK ||
                       !(client->curl = curl_easy_init())))
        pawl_text_oom();
    if (status)
        pawl_client_close(client);
    else
        *out_client = client;
    return status;
}

void
pawl_client_close(struct pawl_client *client)
{
    if (!client)
        return;
    if (client->curl) {
        curl_easy_cleanup(client->curl);
        curl_global_cleanup();
    }
    pawl_address_fini(&client->address);
    free(client);
}

const char *
pawl_client_address(const struct pawl_client *client)
{
    return client->address.shown;
}

void
pawl_client_task_path(struct pawl_text *path, const char *id)
{
    pawl_text_puts(path, "/api/tasks/");
    /* "." and ".." would be taken for steps in the path by whoever normalizes it. */
    if (strcmp(id, ".") == 0)
        pawl_text_puts(path, "%2E");
    else if (strcmp(id, "..") == 0)
        pawl_text_puts(path, "%2E%2E");
    else
        pawl_text_percent(path, id, strlen(id));
}

static size_t
take_body_cb(char *data, size_t size, size_t n, void *arg)
{
    struct call *call = arg;
    const struct pawl_sink *sink = call->request->sink;
    long status = 0;

    if (sink)
        curl_easy_getinfo(call->curl, CURLINFO_RESPONSE_CODE, &status);
    if (sink && status < 300)
        return sink->take(sink->arg, data, size * n) ? size * n : size * n + 1;
    pawl_text_append(&call->response->body, data, size * n);
    return size * n;
}

/* If the header line is the named one, gives its trimmed value. */
static bool
is_header(const char *line, size_t len, const char *name, const char **out_value,
    size_t *out_len)
{
    size_t n = strlen(name);
    if (len <= n || line[n] != ':' || strncasecmp(line, name, n) != 0)
        return false;
    for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
        ;
    while (len > n && (line[len - 1] == '\r' || line[len - 1] == '\n'))
        len--;
    *out_value = line + n;
    *out_len = len - n;
    return true;
}

static size_t
take_header_cb(char *line, size_t size, size_t n, void *arg)
{
    struct pawl_response *response = arg;
    const char *value;
    size_t len;

    if (is_header(line, size * n, "Link", &value, &len)) {
        pawl_answer_next(value, len, &response->next);
    } else if (is_header(line, size * n, "Retry-After", &value, &len)) {
        response->retry_after_s = strtol(value, NULL, 10);
    } else if (is_header(line, size * n, "X-Request-ID", &value, &len)) {
        pawl_text_reset(&response->request_id);
        pawl_text_append(&response->request_id, value, len);
    }
    return size * n;
}

static int
tick_cb(
    void *arg, curl_off_t dltotal, curl_off_t dlnow, curl_off_t ultotal, curl_off_t ulnow)
{
    const struct call *call = arg;
    const struct pawl_sink *sink = call->request->sink;
    (void)dlnow, (void)ultotal, (void)ulnow;
    if (sink)
        return sink->tick(sink->arg, dltotal) ? 0 : 1;
    if (call->request->wait->tick)
        call->request->wait->tick(call->request->wait->arg);
    return 0;
}

/* How long nothing may come before the answer counts as timed out. */
static long
silence_s(const struct pawl_client *client, const struct pawl_request *request)
{
    return client->timeout_s + (request->wait ? request->wait->patience_s : 0);
}

/* What a transfer that failed means. A connection that was never made is another thing
 * than one that broke: after that a change may have been made or not. */
static int
fail_transfer(struct pawl_client *client, CURLcode code,
    const struct pawl_request *request, struct pawl_fail *fail)
{
    const char *shown = client->address.shown;
    const char *why = *client->curl_error ? client->curl_error : curl_easy_strerror(code);
    const char *unknown = strcmp(request->method, "GET") == 0
                              ? ""
                              : "; whether it was done is not known, see `pawl get`";
    long os_errno = 0;
    curl_off_t connected_us = 0;

    curl_easy_getinfo(client->curl, CURLINFO_OS_ERRNO, &os_errno);
    curl_easy_getinfo(client->curl, CURLINFO_CONNECT_TIME_T, &connected_us);
    if (os_errno)
        why = strerror((int)os_errno);
    bool is_unconnected = code == CURLE_COULDNT_CONNECT ||
                          code == CURLE_COULDNT_RESOLVE_HOST ||
                          code == CURLE_COULDNT_RESOLVE_PROXY ||
                          (code == CURLE_OPERATION_TIMEDOUT && !connected_us);
    int status = PAWL_EXIT_ERROR;
    if (code == CURLE_OUT_OF_MEMORY)
        pawl_text_oom();
    if (is_unconnected && (os_errno == EACCES || os_errno == EPERM)) {
        return pawl_client_fail(fail, PAWL_EXIT_NOT_ALLOWED,
            "not allowed to use the daemon at %s (%s)", shown, why);
    } else if (is_unconnected) {
        status = pawl_client_fail(fail, PAWL_EXIT_UNREACHABLE,
            "cannot reach the daemon at %s (%s); start it with `pawld --listen ADDRESS`,"
            " or name another with --server or PAWL_SERVER",
            shown, why);
    } else if (code == CURLE_OPERATION_TIMEDOUT) {
        status = pawl_client_fail(fail, PAWL_EXIT_TIMED_OUT,
            "the daemon at %s did not answer for %lds%s", shown,
            silence_s(client, request), unknown);
    } else if (code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR ||
               code == CURLE_GOT_NOTHING || code == CURLE_PARTIAL_FILE) {
        status = pawl_client_fail(fail, PAWL_EXIT_UNREACHABLE,
            "the connection to %s broke (%s)%s", shown, why, unknown);
    } else if (code == CURLE_URL_MALFORMAT) {
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "server %s: not an address", shown);
    } else {
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "%s: %s", shown, why);
    }
    fail->is_transient = true;
    return status;
}

static void
set_options(struct pawl_client *client, struct call *call)
{
    const struct pawl_request *request = call->request;
    CURL *curl = client->curl;

    curl_easy_reset(curl); /* keeps the connection */
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, client->curl_error);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "pawl/" PAWL_VERSION);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_TIMEOUT_MS);
    if (!request->sink) {
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
        curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, silence_s(client, request));
    }
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body_cb);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, call);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header_cb);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, call->response);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
    if (request->wait || request->sink) {
        curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tick_cb);
        curl_easy_setopt(curl, CURLOPT_XFERINFODATA, call);
        curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    }
    if (client->address.socket)
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, client->address.socket);
    if (client->address.is_local)
        curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
}

int
pawl_client_call(struct pawl_client *client, const struct pawl_request *request,
    struct pawl_response *response, struct pawl_fail *fail)
{
    struct pawl_text url = {0};
    struct curl_slist *headers = NULL;
    struct call call = {client->curl, request, response};
    bool has_body = request->body || strcmp(request->method, "PUT") == 0;

    response->status = 0;
    response->retry_after_s = 0;
    pawl_text_reset(&response->body);
    pawl_text_reset(&response->next);
    pawl_text_reset(&response->request_id);
    client->curl_error[0] = '\0';
    set_options(client, &call);

    pawl_text_printf(&url, "%s%s", client->address.base, request->path);
    curl_easy_setopt(client->curl, CURLOPT_URL, url.data);
    if (has_body) {
        const char *type =
            request->body ? "Content-Type: application/json" : "Content-Type:";
        headers = curl_slist_append(headers, type);
        headers = headers ? curl_slist_append(headers, "Expect:") : NULL;
        if (!headers)
            pawl_text_oom();
        curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, headers);
        curl_easy_setopt(
            client->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
        curl_easy_setopt(
            client->curl, CURLOPT_POSTFIELDS, request->body ? request->body : "");
    }
    CURLcode code = curl_easy_perform(client->curl);
    curl_slist_free_all(headers);
    pawl_text_fini(&url);
    if (request->sink && (code == CURLE_WRITE_ERROR || code == CURLE_ABORTED_BY_CALLBACK))
        return PAWL_EXIT_SINK;
    if (code != CURLE_OK)
        return fail_transfer(client, code, request, fail);
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &response->status);
    if (response->status >= 400)
        return pawl_answer_problem(response, fail);
    if (response->status >= 300)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR,
            "%s answers with a redirect (status %ld); "
            "is this the right --server?",
            client->address.shown, response->status);
    return PAWL_EXIT_OK;
}

void
pawl_client_response_fini(struct pawl_response *response)
{
    pawl_text_fini(&response->body);
    pawl_text_fini(&response->next);
    pawl_text_fini(&response->request_id);
}
