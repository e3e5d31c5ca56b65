/* stress_engine.c: everything at once on a real engine, through its public header only.
 *
 * Usage: stress_engine [SECONDS [SEED [process|sync]]], with a store of that durability in a directory
 * of its own, or in memory. Threads submit, edit, stop, delete, run, pause, resume, get, list and watch tasks of
 * a few ids in a few groups while real scripts run, attach and detach their handles, and keep views and pass them
 * on. What must hold meanwhile and at the end is checked; a violation is printed and ends the
 * program with status 1; with a store also that the next engine on it has the same tasks. A
 * sanitizer's report is the other way to fail. */
#include <errno.h>
#include <dirent.h>
#include <fcntl.h>
#include <pawl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define NTHREADS 6
#define NGROUPS 3
#define RUNS_MAX 4          /* of one task, where they overlap */
#define NIDS 48             /* shared ids, fought over */
#define NFIXED 150          /* tasks that nobody touches: every listing has them all */
#define NWATCHES 24         /* waits of one thread at once */
#define NVIEWS 8            /* views kept by one thread */
#define WAIT_MS 60000       /* how long what must come may take */
#define KEEP 3
#define MS INT64_C(1000000)
#define HOUR (INT64_C(3600000) * MS)

struct wait {
    struct pawl_watch watch;        /* first */
    struct worker *owner;
    bool is_set;
    int64_t version;
    uint64_t seq;
};

struct bell {                       /* what wake() gets: freed as soon as the handle is detached */
    int fd;
};

struct worker {
    pthread_t thread;
    unsigned number;
    uint64_t random;
    struct pawl_handle *handle;
    struct bell *bell;
    struct wait waits[NWATCHES];
    struct pawl_view views[NVIEWS];
    bool has_view[NVIEWS];
    struct { uint64_t seq; int64_t version; } seen[NIDS];
    unsigned once;                  /* number of the newest run-once task */
    int64_t once_since;             /* 0: none is under way */
    char once_id[32];
    unsigned long nops;
};

static struct pawl *engine;
static char directory[64], counter[80], store_dir[80];
static bool has_store, is_sync;
static _Atomic bool is_over;
static _Atomic unsigned long nedited, nsubmitted, nstopped, ndeleted, nchanged, nlistings, nonce, nattached;
static _Atomic unsigned nviolations;
static pthread_barrier_t barrier;
static pthread_mutex_t shelf_lock = PTHREAD_MUTEX_INITIALIZER;
static struct pawl_view shelf;      /* a view that goes from thread to thread */
static bool has_shelf;

