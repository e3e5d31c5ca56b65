/* read.c: the calls that read tasks: get and list. They run on the caller's thread, in epoch sections of
 * bounded length, and take no lock. */
#include "shared.h"
#include "tags.h"

#include <string.h>

#define PASS_MAX 4096       /* tasks that one pawl_list_next() passes over */
#define SECTION_MAX 128     /* tasks that it looks at in one epoch section */

int
pawl_get(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_view *out_view)
{
    struct pawl *engine = handle->engine;
    const struct pawl_snapshot *snapshot = NULL;
    union pawl_key_probe probe;
    struct pawl_key *key;
    struct pawl_now now;

    if (id_len == 0 || id_len > PAWL_ID_MAX)
        return PAWL_ENOENT;
    pawl_index_key(engine->index, id, id_len, &probe.key);
    now = pawl_now(engine);
    pawl_epoch_begin(handle->epoch);
    key = pawl_index_find(engine->index, &probe.key);
    if (key)
        snapshot = pawl_task_read(pawl_task_of_key(key), NULL);
    if (snapshot)
        pawl_task_view(pawl_task_of_key(key), snapshot, &now, pawl_engine_is_full(engine),
                       out_view);
    pawl_epoch_end(handle->epoch);
    return snapshot ? PAWL_OK : PAWL_ENOENT;
}

static bool
is_in_group(const struct pawl_def *def, const struct pawl_filter *filter)
{
    const char *group = pawl_def_group(def);

    return group && strlen(group) == filter->group_len &&
           memcmp(group, filter->group, filter->group_len) == 0;
}

static bool
passes(const struct pawl_filter *filter, const struct pawl_task *task,
       const struct pawl_snapshot *snapshot)
{
    if (filter->status_mask && !(filter->status_mask >> snapshot->status & 1))
        return false;
    if (filter->type_mask && !(filter->type_mask >> snapshot->def->type & 1))
        return false;
    if (filter->prefix_len > 0 &&
        (filter->prefix_len > task->key.len ||
         memcmp(task->key.bytes, filter->prefix, filter->prefix_len) != 0))
        return false;
    if (filter->group_len > 0 && !is_in_group(snapshot->def, filter))
        return false;
    return filter->ntags == 0 || pawl_tags_pass(pawl_def_tags(snapshot->def), filter);
}

int
pawl_list_next(struct pawl_handle *handle, const struct pawl_filter *filter,
               struct pawl_cursor *cursor, struct pawl_view *out_view)
{
    static const struct pawl_filter all;
    struct pawl *engine = handle->engine;
    struct pawl_now now = pawl_now(engine);
    struct pawl_task *task = NULL;
    bool found = false;

    if (!filter)
        filter = &all;
    if (cursor->until == 0)
        cursor->until = pawl_order_newest(engine->order);
    for (unsigned n = 0; n < PASS_MAX && !found; n++) {
        if (n % SECTION_MAX == 0) {
            if (n > 0)
                pawl_epoch_end(handle->epoch);
            pawl_epoch_begin(handle->epoch);
        }
        task = pawl_order_next(engine->order, cursor->after, cursor->until, &cursor->after);
        if (!task)
            break;
        const struct pawl_snapshot *snapshot = pawl_task_read(task, NULL);

        found = snapshot && passes(filter, task, snapshot);
        if (found)
            pawl_task_view(task, snapshot, &now, pawl_engine_is_full(engine), out_view);
    }
    pawl_epoch_end(handle->epoch);
    if (found)
        return PAWL_OK;
    return task ? PAWL_PENDING : PAWL_ENOENT;
}
