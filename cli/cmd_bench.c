/* cmd_bench.c: pawl bench: how many requests a daemon answers, how soon, and what they cost it. What
 * it submits it deletes again. The load itself is bench/load. One thread beside those of the load. */
#define _GNU_SOURCE 1
#include "command.h"

#include <inttypes.h>
#include <netdb.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "address.h"
#include "answer.h"
#include "fields.h"
#include "load.h"
#include "times.h"

#define SECOND_NS INT64_C(1000000000)
#define CONNECTIONS_MAX 10000
#define THREADS_MAX 64
#define BATCH_MAX 10000
#define BATCH_BYTES 4194304 /* of a stream that makes tasks */
#define TASKS_MAX INT64_C(100000000)
#define PREPARE_NS (600 * SECOND_NS)
#define DELETE_PATIENCE_S 600
#define ERASE_LINE "\r\033[K"

const struct pawl_flag pawl_cmd_bench_flags[] = {
    {"work", "w", PAWL_FLAG_CHOICE, "submit|ndjson|get|list",
        "what each request is (submit): one task in; a stream of tasks in; one task out; all out"},
    {"connections", "c", PAWL_FLAG_COUNT, "N", "connections at once (64)"},
    {"rate", "r", PAWL_FLAG_COUNT, "N",
        "requests a second, whatever becomes of them; 0: each connection sends when it was answered (0)"},
    {"duration", "d", PAWL_FLAG_DURATION, "DURATION", "for so long (10s)"},
    {"pipeline", NULL, PAWL_FLAG_COUNT, "N", "requests in flight on a connection (1)"},
    {"threads", "t", PAWL_FLAG_COUNT, "N", "threads that send (1)"},
    {"batch", NULL, PAWL_FLAG_COUNT, "N", "tasks in a stream (1000)"},
    {"tasks", NULL, PAWL_FLAG_COUNT, "N", "tasks that get and list find (10000)"},
    {"time", NULL, PAWL_FLAG_DURATION, "DURATION", "the delay of the tasks (24h)"},
    {"script", NULL, PAWL_FLAG_STRING, "TEXT", "their script (true)"},
    {"prefix", NULL, PAWL_FLAG_STRING, "TEXT", "what their ids begin with (bench-, and a number of this run)"},
    {"pid", NULL, PAWL_FLAG_COUNT, "PID", "whose processor time is counted (the daemon's, if it is on this machine)"},
    {"keep", NULL, PAWL_FLAG_BOOL, NULL, "leave the tasks there"},
    {0},
};

struct bench {
    struct pawl_cli *cli;
    struct pawl_load_options options;
    struct pawl_address address;
    char *host, *prefix, *script; /* host: with its port */
    bool shows;                   /* stderr is a terminal that can erase a line */
    struct pawl_load_figures before; /* as last shown */
};

/* Ctrl-C ends the load, and what came of it is printed. A: relaxed, a wish. */
static _Atomic bool is_interrupted;

static void
interrupt_cb(int number)
{
    (void)number;
    atomic_store_explicit(&is_interrupted, true, memory_order_relaxed);
}

/* --- Where to --- */

static int
resolve(struct bench *bench, struct pawl_fail *fail)
{
    const char *server = pawl_client_address(bench->cli->client);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    struct sockaddr_un *un = (struct sockaddr_un *)&bench->options.address;
    char error[256], *host, *port;

    if (pawl_address_parse(server, &bench->address, error, sizeof error) < 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "%s", error);
    if (strncmp(bench->address.base, "http://", 7) != 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "bench speaks http only, not to %s", server);
    bench->host = pawl_text_copy(bench->address.base + 7);
    bench->options.host = bench->host;
    if (bench->address.socket) {
        un->sun_family = AF_UNIX;
        snprintf(un->sun_path, sizeof un->sun_path, "%s", bench->address.socket);
        bench->options.address_len = sizeof *un;
        return PAWL_EXIT_OK;
    }
    host = pawl_text_copy(bench->host);
    port = strrchr(host, ':');
    if (port && !strchr(port, ']'))
        *port++ = '\0';
    else
        port = NULL;
    if (*host == '[') {
        host[strcspn(host, "]")] = '\0';
        memmove(host, host + 1, strlen(host));
    }
    int code = getaddrinfo(host, port ? port : "80", &hints, &found);
    free(host);
    if (code != 0)
        return pawl_client_fail(fail, PAWL_EXIT_UNREACHABLE, "%s: %s", server, gai_strerror(code));
    memcpy(&bench->options.address, found->ai_addr, found->ai_addrlen);
    bench->options.address_len = found->ai_addrlen;
    freeaddrinfo(found);
    return PAWL_EXIT_OK;
}

