/* health.c: counters of the engine, how its store does and how late it is. */
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "json_write.h"
#include "tasks.h"

static void
put(struct pawl_buffer *out, const char *name, uint64_t value)
{
    pawl_buffer_append_str(out, name);
    pawl_json_write_uint(out, value);
}

static void
put_percentiles(
    struct pawl_buffer *out, const char *name, int64_t p50, int64_t p99, int64_t p999)
{
    pawl_buffer_append_str(out, name);
    put(out, "{\"p50\":", (uint64_t) p50);
    put(out, ",\"p99\":", (uint64_t) p99);
    put(out, ",\"p999\":", (uint64_t) p999);
    pawl_buffer_append_str(out, "}");
}

static const char *
status_of(const struct pawl_service *service, const struct pawl_stats *stats)
{
    if (atomic_load_explicit(&service->draining, memory_order_relaxed))
        return "draining";
    return stats->store_state == PAWL_STORE_FULL || stats->store_state == PAWL_STORE_FAILING
        ? "degraded"
        : "ok";
}

static void
put_store(struct pawl_buffer *out, const struct pawl_stats *stats)
{
    static const char *const states[] = {
        [PAWL_STORE_NONE] = "memory",
        [PAWL_STORE_OK] = "ok",
        [PAWL_STORE_FULL] = "full",
        [PAWL_STORE_FAILING] = "failing",
    };
    const char *durability = stats->store_state == PAWL_STORE_NONE ? "null"
        : stats->store_is_sync                                      ? "\"sync\""
                                                                    : "\"process\"";

    pawl_buffer_append_str(out, ",\"store\":\"");
    pawl_buffer_append_str(out, stats->store_name);
    pawl_buffer_append_str(out, "\",\"storage\":{\"state\":\"");
    pawl_buffer_append_str(out, states[stats->store_state]);
    pawl_buffer_append_str(out, "\",\"durability\":");
    pawl_buffer_append_str(out, durability);
    put(out, ",\"bytes\":", stats->store_bytes);
    put(out, ",\"historyBytes\":", stats->history_bytes);
    put(out, ",\"commits\":", stats->commits);
    put(out, ",\"unsaved\":", stats->unsaved);
    pawl_buffer_append_str(out, ",\"problem\":");
    if (stats->store_problem[0] != '\0')
        pawl_json_write_string(out, stats->store_problem, strlen(stats->store_problem));
    else
        pawl_buffer_append_str(out, "null");
    pawl_buffer_append_str(out, "}");
}

void
pawl_tasks_health(struct pawl_request *request)
{
    const struct pawl_service *service = request->http->service;
    struct pawl_buffer *out = &request->answer;
    struct pawl_stats stats;

    pawl_stats(service->engine, &stats);
    pawl_buffer_append_str(out, "{\"status\":\"");
    pawl_buffer_append_str(out, status_of(service, &stats));
    pawl_buffer_append_str(out, "\",\"version\":\"" PAWL_VERSION "\"");
    put(out, ",\"pid\":", (uint64_t) getpid());
    put(out, ",\"uptimeNs\":", (uint64_t) (request->http->now_ns - service->started_ns));
    put(out, ",\"tasks\":", stats.tasks);
    put(out, ",\"pending\":", stats.pending);
    put(out, ",\"running\":", stats.running);
    put(out, ",\"waitingReady\":", stats.waiting_ready);
    put(out, ",\"waitingGroup\":", stats.waiting_group);
    put(out, ",\"submitted\":", stats.submitted);
    put(out, ",\"started\":", stats.started);
    put(out, ",\"finished\":", stats.finished);
    put(out, ",\"memoryBytes\":", stats.memory_bytes);
    put_store(out, &stats);
    put_percentiles(out, ",\"lateness\":{\"dueToWorkerNs\":", stats.due_to_worker_p50_ns,
        stats.due_to_worker_p99_ns, stats.due_to_worker_p999_ns);
    put_percentiles(out, ",\"dueToSpawnNs\":", stats.due_to_spawn_p50_ns,
        stats.due_to_spawn_p99_ns, stats.due_to_spawn_p999_ns);
    pawl_buffer_append_str(out, "}}");
    pawl_request_answer(request, 200);
}
