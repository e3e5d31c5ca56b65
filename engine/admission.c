/* admission.c: see admission.h.
 *
 * Whether a run needs a place is decided with its START, in one step with all else: START is refused
 * to a run of a group whose place is not named in the event. So no run begins without a place of the
 * group that its task has at that moment, whatever is changed of it meanwhile.
 *
 * A task that was put into a queue is looked at once more, by another START. Who changes it so that it
 * is not to be run swaps the new state in, then takes it out of the queue, under the lock of the
 * groups; who queues it puts it in under that lock, then looks. If the putting in came first, the
 * other finds it; if it came second, the look sees the new state. No fence is needed but the lock. */
#include "admission.h"

#include "err.h"
#include "state.h"
#include "tags.h"
#include "ticker.h"

#include <stdlib.h>
#include <string.h>

/* A task has a place now. Owns: takes the reference; NULL is accepted. */
static void
go_on(struct pawl *engine, struct pawl_task *task)
{
    if (!task)
        return;
    pawl_ticker_arm_sooner(engine->ticker, task);
    pawl_task_unref(task);
}

/* --- Runs --- */

void
pawl_admission_end(struct pawl *engine, const struct pawl_def *def)
{
    if (pawl_def_group(def))
        go_on(engine, pawl_concurrency_exit(engine->concurrency, pawl_def_group(def)));
}

void
pawl_admission_leave(struct pawl *engine, struct pawl_task *task)
{
    struct pawl_task *next;

    if (pawl_concurrency_leave(engine->concurrency, task, &next))
        pawl_ticker_arm_sooner(engine->ticker, task);
    go_on(engine, next);
}

void
pawl_admission_look(struct pawl_handle *handle, struct pawl_task *task)
{
    struct pawl *engine = handle->engine;
    struct pawl_now now = pawl_now(engine);
    const struct pawl_snapshot *snapshot;
    bool is_due = false;

    pawl_epoch_begin(handle->epoch);
    snapshot = pawl_task_read_decided(task, NULL);
    if (snapshot) {
        int64_t fires_ns = pawl_snapshot_fires_ns(snapshot, now.wall_ns - now.elapsed_ns);

        is_due = fires_ns != PAWL_NO_TIME && fires_ns <= now.elapsed_ns;
    }
    pawl_epoch_end(handle->epoch);
    if (!is_due)
        pawl_admission_leave(engine, task);
}

static enum pawl_entry
enter(struct pawl *engine, struct pawl_task *task, const struct pawl_def *def,
      struct pawl_concurrency_spare *spare)
{
    const struct pawl_policy *policy = pawl_def_policy(def);
    struct pawl_task *next;
    enum pawl_entry entry = pawl_concurrency_enter(
        engine->concurrency, task, policy->group, policy->group_overflow == PAWL_GROUP_WAIT, spare,
        &next);

    go_on(engine, next);
    return entry;
}

/* Whether the run that a START has begun is one of this definition's group. */
static bool
has_begun_in(int code, const struct pawl_event *event, const struct pawl_def *def)
{
    return code == PAWL_OK && !event->is_passed && pawl_def_same_group(event->def, def);
}

int
pawl_admission_start(struct pawl_handle *handle, struct pawl_task *task, struct pawl_event *event,
                     struct pawl_concurrency_spare *spare)
{
    struct pawl *engine = handle->engine;
    struct pawl_def *def = NULL;        /* whose group was entered */
    enum pawl_entry entry = PAWL_ENTRY_FULL;
    int code;

    for (;;) {
        struct pawl_def *wanted;

        event->group_of = entry == PAWL_ENTRY_WAITS ? NULL : def;
        event->is_group_full = def && entry == PAWL_ENTRY_FULL;
        event->needs_place = false;
        code = pawl_change(handle, task, event, NULL);
        wanted = event->needs_place ? event->def : NULL;
        if (entry == PAWL_ENTRY_OPEN && !has_begun_in(code, event, def))
            pawl_admission_end(engine, def);
        if (!wanted)
            break;
        if (entry == PAWL_ENTRY_WAITS && pawl_def_same_group(wanted, def)) {
            pawl_def_unref(wanted);
            break;                      /* looked at once more: it waits */
        }
        pawl_def_unref(def);
        def = wanted;
        if (!pawl_concurrency_prepare(spare)) {     /* another group took it: armed again, it comes back */
            event->needs_place = false;
            break;
        }
        entry = enter(engine, task, def, spare);
    }
    if (entry == PAWL_ENTRY_WAITS && !event->needs_place)
        pawl_admission_leave(engine, task);
    pawl_def_unref(def);
    return code;
}

/* --- Sizes --- */

/* Sets the size that op asks for. Errors: PAWL_ENOMEM. */
static int
resize(struct pawl *engine, struct pawl_op *op)
{
    struct pawl_concurrency *groups = engine->concurrency;
    int code = pawl_concurrency_resize(groups, op->group.name, op->size);
    struct pawl_task *next;

    while (code == PAWL_OK && (next = pawl_concurrency_next(groups, op->group.name)))
        go_on(engine, next);
    if (code == PAWL_OK)
        pawl_concurrency_look(groups, op->group.name, &op->group);
    return code;
}

