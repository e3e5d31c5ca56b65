/* run.c: one execution of a script, or one call of a URL. */
#include "run.h"

#include "err.h"
#include "http_call.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#define READS_MAX 4     /* reads of one pipe in one go: a flood must not starve the others */

struct pawl_run *
pawl_run_new(void)
{
    struct pawl_run *run = calloc(1, sizeof *run);

    if (!run)
        return NULL;
    for (int kind = 0; kind < PAWL_NSOURCE; kind++)
        run->sources[kind] = (struct pawl_source) {run, kind, -1};
    for (int i = 0; i < 2; i++)
        run->spares[i] = pawl_snapshot_new();
    if (run->spares[0] && run->spares[1])
        return run;
    pawl_run_free(run, -1);
    return NULL;
}

/* Unwatches, then closes. The order matters: between a clone and its exec another child shares the
 * open file, so that closing alone would leave it in the epoll set, and its events would meet a
 * run that is freed. */
static void
close_source(struct pawl_source *source, int epoll_fd)
{
    if (source->fd < 0)
        return;
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
    close(source->fd);
    source->fd = -1;
}

void
pawl_run_free(struct pawl_run *run, int epoll_fd)
{
    if (!run)
        return;
    pawl_run_hang_up(run);
    for (int kind = 0; kind < PAWL_NSOURCE; kind++)
        close_source(&run->sources[kind], epoll_fd);
    for (int i = 0; i < 2; i++) {
        pawl_capture_fini(&run->captures[i]);
        pawl_snapshot_free_unused(run->spares[i]);
    }
    pawl_def_unref(run->def);
    if (run->task)
        pawl_task_unref(run->task);
    free(run);
}

int
pawl_run_start(struct pawl_run *run, struct pawl_spawn_room *room,
               const struct pawl_run_facts *facts, int epoll_fd)
{
    const struct pawl_action *action = pawl_def_action(run->def);
    struct pawl_child child;
    siginfo_t end;
    int code;

    if (run->is_condition)
        code = pawl_spawn(room, action->condition, strlen(action->condition), action, facts, &child,
                          &run->error);
    else
        code = pawl_spawn(room, run->def->script, run->def->script_len, action, facts, &child,
                          &run->error);
    if (code != PAWL_OK)
        return code;
    run->pid = child.pid;
    run->tree = child.tree;
    run->sources[PAWL_SOURCE_OUT].fd = child.out_fd;
    run->sources[PAWL_SOURCE_ERR].fd = child.err_fd;
    run->sources[PAWL_SOURCE_PROCESS].fd = child.pidfd;
    for (int kind = 0; kind < PAWL_NSOURCE; kind++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &run->sources[kind]};

        if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, run->sources[kind].fd, &event) != 0) {
            pawl_err_set(&run->error, PAWL_ESYS, NULL, "could not be watched: %s",
                         strerror(errno));
            pawl_run_signal(run, SIGKILL);
            waitid(P_PIDFD, (id_t) child.pidfd, &end, WEXITED);
            run->pid = 0;
            for (kind = 0; kind < PAWL_NSOURCE; kind++)     /* else an event of a condition's would end it again */
                close_source(&run->sources[kind], epoll_fd);
            return PAWL_ESYS;
        }
    }
    return PAWL_OK;
}

int
pawl_run_call(struct pawl_run *run, struct pawl_fetcher *fetcher,
              const struct pawl_run_facts *facts)
{
    if (fetcher)
        run->fetch = pawl_fetch_begin(fetcher, pawl_def_action(run->def)->http, facts,
                                      &run->captures[0], &run->error, run);
    if (run->fetch)
        return PAWL_OK;
    return pawl_err_set(&run->error, PAWL_ENOMEM, NULL,
                        "could not be called: out of memory or of descriptors");
}

void
pawl_run_hang_up(struct pawl_run *run)
{
    if (run->fetch)
        run->http_status = pawl_fetch_end(run->fetch);
    run->fetch = NULL;
}

/* A script may have left the group that it was started in: a KILL finds it all the same. */
void
pawl_run_signal(struct pawl_run *run, int sig)
{
    if (run->tree) {
        pawl_tree_signal(run->pid, sig);
    } else {
        kill(-run->pid, sig);
        if (sig == SIGKILL)
            kill(run->pid, sig);
    }
    if (sig == SIGKILL || sig == SIGTERM)
        run->is_asked = true;
}

