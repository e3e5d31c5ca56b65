/* fetch.c: see fetch.h.
 *
 * A call looks up its host, goes to libcurl with the addresses, and ends, or is redirected and does
 * so again. libcurl must look up nothing: Debian's does that in threads. So each call has a cache
 * of addresses of its own, filled in before it begins, and a lookup that would begin all the same
 * fails. Connections are the fetcher's and used again.
 *
 * The inner epoll has the sockets of libcurl and of c-ares, and a timer, which rings when one of
 * them wants it or when a call has ended. Descriptors are unwatched before they are closed, but for those
 * of connections that are still being made, which libcurl (7.88) closes before it says so: then the number
 * may be another's, which is not in this epoll. Events name descriptors, not objects, so that a late one
 * does no harm. */
#include "fetch.h"

#include "calendar.h"
#include "err.h"
#include "http_call.h"
#include "resolve.h"
#include "utf8.h"

#include <arpa/inet.h>
#define CURL_DISABLE_DEPRECATION       /* of curl_multi_socket_all() */
#include <curl/curl.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define EVENTS_MAX 64
#define OF_TIMER UINT64_MAX             /* an event's data; else a descriptor and whose it is */
#define SHOWN_MAX 100                   /* bytes of a host or a URL in an error's text */

struct pawl_fetcher {
    int epoll_fd, timer_fd;
    CURLM *multi;
    int64_t curl_ns;                    /* when libcurl wants to look; INT64_MAX: never */
    bool must_look;                     /* libcurl is to look at all: see on_socket() */
    struct pawl_resolver *resolver;
    struct pawl_fetch *ended;           /* not yet asked for */
};

struct pawl_fetch {
    struct pawl_fetcher *fetcher;
    const struct pawl_http_call *http;
    struct pawl_capture *capture;
    struct pawl_err *error;
    void *owner;
    CURL *easy;
    CURLU *url;                         /* where it is now */
    CURLSH *names;                      /* its own cache of addresses */
    struct curl_slist *addresses;       /* what goes into it */
    struct curl_slist *headers, *facts; /* as they are sent; those of the daemon */
    struct pawl_lookup *lookup;         /* NULL: none is in progress */
    const char *method;
    bool sends_body;
    bool is_elsewhere;                  /* redirected to another host: it is told no secrets */
    bool is_added;                      /* to the multi */
    bool is_over;
    int nredirects;
    int status;
    struct pawl_fetch *next, **prev;    /* in fetcher->ended */
    char why[CURL_ERROR_SIZE];          /* libcurl's words for an error */
};