static void __attribute__((format(printf, 1, 2)))
violated(const char *format, ...)
{
    va_list args;

    atomic_fetch_add(&nviolations, 1);
    fputs("VIOLATED: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static unsigned
pick(struct worker *worker, unsigned n)
{
    worker->random ^= worker->random << 13;
    worker->random ^= worker->random >> 7;
    worker->random ^= worker->random << 17;
    return (unsigned) (worker->random >> 32) % n;
}

static size_t
shared_id(unsigned n, char id[32])
{
    return (size_t) snprintf(id, 32, "shared-%u", n);
}

/* --- What holds of any view --- */

static void
check_view(const struct pawl_view *view)
{
    bool is_delay = view->type == PAWL_DELAY;
    bool overlaps = view->policy != NULL;       /* or did before an edit */

    if (view->version < 0 || view->seq == 0 || view->id_len == 0 || view->script_len == 0)
        violated("a view of nothing");
    if (view->nresults > (size_t) view->keep_results)
        violated("%zu results kept, %d wanted", view->nresults, view->keep_results);
    if (is_delay && view->run_count - view->asked_count > 1)
        violated("a delay task ran %llu times", (unsigned long long) view->run_count);
    if (view->running > (overlaps ? RUNS_MAX : 1) || view->running < 0)
        violated("%d runs of one task", view->running);
    if (view->status == PAWL_EXECUTED &&
        (!is_delay || view->running || view->version < 2 * (int64_t) view->run_count ||
         (view->run_count == 1 && !view->policy &&
          view->nresults != (view->keep_results > 0))))
        violated("executed: version %lld, %d running, %zu results", (long long) view->version,
                 view->running, view->nresults);
    if ((view->status == PAWL_EXECUTED || view->status == PAWL_STOPPED || view->is_paused) !=
        (view->next_ns == PAWL_NO_TIME) && !(is_delay && view->status == PAWL_EXECUTING))
        violated("status %d with next %lld", view->status, (long long) view->next_ns);
    if (view->status == PAWL_EXECUTING && view->running < 1)
        violated("executing without a run");
    if (view->failure_count != 0 && !view->policy)
        violated("a run of '%.*s' failed: %s", (int) view->script_len, view->script,
                 view->nresults && view->results[view->nresults - 1]->error
                     ? view->results[view->nresults - 1]->error : "no word why");
    for (size_t i = 0; i < view->nresults; i++) {
        const struct pawl_result *result = view->results[i];

        if (i > 0 && !overlaps && (result->run < view->results[i - 1]->run ||
                      (result->run == view->results[i - 1]->run &&
                       result->attempt <= view->results[i - 1]->attempt)))
            violated("results out of order");
        if (result->attempt > 1 && !view->policy)
            violated("attempt %d of a task without retries", result->attempt);
        if ((result->outcome != PAWL_SUCCESS || result->exit_code != 0) && !view->policy)
            violated("outcome %d, exit code %d", result->outcome, result->exit_code);
        if (result->started_ns < result->scheduled_ns - MS || result->ended_ns < result->started_ns)
            violated("a result's times go backwards");
        if (result->out_len > 0 && memchr(result->out, 'x', result->out_len) == NULL)
            violated("output of another script");
    }
}

/* --- Handles and waits --- */

static void
wake_cb(void *ctx)
{
    eventfd_write(((struct bell *) ctx)->fd, 1);
}

static void
attach(struct worker *worker)
{
    worker->bell = malloc(sizeof *worker->bell);
    worker->bell->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (pawl_attach(engine, wake_cb, worker->bell, &worker->handle) != PAWL_OK)
        violated("no handle");
    atomic_fetch_add(&nattached, 1);
}

/* Nothing of the bell is left behind: a wake-up that comes later is a use after free. */
static void
detach(struct worker *worker)
{
    pawl_detach(worker->handle);
    close(worker->bell->fd);
    memset(worker->bell, 0xAA, sizeof *worker->bell);
    free(worker->bell);
    for (int i = 0; i < NWATCHES; i++)
        worker->waits[i].is_set = false;
}

static void
changed_cb(struct pawl_watch *watch, const struct pawl_view *view)
{
    struct wait *wait = (struct wait *) watch;

    if (!wait->is_set)
        violated("a wait ended twice, or after it was given up");
    if (view && view->seq == wait->seq && view->version <= wait->version)
        violated("told of version %lld after %lld", (long long) view->version,
                 (long long) wait->version);
    if (view)
        check_view(view);
    wait->is_set = false;
    atomic_fetch_add(&nchanged, 1);
}

static void
deliver(struct worker *worker, int ms)
{
    struct pollfd bell = {.fd = worker->bell->fd, .events = POLLIN};
    eventfd_t ignored;

    if (poll(&bell, 1, ms) == 1)
        eventfd_read(worker->bell->fd, &ignored);
    pawl_deliver(worker->handle);
}

static void
watch_some(struct worker *worker)
{
    struct wait *wait = &worker->waits[pick(worker, NWATCHES)];
    struct pawl_view view;
    char id[32];
    size_t len = shared_id(pick(worker, NIDS), id);

    if (wait->is_set) {
        if (pick(worker, 4) == 0) {
            pawl_unwatch(worker->handle, &wait->watch);
            wait->is_set = false;
        }
        return;
    }
    if (pawl_get(worker->handle, id, len, &view) != PAWL_OK)
        return;
    *wait = (struct wait) {.watch.changed = changed_cb, .owner = worker, .is_set = true,
                           .version = view.version, .seq = view.seq};
    pawl_view_release(&view);
    switch (pawl_watch(worker->handle, id, len, wait->version, &wait->watch, &view)) {
    case PAWL_PENDING:
        return;
    case PAWL_OK:
        if (view.seq == wait->seq && view.version <= wait->version)
            violated("watch gave version %lld after %lld", (long long) view.version,
                     (long long) wait->version);
        check_view(&view);
        pawl_view_release(&view);
        break;
    case PAWL_ENOENT:
        break;
    default:
        violated("watch failed");
    }
    wait->is_set = false;
}

/* --- Changes --- */

struct asked {
    struct pawl_op op;              /* first */
    bool is_done;
};

static void
done_cb(struct pawl_op *op)
{
    struct asked *asked = (struct asked *) op;

    if (asked->is_done)
        violated("an operation ended twice");
    asked->is_done = true;
}

/* The end of what was asked with this code, now or when it is durable. */
static int
end_of(struct worker *worker, struct asked *asked, int code)
{
    int64_t until = now_ms() + WAIT_MS;

    if (code != PAWL_PENDING)
        return code;
    if (!has_store)
        violated("an operation in memory is pending");
    while (!asked->is_done && now_ms() < until) {
        pawl_rest(worker->handle);
        deliver(worker, 100);
    }
    if (!asked->is_done) {
        violated("an operation was never told");
        abort();
    }
    return asked->op.code;
}

static int
submit_spec(struct worker *worker, const struct pawl_spec *spec)
{
    struct asked asked = {.op.done = done_cb};
    struct pawl_op *op = &asked.op;
    struct pawl_err err = {0};
    int code = end_of(worker, &asked, pawl_submit(worker->handle, spec, op, &err));

    if (code != PAWL_OK && code != PAWL_EEXIST && code != PAWL_EBUDGET)
        violated("submit: %d: %s", code, err.text);
    if (op->has_view != (code == PAWL_OK))
        violated("submit: %d with or without a view", code);
    if (op->has_view) {
        check_view(&op->view);
        if (op->view.version != 0 || op->view.id_len != spec->id_len ||
            memcmp(op->view.id, spec->id, spec->id_len) != 0)
            violated("the view of a submit is of another task");
        pawl_view_release(&op->view);
        atomic_fetch_add(&nsubmitted, 1);
    }
    return code;
}

static int
submit(struct worker *worker, const char *id, size_t len, enum pawl_type type, int64_t time_ns,
       const char *script)
{
    struct pawl_spec spec = {
        .id = id, .id_len = len, .type = type, .time_ns = time_ns, .script = script,
        .script_len = strlen(script), .keep_results = KEEP,
    };

    return submit_spec(worker, &spec);
}

/* By an expression and an interval. */
static void
submit_cron(struct worker *worker, const char *id, size_t len, const char *script)
{
    struct pawl_trigger triggers[] = {
        {.kind = PAWL_BY_CRON, .expr = "* * * * * *", .expr_len = 11},
        {.kind = PAWL_BY_SPAN, .time_ns = (int64_t) (5 + pick(worker, 40)) * MS},
    };
    struct pawl_when when = {
        .triggers = triggers, .ntriggers = 1 + pick(worker, 2), .start_ns = PAWL_NO_TIME,
        .end_ns = PAWL_NO_TIME, .jitter_ns = pick(worker, 2) * MS,
    };
    struct pawl_spec spec = {
        .id = id, .id_len = len, .type = PAWL_CRON, .script = script,
        .script_len = strlen(script), .keep_results = KEEP, .when = &when,
    };

    submit_spec(worker, &spec);
}

/* Policies that let a due time run however late it is. */
static void
draw_policy(struct worker *worker, struct pawl_policy *policy)
{
    pawl_policy_init(policy);
    policy->overlap = (enum pawl_overlap) pick(worker, PAWL_NOVERLAP);
    if (policy->overlap == PAWL_OVERLAP_QUEUE)
        policy->queue_limit = 1 + pick(worker, 3);
    if (policy->overlap == PAWL_OVERLAP_ALLOW)
        policy->max_running = 1 + pick(worker, RUNS_MAX);
    policy->misfire = (enum pawl_misfire) pick(worker, PAWL_NMISFIRE);
    if (policy->misfire == PAWL_MISFIRE_ALL)
        policy->misfire_limit = 1 + pick(worker, 5);
    if (policy->overlap != PAWL_OVERLAP_ALLOW)
        policy->retries = pick(worker, 4);
    policy->misfire_grace_ns = HOUR;         /* else it may be the default, which is none */
    if (policy->retries > 0) {
        policy->retry_delay_ns = pick(worker, 20) * MS;
        policy->retry_jitter_ns = pick(worker, 2) * MS;
    }
    if (pick(worker, 2)) {
        snprintf(policy->group, sizeof policy->group, "group-%u", pick(worker, NGROUPS));
        policy->group_overflow = (enum pawl_group_overflow) pick(worker, PAWL_NGROUP_OVERFLOW);
    }
}

/* With policies: runs that take their time, that fail, and that are ended for another one. */
static void
submit_policy(struct worker *worker, const char *id, size_t len)
{
    static const char *const scripts[] = {"sleep 0.03; echo x", "exit 3",
                                          "test $PAWL_ATTEMPT -ge 2", ":"};
    const char *script = scripts[pick(worker, 4)];
    struct pawl_policy policy;
    struct pawl_spec spec = {
        .id = id, .id_len = len, .type = pick(worker, 3) ? PAWL_CRON : PAWL_DELAY,
        .time_ns = (int64_t) (1 + pick(worker, 40)) * MS, .script = script,
        .script_len = strlen(script), .keep_results = KEEP, .policy = &policy,
    };

    draw_policy(worker, &policy);
    submit_spec(worker, &spec);
}

static void
submit_some(struct worker *worker)
{
    static const char *const scripts[] = {":", "echo x", "printf '%01000dx' 0", "echo x >&2; :"};
    char id[32];
    size_t len = shared_id(pick(worker, NIDS), id);
    const char *script = scripts[pick(worker, 4)];

    switch (pick(worker, 8)) {
    case 7:
        submit_policy(worker, id, len);
        break;
    case 6:
        submit_cron(worker, id, len, script);
        break;
    case 0:
        submit(worker, id, len, PAWL_DELAY, 0, script);
        break;
    case 1:
        submit(worker, id, len, PAWL_DELAY, (int64_t) pick(worker, 30) * MS, script);
        break;
    case 2:
        submit(worker, id, len, PAWL_DELAY, INT64_MAX - (int64_t) pick(worker, 3), script);
        break;
    case 3:
        submit(worker, id, len, PAWL_DELAY, pick(worker, 100) * HOUR, script);
        break;
    case 4:
        submit(worker, id, len, PAWL_CRON, (int64_t) (1 + pick(worker, 40)) * MS, script);
        break;
    default:
        submit(worker, id, len, PAWL_CRON, INT64_MAX, script);
    }
}

static void
stop_some(struct worker *worker)
{
    struct asked asked = {.op.done = done_cb};
    struct pawl_op *op = &asked.op;
    char id[32];
    size_t len = shared_id(pick(worker, NIDS), id);
    int code = end_of(worker, &asked, pawl_stop(worker->handle, id, len, false, op, NULL));

    if (code != PAWL_OK && code != PAWL_ENOENT && code != PAWL_ESTATE)
        violated("stop: %d", code);
    if (op->has_view != (code == PAWL_OK))
        violated("stop: %d with or without a view", code);
    if (op->has_view) {
        check_view(&op->view);
        if (op->view.status != PAWL_STOPPED)
            violated("stopped to status %d", op->view.status);
        pawl_view_release(&op->view);
        atomic_fetch_add(&nstopped, 1);
    }
}

/* Asks for a run, a pause or its end. */
static void
ask_some(struct worker *worker)
{
    static int (*const calls[])(struct pawl_handle *, const char *, size_t, struct pawl_op *,
                                struct pawl_err *) = {pawl_run, pawl_pause, pawl_resume, pawl_resume};
    struct asked asked = {.op.done = done_cb};
    struct pawl_op *op = &asked.op;
    char id[32];
    size_t len = shared_id(pick(worker, NIDS), id);
    unsigned which = pick(worker, 4);
    int code = end_of(worker, &asked, calls[which](worker->handle, id, len, op, NULL));

    if (code != PAWL_OK && code != PAWL_ENOENT && code != PAWL_ESTATE)
        violated("asked: %d", code);
    if (op->has_view != (code == PAWL_OK))
        violated("asked: %d with or without a view", code);
    if (op->has_view) {
        check_view(&op->view);
        if (which > 0 && op->view.is_paused != (which == 1))
            violated("a pause or its end came to nothing");
        pawl_view_release(&op->view);
    }
}

/* Makes a task another one: its script, when it runs, how many results it keeps, its policies. */
static void
edit_some(struct worker *worker)
{
    static const char *const scripts[] = {":", "echo x; echo y", "sleep 0.01; :", "exit 3"};
    struct asked asked = {.op.done = done_cb};
    struct pawl_op *op = &asked.op;
    struct pawl_policy policy;
    struct pawl_view view;
    char id[32];
    size_t len = shared_id(pick(worker, NIDS), id);
    const char *script;
    struct pawl_spec spec;
    int code;

    if (pawl_edit_begin(worker->handle, id, len, &view, NULL) != PAWL_OK)
        return;
    script = scripts[pick(worker, view.policy ? 4 : 3)];    /* of others nothing may fail */
    spec = (struct pawl_spec) {
        .id = view.id, .id_len = view.id_len, .type = view.type, .time_ns = view.time_ns,
        .script = script, .script_len = strlen(script), .keep_results = view.keep_results,
        .when = view.when, .policy = view.policy,
    };
    if (view.type == PAWL_CRON)
        spec.keep_results = (int) pick(worker, KEEP + 1);
    if (pick(worker, 3) == 0) {
        spec.when = NULL;
        spec.time_ns = (int64_t) (1 + pick(worker, 40)) * MS;
    }
    if (pick(worker, 3) == 0) {
        draw_policy(worker, &policy);
        spec.policy = pick(worker, 4) ? &policy : NULL;
    }
    code = end_of(worker, &asked, pawl_edit(worker->handle, &view, &spec, -1, op, NULL));
    if (code != PAWL_OK && code != PAWL_ENOENT && code != PAWL_ESTATE && code != PAWL_ESTALE &&
        code != PAWL_EBUDGET)
        violated("edit: %d", code);
    if (op->has_view != (code == PAWL_OK))
        violated("edit: %d with or without a view", code);
    if (op->has_view) {
        check_view(&op->view);
        if (op->view.seq != view.seq || op->view.version <= view.version ||
            strcmp(op->view.script, script) != 0)
            violated("an edit came to nothing, or to another task");
        pawl_view_release(&op->view);
        atomic_fetch_add(&nedited, 1);
    }
    pawl_view_release(&view);
}

static void
resize_some(struct worker *worker)
{
    struct asked asked = {.op.done = done_cb};
    char name[16];
    int len = snprintf(name, sizeof name, "group-%u", pick(worker, NGROUPS));
    int code = end_of(worker, &asked,
                      pawl_group_resize(worker->handle, name, (size_t) len,
                                        (int64_t) pick(worker, 4) - 1, &asked.op, NULL));

    if (code != PAWL_OK && code != PAWL_ENOENT)
        violated("resize: %d", code);
}

static int
delete(struct worker *worker, const char *id, size_t len)
{
    struct asked asked = {.op.done = done_cb};
    int code = end_of(worker, &asked, pawl_delete(worker->handle, id, len, false, &asked.op, NULL));

    if (code != PAWL_OK && code != PAWL_ENOENT)
        violated("delete: %d", code);
    atomic_fetch_add(&ndeleted, code == PAWL_OK);
    return code;
}

/* --- Reading --- */

static void
keep_view(struct worker *worker, struct pawl_view *view)
{
    unsigned i = pick(worker, NVIEWS);

    if (worker->has_view[i])
        pawl_view_release(&worker->views[i]);
    pawl_view_share(view, &worker->views[i]);
    worker->has_view[i] = true;
    if (pick(worker, 3) == 0) {
        pthread_mutex_lock(&shelf_lock);
        if (has_shelf) {
            check_view(&shelf);
            pawl_view_release(&shelf);
        }
        pawl_view_share(view, &shelf);
        has_shelf = true;
        pthread_mutex_unlock(&shelf_lock);
    }
}

static void
get_some(struct worker *worker)
{
    unsigned n = pick(worker, NIDS);
    struct pawl_view view;
    char id[32];
    size_t len = shared_id(n, id);

    if (pawl_get(worker->handle, id, len, &view) != PAWL_OK)
        return;
    check_view(&view);
    if (view.id_len != len || memcmp(view.id, id, len) != 0)
        violated("got another task");
    if (view.seq < worker->seen[n].seq ||
        (view.seq == worker->seen[n].seq && view.version < worker->seen[n].version))
        violated("%s went back from %llu/%lld to %llu/%lld", id,
                 (unsigned long long) worker->seen[n].seq, (long long) worker->seen[n].version,
                 (unsigned long long) view.seq, (long long) view.version);
    worker->seen[n].seq = view.seq;
    worker->seen[n].version = view.version;
    keep_view(worker, &view);
    pawl_view_release(&view);
}

static void
list_all(struct worker *worker)
{
    struct pawl_filter filter = {.type_mask = pick(worker, 2) ? 1u << PAWL_DELAY : 0};
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    uint64_t seq = 0;
    unsigned nfixed = 0;
    int code;

    while ((code = pawl_list_next(worker->handle, &filter, &cursor, &view)) != PAWL_ENOENT) {
        if (code == PAWL_PENDING)
            continue;
        check_view(&view);
        if (view.seq <= seq)
            violated("a listing went from %llu to %llu", (unsigned long long) seq,
                     (unsigned long long) view.seq);
        seq = view.seq;
        nfixed += view.id_len > 6 && memcmp(view.id, "fixed-", 6) == 0;
        pawl_view_release(&view);
    }
    if (nfixed != NFIXED)
        violated("a listing had %u of %u tasks that were never touched", nfixed, NFIXED);
    atomic_fetch_add(&nlistings, 1);
}

/* --- Tasks that nobody else touches: each runs exactly once --- */

static void
care_for_once(struct worker *worker)
{
    struct pawl_view view;
    char script[128];
    size_t len = strlen(worker->once_id);

    if (worker->once_since == 0) {
        len = (size_t) snprintf(worker->once_id, sizeof worker->once_id, "once-%u-%u",
                                worker->number, ++worker->once);
        snprintf(script, sizeof script, "printf x >>%s; echo x", counter);
        if (submit(worker, worker->once_id, len, PAWL_DELAY, 0, script) == PAWL_OK)
            worker->once_since = now_ms();
        return;
    }
    if (pawl_get(worker->handle, worker->once_id, len, &view) != PAWL_OK) {
        violated("%s is lost", worker->once_id);
        worker->once_since = 0;
        return;
    }
    check_view(&view);
    if (view.status == PAWL_EXECUTED) {
        if (view.run_count != 1 || view.nresults != 1 || view.results[0]->run != 1)
            violated("%s ran %llu times", worker->once_id, (unsigned long long) view.run_count);
        if (delete(worker, worker->once_id, len) != PAWL_OK)
            violated("%s could not be deleted", worker->once_id);
        worker->once_since = 0;
        atomic_fetch_add(&nonce, 1);
    } else if (now_ms() - worker->once_since > WAIT_MS) {
        violated("%s has status %d after %d s", worker->once_id, view.status, WAIT_MS / 1000);
        worker->once_since = 0;
    }
    pawl_view_release(&view);
}

/* --- The threads --- */

static void
act(struct worker *worker)
{
    struct pawl_stats stats;
    char id[32];
    unsigned what = pick(worker, 100);

    if (what < 22)
        submit_some(worker);
    else if (what < 26)
        ask_some(worker);
    else if (what < 30)
        edit_some(worker);
    else if (what < 34)
        stop_some(worker);
    else if (what < 52)
        delete(worker, id, shared_id(pick(worker, NIDS), id));
    else if (what < 66)
        get_some(worker);
    else if (what < 86)
        watch_some(worker);
    else if (what < 92)
        care_for_once(worker);
    else if (what < 93)
        resize_some(worker);
    else if (what < 96)
        pawl_rest(worker->handle);
    else if (what < 97)
        list_all(worker);
    else if (what < 98)
        pawl_stats(engine, &stats);
    else if (what < 99)
        deliver(worker, (int) pick(worker, 4));
    else if (pick(worker, 3) == 0) {
        detach(worker);
        attach(worker);
    }
    if (worker->nops++ % 16 == 0)
        deliver(worker, 0);
}

static unsigned
waiting(const struct worker *worker)
{
    unsigned n = 0;

    for (int i = 0; i < NWATCHES; i++)
        n += worker->waits[i].is_set;
    return n;
}

static void *
work(void *arg)
{
    struct worker *worker = arg;
    int64_t until;
    char id[32];

    attach(worker);
    while (!atomic_load_explicit(&is_over, memory_order_relaxed))
        act(worker);
    while (worker->once_since) {        /* it gives up by itself, with a violation */
        care_for_once(worker);
        usleep(1000);
    }
    pthread_barrier_wait(&barrier);
    for (unsigned n = 0; n < NIDS; n++)
        delete(worker, id, shared_id(n, id));
    pthread_barrier_wait(&barrier);
    /* Every shared task is gone, so every wait must end. */
    until = now_ms() + WAIT_MS;
    while (waiting(worker) > 0 && now_ms() < until)
        deliver(worker, 100);
    if (waiting(worker) > 0)
        violated("%u waits of thread %u were never told", waiting(worker), worker->number);
    for (int i = 0; i < NVIEWS; i++) {
        if (worker->has_view[i]) {
            check_view(&worker->views[i]);
            pawl_view_release(&worker->views[i]);
        }
    }
    while (pawl_rest(worker->handle))
        usleep(1000);
    detach(worker);
    return NULL;
}

/* --- Before and after --- */

static unsigned
count_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    unsigned n = 0;

    while (dir && readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static void
log_cb(void *ctx, enum pawl_log_level level, const char *text)
{
    (void) ctx;
    if (level == PAWL_LOG_ERROR)
        violated("the engine says: %s", text);
}

static void
failed_cb(void *ctx, const char *what)
{
    (void) ctx;
    violated("the engine failed: %s", what);
}

static void
open_engine(void)
{
    struct pawl_store_options store = {.dir = store_dir, .is_sync = is_sync};
    struct pawl_options options;
    struct pawl_err err = {0};

    pawl_options_init(&options);
    if (has_store && pawl_store_open(&store, &options.store, &err) != PAWL_OK) {
        fprintf(stderr, "pawl_store_open: %s\n", err.text);
        exit(1);
    }
    options.nworkers = 3;
    options.max_running = 4;                /* so that workers meet the bound all the time */
    options.max_memory_bytes = 48 << 10;    /* so that the keeper has work */
    options.log = log_cb;
    options.failed = failed_cb;
    if (pawl_open(&options, &engine, &err) != PAWL_OK) {
        fprintf(stderr, "pawl_open: %s\n", err.text);
        exit(1);
    }
}

static void
submit_fixed(struct worker *worker)
{
    char id[32];

    for (unsigned i = 0; i < NFIXED; i++) {
        size_t len = (size_t) snprintf(id, sizeof id, "fixed-%u", i);

        if (submit(worker, id, len, PAWL_DELAY, HOUR * (i + 1), ":") != PAWL_OK)
            violated("%s was not accepted", id);
    }
}

/* All is deleted, runs end: every counter goes back to 0. */
static void
check_empty(void)
{
    int64_t until = now_ms() + WAIT_MS;
    struct pawl_stats stats;

    do {
        usleep(1000);
        pawl_stats(engine, &stats);
    } while ((stats.running > 0 || stats.started != stats.finished || stats.waiting_ready > 0) &&
             now_ms() < until);
    if (stats.tasks || stats.pending || stats.running || stats.memory_bytes ||
        stats.waiting_ready || stats.started != stats.finished)
        violated("left: %llu tasks, %llu pending, %llu running, %llu bytes, %llu ready; %llu "
                 "started, %llu finished", (unsigned long long) stats.tasks,
                 (unsigned long long) stats.pending, (unsigned long long) stats.running,
                 (unsigned long long) stats.memory_bytes,
                 (unsigned long long) stats.waiting_ready,
                 (unsigned long long) stats.started, (unsigned long long) stats.finished);
    for (unsigned i = 0; i < NGROUPS; i++) {
        struct pawl_group_view view;
        char name[16];
        int len = snprintf(name, sizeof name, "group-%u", i);

        if (pawl_group_get(engine, name, (size_t) len, &view, NULL) != PAWL_OK || view.running ||
            view.waiting)
            violated("left in %s: %u running, %u waiting", name, view.running, view.waiting);
    }
    if (stats.submitted != atomic_load(&nsubmitted))
        violated("%llu submits counted, %lu made", (unsigned long long) stats.submitted,
                 atomic_load(&nsubmitted));
    printf("%llu runs, ", (unsigned long long) stats.started);
}

static void
come_to_rest(void)
{
    struct pollfd idle = {.events = POLLIN};

    pawl_close_begin(engine);
    idle.fd = pawl_idle_fd(engine);
    if (poll(&idle, 1, WAIT_MS) != 1)
        violated("the engine does not come to rest");
}

/* All that the engine has, as text; the caller frees it. */
static char *
describe(struct worker *worker)
{
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    int code;

    while ((code = pawl_list_next(worker->handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        fprintf(out, "%llu %.*s %d %lld '%s' %d %d v%lld %d %lld %lld %lld %lld %llu %llu %llu\n",
                (unsigned long long) view.seq, (int) view.id_len, view.id, view.type,
                (long long) view.time_ns, view.script, view.keep_results, view.status,
                (long long) view.version, view.running, (long long) view.created_ns,
                (long long) view.updated_ns, (long long) view.next_ns,
                (long long) view.previous_ns, (unsigned long long) view.run_count,
                (unsigned long long) view.skipped_overlap, (unsigned long long) view.missed);
        for (size_t i = 0; i < view.nresults; i++)
            fprintf(out, "  %llu %lld %lld %lld %d '%.*s'\n",
                    (unsigned long long) view.results[i]->run,
                    (long long) view.results[i]->scheduled_ns,
                    (long long) view.results[i]->started_ns,
                    (long long) view.results[i]->ended_ns, view.results[i]->outcome,
                    (int) view.results[i]->out_len, view.results[i]->out);
        pawl_view_release(&view);
    }
    fclose(out);
    return text;
}

/* Whether some task is due at once and has not run. */
static bool
has_due(struct worker *worker)
{
    struct pawl_filter filter = {.type_mask = 1u << PAWL_DELAY,
                                 .status_mask = 1u << PAWL_TO_BE_EXECUTED | 1u << PAWL_EXECUTING};
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    bool found = false;
    int code;

    while (!found && (code = pawl_list_next(worker->handle, &filter, &cursor, &view)) !=
           PAWL_ENOENT) {
        if (code == PAWL_OK) {
            found = view.time_ns == 0;
            pawl_view_release(&view);
        }
    }
    return found;
}

/* The next engine on the store has what this one had. Nothing is due in it. */
static void
reopen(struct worker *keeper)
{
    char *texts[2], id[32];
    int64_t until;

    for (unsigned i = 0; i < 200; i++) {
        size_t len = (size_t) snprintf(id, sizeof id, "kept-%u", i);
        enum pawl_type type = i % 3 ? PAWL_DELAY : PAWL_CRON;

        if (submit(keeper, id, len, type, i % 3 == 1 ? 0 : HOUR * (1 + i), "echo x") != PAWL_OK)
            violated("%s was not accepted", id);
        if (i % 5 == 0)
            delete(keeper, id, len);
    }
    until = now_ms() + WAIT_MS;
    while (has_due(keeper) && now_ms() < until)
        usleep(1000);
    come_to_rest();
    texts[0] = describe(keeper);
    detach(keeper);
    pawl_close(engine);
    open_engine();
    attach(keeper);
    texts[1] = describe(keeper);
    for (char *left = texts[0], *right = texts[1]; *left || *right;) {
        size_t left_len = strcspn(left, "\n"), right_len = strcspn(right, "\n");

        if (left_len != right_len || memcmp(left, right, left_len) != 0) {
            violated("after a restart: %.*s\nwas: %.*s", (int) right_len, right, (int) left_len,
                     left);
            break;
        }
        left += left_len + (left[left_len] == '\n');
        right += right_len + (right[right_len] == '\n');
    }
    free(texts[0]);
    free(texts[1]);
    detach(keeper);
    pawl_close(engine);
}

static void
close_engine(struct worker *keeper)
{
    struct stat status = {0};
    char id[32];

    if (has_shelf)
        pawl_view_release(&shelf);
    for (unsigned i = 0; i < NFIXED; i++)
        delete(keeper, id, (size_t) snprintf(id, sizeof id, "fixed-%u", i));
    check_empty();
    if (has_store) {
        reopen(keeper);
    } else {
        /* Some tasks are left for pawl_close(), in all places where a task can be. */
        for (unsigned i = 0; i < 200; i++) {
            size_t len = (size_t) snprintf(id, sizeof id, "late-%u", i);

            submit(keeper, id, len, i % 2 ? PAWL_CRON : PAWL_DELAY, (int64_t) (1 + i) * MS,
                   "echo x");
        }
        detach(keeper);
        come_to_rest();
        pawl_close(engine);
    }
    stat(counter, &status);
    if ((unsigned long) status.st_size != atomic_load(&nonce))
        violated("%lu tasks ran once, their scripts ran %lu times", atomic_load(&nonce),
                 (unsigned long) status.st_size);
}

static void
remove_store(void)
{
    struct dirent *entry;
    DIR *dir = opendir(store_dir);

    while (dir && (entry = readdir(dir)))
        unlinkat(dirfd(dir), entry->d_name, 0);
    if (dir)
        closedir(dir);
    rmdir(store_dir);
}

int
main(int argc, char **argv)
{
    static struct worker workers[NTHREADS], keeper;
    unsigned seconds = argc > 1 ? (unsigned) atoi(argv[1]) : 3, nfds;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t) now_ms();
    unsigned long nops = 0;

    printf("seed %llu, ", (unsigned long long) seed);
    fflush(stdout);
    strcpy(directory, "/tmp/pawl-stress-XXXXXX");
    if (!mkdtemp(directory))
        return 1;
    snprintf(counter, sizeof counter, "%s/counter", directory);
    snprintf(store_dir, sizeof store_dir, "%s/store", directory);
    has_store = argc > 3;
    is_sync = has_store && strcmp(argv[3], "sync") == 0;
    close(open(counter, O_CREAT | O_WRONLY, 0600));
    nfds = count_fds();
    open_engine();
    keeper.random = seed | 1;
    attach(&keeper);
    submit_fixed(&keeper);
    pthread_barrier_init(&barrier, NULL, NTHREADS);
    for (unsigned i = 0; i < NTHREADS; i++) {
        workers[i].number = i;
        workers[i].random = (seed + i + 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;
        pthread_create(&workers[i].thread, NULL, work, &workers[i]);
    }
    sleep(seconds);
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < NTHREADS; i++) {
        pthread_join(workers[i].thread, NULL);
        nops += workers[i].nops;
    }
    close_engine(&keeper);
    if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD)
        violated("a child process is left");
    if (count_fds() != nfds)
        violated("%u descriptors before, %u after", nfds, count_fds());
    if (has_store)
        remove_store();
    unlink(counter);
    rmdir(directory);
    printf("%lu calls: %lu submits, %lu edits, %lu stops, %lu deletes, %lu waits told, %lu listings, "
           "%lu attaches, %lu run-once tasks; %u violated\n", nops, atomic_load(&nsubmitted),
           atomic_load(&nedited), atomic_load(&nstopped), atomic_load(&ndeleted), atomic_load(&nchanged),
           atomic_load(&nlistings), atomic_load(&nattached), atomic_load(&nonce),
           atomic_load(&nviolations));
    return atomic_load(&nviolations) > 0;
}
