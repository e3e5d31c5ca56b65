/* test_index.c: the index under churn, and the order of submission against a slow twin, with
 * readers that walk both meanwhile. */
#include "index.h"
#include "order.h"
#include "race.h"
#include "task.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct pawl_epoch epoch;
static struct pawl_index *ids;
static struct pawl_order *order;
static struct pawl_epoch_thread *own;

static int
set_up(void **state)
{
    (void) state;
    pawl_epoch_init(&epoch);
    ids = pawl_index_new();
    order = pawl_order_new();
    own = pawl_epoch_register(&epoch);
    return 0;
}

static int
tear_down(void **state)
{
    (void) state;
    pawl_epoch_unregister(&epoch, own);
    pawl_index_free(ids);
    pawl_order_free(order);
    pawl_epoch_fini(&epoch);
    return 0;
}

static struct pawl_task *
task_new(const char *id)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_DELAY, .time_ns = 0, .script = "x",
        .script_len = 1, .keep_results = 0,
    };
    struct pawl_snapshot *first;
    struct pawl_task *task = pawl_task_new(ids, &spec, 0, NULL, &(struct pawl_now) {0}, &first);

    pawl_task_publish(task, NULL, first);
    return task;
}

static void
put(struct pawl_task *task)
{
    assert_int_equal(pawl_index_put(ids, own, &task->key, pawl_task_is_live), PAWL_OK);
    task->seq = pawl_order_append(order, own, task);
    assert_true(task->seq > 0);
}

static void
take_out(struct pawl_task *task)
{
    pawl_index_remove(ids, own, &task->key);
    pawl_order_remove(order, own, task->seq);
    pawl_task_unref_later(task, own);
    pawl_epoch_tidy(own);
}

static struct pawl_task *
find(struct pawl_epoch_thread *thread, const char *id)
{
    union pawl_key_probe probe;
    struct pawl_key *key;

    pawl_index_key(ids, id, strlen(id), &probe.key);
    pawl_epoch_begin(thread);
    key = pawl_index_find(ids, &probe.key);
    pawl_epoch_end(thread);
    return key ? pawl_task_of_key(key) : NULL;
}

#define NLIVE 5000

struct reader {
    pthread_t thread;
    _Atomic bool is_over;
    unsigned long walks;
};

/* The ones that stay must be found and listed in every walk, each once, in order. */
static void *
read_on(void *arg)
{
    struct reader *reader = arg;
    struct pawl_epoch_thread *thread = pawl_epoch_register(&epoch);

    while (!atomic_load_explicit(&reader->is_over, memory_order_acquire)) {
        uint64_t after = 0, seq, newest = pawl_order_newest(order);
        unsigned stay = 0;
        char id[32];

        for (int i = 0; i < 100; i++) {
            snprintf(id, sizeof id, "stay%d", i);
            assert_non_null(find(thread, id));
        }
        pawl_epoch_begin(thread);
        for (struct pawl_task *task; (task = pawl_order_next(order, after, newest, &seq));) {
            assert_true(seq > after);
            after = seq;
            stay += memcmp(task->key.bytes, "stay", 4) == 0;
        }
        pawl_epoch_end(thread);
        assert_int_equal(stay, 100);
        reader->walks++;
    }
    pawl_epoch_unregister(&epoch, thread);
    return NULL;
}

static void
test_index_and_order_survive_churn_under_readers(void **state)
{
    static struct pawl_task *live[NLIVE], *stay[100];
    struct reader reader = {0};
    const char *rounds_text = getenv("PAWL_TEST_ROUNDS");
    unsigned rounds = rounds_text ? (unsigned) atoi(rounds_text) : 300000, seed;
    char id[32];

    (void) state;
    seed = (unsigned) time(NULL);
    print_message("seed %u\n", seed);
    srandom(seed);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "stay%u", i);
        put(stay[i] = task_new(id));
    }
    pthread_create(&reader.thread, NULL, read_on, &reader);
    for (unsigned i = 0; i < rounds; i++) {
        struct pawl_task **at = &live[random() % NLIVE];

        if (*at) {
            take_out(*at);
            *at = NULL;
        } else {
            snprintf(id, sizeof id, "churn%u", i);
            put(*at = task_new(id));
        }
    }
    atomic_store_explicit(&reader.is_over, true, memory_order_release);
    pthread_join(reader.thread, NULL);
    assert_true(reader.walks > 0);
    for (unsigned i = 0; i < NLIVE; i++) {
        if (live[i])
            take_out(live[i]);
    }
    for (unsigned i = 0; i < 100; i++) {
        snprintf(id, sizeof id, "stay%u", i);
        assert_ptr_equal(find(own, id), stay[i]);
        take_out(stay[i]);
        assert_null(find(own, id));
    }
    uint64_t seq;
    assert_null(pawl_order_next(order, 0, pawl_order_newest(order), &seq));
}