/* --- Time --- */

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Sets the timer to what is wanted first. */
static void
set_timer(struct pawl_fetcher *fetcher)
{
    int64_t wait_ns = pawl_resolver_wait_ns(fetcher->resolver), at_ns = fetcher->curl_ns;
    struct itimerspec timer = {.it_value.tv_sec = 0};

    if (fetcher->ended || fetcher->must_look)
        at_ns = 1;
    else if (wait_ns >= 0 && now_ns() + wait_ns < at_ns)
        at_ns = now_ns() + wait_ns;
    if (at_ns != INT64_MAX)
        timer.it_value = (struct timespec){at_ns / 1000000000, at_ns % 1000000000};
    timerfd_settime(fetcher->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

/* --- The end of a call --- */

/* It has ended, well or not: whoever asks next is told. */
static void
end(struct pawl_fetch *fetch)
{
    struct pawl_fetcher *fetcher = fetch->fetcher;

    if (fetch->is_over)
        return;
    fetch->is_over = true;
    fetch->next = fetcher->ended;
    fetch->prev = &fetcher->ended;
    if (fetch->next)
        fetch->next->prev = &fetch->next;
    fetcher->ended = fetch;
}

/* What a server sent may be in the text. */
static void __attribute__((format(printf, 2, 3)))
fail(struct pawl_fetch *fetch, const char *format, ...)
{
    char text[sizeof fetch->error->text], clean[sizeof text];
    size_t len, read;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    len = pawl_utf8_clean(text, strlen(text), clean, sizeof clean, &read);
    pawl_err_set(fetch->error, PAWL_ESYS, NULL, "%.*s", (int) len, clean);
    end(fetch);
}

static void
fail_memory(struct pawl_fetch *fetch)
{
    fail(fetch, "the call failed: out of memory");
}

/* --- What libcurl calls --- */

/* When an address refuses, libcurl (7.88) lets go of its socket and wants no time for the next one of the
 * host: with its events alone the call would stand still until the connection's time limit. */
static int
on_socket(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known)
{
    struct pawl_fetcher *fetcher = ctx;
    struct pawl_fetch *fetch = NULL;
    long status = 0;
    struct epoll_event event = {
        .events = (what & CURL_POLL_IN ? (uint32_t) EPOLLIN : 0) |
                  (what & CURL_POLL_OUT ? (uint32_t) EPOLLOUT : 0),
        .data.u64 = (uint64_t) fd,
    };

    (void) known;
    if (what == CURL_POLL_REMOVE) {
        curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
        fetcher->must_look = fetcher->must_look || status == 0;
        epoll_ctl(fetcher->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
    } else if (epoll_ctl(fetcher->epoll_fd, EPOLL_CTL_MOD, fd, &event) != 0 &&
               epoll_ctl(fetcher->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        curl_easy_getinfo(easy, CURLINFO_PRIVATE, &fetch);
        if (fetch)
            fail(fetch, "the connection could not be watched: %s", strerror(errno));
    }
    return 0;
}

static int
on_timer(CURLM *multi, long ms, void *ctx)
{
    struct pawl_fetcher *fetcher = ctx;

    (void) multi;
    fetcher->curl_ns = ms < 0 ? INT64_MAX : now_ns() + ms * INT64_C(1000000);
    return 0;
}

static size_t
on_body(char *bytes, size_t size, size_t n, void *ctx)
{
    struct pawl_fetch *fetch = ctx;

    pawl_capture_add(fetch->capture, bytes, size * n);
    return size * n;
}

/* It would take a thread. */
static int
on_lookup(void *state, void *reserved, void *ctx)
{
    (void) state;
    (void) reserved;
    (void) ctx;
    return 1;
}

/* --- A request --- */

/* A line for a list of headers; false: out of memory. */
static bool __attribute__((format(printf, 2, 3)))
add_line(struct curl_slist **list, const char *format, ...)
{
    struct curl_slist *longer = NULL;
    char *line;
    va_list args;
    int len;

    va_start(args, format);
    len = vasprintf(&line, format, args);
    va_end(args);
    if (len < 0)
        return false;
    longer = curl_slist_append(*list, line);
    free(line);
    if (longer)
        *list = longer;
    return longer != NULL;
}

static bool
tell(struct pawl_fetch *fetch, const struct pawl_run_facts *facts)
{
    char *id = curl_easy_escape(fetch->easy, facts->id, (int) facts->id_len);
    char time[PAWL_RFC3339_NS_MAX];
    bool is_told;

    pawl_calendar_format_ns(facts->scheduled_ns, time);
    is_told = id && add_line(&fetch->facts, "X-Pawl-Task-Id: %s", id) &&
              add_line(&fetch->facts, "X-Pawl-Run: %" PRIu64, facts->run) &&
              add_line(&fetch->facts, "X-Pawl-Attempt: %u", facts->attempt) &&
              add_line(&fetch->facts, "X-Pawl-Scheduled-At: %s", time);
    curl_free(id);
    return is_told;
}

/* Whether a header of the task is sent to where the call is now. */
static bool
is_sent(const struct pawl_fetch *fetch, const char *header)
{
    if (fetch->is_elsewhere && (pawl_http_call_is_named(header, "Authorization") ||
                                pawl_http_call_is_named(header, "Cookie")))
        return false;
    return fetch->sends_body || !fetch->http->body || strncasecmp(header, "Content-", 8) != 0;
}

/* libcurl takes "Name;" for a header without a value: "Name:" would leave one out. */
static bool
add_header(struct curl_slist **list, const char *header)
{
    size_t len = strcspn(header, ":");

    if (header[len + 1 + strspn(header + len + 1, " \t")] == '\0')
        return add_line(list, "%.*s;", (int) len, header);
    return add_line(list, "%s", header);
}

static bool
set_headers(struct pawl_fetch *fetch)
{
    const char *const *header = fetch->http->headers;
    bool has_type = false, is_made = true;

    curl_slist_free_all(fetch->headers);
    fetch->headers = NULL;
    for (; header && *header && is_made; header++) {
        if (!is_sent(fetch, *header))
            continue;
        has_type = has_type || pawl_http_call_is_named(*header, "Content-Type");
        is_made = add_header(&fetch->headers, *header);
    }
    if (is_made && !has_type)           /* it would call everything a form */
        is_made = add_line(&fetch->headers, "Content-Type:");
    for (struct curl_slist *fact = fetch->facts; fact && is_made; fact = fact->next)
        is_made = add_line(&fetch->headers, "%s", fact->data);
    return is_made &&
           curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers) == CURLE_OK;
}

/* Whether a request of this method says how long its body is, though there is none: RFC 9110. */
static bool
expects_body(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static void
set_method(struct pawl_fetch *fetch)
{
    CURL *easy = fetch->easy;

    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);        /* forgets what was before a redirect */
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
    if (fetch->sends_body || expects_body(fetch->method)) {
        curl_easy_setopt(easy, CURLOPT_POST, 1L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, fetch->sends_body ? fetch->http->body : "");
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                         (curl_off_t) (fetch->sends_body ? fetch->http->body_len : 0));
    } else if (strcmp(fetch->method, "HEAD") == 0) {
        curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    }
    if (strcmp(fetch->method, "HEAD") != 0)
        curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, fetch->method);
}

static void
add_to_multi(struct pawl_fetch *fetch)
{
    CURLMcode code = curl_multi_add_handle(fetch->fetcher->multi, fetch->easy);

    fetch->is_added = code == CURLM_OK;
    if (!fetch->is_added)
        fail(fetch, "the call failed: %s", curl_multi_strerror(code));
}

static bool
is_address(const char *host)
{
    struct in_addr address;

    return host[0] == '[' || inet_pton(AF_INET, host, &address) == 1;
}

/* Makes the request that the call has come to: looks up the host first, if it is a name. */
static void
request(struct pawl_fetch *fetch)
{
    char *host = NULL;
    bool is_set = set_headers(fetch);

    set_method(fetch);
    if (!is_set || curl_easy_setopt(fetch->easy, CURLOPT_CURLU, fetch->url) != CURLE_OK ||
        curl_url_get(fetch->url, CURLUPART_HOST, &host, 0) != CURLUE_OK) {
        fail_memory(fetch);
    } else if (is_address(host)) {
        curl_easy_setopt(fetch->easy, CURLOPT_RESOLVER_START_FUNCTION, NULL);
        add_to_multi(fetch);
    } else {
        fetch->lookup = pawl_resolver_ask(fetch->fetcher->resolver, host, fetch);
        if (!fetch->lookup)
            fail_memory(fetch);
    }
    curl_free(host);
}

/* The host of a call was looked up. */
static void
on_lookup_end(struct pawl_fetch *fetch, const struct pawl_lookup *lookup)
{
    char *host = NULL, *port = NULL;

    fetch->lookup = NULL;
    curl_slist_free_all(fetch->addresses);
    fetch->addresses = NULL;
    if (curl_url_get(fetch->url, CURLUPART_HOST, &host, 0) != CURLUE_OK ||
        curl_url_get(fetch->url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) != CURLUE_OK) {
        fail_memory(fetch);
    } else if (lookup->error) {
        fail(fetch, "the host %.*s could not be looked up: %s", SHOWN_MAX, host, lookup->error);
    } else if (!add_line(&fetch->addresses, "%s:%s:%s", host, port, lookup->addresses)) {
        fail_memory(fetch);
    } else {
        curl_easy_setopt(fetch->easy, CURLOPT_RESOLVE, fetch->addresses);
        curl_easy_setopt(fetch->easy, CURLOPT_RESOLVER_START_FUNCTION, on_lookup);
        add_to_multi(fetch);
    }
    curl_free(host);
    curl_free(port);
}

/* --- Redirects --- */

/* Whether a part is the same in both URLs. */
static bool
is_same(CURLU *a, CURLU *b, CURLUPart part)
{
    char *x = NULL, *y = NULL;
    bool is_same = curl_url_get(a, part, &x, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                   curl_url_get(b, part, &y, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                   strcasecmp(x, y) == 0;

    curl_free(x);
    curl_free(y);
    return is_same;
}

/* RFC 9110, 15.4: what was sent is not sent again behind 303, nor, by custom, a POST behind 301
 * and 302. */
static void
change_method(struct pawl_fetch *fetch)
{
    bool is_post = strcmp(fetch->method, "POST") == 0;

    if (fetch->status == 307 || fetch->status == 308 || strcmp(fetch->method, "HEAD") == 0)
        return;
    if (fetch->status == 303 || is_post) {
        fetch->method = "GET";
        fetch->sends_body = false;
    }
}

/* Goes where the answer points. */
static void
follow(struct pawl_fetch *fetch, const char *to)
{
    struct pawl_http_call target = {.url = to, .max_redirects = -1};
    struct pawl_err err = {.code = PAWL_OK};
    CURLU *url = curl_url();

    if (!url) {
        fail_memory(fetch);
        return;
    }
    if (curl_url_set(url, CURLUPART_URL, to, 0) == CURLUE_OK) {
        curl_url_set(url, CURLUPART_USER, NULL, 0);
        curl_url_set(url, CURLUPART_PASSWORD, NULL, 0);
    }
    if (curl_url_get(url, CURLUPART_URL, (char **) &target.url, 0) != CURLUE_OK ||
        pawl_http_call_check(&target, &err) != PAWL_OK) {
        fail(fetch, "redirected to %.*s, which is no http or https URL", SHOWN_MAX, to);
    } else {
        fetch->is_elsewhere = fetch->is_elsewhere || !is_same(url, fetch->url, CURLUPART_HOST) ||
                              !is_same(url, fetch->url, CURLUPART_PORT) ||
                              !is_same(url, fetch->url, CURLUPART_SCHEME);
        curl_url_cleanup(fetch->url);
        fetch->url = curl_url_dup(url);
        fetch->nredirects++;
        pawl_capture_fini(fetch->capture);
        change_method(fetch);
        if (fetch->url)
            request(fetch);
        else
            fail_memory(fetch);
    }
    if (target.url != to)
        curl_free((char *) target.url);
    curl_url_cleanup(url);
}

static bool
is_redirect(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* libcurl is done with the request. */
static void
on_done(struct pawl_fetch *fetch, CURLcode result)
{
    int max = pawl_http_call_redirects_max(fetch->http);
    char *location = NULL, *to = NULL;
    long status = 0;

    if (fetch->is_over)
        return;
    curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(fetch->easy, CURLINFO_REDIRECT_URL, &location);
    fetch->status = (int) status;
    if (location && !(to = strdup(location)))
        result = CURLE_OUT_OF_MEMORY;
    curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
    fetch->is_added = false;
    if (result != CURLE_OK)
        fail(fetch, "the call failed: %s", fetch->why[0] ? fetch->why : curl_easy_strerror(result));
    else if (!to || !is_redirect(fetch->status) || max == 0)
        end(fetch);
    else if (fetch->nredirects == max)
        fail(fetch, "redirected more than %d times, at last to %.*s", max, SHOWN_MAX, to);
    else
        follow(fetch, to);
    free(to);
}

/* --- Calls --- */

static bool
set_options(struct pawl_fetch *fetch)
{
    CURL *easy = fetch->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                        \
    code = code == CURLE_OK ? curl_easy_setopt(easy, CURLOPT_##option, value) : code
    SET(PRIVATE, fetch);
    SET(SHARE, fetch->names);
    SET(PROTOCOLS_STR, "http,https");
    SET(HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
    SET(PROXY, "");                     /* none of the environment's */
    SET(CAPATH, NULL);                  /* the same authorities in one file are read once a day, not
                                         * for each connection, which holds all runs up: 30 ms */
    SET(NOSIGNAL, 1L);
    SET(CONNECTTIMEOUT_MS, (long) (PAWL_CONNECT_NS / 1000000));
    SET(TCP_KEEPALIVE, 1L);
    SET(USERAGENT, "pawl/" PAWL_VERSION);
    SET(ERRORBUFFER, fetch->why);
    SET(WRITEFUNCTION, on_body);
    SET(WRITEDATA, fetch);
#undef SET
    return code == CURLE_OK;
}

static bool
prepare(struct pawl_fetch *fetch, const struct pawl_run_facts *facts)
{
    fetch->easy = curl_easy_init();
    fetch->url = curl_url();
    fetch->names = curl_share_init();
    return fetch->easy && fetch->url && fetch->names &&
           curl_share_setopt(fetch->names, CURLSHOPT_SHARE, CURL_LOCK_DATA_DNS) == CURLSHE_OK &&
           curl_url_set(fetch->url, CURLUPART_URL, fetch->http->url, 0) == CURLUE_OK &&
           set_options(fetch) && tell(fetch, facts);
}

static void
fetch_free(struct pawl_fetch *fetch)
{
    pawl_lookup_forget(fetch->lookup);
    if (fetch->is_added)
        curl_multi_remove_handle(fetch->fetcher->multi, fetch->easy);
    curl_easy_cleanup(fetch->easy);
    if (fetch->names)
        curl_share_cleanup(fetch->names);
    curl_url_cleanup(fetch->url);
    curl_slist_free_all(fetch->addresses);
    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->facts);
    free(fetch);
}

struct pawl_fetch *
pawl_fetch_begin(struct pawl_fetcher *fetcher, const struct pawl_http_call *http,
                 const struct pawl_run_facts *facts, struct pawl_capture *capture,
                 struct pawl_err *error, void *owner)
{
    struct pawl_fetch *fetch = calloc(1, sizeof *fetch);

    if (!fetch)
        return NULL;
    fetch->fetcher = fetcher;
    fetch->http = http;
    fetch->capture = capture;
    fetch->error = error;
    fetch->owner = owner;
    fetch->method = pawl_http_call_method(http);
    fetch->sends_body = http->body != NULL;
    if (!prepare(fetch, facts)) {
        fetch_free(fetch);
        return NULL;
    }
    request(fetch);
    set_timer(fetcher);
    return fetch;
}

bool
pawl_fetch_is_over(const struct pawl_fetch *fetch)
{
    return fetch->is_over;
}

int
pawl_fetch_end(struct pawl_fetch *fetch)
{
    struct pawl_fetcher *fetcher = fetch->fetcher;
    long status = fetch->status;

    if (fetch->is_added)
        curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    if (fetch->is_over) {
        *fetch->prev = fetch->next;
        if (fetch->next)
            fetch->next->prev = fetch->prev;
    }
    fetch_free(fetch);
    set_timer(fetcher);
    return (int) status;
}

/* --- The fetcher --- */

void
pawl_fetcher_free(struct pawl_fetcher *fetcher)
{
    if (!fetcher)
        return;
    curl_multi_cleanup(fetcher->multi);
    pawl_resolver_free(fetcher->resolver);
    if (fetcher->timer_fd >= 0)
        close(fetcher->timer_fd);
    if (fetcher->epoll_fd >= 0)
        close(fetcher->epoll_fd);
    free(fetcher);
    curl_global_cleanup();
}

static bool
open_multi(struct pawl_fetcher *fetcher)
{
    CURLM *multi = fetcher->multi = curl_multi_init();

    return multi && curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_socket) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, fetcher) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, fetcher) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                             (long) PAWL_CONNECTIONS_MAX) == CURLM_OK &&
           curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS,
                             (long) PAWL_IDLE_CONNECTIONS_MAX) == CURLM_OK;
}