/* Ends whom a process that has ended left behind. */
static void
end_rest(const struct pawl_run *run)
{
    if (run->tree)
        pawl_tree_end_rest(run->tree, run->pid);
    else
        kill(-run->pid, SIGKILL);
}

void
pawl_run_read(struct pawl_run *run, enum pawl_source_kind kind, int epoll_fd, char *buffer)
{
    struct pawl_source *source = &run->sources[kind];

    for (int i = 0; i < READS_MAX && source->fd >= 0; i++) {
        ssize_t n = read(source->fd, buffer, PAWL_OUTPUT_MAX);

        if (n > 0 && run->is_condition)
            continue;
        if (n > 0)
            pawl_capture_add(&run->captures[kind], buffer, (size_t) n);
        else if (n < 0 && errno == EAGAIN)
            return;
        else if (n == 0 || errno != EINTR)
            close_source(source, epoll_fd);
    }
}

bool
pawl_run_reap(struct pawl_run *run, int epoll_fd)
{
    struct pawl_source *process = &run->sources[PAWL_SOURCE_PROCESS];
    siginfo_t end = {0};

    /* The number is ours only until the reap. */
    if (run->is_asked &&
        waitid(P_PIDFD, (id_t) process->fd, &end, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        end.si_pid != 0)
        end_rest(run);
    end.si_pid = 0;
    if (waitid(P_PIDFD, (id_t) process->fd, &end, WEXITED | WNOHANG) != 0) {
        pawl_err_set(&run->error, PAWL_ESYS, NULL, "its end could not be read: %s",
                     strerror(errno));
    } else if (end.si_pid == 0) {
        return false;
    }
    run->end_code = end.si_code;
    run->end_status = end.si_status;
    close_source(process, epoll_fd);
    run->pid = 0;
    return true;
}

void
pawl_run_close_pipes(struct pawl_run *run, int epoll_fd)
{
    close_source(&run->sources[PAWL_SOURCE_OUT], epoll_fd);
    close_source(&run->sources[PAWL_SOURCE_ERR], epoll_fd);
}

bool
pawl_run_is_over(const struct pawl_run *run)
{
    return run->pid == 0 && run->sources[PAWL_SOURCE_OUT].fd < 0 &&
           run->sources[PAWL_SOURCE_ERR].fd < 0;
}

enum pawl_outcome
pawl_run_outcome(const struct pawl_run *run)
{
    const struct pawl_action *action = pawl_def_action(run->def);

    if (run->error.code != PAWL_OK)
        return PAWL_ERROR;
    if (run->ending != PAWL_ENDING_NONE)
        return run->ending == PAWL_ENDING_TIMEOUT ? PAWL_TIMEOUT : PAWL_KILLED;
    if (action && action->http && !run->is_condition)
        return pawl_http_call_is_success(action->http, run->http_status) ? PAWL_SUCCESS : PAWL_FAILURE;
    if (run->end_code != CLD_EXITED)
        return PAWL_KILLED;
    return run->end_status == 0 ? PAWL_SUCCESS : PAWL_FAILURE;
}

/* How the process ended, if there was one. */
static void
set_end(const struct pawl_run *run, struct pawl_result *result)
{
    result->exit_code = -1;
    if (run->error.code != PAWL_OK || run->end_code == 0)
        return;
    if (run->end_code == CLD_EXITED)
        result->exit_code = run->end_status;
    else
        result->signal = run->end_status;
}

struct pawl_result_box *
pawl_run_result(const struct pawl_run *run, int64_t offset_ns, char *scratch)
{
    struct pawl_result result = {
        .run = run->number, .attempt = (int) run->attempt, .scheduled_ns = pawl_due_wall(run->due, offset_ns),
        .started_ns = run->started_ns + offset_ns, .ended_ns = run->ended_ns + offset_ns,
        .duration_ns = run->ended_ns - run->started_ns,
        .outcome = pawl_run_outcome(run), .http_status = run->http_status,
    };

    set_end(run, &result);
    result.out = scratch;
    result.out_len = pawl_capture_text(&run->captures[0], scratch, &result.truncated);
    result.err = scratch + result.out_len;
    result.err_len = pawl_capture_text(&run->captures[1], scratch + result.out_len,
                                       &result.truncated);
    if (run->error.code != PAWL_OK) {
        result.error = run->error.text;
        if (result.err_len == 0) {      /* where a client that knows no error looks for it */
            result.err = result.error;
            result.err_len = strlen(result.error);
        }
    }
    return pawl_result_box_new(&result);
}
