/* http_call.c: what an HTTP call of a task may ask for. URLs are read by libcurl's reader, which is
 * the one that calls them. */
#include "http_call.h"

#include "err.h"
#include "utf8.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SHOWN_MAX 64            /* bytes of a name in an error's text */
#define METHOD_MAX 32

/* What the call itself makes, or what is between two hops only. */
static const char *const reserved[] = {
    "Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Upgrade", "TE",
    "Trailer", "Proxy-Connection", "Proxy-Authorization", NULL,
};

static size_t
count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

/* The length of the token at text (RFC 9110, 5.6.2). */
static size_t
token_len(const char *text)
{
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                        "!#$%&'*+-.^_`|~");
}

/* --- The bounds --- */

static int
refuse_url(struct pawl_err *err, const char *why)
{
    return pawl_err_set(err, PAWL_EINVAL, "action.http.url", "action.http.url %s", why);
}

/* The parts of a URL that can be read. */
static int
check_parts(CURLU *url, struct pawl_err *err)
{
    char *scheme = NULL, *host = NULL, *user = NULL, *password = NULL;
    const char *why = NULL;

    curl_url_get(url, CURLUPART_SCHEME, &scheme, 0);
    curl_url_get(url, CURLUPART_HOST, &host, 0);
    curl_url_get(url, CURLUPART_USER, &user, 0);
    curl_url_get(url, CURLUPART_PASSWORD, &password, 0);
    if (!scheme || (strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0))
        why = "must begin with http:// or https://";
    else if (user || password)
        why = "has a user name or a password in it, where everybody who lists tasks reads it: "
              "send the header Authorization";
    else if (!host || host[0] == '\0')
        why = "names no host";
    for (const char *c = host; c && *c && !why; c++) {
        if (*c <= ' ' || *c >= 0x7F)
            why = "has a host that is not ASCII: write it as xn--…";
    }
    curl_free(scheme);
    curl_free(host);
    curl_free(user);
    curl_free(password);
    return why ? refuse_url(err, why) : PAWL_OK;
}

static int
check_url(const char *text, struct pawl_err *err)
{
    CURLU *url;
    CURLUcode rc;
    int code;

    if (!text || text[0] == '\0')
        return refuse_url(err, "is missing: give what shall be called");
    if (strlen(text) > PAWL_URL_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.url",
                            "action.http.url has %zu bytes: the limit is %d", strlen(text),
                            PAWL_URL_MAX);
    for (const char *c = text; *c; c++) {
        if ((unsigned char) *c <= ' ' || (unsigned char) *c >= 0x7F)
            return refuse_url(err, "has a blank, a control character or one that is not ASCII: "
                                   "percent-encode it");
    }
    if (strncasecmp(text, "http://", 7) != 0 && strncasecmp(text, "https://", 8) != 0)
        return refuse_url(err, "must begin with http:// or https://");
    if (!(url = curl_url()))
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    rc = curl_url_set(url, CURLUPART_URL, text, 0);
    code = rc == CURLUE_OK ? check_parts(url, err)
                           : pawl_err_set(err, PAWL_EINVAL, "action.http.url",
                                          "action.http.url cannot be read: %s",
                                          curl_url_strerror(rc));
    curl_url_cleanup(url);
    return code;
}

static int
check_method(const char *method, struct pawl_err *err)
{
    size_t len = method ? strlen(method) : 0;

    if (!method)
        return PAWL_OK;
    if (len == 0 || len > METHOD_MAX || token_len(method) != len)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.method",
                            "action.http.method is a word of 1 to %d letters, such as GET or POST",
                            METHOD_MAX);
    if (strcmp(method, "CONNECT") == 0)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.method",
                            "action.http.method CONNECT asks for a tunnel, which a task has no "
                            "use for");
    return PAWL_OK;
}

bool
pawl_http_call_is_named(const char *header, const char *name)
{
    size_t len = strlen(name);

    return strncasecmp(header, name, len) == 0 && header[len] == ':';
}

/* What is wrong with a header's value; NULL: nothing. */
static const char *
value_fault(const char *value)
{
    if (!pawl_utf8_valid(value, strlen(value)))
        return "is not valid UTF-8";
    for (; *value; value++) {
        if (((unsigned char) *value < ' ' && *value != '\t') || *value == 0x7F)
            return "has a control character: a value is one line";
    }
    return NULL;
}

static int
check_header(const char *header, struct pawl_err *err)
{
    size_t len = token_len(header), name_len = strcspn(header, ":");
    int shown = (int) (name_len < SHOWN_MAX ? name_len : SHOWN_MAX);
    const char *fault = NULL;

    if (len == 0 || len != name_len)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.headers",
                            "action.http.headers: a name is made of letters, digits and "
                            "!#$%%&'*+-.^_`|~ (\"%.*s\" is none)", shown, header);
    for (const char *const *name = reserved; *name && !fault; name++) {
        if (pawl_http_call_is_named(header, *name))
            fault = "is made by the call itself: leave it out";
    }
    if (!fault && strncasecmp(header, "X-Pawl-", 7) == 0)
        fault = "cannot be given: names that begin with X-Pawl- are set by the daemon";
    if (!fault)
        fault = value_fault(header + len + 1);
    if (!fault)
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, "action.http.headers", "action.http.headers.%.*s %s",
                        shown, header, fault);
}

static int
check_names(const char *a, const char *b, struct pawl_err *err)
{
    size_t len = token_len(a);

    if (token_len(b) != len || strncasecmp(a, b, len) != 0)
        return PAWL_OK;
    return pawl_err_set(err, PAWL_EINVAL, "action.http.headers",
                        "action.http.headers.%.*s is given twice: join the values with a comma",
                        (int) (len < SHOWN_MAX ? len : SHOWN_MAX), a);
}