/* The daemon's process, if it is one of this machine. */
static int
find_server(struct bench *bench, struct pawl_fail *fail)
{
    struct pawl_request request = {.method = "GET", .path = "/api/health"};
    struct pawl_response response = {0};

    bench->options.server = (pid_t)pawl_flags_number(&bench->cli->args, "pid", 0);
    if (pawl_flags_value(&bench->cli->args, "pid") || !bench->address.is_local)
        return PAWL_EXIT_OK;
    int status = pawl_client_call(bench->cli->client, &request, &response, fail);
    json_t *health = status ? NULL : json_loadb(response.body.data, response.body.len, 0, NULL);
    bench->options.server = (pid_t)pawl_fields_number(health, "pid", 0);
    json_decref(health);
    pawl_client_response_fini(&response);
    return status;
}

/* --- What --- */

static int
take_count(struct bench *bench, const char *name, int64_t fallback, int64_t most, int64_t *out,
    struct pawl_fail *fail)
{
    *out = pawl_flags_number(&bench->cli->args, name, fallback);
    if (*out >= 1 && *out <= most)
        return PAWL_EXIT_OK;
    return pawl_client_fail(
        fail, PAWL_EXIT_USAGE, "-%s must be 1 to %" PRId64 ", not %" PRId64, name, most, *out);
}

/* The bytes of a JSON string, without its quotes. */
static char *
escape(const char *text)
{
    json_t *string = json_string(text);
    char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY) : NULL;

    json_decref(string);
    if (!quoted)
        return NULL;
    quoted[strlen(quoted) - 1] = '\0';
    memmove(quoted, quoted + 1, strlen(quoted));
    return quoted;
}

static int
take_texts(struct bench *bench, struct pawl_fail *fail)
{
    const char *prefix = pawl_flags_value(&bench->cli->args, "prefix");
    const char *script = pawl_flags_value(&bench->cli->args, "script");
    struct pawl_text text = {0};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (prefix)
        pawl_text_puts(&text, prefix);
    else
        pawl_text_printf(&text, "bench-%llx-", (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000);
    bench->prefix = pawl_text_copy(pawl_text_string(&text));
    pawl_text_reset(&text);
    pawl_text_percent(&text, bench->prefix, strlen(bench->prefix));
    bool is_plain = text.len == strlen(bench->prefix) && text.len > 0 && text.len <= 200;
    pawl_text_fini(&text);
    if (!is_plain)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE,
            "-prefix has 1 to 200 letters, digits, '-', '.', '_' and '~'");
    bench->script = escape(script ? script : "true");
    if (!bench->script)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "-script is not UTF-8");
    bench->options.prefix = bench->prefix;
    bench->options.script = bench->script;
    return PAWL_EXIT_OK;
}

static int
take_flags(struct bench *bench, struct pawl_fail *fail)
{
    static const char *const works[] = {"submit", "ndjson", "get", "list"};
    const char *work = pawl_flags_value(&bench->cli->args, "work");
    int64_t connections, threads, pipeline, batch, tasks;
    int status = take_count(bench, "connections", 64, CONNECTIONS_MAX, &connections, fail);

    for (unsigned i = 0; work && i < sizeof works / sizeof *works; i++)
        if (strcmp(work, works[i]) == 0)
            bench->options.work = (enum pawl_load_work)i;
    status = status ? status : take_count(bench, "threads", 1, THREADS_MAX, &threads, fail);
    status = status ? status
                    : take_count(bench, "pipeline", 1, PAWL_LOAD_PIPELINE_MAX, &pipeline, fail);
    status = status ? status : take_count(bench, "batch", 1000, BATCH_MAX, &batch, fail);
    status = status ? status : take_count(bench, "tasks", 10000, TASKS_MAX, &tasks, fail);
    status = status ? status : take_texts(bench, fail);
    if (status)
        return status;
    if (threads > connections)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "-threads is more than -connections");
    if (batch * (int64_t)(strlen(bench->script) + strlen(bench->prefix)) > BATCH_BYTES)
        return pawl_client_fail(
            fail, PAWL_EXIT_USAGE, "a stream of %" PRId64 " such tasks is too long: lower -batch", batch);
    bench->options.connections = (unsigned)connections;
    bench->options.threads = (unsigned)threads;
    bench->options.pipeline = (unsigned)pipeline;
    bench->options.batch = (unsigned)batch;
    bench->options.ntasks = (uint64_t)tasks;
    bench->options.rate = (double)pawl_flags_number(&bench->cli->args, "rate", 0);
    bench->options.duration_ns = pawl_flags_number(&bench->cli->args, "duration", 10 * SECOND_NS);
    if (bench->options.duration_ns == 0)
        return pawl_client_fail(fail, PAWL_EXIT_USAGE, "-duration must be more than 0");
    bench->options.time_ns = pawl_flags_number(&bench->cli->args, "time", 24 * 3600 * SECOND_NS);
    return PAWL_EXIT_OK;
}