struct pawl_fetcher *
pawl_fetcher_new(void)
{
    struct epoll_event rung = {.events = EPOLLIN, .data.u64 = OF_TIMER};
    struct pawl_fetcher *fetcher = calloc(1, sizeof *fetcher);

    if (!fetcher)
        return NULL;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {    /* counted; any thread */
        free(fetcher);
        return NULL;
    }
    fetcher->curl_ns = INT64_MAX;
    fetcher->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    fetcher->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    fetcher->resolver = pawl_resolver_new(fetcher->epoll_fd);
    if (open_multi(fetcher) && fetcher->resolver &&
        epoll_ctl(fetcher->epoll_fd, EPOLL_CTL_ADD, fetcher->timer_fd, &rung) == 0)
        return fetcher;
    pawl_fetcher_free(fetcher);
    return NULL;
}

int
pawl_fetcher_fd(const struct pawl_fetcher *fetcher)
{
    return fetcher->epoll_fd;
}

static void
on_event(struct pawl_fetcher *fetcher, const struct epoll_event *event)
{
    int running, what = 0;
    uint64_t ignored;

    if (event->data.u64 == OF_TIMER) {
        if (read(fetcher->timer_fd, &ignored, sizeof ignored) < 0)
            return;                     /* it was set anew meanwhile */
    } else if (event->data.u64 & PAWL_OF_RESOLVER) {
        pawl_resolver_event(fetcher->resolver, (int) (uint32_t) event->data.u64, event->events);
    } else {
        what |= event->events & EPOLLIN ? CURL_CSELECT_IN : 0;
        what |= event->events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
        what |= event->events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
        curl_multi_socket_action(fetcher->multi, (curl_socket_t) event->data.u64, what, &running);
    }
}