static int
check_headers(const char *const *headers, struct pawl_err *err)
{
    size_t n = count(headers), bytes = 0;
    int code = PAWL_OK;

    if (n > PAWL_HEADERS_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.headers",
                            "action.http.headers has %zu entries: the limit is %d", n,
                            PAWL_HEADERS_MAX);
    for (size_t i = 0; i < n && code == PAWL_OK; i++) {
        bytes += strlen(headers[i]) + 1;
        code = check_header(headers[i], err);
        for (size_t j = 0; j < i && code == PAWL_OK; j++)
            code = check_names(headers[j], headers[i], err);
    }
    if (code == PAWL_OK && bytes > PAWL_HEADERS_BYTES)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.headers",
                            "action.http.headers has %zu bytes: the limit is %zu (32 KiB)", bytes,
                            PAWL_HEADERS_BYTES);
    return code;
}

static int
check_body(const struct pawl_http_call *http, struct pawl_err *err)
{
    const char *method = pawl_http_call_method(http);

    if (http->body_len > PAWL_SCRIPT_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.body",
                            "action.http.body has %zu bytes: the limit is %zu (1 MiB)",
                            http->body_len, PAWL_SCRIPT_MAX);
    if (http->body && !pawl_utf8_valid(http->body, http->body_len))
        return pawl_err_set(err, PAWL_EINVAL, "action.http.body",
                            "action.http.body is not valid UTF-8");
    if (http->body && (strcmp(method, "HEAD") == 0 || strcmp(method, "TRACE") == 0))
        return pawl_err_set(err, PAWL_EINVAL, "action.http.body",
                            "action.http.body cannot be sent with %s", method);
    return PAWL_OK;
}

static int
check_codes(const struct pawl_http_call *http, struct pawl_err *err)
{
    if (http->ncodes > PAWL_CODES_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "action.http.successCodes",
                            "action.http.successCodes has %zu entries: the limit is %d",
                            http->ncodes, PAWL_CODES_MAX);
    for (size_t i = 0; i < http->ncodes; i++) {
        unsigned status = http->codes[i];

        if ((status < 1 || status > 5) && (status < 100 || status > 599))
            return pawl_err_set(err, PAWL_EINVAL, "action.http.successCodes",
                                "action.http.successCodes[%zu] must be 100 to 599, or a class "
                                "from \"1xx\" to \"5xx\"", i);
    }
    return PAWL_OK;
}

int
pawl_http_call_check(const struct pawl_http_call *http, struct pawl_err *err)
{
    int code = check_url(http->url, err);

    if (code == PAWL_OK)
        code = check_method(http->method, err);
    if (code == PAWL_OK)
        code = check_headers(http->headers, err);
    if (code == PAWL_OK)
        code = check_body(http, err);
    if (code == PAWL_OK)
        code = check_codes(http, err);
    if (code == PAWL_OK && http->max_redirects > PAWL_REDIRECTS_MAX)
        code = pawl_err_set(err, PAWL_EINVAL, "action.http.maxRedirects",
                            "action.http.maxRedirects must be 0 to %d", PAWL_REDIRECTS_MAX);
    return code;
}

/* --- The copy --- */

/* In the copy: the struct, the list with its NULL, the codes, the strings. */
size_t
pawl_http_call_bytes(const struct pawl_http_call *http)
{
    size_t n = count(http->headers), bytes = 0;

    for (size_t i = 0; i < n; i++)
        bytes += strlen(http->headers[i]) + 1;
    return sizeof *http + (n + 1) * sizeof(char *) + http->ncodes * sizeof http->codes[0] + bytes +
           strlen(http->url) + 1 + (http->method ? strlen(http->method) + 1 : 0) +
           (http->body ? http->body_len + 1 : 0);
}

/* Copies a string to *at, and moves it on. */
static const char *
put(char **at, const char *text, size_t len)
{
    char *copy = *at;

    if (!text)
        return NULL;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

const struct pawl_http_call *
pawl_http_call_copy(void *room, const struct pawl_http_call *http)
{
    struct pawl_http_call *copy = room;
    const char **headers = (const char **) (copy + 1);
    size_t n = count(http->headers);
    uint16_t *codes = (uint16_t *) (headers + n + 1);
    char *at = (char *) (codes + http->ncodes);

    *copy = *http;
    for (size_t i = 0; i < n; i++)
        headers[i] = put(&at, http->headers[i], strlen(http->headers[i]));
    headers[n] = NULL;
    copy->headers = n > 0 ? headers : NULL;
    if (http->ncodes > 0)
        memcpy(codes, http->codes, http->ncodes * sizeof codes[0]);
    copy->codes = http->ncodes > 0 ? codes : NULL;
    copy->url = put(&at, http->url, strlen(http->url));
    copy->method = put(&at, http->method, http->method ? strlen(http->method) : 0);
    copy->body = put(&at, http->body, http->body_len);
    return copy;
}

/* --- What follows from it --- */

const char *
pawl_http_call_method(const struct pawl_http_call *http)
{
    return http->method ? http->method : http->body ? "POST" : "GET";
}

int
pawl_http_call_redirects_max(const struct pawl_http_call *http)
{
    return http->max_redirects < 0 ? PAWL_REDIRECTS : http->max_redirects;
}

bool
pawl_http_call_is_success(const struct pawl_http_call *http, int status)
{
    for (size_t i = 0; i < http->ncodes; i++) {
        if (http->codes[i] == status || http->codes[i] == status / 100)
            return true;
    }
    return http->ncodes == 0 && status / 100 == 2;
}