/* --- The run --- */

static bool
tick_cb(void *arg, const struct pawl_load_figures *now)
{
    struct bench *bench = arg;
    double seconds = (double)(now->elapsed_ns - bench->before.elapsed_ns) / 1e9;
    char p99[PAWL_TIMES_SIZE];

    if (bench->shows && seconds > 0) {
        pawl_times_format_duration(now->latency.p99_ns / 1000 * 1000, p99);
        fprintf(stderr, ERASE_LINE "%.0fs of %.0fs: %.0f requests/s, p99 %s ",
            (double)now->elapsed_ns / 1e9, (double)bench->options.duration_ns / 1e9,
            (double)(now->requests - bench->before.requests) / seconds, p99);
    }
    bench->before = *now;
    return !atomic_load_explicit(&is_interrupted, memory_order_relaxed);
}

static int
run_load(const struct pawl_load_options *options, struct pawl_load_figures *out,
    struct pawl_fail *fail)
{
    char error[256];

    if (pawl_load_run(options, out, error, sizeof error) != 0)
        return pawl_client_fail(fail, PAWL_EXIT_UNREACHABLE, "the load cannot begin: %s", error);
    return PAWL_EXIT_OK;
}

/* Makes the tasks that the requests are about. */
static int
prepare(struct bench *bench, struct pawl_fail *fail)
{
    struct pawl_load_options options = bench->options;
    struct pawl_load_figures figures;

    if (options.work == PAWL_LOAD_SUBMIT || options.work == PAWL_LOAD_NDJSON)
        return PAWL_EXIT_OK;
    if (bench->shows)
        fprintf(stderr, ERASE_LINE "submitting %" PRIu64 " tasks ", options.ntasks);
    options.work = PAWL_LOAD_NDJSON;
    options.batch = options.ntasks < options.batch ? (unsigned)options.ntasks : options.batch;
    options.max_requests = (options.ntasks + options.batch - 1) / options.batch;
    bench->options.ntasks = options.max_requests * options.batch;
    options.rate = 0;
    options.connections = options.threads = options.pipeline = 1;
    options.duration_ns = PREPARE_NS;
    int status = run_load(&options, &figures, fail);
    if (!status && figures.tasks != bench->options.ntasks)
        status = pawl_client_fail(fail, PAWL_EXIT_ERROR,
            "only %" PRIu64 " of %" PRIu64 " tasks were accepted%s%s", figures.tasks,
            bench->options.ntasks, *figures.problem ? ": " : "", figures.problem);
    return status;
}

static void
patience_cb(void *arg)
{
    (void)arg;
}

/* Deletes the tasks with the prefix, or only counts them. */
static int
delete_tasks(struct bench *bench, bool is_dry, json_int_t *out_matched, struct pawl_fail *fail)
{
    struct pawl_wait wait = {DELETE_PATIENCE_S, patience_cb, NULL};
    struct pawl_response response = {0};
    struct pawl_text path = {0};
    json_t *document = NULL;

    pawl_text_printf(
        &path, "/api/tasks?prefix=%s%s", bench->prefix, is_dry ? "&dryRun=true" : "");
    struct pawl_request request = {.method = "DELETE", .path = path.data, .wait = &wait};
    int status = pawl_client_call(bench->cli->client, &request, &response, fail);
    if (!status)
        status = pawl_answer_document(&response, &document, fail);
    if (!status)
        *out_matched = json_integer_value(json_object_get(document, "matched"));
    json_decref(document);
    pawl_client_response_fini(&response);
    pawl_text_fini(&path);
    return status;
}

