/* main.c: pawld's command line. What it does then is in daemon.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "request.h"
#include "state_dir.h"

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

/* Where tasks are kept when nobody said where. */
static int
settle_data(struct pawl_settings *settings, struct pawl_err *err)
{
    if (settings->ephemeral || settings->data != NULL)
        return PAWL_OK;
    return pawl_state_dir(
        geteuid() == 0, getenv("XDG_STATE_HOME"), getenv("HOME"), &settings->data, err);
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
    if ((rc = settle_data(settings, err)) != PAWL_OK)
        return rc;
    rc = pawl_limits_apply(limits, settings, &lowered, err);
    if (rc == PAWL_OK && lowered)
        pawl_log_write(log, PAWL_LOG_WARN, NULL, 0,
            "--max-connections and --max-running were lowered to %lld and %lld to fit "
            "into "
            "the limit of open files",
            (long long) settings->max_connections, (long long) settings->max_running);
    return rc;
}

static void
print_finding(void *ctx, const char *line)
{
    (void) ctx;
    puts(line);
}

/* Whether the store in a directory is sound. */
static int
check(const char *dir)
{
    struct pawl_err err;
    int rc = pawl_store_check(dir, print_finding, NULL, &err);

    if (fflush(stdout) != 0)
        return say(1, "cannot write to stdout");
    return rc == PAWL_OK ? 0 : say(1, err.text);
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
    if (settings->check != NULL)
        return check(settings->check);
    if (settle(settings, limits, &log, &err) != PAWL_OK)
        return say(err.code == PAWL_EINVAL ? EXIT_USAGE : 1, err.text);
    if (settings->print_config) {
        pawl_settings_print(settings, &buffer);
        return print(&buffer);
    }
    return pawl_daemon_run(settings, limits, &log);
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
