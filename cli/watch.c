/* watch.c: pawl get -watch: long polls one task and prints what changed.
 * One thread. A lost connection is tried again for as long as the client's timeout: a
 * daemon that restarts goes on with the same versions. On a terminal a status line below
 * the output says what is being waited for; it is erased before anything is printed. */
#define _GNU_SOURCE 1
#include "watch.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "detail.h"
#include "fields.h"
#include "glyph.h"
#include "times.h"

#define POLL_S 30
#define FIRST_PAUSE_NS INT64_C(100000000)
#define LONGEST_PAUSE_NS INT64_C(2000000000)
#define ERASE_LINE "\r\033[K"

struct watch {
    struct pawl_cli *cli;
    const char *id;
    json_t *task;        /* as last printed */
    time_t shown_s;      /* when the status line was last written; 0: there is none */
    bool is_lost;        /* there is no connection at the moment */
    int64_t deadline_ns; /* monotonic: no more attempts after it, while is_lost */
    int64_t pause_ns;    /* before the next attempt */
};

/* Ends the program where it stands: what was printed is out, nothing needs saving. */
static void
interrupt_cb(int number)
{
    ssize_t n = write(STDERR_FILENO, "\n", 1);
    (void)n;
    _exit(128 + number);
}

static void
catch_interrupt(void)
{
    struct sigaction old, action = {.sa_handler = interrupt_cb};
    if (sigaction(SIGINT, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        sigaction(SIGINT, &action, NULL);
}

static int64_t
monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void
erase_status(struct watch *watch)
{
    if (!watch->shown_s)
        return;
    pawl_text_puts(&watch->cli->print.out, ERASE_LINE);
    pawl_print_flush(&watch->cli->print);
    watch->shown_s = 0;
}

/* Writes the status line, once a second. */
static void
tick_cb(void *arg)
{
    struct watch *watch = arg;
    struct pawl_print *print = &watch->cli->print;
    struct timespec now, next;
    char text[PAWL_TIMES_SIZE] = "";
    const char *point = pawl_fields_string(watch->task, "nextRun", NULL);

    clock_gettime(CLOCK_REALTIME, &now);
    if (!print->is_smart || print->format != PAWL_FORMAT_DETAIL ||
        now.tv_sec == watch->shown_s)
        return;
    watch->shown_s = now.tv_sec;
    if (point && pawl_times_parse_point(point, &next))
        pawl_times_format_relative(&next, &now, text);
    const char *what = watch->is_lost ? "not connected"
                       : pawl_fields_number(watch->task, "running", 0) > 0 ? "running"
                                                                           : "waiting";
    struct pawl_text line = {0};
    pawl_text_printf(
        &line, "%s%s%s, Ctrl-C ends watching ", what, *text ? ", next run " : "", text);
    /* A line that wraps cannot be erased as one; the last column stays free. */
    size_t width = print->table.width, shown;
    size_t len = pawl_glyph_fit(line.data, line.len, width > 1 ? width - 1 : 0, &shown);
    pawl_text_puts(&print->out, ERASE_LINE);
    pawl_text_append(&print->out, line.data, len);
    pawl_text_fini(&line);
    pawl_print_flush(print);
}

/* Waits before the next attempt, longer each time, the status line going on. */
static void
pause_before_retry(struct watch *watch)
{
    int64_t end_ns = monotonic_ns() + watch->pause_ns;
    for (int64_t left; (left = end_ns - monotonic_ns()) > 0;) {
        int64_t nap = left < 1000000000 ? left : 1000000000;
        struct timespec t = {.tv_sec = nap / 1000000000, .tv_nsec = nap % 1000000000};
        tick_cb(watch);
        nanosleep(&t, NULL);
    }
    watch->pause_ns *= 2;
    if (watch->pause_ns > LONGEST_PAUSE_NS)
        watch->pause_ns = LONGEST_PAUSE_NS;
}

/* Asks for the task, once it is no longer at the version last printed. */
static int
poll_task(struct watch *watch, json_t **out_task, struct pawl_fail *fail)
{
    struct pawl_text query = {0};
    pawl_text_printf(&query, "?watch=true&version=%" PRId64 "&wait=%ds",
        pawl_fields_number(watch->task, "version", 0), POLL_S);
    struct pawl_wait wait = {POLL_S, tick_cb, watch};
    int status = pawl_command_call(
        watch->cli, "GET", watch->id, query.data, &wait, out_task, fail);
    pawl_text_fini(&query);
    return status;
}

/* Prints one state of the task. */
static void
print_state(struct watch *watch, const json_t *task)
{
    struct pawl_print *print = &watch->cli->print;

    erase_status(watch);
    if (print->format == PAWL_FORMAT_DETAIL && watch->task)
        pawl_detail_change(
            &print->out, watch->task, task, &print->now, print->has_colour);
    else
        pawl_print_task(print, task);
    pawl_print_flush(print);
}

/* What a failed poll means. Returns 0 to go on, -1 when watching is over with success, or
 * the exit status. */
static int
handle_failure(struct watch *watch, struct pawl_fail *fail)
{
    erase_status(watch);
    if (fail->exit_status == PAWL_EXIT_NOT_FOUND) {
        pawl_print_message("%s was deleted", watch->id);
        return -1;
    }
    int64_t now_ns = monotonic_ns();
    if (!fail->is_transient || (watch->is_lost && now_ns >= watch->deadline_ns)) {
        pawl_print_message("get %s: %s", watch->id, fail->text);
        return fail->exit_status;
    }
    if (!watch->is_lost) {
        pawl_print_message("get %s: %s; trying again for %lds", watch->id, fail->text,
            watch->cli->timeout_s);
        watch->is_lost = true;
        watch->deadline_ns = now_ns + (int64_t)watch->cli->timeout_s * 1000000000;
        watch->pause_ns = FIRST_PAUSE_NS;
    }
    pause_before_retry(watch);
    return 0;
}

/* Takes a new state. Returns -1 if it belongs to another task that took over the id. */
static int
handle_state(struct watch *watch, json_t *task, int64_t asked_ns)
{
    const json_t *created = json_object_get(watch->task, "createdAt");

    if (watch->is_lost) {
        erase_status(watch);
        pawl_print_message(
            "connected to %s again", pawl_client_address(watch->cli->client));
    }
    watch->is_lost = false;
    if (created && !json_equal(created, json_object_get(task, "createdAt"))) {
        erase_status(watch);
        pawl_print_message("%s was deleted, and its ID is another task's now", watch->id);
        return -1;
    }
    if (pawl_fields_number(task, "version", 0) !=
        pawl_fields_number(watch->task, "version", 0)) {
        print_state(watch, task);
        json_decref(watch->task);
        watch->task = json_incref(task);
        watch->pause_ns = FIRST_PAUSE_NS;
    } else if (monotonic_ns() - asked_ns < INT64_C(1000000000)) {
        pause_before_retry(watch); /* a server that does not wait must not be flooded */
    }
    return 0;
}

static int
watch_on(struct watch *watch)
{
    struct pawl_fail fail;

    while (!pawl_fields_is_final(watch->task) && !watch->cli->print.write_errno) {
        json_t *task = NULL;
        int64_t asked_ns = monotonic_ns();
        int status = poll_task(watch, &task, &fail);

        status =
            status ? handle_failure(watch, &fail) : handle_state(watch, task, asked_ns);
        json_decref(task);
        if (status)
            return status < 0 ? PAWL_EXIT_OK : status;
    }
    return PAWL_EXIT_OK;
}

int
pawl_watch_follow(struct pawl_cli *cli, const char *id)
{
    struct watch watch = {.cli = cli, .id = id, .pause_ns = FIRST_PAUSE_NS};
    struct pawl_fail fail;
    json_t *task = NULL;

    catch_interrupt();
    int status = pawl_command_call(cli, "GET", id, "", NULL, &task, &fail);
    if (status) {
        pawl_print_message("get %s: %s", id, fail.text);
        return status;
    }
    pawl_print_begin(&cli->print, false);
    print_state(&watch, task);
    watch.task = task;
    status = watch_on(&watch);
    erase_status(&watch);
    json_decref(watch.task);
    return status;
}