/* Tasks that were there before are not for us to delete. */
static int
check_prefix(struct bench *bench, struct pawl_fail *fail)
{
    json_int_t there = 0;
    int status = PAWL_EXIT_OK;

    if (pawl_flags_value(&bench->cli->args, "prefix") && !pawl_flags_is_set(&bench->cli->args, "keep"))
        status = delete_tasks(bench, true, &there, fail);
    if (there > 0)
        status = pawl_client_fail(fail, PAWL_EXIT_REFUSED,
            "%" JSON_INTEGER_FORMAT " tasks have IDs that begin with %s, and would be deleted at the end: "
            "give another -prefix, or -keep", there, bench->prefix);
    return status;
}

static int
remove_tasks(struct bench *bench, struct pawl_fail *fail)
{
    json_int_t removed;

    if (pawl_flags_is_set(&bench->cli->args, "keep"))
        return PAWL_EXIT_OK;
    if (bench->shows)
        fprintf(stderr, ERASE_LINE "deleting the tasks ");
    return delete_tasks(bench, false, &removed, fail);
}

/* --- What came of it --- */

static uint64_t
answers_of(const struct pawl_load_figures *figures, unsigned from, unsigned to)
{
    uint64_t n = 0;

    for (unsigned i = from; i < to; i++)
        n += figures->statuses[i];
    return n;
}

static json_t *
spread_document(const struct pawl_load_spread *spread)
{
    return json_pack("{s:I, s:I, s:I, s:I}", "p50Ns", (json_int_t)spread->p50_ns, "p90Ns",
        (json_int_t)spread->p90_ns, "p99Ns", (json_int_t)spread->p99_ns, "p999Ns",
        (json_int_t)spread->p999_ns);
}

static json_t *
document_of(const struct bench *bench, const struct pawl_load_figures *figures)
{
    static const char *const works[] = {"submit", "ndjson", "get", "list"};
    const struct pawl_load_options *options = &bench->options;
    json_t *statuses = json_object();
    char name[16];

    for (unsigned i = 0; i < PAWL_LOAD_STATUSES; i++) {
        snprintf(name, sizeof name, "%u", i);
        if (figures->statuses[i] > 0)
            json_object_set_new(statuses, name, json_integer((json_int_t)figures->statuses[i]));
    }
    return json_pack("{s:s, s:s, s:i, s:i, s:i, s:f, s:I, s:I, s:I, s:I, s:o, s:I, s:I, s:o, s:o, s:I, s:o}",
        "server", pawl_client_address(bench->cli->client), "work", works[options->work],
        "connections", (int)options->connections, "threads", (int)options->threads, "pipeline",
        (int)options->pipeline, "rate", options->rate, "elapsedNs",
        (json_int_t)figures->elapsed_ns, "requests", (json_int_t)figures->requests, "tasks",
        (json_int_t)figures->tasks, "bytes", (json_int_t)figures->bytes, "statuses", statuses,
        "broken", (json_int_t)figures->broken, "unanswered", (json_int_t)figures->unanswered,
        "latency", spread_document(&figures->latency), "service",
        spread_document(&figures->service), "longestNs", (json_int_t)figures->longest_ns,
        "serverCpuNs",
        figures->cpu_ns < 0 ? json_null() : json_integer((json_int_t)figures->cpu_ns));
}

static void
put_rate(struct pawl_text *out, const char *name, double n, double seconds, const char *unit)
{
    pawl_text_printf(out, "%-12s %.0f%s, %.0f%s/s\n", name, n, unit, n / seconds, unit);
}

static void
put_spread(struct pawl_text *out, const char *name, const struct pawl_load_spread *spread)
{
    const int64_t values[] = {spread->p50_ns, spread->p90_ns, spread->p99_ns, spread->p999_ns};
    static const char *const names[] = {"p50", "p90", "p99", "p99.9"};

    pawl_text_printf(out, "%-12s", name);
    for (size_t i = 0; i < 4; i++) {
        char text[PAWL_TIMES_SIZE];

        pawl_times_format_duration(values[i] / 1000 * 1000, text);
        pawl_text_printf(out, "%s %s %s", i ? "," : "", names[i], text);
    }
}