/* What the events have led to. */
static void
settle(struct pawl_fetcher *fetcher)
{
    struct pawl_lookup *lookup;
    CURLMsg *message;
    int left;

    while ((lookup = pawl_resolver_ended(fetcher->resolver))) {
        if (lookup->asker)
            on_lookup_end(lookup->asker, lookup);
        free(lookup);
    }
    while ((message = curl_multi_info_read(fetcher->multi, &left))) {
        struct pawl_fetch *fetch = NULL;

        if (message->msg != CURLMSG_DONE)
            continue;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
        on_done(fetch, message->data.result);
    }
}

void
pawl_fetcher_turn(struct pawl_fetcher *fetcher)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(fetcher->epoll_fd, events, EVENTS_MAX, 0), running;

    for (int i = 0; i < n; i++)
        on_event(fetcher, &events[i]);
    if (fetcher->curl_ns <= now_ns()) {
        fetcher->curl_ns = INT64_MAX;
        curl_multi_socket_action(fetcher->multi, CURL_SOCKET_TIMEOUT, 0, &running);
    }
    if (fetcher->must_look) {
        fetcher->must_look = false;
        curl_multi_socket_all(fetcher->multi, &running);
    }
    settle(fetcher);
    pawl_resolver_tend(fetcher->resolver);
    set_timer(fetcher);
}

void *
pawl_fetcher_next(struct pawl_fetcher *fetcher)
{
    return fetcher->ended ? fetcher->ended->owner : NULL;
}
