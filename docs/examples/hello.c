/* hello.c: libpawl in one page: an engine, one task that runs at once, and its output.
 *
 *     cc hello.c -lpawl -o hello && ./hello */
#include <pawl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct wait {
    struct pawl_watch watch;    /* first, so that changed_cb() finds the rest */
    bool is_over;
};

/* Called by the engine on any thread: something is to be delivered. */
static void
wake_cb(void *fd)
{
    eventfd_write(*(int *) fd, 1);
}

/* Called by pawl_deliver(), on this thread. */
static void
changed_cb(struct pawl_watch *watch, const struct pawl_view *view)
{
    (void) view;
    ((struct wait *) watch)->is_over = true;
}

/* Waits until the task has run, and prints what it wrote. Gives its exit status. */
static int
print_output(struct pawl_handle *handle, int fd, const char *id)
{
    struct pawl_view view;
    int64_t version = -1;       /* no task has it: the first look answers at once */

    for (;;) {
        struct wait wait = {.watch.changed = changed_cb};
        int code = pawl_watch(handle, id, strlen(id), version, &wait.watch, &view);
        eventfd_t ignored;

        if (code == PAWL_PENDING) {
            while (!wait.is_over) {
                eventfd_read(fd, &ignored);
                pawl_deliver(handle);
            }
            continue;
        }
        if (code != PAWL_OK)
            return 1;
        if (view.status == PAWL_EXECUTED)
            break;
        version = view.version;
        pawl_view_release(&view);
    }
    const struct pawl_result *result = view.nresults > 0 ? view.results[0] : NULL;
    int status = result ? result->exit_code : 1;

    if (result)
        fwrite(result->out, 1, result->out_len, stdout);
    pawl_view_release(&view);
    return status;
}

int
main(void)
{
    const char *id = "hello", *script = "echo \"hello from task $((40 + 2))\"";
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_DELAY, .time_ns = 0,
        .script = script, .script_len = strlen(script), .keep_results = 1,
    };
    int fd = eventfd(0, EFD_CLOEXEC), status = 1;
    struct pawl_options options;
    struct pawl_handle *handle;
    struct pawl_op op = {0};
    struct pawl_err err;
    struct pawl *engine;

    pawl_options_init(&options);
    if (pawl_open(&options, &engine, &err) != PAWL_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    if (pawl_attach(engine, wake_cb, &fd, &handle) == PAWL_OK) {
        /* The store in memory commits at once, so PAWL_PENDING does not come. */
        if (pawl_submit(handle, &spec, &op, &err) == PAWL_OK) {
            pawl_view_release(&op.view);
            status = print_output(handle, fd, id);
        } else {
            fprintf(stderr, "%s\n", err.text);
        }
        pawl_detach(handle);
    }
    pawl_close(engine);
    close(fd);
    return status;
}