void
pawl_admission_keep(struct pawl *engine, struct pawl_op *op)
{
    op->code = engine->store->resize(engine->store, op->group.name, op->size);
    op->why = op->code == PAWL_OK ? NULL
            : op->code == PAWL_EFULL ? "the size stays as it was: the store's disk is full"
                                     : "the size stays as it was: the store cannot be written";
    if (op->code == PAWL_OK)
        op->code = resize(engine, op);
    pawl_handle_send(op->handle, &op->link);
}

static int
load_size(void *ctx, const char *group, uint32_t size)
{
    struct pawl *engine = ctx;

    return pawl_concurrency_resize(engine->concurrency, group, size);
}

int
pawl_admission_load(struct pawl *engine, struct pawl_err *err)
{
    int code = engine->store->sizes(engine->store, load_size, engine, err);

    return code == PAWL_ENOMEM ? pawl_err_set(err, code, NULL, "out of memory") : code;
}

/* Copies a name that is one. */
static int
copy_name(const char *name, size_t len, char out_name[PAWL_GROUP_NAME_MAX + 1], struct pawl_err *err)
{
    int code = pawl_group_name_check(name, len, err);

    if (code != PAWL_OK)
        return code;
    memcpy(out_name, name, len);
    out_name[len] = '\0';
    return PAWL_OK;
}

/* "NAME=SIZE". */
static int
configure(struct pawl *engine, const char *text, struct pawl_err *err)
{
    const char *equals = strrchr(text, '=');
    size_t len = equals ? (size_t) (equals - text) : 0;
    char name[PAWL_GROUP_NAME_MAX + 1], *end;
    long long size = equals ? strtoll(equals + 1, &end, 10) : -1;

    if (!equals || equals[1] < '0' || equals[1] > '9' || *end != '\0' || size > PAWL_GROUP_SIZE_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "group", "the group '%s' has no size: give NAME=SIZE, with "
                            "a size from 0 to %d", text, PAWL_GROUP_SIZE_MAX);
    if (copy_name(text, len, name, err) != PAWL_OK)
        return PAWL_EINVAL;
    return pawl_concurrency_configure(engine->concurrency, name, size);
}

int
pawl_admission_open(struct pawl *engine, struct pawl_err *err)
{
    const char *const *sizes = engine->options.groups;
    int code = PAWL_OK;

    engine->concurrency = pawl_concurrency_new(engine->options.group_queue);
    if (!engine->concurrency)
        code = PAWL_ENOMEM;
    while (code == PAWL_OK && sizes && *sizes)
        code = configure(engine, *sizes++, err);
    return code == PAWL_ENOMEM ? pawl_err_set(err, code, NULL, "out of memory") : code;
}

/* --- For those outside --- */

int
pawl_groups(struct pawl *engine, struct pawl_group_view **out_views, size_t *out_n)
{
    return pawl_concurrency_list(engine->concurrency, out_views, out_n);
}

int
pawl_group_get(struct pawl *engine, const char *name, size_t name_len,
               struct pawl_group_view *out_view, struct pawl_err *err)
{
    char copy[PAWL_GROUP_NAME_MAX + 1];
    int code = copy_name(name, name_len, copy, err);

    if (code == PAWL_OK)
        pawl_concurrency_look(engine->concurrency, copy, out_view);
    return code;
}

int
pawl_group_resize(struct pawl_handle *handle, const char *name, size_t name_len, int64_t size,
                  struct pawl_op *op, struct pawl_err *err)
{
    struct pawl *engine = handle->engine;
    struct pawl_group_view now;
    int code = pawl_group_get(engine, name, name_len, &now, err);

    if (code != PAWL_OK)
        return code;
    if (size > PAWL_GROUP_SIZE_MAX)
        return pawl_err_set(err, PAWL_EINVAL, "size", "size must be 0 to %d", PAWL_GROUP_SIZE_MAX);
    if (size < 0 && now.source != PAWL_GROUP_ASKED)
        return pawl_err_set(err, PAWL_ENOENT, NULL, "nobody has set a size of the group '%s': it has %s",
                            now.name, now.source == PAWL_GROUP_CONFIGURED ? "that of the configuration"
                                                                          : "the usual one, 1");
    if (size >= 0 && now.source != PAWL_GROUP_ASKED &&
        pawl_concurrency_resized(engine->concurrency) >= PAWL_GROUPS_MAX)
        return pawl_err_set(err, PAWL_ELIMIT, NULL, "sizes of %d groups are set, the limit: take some "
                            "back, or give them in the configuration", PAWL_GROUPS_MAX);
    pawl_op_init(op, handle, PAWL_OP_RESIZE);
    op->group = now;
    op->size = size;
    if (engine->committer) {
        op->link.entry = handle->asked;
        handle->asked = &op->link;
        return PAWL_PENDING;
    }
    op->code = resize(engine, op);
    return op->code == PAWL_OK ? PAWL_OK : pawl_err_set(err, op->code, NULL, "out of memory");
}