static void
print_lines(const struct bench *bench, const struct pawl_load_figures *figures)
{
    struct pawl_text *out = &bench->cli->print.out;
    const struct pawl_load_options *options = &bench->options;
    double seconds = (double)figures->elapsed_ns / 1e9;
    bool is_submit = options->work == PAWL_LOAD_SUBMIT || options->work == PAWL_LOAD_NDJSON;
    double units = (double)(options->work == PAWL_LOAD_NDJSON ? figures->tasks : figures->requests);
    char longest[PAWL_TIMES_SIZE];

    put_rate(out, "requests", (double)figures->requests, seconds, "");
    if (is_submit)
        put_rate(out, "tasks", (double)figures->tasks, seconds, "");
    put_rate(out, "answers", (double)figures->bytes / 1048576, seconds, " MiB");
    pawl_times_format_duration(figures->longest_ns / 1000 * 1000, longest);
    put_spread(out, "latency", &figures->latency);
    pawl_text_printf(out, ", longest %s\n", longest);
    if (options->rate > 0) {
        put_spread(out, "service", &figures->service);
        pawl_text_puts(out, " (from the sending)\n");
    }
    if (figures->cpu_ns >= 0 && units > 0)
        pawl_text_printf(out, "%-12s %.2f us a %s, %.2f of a processor\n", "server CPU",
            (double)figures->cpu_ns / 1e3 / units,
            options->work == PAWL_LOAD_NDJSON ? "task" : "request",
            (double)figures->cpu_ns / (double)figures->elapsed_ns);
}

/* The exit status; what went wrong is said. */
static int
judge(const struct pawl_load_figures *figures)
{
    uint64_t refused = figures->requests - answers_of(figures, 200, 300);

    if (refused > 0)
        pawl_print_message("%" PRIu64 " requests were refused; the first: %s", refused,
            *figures->problem ? figures->problem : "(no reason given)");
    if (figures->broken > 0)
        pawl_print_message("%" PRIu64 " requests have no answer: their connection ended", figures->broken);
    if (figures->unanswered > 0)
        pawl_print_message("%" PRIu64 " requests were not answered within 5s of the end", figures->unanswered);
    if (figures->requests + figures->broken + figures->unanswered == 0)
        pawl_print_message("no request was answered in this time: give a longer -duration");
    if (figures->requests == 0 || refused == figures->requests)
        return PAWL_EXIT_ERROR;
    return refused + figures->broken + figures->unanswered > 0 ? PAWL_EXIT_PARTLY : PAWL_EXIT_OK;
}

static int
print_figures(struct bench *bench, const struct pawl_load_figures *figures)
{
    if (bench->shows)
        fputs(ERASE_LINE, stderr);
    if (bench->cli->print.format == PAWL_FORMAT_JSON ||
        bench->cli->print.format == PAWL_FORMAT_NDJSON) {
        json_t *document = document_of(bench, figures);

        pawl_print_begin(&bench->cli->print, false);
        pawl_print_task(&bench->cli->print, document);
        pawl_print_end(&bench->cli->print, NULL);
        json_decref(document);
    } else {
        print_lines(bench, figures);
    }
    return judge(figures);
}

static int
run(struct bench *bench, struct pawl_fail *fail)
{
    struct pawl_load_figures figures;
    int status = resolve(bench, fail);

    status = status ? status : take_flags(bench, fail);
    status = status ? status : find_server(bench, fail);
    status = status ? status : check_prefix(bench, fail);
    if (status)
        return status;
    status = prepare(bench, fail);
    if (!status && !atomic_load_explicit(&is_interrupted, memory_order_relaxed)) {
        bench->options.tick = tick_cb;
        bench->options.arg = bench;
        status = run_load(&bench->options, &figures, fail);
        if (!status) {
            pawl_print_flush(&bench->cli->print);
            status = print_figures(bench, &figures);
            if (status)
                *fail->text = '\0'; /* said already */
        }
    }
    struct pawl_fail removal = {0};
    int removed = remove_tasks(bench, &removal);
    if (bench->shows)
        fputs(ERASE_LINE, stderr);
    if (removed && !status)
        *fail = removal;
    return status ? status : removed;
}

int
pawl_cmd_bench(struct pawl_cli *cli)
{
    struct sigaction action = {.sa_handler = interrupt_cb, .sa_flags = (int)SA_RESETHAND};
    struct bench bench = {.cli = cli};
    struct pawl_fail fail = {0};
    const char *term = getenv("TERM");

    bench.shows = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    sigaction(SIGINT, &action, NULL);
    int status = run(&bench, &fail);
    if (status && *fail.text)
        pawl_command_report(&fail);
    pawl_address_fini(&bench.address);
    free(bench.host);
    free(bench.prefix);
    free(bench.script);
    return status;
}
