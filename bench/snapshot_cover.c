/* snapshot_cover.c: see snapshot_cover.h. A cron task that is in the index, and in no other room of
 * an engine. */
#include "snapshot_cover.h"

#include "figures.h"
#include "task.h"

#include <stdlib.h>
#include <string.h>

#define ID "nightly-report-00017"
#define INTERVAL_NS INT64_C(1000000)

struct pawl_snapshot_cover {
    struct pawl_epoch epoch;
    struct pawl_index *index;
    struct pawl_task *task;
    int64_t due_ns;                     /* by the changing thread only */
    bool is_running;
};

struct pawl_snapshot_cover *
pawl_snapshot_cover_new(void)
{
    struct pawl_spec spec = {
        .id = ID, .id_len = strlen(ID), .type = PAWL_CRON, .time_ns = INTERVAL_NS,
        .script = "true", .script_len = 4, .keep_results = -1,
    };
    struct pawl_snapshot_cover *cover = calloc(1, sizeof *cover);
    struct pawl_epoch_thread *thread;
    struct pawl_snapshot *first;

    if (!cover || !(cover->index = pawl_index_new()))
        pawl_bench_die("out of memory");
    pawl_epoch_init(&cover->epoch);
    cover->task = pawl_task_new(cover->index, &spec, 10, NULL, &(struct pawl_now) {0}, &first);
    thread = pawl_epoch_register(&cover->epoch);
    if (!cover->task || !thread || pawl_index_put(cover->index, thread, &cover->task->key,
                                                  pawl_task_is_live) != PAWL_OK)
        pawl_bench_die("out of memory");
    pawl_task_publish(cover->task, NULL, first);
    pawl_epoch_unregister(&cover->epoch, thread);
    cover->due_ns = INTERVAL_NS;
    return cover;
}

void
pawl_snapshot_cover_free(struct pawl_snapshot_cover *cover)
{
    if (!cover)
        return;
    pawl_task_unref(cover->task);
    pawl_index_free(cover->index);
    pawl_epoch_fini(&cover->epoch);
    free(cover);
}

struct pawl_epoch_thread *
pawl_snapshot_cover_join(struct pawl_snapshot_cover *cover)
{
    return pawl_epoch_register(&cover->epoch);
}

void
pawl_snapshot_cover_leave(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread)
{
    pawl_epoch_unregister(&cover->epoch, thread);
}

void
pawl_snapshot_cover_read(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread,
                         size_t n, struct pawl_snapshot_copy *out_copy)
{
    for (size_t i = 0; i < n; i++) {
        const struct pawl_snapshot *snapshot;

        pawl_epoch_begin(thread);
        snapshot = pawl_task_read(cover->task, NULL);
        *out_copy = (struct pawl_snapshot_copy) {
            snapshot->version, snapshot->updated_ns, snapshot->due_ns, snapshot->previous_ns,
            snapshot->run_count, snapshot->failure_count, snapshot->skipped_overlap,
            snapshot->running, snapshot->status,
        };
        pawl_epoch_end(thread);
        __asm__ volatile("" : : "r"(out_copy) : "memory");
    }
}

void
pawl_snapshot_cover_get(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread,
                        size_t n)
{
    for (size_t i = 0; i < n; i++) {
        union pawl_key_probe probe;
        struct pawl_view view;
        struct pawl_key *key;

        pawl_index_key(cover->index, ID, strlen(ID), &probe.key);
        pawl_epoch_begin(thread);
        key = pawl_index_find(cover->index, &probe.key);
        pawl_task_view(pawl_task_of_key(key), pawl_task_read(pawl_task_of_key(key), NULL),
                       &(struct pawl_now) {0, 0, INT64_MIN, INT64_MIN}, false, &view);
        pawl_epoch_end(thread);
        __asm__ volatile("" : : "r"(&view) : "memory");
        pawl_view_release(&view);
    }
}

void
pawl_snapshot_cover_change(struct pawl_snapshot_cover *cover, struct pawl_epoch_thread *thread,
                           size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct pawl_event event = {
            .kind = cover->is_running ? PAWL_EVENT_FINISH : PAWL_EVENT_START,
            .now_ns = cover->due_ns, .wall_ns = cover->due_ns,
        };

        if (pawl_task_apply(cover->task, thread, &event, NULL) != PAWL_OK)
            pawl_bench_die("the task refused to %s", cover->is_running ? "end" : "start");
        pawl_def_unref(event.def);
        if (cover->is_running)
            cover->due_ns = event.next_due_ns;
        cover->is_running = !cover->is_running;
        pawl_epoch_tidy(thread);
    }
}