static void
test_index_replaces_only_what_is_gone(void **state)
{
    struct pawl_task *first = task_new("a"), *second = task_new("a");
    struct pawl_event event = {.kind = PAWL_EVENT_DELETE};

    (void) state;
    put(first);
    assert_int_equal(pawl_index_put(ids, own, &second->key, pawl_task_is_live), PAWL_EEXIST);
    assert_int_equal(pawl_task_apply(first, own, &event, NULL), PAWL_OK);
    put(second);
    assert_ptr_equal(find(own, "a"), second);
    take_out(first);        /* comes late: must not take the other one out */
    assert_ptr_equal(find(own, "a"), second);
    take_out(second);
}

static void
test_order_gives_leaves_back_when_their_tasks_are_gone(void **state)
{
    struct pawl_task *task = task_new("x");
    uint64_t seqs[640], seq;

    (void) state;
    for (int i = 0; i < 640; i++)
        seqs[i] = pawl_order_append(order, own, task);
    for (int i = 0; i < 640; i += 2)
        pawl_order_remove(order, own, seqs[i]);
    for (int i = 1; i < 640; i += 2) {
        assert_ptr_equal(pawl_order_next(order, seqs[i - 1] - 1, seqs[639], &seq), task);
        assert_int_equal(seq, seqs[i]);
    }
    for (int i = 639; i > 0; i -= 2)
        pawl_order_remove(order, own, seqs[i]);
    assert_null(pawl_order_next(order, 0, seqs[639], &seq));
    assert_null(pawl_order_next(order, 0, PAWL_SEQ_MAX, &seq));
    seqs[0] = pawl_order_append(order, own, task);
    assert_ptr_equal(pawl_order_next(order, 0, PAWL_SEQ_MAX, &seq), task);
    pawl_order_remove(order, own, seqs[0]);
    pawl_task_unref(task);
}

/* A leaf goes in the very moment that a listing walks down to it. */
struct going {
    struct pawl_epoch_thread *threads[2];
    uint64_t last;
    struct pawl_task *found;
};

static void
remove_last(void *ctx)
{
    struct going *going = ctx;

    if (!going->threads[0])
        going->threads[0] = pawl_epoch_register(&epoch);
    pawl_order_remove(order, going->threads[0], going->last);
    pawl_epoch_rest(going->threads[0]);
}

static void
walk_down(void *ctx)
{
    struct going *going = ctx;
    uint64_t seq;

    if (!going->threads[1])
        going->threads[1] = pawl_epoch_register(&epoch);
    pawl_epoch_begin(going->threads[1]);
    going->found = pawl_order_next(order, going->last - 1, going->last, &seq);
    pawl_epoch_end(going->threads[1]);
}

static void
test_order_walk_reads_each_child_once(void **state)
{
    struct pawl_task *task = task_new("x");
    struct going going = {0};
    struct race race;

    (void) state;
    while (pawl_order_append(order, own, task) % 64 != 63)
        ;                       /* the first leaf: number 0 is never used, so it stays */
    race_begin(&race, remove_last, walk_down, &going);
    for (unsigned round = 0; round < race_rounds(); round++) {
        for (int i = 0; i < 64; i++) {
            going.last = pawl_order_append(order, own, task);
            if (i < 63)
                pawl_order_remove(order, own, going.last);
        }
        race_round(&race);
        assert_true(!going.found || going.found == task);
    }
    race_end(&race);
    for (int i = 0; i < 2; i++)
        pawl_epoch_unregister(&epoch, going.threads[i]);
    pawl_task_unref(task);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_index_and_order_survive_churn_under_readers, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_index_replaces_only_what_is_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_walk_reads_each_child_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order_gives_leaves_back_when_their_tasks_are_gone,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
