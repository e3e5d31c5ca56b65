/* result.c: results of runs in memory. */
#include "result.h"

#include "count.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct pawl_result_box *
pawl_result_box_of(const struct pawl_result *result)
{
    return (struct pawl_result_box *) ((char *) result - offsetof(struct pawl_result_box, result));
}

static size_t
error_size(const struct pawl_result *result)
{
    return result->error ? strlen(result->error) + 1 : 0;
}

static size_t
strings_size(const struct pawl_result *result)
{
    return result->out_len + 1 + result->err_len + 1 + error_size(result);
}

/* Makes the strings of a copy point to bytes, which get theirs, each with a NUL behind it. */
static void
move_strings(struct pawl_result *copy, char *bytes)
{
    copy->out = memcpy(bytes, copy->out, copy->out_len);
    bytes[copy->out_len] = '\0';
    bytes += copy->out_len + 1;
    copy->err = memcpy(bytes, copy->err, copy->err_len);
    bytes[copy->err_len] = '\0';
    if (copy->error)
        copy->error = memcpy(bytes + copy->err_len + 1, copy->error, error_size(copy));
}

struct pawl_result_box *
pawl_result_box_new(const struct pawl_result *result)
{
    size_t size = strings_size(result);
    struct pawl_result_box *box = malloc(sizeof *box + size);

    if (!box)
        return NULL;
    atomic_init(&box->refs, 1);
    atomic_init(&box->is_stored, false);
    box->result = *result;
    move_strings(&box->result, box->bytes);
    return box;
}

struct pawl_result *
pawl_result_copy(const struct pawl_result *result)
{
    size_t size = strings_size(result);
    struct pawl_result *copy = malloc(sizeof *copy + size);

    if (!copy)
        return NULL;
    *copy = *result;
    move_strings(copy, (char *) (copy + 1));
    return copy;
}

void
pawl_result_unref(const struct pawl_result *result)
{
    if (result && pawl_count_down(&pawl_result_box_of(result)->refs))
        free(pawl_result_box_of(result));
}

void
pawl_results_unref(struct pawl_results *results)
{
    if (!results || !pawl_count_down(&results->refs))
        return;
    for (uint32_t i = 0; i < results->n; i++)
        pawl_result_unref(results->items[i]);
    free(results);
}

struct pawl_results *
pawl_results_new(uint32_t n)
{
    struct pawl_results *results = malloc(sizeof *results + n * sizeof results->items[0]);

    if (results) {
        atomic_init(&results->refs, 1);
        results->n = 0;
        results->bytes = 0;
    }
    return results;
}

void
pawl_results_add(struct pawl_results *results, const struct pawl_result *result)
{
    pawl_count_up(&pawl_result_box_of(result)->refs);
    results->items[results->n++] = result;
    results->bytes += result->out_len + result->err_len;
}

struct pawl_results *
pawl_results_append(const struct pawl_results *old, struct pawl_result_box *box, uint32_t keep,
                    bool *failed)
{
    uint32_t had = old ? old->n : 0, stay = had < keep ? had : keep - 1;
    struct pawl_results *results;

    if (keep == 0)
        return NULL;
    results = pawl_results_new(stay + 1);
    *failed = results == NULL;
    for (uint32_t i = had - stay; results && i < had; i++)
        pawl_results_add(results, old->items[i]);
    if (results)
        pawl_results_add(results, &box->result);
    return results;
}

struct pawl_result_box *
pawl_result_box_bare(const struct pawl_result *result)
{
    struct pawl_result bare = *result;

    bare.out = bare.err = "";
    bare.out_len = bare.err_len = 0;
    bare.truncated = true;
    return pawl_result_box_new(&bare);
}

/* A copy of a kept result without its output. */
static struct pawl_result_box *
box_without_output(const struct pawl_result *result)
{
    struct pawl_result_box *box = pawl_result_box_bare(result);

    if (box && atomic_load_explicit(&pawl_result_box_of(result)->is_stored, memory_order_relaxed))
        atomic_store_explicit(&box->is_stored, true, memory_order_relaxed);
    return box;
}

struct pawl_results *
pawl_results_trim(const struct pawl_results *old, int64_t cutoff_ns)
{
    struct pawl_results *results = pawl_results_new(old->n);

    for (uint32_t i = 0; results && i < old->n; i++) {
        const struct pawl_result *result = old->items[i];
        struct pawl_result_box *box = NULL;

        if (result->ended_ns <= cutoff_ns && result->out_len + result->err_len > 0)
            box = box_without_output(result);
        pawl_results_add(results, box ? &box->result : result);
        if (box)
            pawl_result_unref(&box->result);
    }
    return results;
}

struct pawl_results *
pawl_results_newest(const struct pawl_results *old, uint32_t n)
{
    struct pawl_results *results = n > 0 ? pawl_results_new(n) : NULL;

    for (uint32_t i = old->n - n; results && i < old->n; i++)
        pawl_results_add(results, old->items[i]);
    return results;
}
