/* main.c: pawld's command line. What it does then is in daemon.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "request.h"

#define EXIT_USAGE 2
#define USER_ADDRESS "127.0.0.1:8865"

/* Read by jemalloc where it is linked: pages that were freed go back to the system by a thread of
 * its own, not in the middle of a submit, and also when the daemon idles. */
extern const char *malloc_conf;
const char *malloc_conf = "background_thread:true";

static int
say(int status, const char *text)
{
    fprintf(stderr, "pawld: %s\n", text);
    return status;
}

static int
print(struct pawl_buffer *buffer)
{
    bool ok = !buffer->failed &&
              fwrite(buffer->data, 1, buffer->len, stdout) == buffer->len &&
              fflush(stdout) == 0;

    pawl_buffer_fini(buffer);
    return ok ? 0 : say(1, "cannot write to stdout");
}

/* The settings that follow from who and where we are. */
static int
settle(struct pawl_settings *settings, const struct pawl_limits *limits,
       const struct pawl_log *log, struct pawl_err *err)
{
    bool lowered = false;
    int rc;

    if (settings->listen.nitems == 0) {
        settings->listen.items[0] =
            strdup(geteuid() == 0 ? PAWL_ROOT_SOCKET : USER_ADDRESS);
        settings->listen.nitems = settings->listen.items[0] != NULL;
    }
    if (settings->listen.nitems == 0) {
        *err = (struct pawl_err){PAWL_ENOMEM, NULL, "out of memory"};
        return PAWL_ENOMEM;
    }
    rc = pawl_limits_apply(limits, settings, &lowered, err);
    if (rc == PAWL_OK && lowered)
        pawl_log_write(log, PAWL_LOG_WARN, NULL, 0,
            "--max-connections and --max-running were lowered to %lld and %lld to fit "
            "into "
            "the limit of open files",
            (long long) settings->max_connections, (long long) settings->max_running);
    return rc;
}

static int
start(const struct pawl_settings *settings, const struct pawl_limits *limits,
      const struct pawl_log *log)
{
    if (settings->data != NULL)
        return say(EXIT_USAGE,
            "--data: durable storage is not in this version yet, tasks are "
            "kept in memory: start with --ephemeral");
    if (!settings->ephemeral)
        pawl_log_write(log, PAWL_LOG_WARN, NULL, 0,
            "tasks are kept in memory and end with the daemon: durable storage is not in "
            "this "
            "version yet (--ephemeral says that this is meant)");
    return pawl_daemon_run(settings, limits, log);
}

/* After the options were read. */
static int
act(struct pawl_settings *settings, const struct pawl_limits *limits)
{
    struct pawl_log log = {STDERR_FILENO, settings->log_json,
        (enum pawl_log_level) settings->log_level};
    struct pawl_buffer buffer;
    struct pawl_err err;

    pawl_buffer_init(&buffer);
    if (settings->help) {
        pawl_settings_help(&buffer);
        return print(&buffer);
    }
    if (settings->version) {
        pawl_buffer_append_str(&buffer, "pawld " PAWL_VERSION "\n");
        return print(&buffer);
    }
    if (settle(settings, limits, &log, &err) != PAWL_OK)
        return say(err.code == PAWL_EINVAL ? EXIT_USAGE : 1, err.text);
    if (settings->print_config) {
        pawl_settings_print(settings, &buffer);
        return print(&buffer);
    }
    return start(settings, limits, &log);
}

int
main(int argc, char **argv)
{
    struct pawl_settings settings;
    struct pawl_limits limits;
    struct pawl_err err;
    int status;

    pawl_limits_raise(&limits);
    if (pawl_settings_read(argc, argv, environ, &settings, &err) == PAWL_OK)
        status = act(&settings, &limits);
    else
        status = say(err.code == PAWL_EINVAL ? EXIT_USAGE : 1, err.text);
    pawl_settings_fini(&settings);
    return status;
}
