/* test_wall_race.c: the wall clock is set while tasks are submitted, run, stopped and deleted: in the
 * end each task waits for the first of its times by the clock as it is then. */
#include "cron.h"
#include "race.h"
#include "when_fixture.h"

#define NTASKS 40
#define EXPR "*/7 * * * *"

/* What one thread does until it is told to end. */
struct side {
    struct fixture *f;
    pthread_t thread;
    unsigned seed;
    char letter;
    _Atomic bool *is_over;
};

static void
idle(void *ctx)
{
    (void) ctx;
}

/* Submits, stops and deletes tasks of its letter. */
static void *
change_tasks(void *arg)
{
    struct side *side = arg;
    struct pawl_handle *handle;

    assert_int_equal(pawl_attach(side->f->engine, idle, NULL, &handle), PAWL_OK);
    while (!atomic_load(side->is_over)) {
        struct pawl_trigger trigger = BY_CRON(EXPR, "UTC");
        struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
        struct pawl_op op = {0};
        char id[16];
        int len = snprintf(id, sizeof id, "%c%d", side->letter, rand_r(&side->seed) % NTASKS);
        struct pawl_spec spec = {
            .id = id, .id_len = (size_t) len, .type = PAWL_CRON, .time_ns = 0, .script = ":",
            .script_len = 1, .keep_results = 0, .when = &when,
        };

        if (rand_r(&side->seed) % 4 == 0)
            pawl_delete(handle, id, (size_t) len, false, &op, NULL);
        else if (pawl_submit(handle, &spec, &op, NULL) == PAWL_OK)
            pawl_view_release(&op.view);
        pawl_rest(handle);
    }
    pawl_detach(handle);
    return NULL;
}

static int64_t
first_after(int64_t wall_ns)
{
    struct pawl_cron_options options = {.zone = pawl_zone_utc()};
    struct pawl_cron cron;

    assert_int_equal(pawl_cron_parse(&cron, EXPR, strlen(EXPR), &options, NULL, NULL), PAWL_OK);
    return pawl_cron_next(&cron, wall_ns / SECOND) * SECOND;
}

/* Whether each task waits for what it should; the first that does not is in out_id. */
static bool
are_right(struct fixture *f, char out_id[32])
{
    int64_t wanted = first_after(wall_now(f));
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    bool is_right = true;
    int code;

    while ((code = pawl_list_next(f->handle, NULL, &cursor, &view)) != PAWL_ENOENT) {
        if (code != PAWL_OK)
            continue;
        if (view.next_ns != wanted && is_right)
            snprintf(out_id, 32, "%s", view.id);
        is_right &= view.next_ns == wanted && view.running == 0;
        pawl_view_release(&view);
    }
    return is_right && stats_of(f).running == 0 && stats_of(f).waiting_ready == 0;
}

/* The walk that ends first after a clock was set may be one that began before. */
static void
check(struct fixture *f)
{
    time_t until = time(NULL) + 60;
    char id[32] = "?";

    while (!are_right(f, id)) {
        if (time(NULL) > until)
            fail_msg("%s does not wait for the first of its times", id);
        sched_yield();
    }
}

static void
test_clock_set_against_everything_leaves_each_task_at_its_next_time(void **state)
{
    static const int64_t steps[] = {HOUR, -HOUR, 5 * MINUTE, -5 * MINUTE, 30 * HOUR, -30 * HOUR};
    _Atomic bool is_over;
    struct fixture f;
    unsigned seed = 7;

    (void) state;
    fixture_open(&f);
    fixture_advance(&f, DAY);       /* so that it may be set back */
    for (unsigned round = 0; round < 1 + race_rounds() / 2000; round++) {
        struct side sides[2] = {{.letter = 'a', .seed = 1 + round}, {.letter = 'b', .seed = 2 + round}};

        atomic_init(&is_over, false);
        for (int i = 0; i < 2; i++) {
            sides[i].f = &f;
            sides[i].is_over = &is_over;
            assert_int_equal(pthread_create(&sides[i].thread, NULL, change_tasks, &sides[i]), 0);
        }
        for (int i = 0; i < 20; i++) {
            pawl_clock_manual_set(&f.clock, steps[(unsigned) rand_r(&seed) % 6]);
            if (i % 3 == 0)
                fixture_advance(&f, MINUTE);
            sched_yield();
        }
        set_wall(&f, 11 * SECOND);
        atomic_store(&is_over, true);
        for (int i = 0; i < 2; i++)
            pthread_join(sides[i].thread, NULL);
        check(&f);
    }
    fixture_close(&f);
}

/* Sets the clock without a word to the one that follows it. */
static void *
set_clock(void *arg)
{
    struct side *side = arg;

    while (!atomic_load(side->is_over))
        atomic_fetch_xor(&side->f->clock.offset, 4 * SECOND);
    return NULL;
}

/* Whoever found a due time waited for a ticker that had ended. */
static void
test_clock_set_while_the_engine_closes_does_not_keep_it(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("0 0 1 1 *", "UTC")), ALWAYS, .runs_on_start = true};
    struct pawl_err err = {0};
    _Atomic bool is_over;
    struct fixture f;
    struct side side = {.f = &f, .is_over = &is_over};

    (void) state;
    for (int round = 0; round < 10; round++) {
        fixture_open(&f);
        atomic_init(&is_over, false);
        assert_int_equal(try_submit_when(&f, "w", PAWL_CRON, "sleep 1000", &when, &err), PAWL_OK);
        await(stats_of(&f).started == 1);
        assert_int_equal(pthread_create(&side.thread, NULL, set_clock, &side), 0);
        fixture_close(&f);
        atomic_store(&is_over, true);
        pthread_join(side.thread, NULL);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_set_against_everything_leaves_each_task_at_its_next_time),
        cmocka_unit_test(test_clock_set_while_the_engine_closes_does_not_keep_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
