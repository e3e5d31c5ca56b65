/* test_when.c: when tasks fire, by each way of saying so; on the manual clock, which begins at
 * 2027-01-15T08:00:00Z, a Friday. */
#include "when_fixture.h"

static void
test_cron_fires_at_its_times_and_only_then(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "c", "30 9 * * mon-fri", "Europe/Berlin");
    assert_time(next_of(&f, "c"), "2027-01-15T08:30:00Z");
    assert_time(run_next(&f, "c"), "2027-01-15T08:30:00Z");
    assert_time(next_of(&f, "c"), "2027-01-18T08:30:00Z");
    fixture_advance(&f, at("2027-01-18T08:30:00Z") - wall_now(&f) - 1);
    view = get(&f, "c");
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.status, PAWL_WAIT_FOR_NEXT);
    pawl_view_release(&view);
    assert_time(run_next(&f, "c"), "2027-01-18T08:30:00Z");
    fixture_close(&f);
}

static void
test_zone_is_named_also_where_none_was_given(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "c", "0 0 * * *", "");
    submit_cron(&f, "p", "CRON_TZ=Asia/Tokyo 0 0 * * *", "Europe/Berlin");
    view = get(&f, "c");
    assert_true(view.when->triggers[0].timezone_len > 0);
    pawl_view_release(&view);
    view = get(&f, "p");
    assert_string_equal(view.when->triggers[0].timezone, "Asia/Tokyo");
    assert_time(view.next_ns, "2027-01-15T15:00:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_night_of_the_gap_and_of_the_fold(void **state)
{
    static const struct {
        enum pawl_cron_dst dst;
        const char *times[3];
    } cases[] = {
        {PAWL_CRON_RUN_AFTER, {"2027-03-28T01:00:00Z", "2027-03-29T00:30:00Z", NULL}},
        {PAWL_CRON_ONCE, {"2027-03-29T00:30:00Z", "2027-03-30T00:30:00Z", NULL}},
        {PAWL_CRON_TWICE, {"2027-03-29T00:30:00Z", "2027-03-30T00:30:00Z", NULL}},
        {PAWL_CRON_SHIFT, {"2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z", NULL}},
        {PAWL_CRON_RUN_AFTER, {"2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z", NULL}},
        {PAWL_CRON_TWICE, {"2027-10-31T00:30:00Z", "2027-10-31T01:30:00Z", "2027-11-01T01:30:00Z"}},
    };

    (void) state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct pawl_trigger trigger = BY_CRON("30 2 * * *", "Europe/Berlin");
        struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
        struct fixture f;

        fixture_open(&f);
        advance_to(&f, i < 4 ? "2027-03-27T12:00:00Z" : "2027-10-30T12:00:00Z");
        trigger.dst = cases[i].dst;
        submit_when(&f, "c", PAWL_CRON, &when);
        for (int j = 0; j < 3 && cases[i].times[j]; j++)
            assert_time(run_next(&f, "c"), cases[i].times[j]);
        fixture_close(&f);
    }
}

static void
test_at_fires_once(void **state)
{
    struct pawl_trigger trigger = BY_AT(START_WALL + 90 * MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "a", PAWL_DELAY, &when);
    assert_time(next_of(&f, "a"), "2027-01-15T09:30:00Z");
    assert_time(run_next(&f, "a"), "2027-01-15T09:30:00Z");
    view = get(&f, "a");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.version, 2);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    trigger.at_ns = START_WALL - DAY;           /* has passed: at once */
    submit_when(&f, "p", PAWL_DELAY, &when);
    view = await_version(&f, "p", 2);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_calendar_counts_from_its_start(void **state)
{
    struct pawl_trigger trigger = BY_CALENDAR("daily 3 at 07:00,19:30", "UTC");
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1,
                             .start_ns = at("2027-01-20T12:00:00Z"), .end_ns = PAWL_NO_TIME};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "c", PAWL_CRON, &when);
    assert_time(run_next(&f, "c"), "2027-01-20T19:30:00Z");
    assert_time(run_next(&f, "c"), "2027-01-23T07:00:00Z");
    assert_time(run_next(&f, "c"), "2027-01-23T19:30:00Z");
    assert_time(run_next(&f, "c"), "2027-01-26T07:00:00Z");
    fixture_close(&f);
}

static void
test_interval_begins_at_its_start_and_ends_at_its_end(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(10 * MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1,
                             .start_ns = at("2027-01-15T09:05:00Z"),
                             .end_ns = at("2027-01-15T09:25:00Z")};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "i", PAWL_CRON, &when);
    assert_time(run_next(&f, "i"), "2027-01-15T09:05:00Z");
    assert_time(run_next(&f, "i"), "2027-01-15T09:15:00Z");
    assert_time(run_next(&f, "i"), "2027-01-15T09:25:00Z");     /* the end is included */
    view = get(&f, "i");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    /* A start that has passed is what it is counted from. */
    when.start_ns = at("2027-01-15T00:03:00Z");
    when.end_ns = PAWL_NO_TIME;
    submit_when(&f, "j", PAWL_CRON, &when);
    assert_time(next_of(&f, "j"), "2027-01-15T09:33:00Z");
    fixture_close(&f);
}

static void
test_cron_waits_for_its_start_and_stops_at_its_end(void **state)
{
    struct pawl_trigger trigger = BY_CRON("0 * * * *", "UTC");
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1,
                             .start_ns = at("2027-01-16T10:00:00Z"),
                             .end_ns = at("2027-01-16T11:59:59Z")};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "c", PAWL_CRON, &when);
    assert_time(run_next(&f, "c"), "2027-01-16T10:00:00Z");     /* the start itself is one */
    assert_time(run_next(&f, "c"), "2027-01-16T11:00:00Z");
    view = get(&f, "c");
    assert_int_equal(view.status, PAWL_EXECUTED);
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "c"), PAWL_ESTATE);
    fixture_close(&f);
}

static void
test_max_runs_are_all_that_there_are(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .max_runs = 3};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "m", PAWL_CRON, &when);
    for (int i = 1; i <= 3; i++)
        assert_true(run_next(&f, "m") == START_WALL + i * MINUTE);
    view = get(&f, "m");
    assert_int_equal(view.status, PAWL_EXECUTED);
    assert_int_equal(view.run_count, 3);
    assert_true(view.next_ns == PAWL_NO_TIME);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_run_on_start_comes_before_the_schedule(void **state)
{
    struct pawl_trigger trigger = BY_CRON("0 12 * * *", "UTC");
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .runs_on_start = true};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    fixture_advance(&f, 5 * SECOND);
    submit_when(&f, "r", PAWL_CRON, &when);
    view = await_version(&f, "r", 2);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T08:00:05Z");
    pawl_view_release(&view);
    assert_time(run_next(&f, "r"), "2027-01-15T12:00:00Z");
    fixture_close(&f);
}

static void
test_jitter_is_the_same_for_an_id_and_within_its_bound(void **state)
{
    struct pawl_trigger trigger = BY_CRON("0 * * * *", "UTC");
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .jitter_ns = 10 * MINUTE};
    int64_t first, sum = 0, last = 0;
    struct fixture f;
    bool differs = false;
    char id[16];

    (void) state;
    fixture_open(&f);
    for (int i = 0; i < 50; i++) {
        snprintf(id, sizeof id, "j%d", i);
        submit_when(&f, id, PAWL_CRON, &when);
        first = next_of(&f, id) - at("2027-01-15T09:00:00Z");
        assert_true(first >= 0 && first <= 10 * MINUTE);
        sum += first;
    }
    assert_true(sum > 50 * 2 * MINUTE && sum < 50 * 8 * MINUTE);       /* spread */
    first = next_of(&f, "j7") - at("2027-01-15T09:00:00Z");
    assert_time(run_next(&f, "j7"), "2027-01-15T09:00:00Z");           /* due without the jitter */
    assert_true(next_of(&f, "j7") == at("2027-01-15T10:00:00Z") + first);
    when.is_jitter_random = true;
    submit_when(&f, "r", PAWL_CRON, &when);
    for (int i = 0; i < 5; i++) {
        int64_t due = run_next(&f, "r"), next = next_of(&f, "r");

        assert_true(next >= due + HOUR && next <= due + HOUR + 10 * MINUTE);
        differs |= i > 0 && next - due != last;
        last = next - due;
    }
    assert_true(differs);
    fixture_close(&f);
}

static void
test_time_max_draws_each_span_anew(void **state)
{
    struct pawl_trigger trigger = {.kind = PAWL_BY_SPAN, .time_ns = MINUTE, .time_max_ns = 5 * MINUTE};
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
    int64_t before = START_WALL, last = 0;
    struct fixture f;
    bool differs = false;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "d", PAWL_CRON, &when);
    for (int i = 0; i < 10; i++) {
        int64_t due = run_next(&f, "d"), span = due - before;

        assert_true(span >= MINUTE && span <= 5 * MINUTE);
        differs |= i > 0 && span != last;
        last = span;
        before = due;
    }
    assert_true(differs);
    fixture_close(&f);
}

static void
test_interval_from_completion_is_counted_from_the_end_of_the_run(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(10 * MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS, .from_completion = true};
    struct pawl_view view;
    struct fixture f;
    char gate[64], script[128];

    (void) state;
    fixture_open(&f);
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s; :", gate);
    assert_int_equal(try_submit_when(&f, "c", PAWL_CRON, script, &when, NULL), PAWL_OK);
    fixture_advance(&f, 10 * MINUTE);
    view = await_version(&f, "c", 1);
    assert_int_equal(view.status, PAWL_EXECUTING);
    assert_true(view.next_ns == PAWL_NO_TIME);      /* not known before it ends */
    pawl_view_release(&view);
    fixture_advance(&f, 7 * MINUTE);
    open_gate(gate);
    view = await_version(&f, "c", 2);
    assert_time(view.next_ns, "2027-01-15T08:27:00Z");
    assert_int_equal(view.skipped_overlap, 0);
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_due_times_of_a_cron_during_a_run_are_skipped_and_counted(void **state)
{
    struct pawl_trigger trigger = BY_CRON("*/5 * * * *", "UTC");
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1, ALWAYS};
    struct pawl_view view;
    struct fixture f;
    char gate[64], script[128];

    (void) state;
    fixture_open(&f);
    make_gate(gate);
    snprintf(script, sizeof script, "read x < %s; :", gate);
    assert_int_equal(try_submit_when(&f, "c", PAWL_CRON, script, &when, NULL), PAWL_OK);
    fixture_advance(&f, 5 * MINUTE);
    view = await_version(&f, "c", 1);
    pawl_view_release(&view);
    fixture_advance(&f, 17 * MINUTE);       /* 08:22: 08:10, 08:15 and 08:20 are gone */
    view = get(&f, "c");
    assert_int_equal(view.skipped_overlap, 3);
    assert_time(view.next_ns, "2027-01-15T08:25:00Z");
    pawl_view_release(&view);
    open_gate(gate);
    view = await_version(&f, "c", 2);
    assert_int_equal(view.skipped_overlap, 3);
    assert_time(view.next_ns, "2027-01-15T08:25:00Z");
    pawl_view_release(&view);
    fixture_close(&f);
    unlink(gate);
}

static void
test_several_triggers_fire_each_at_its_times(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("0 10 * * *", "UTC"), BY_SPAN(90 * MINUTE),
                                      BY_AT(at("2027-01-15T10:10:00Z")),
                                      BY_CRON("0 5 * * *", "America/New_York")), ALWAYS};
    static const char *const times[] = {
        "2027-01-15T09:30:00Z", "2027-01-15T10:00:00Z", "2027-01-15T10:10:00Z",
        "2027-01-15T11:00:00Z", "2027-01-15T12:30:00Z", "2027-01-15T14:00:00Z",
    };
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "s", PAWL_CRON, &when);
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        assert_time(run_next(&f, "s"), times[i]);       /* 10:00 by two of them runs once */
    fixture_close(&f);
}

static void
test_a_sleep_of_the_machine_is_one_run_and_the_rest_missed(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_cron(&f, "m", "*/10 * * * *", "UTC");
    submit_cron(&f, "s", "* * * * * *", "UTC");
    advance_to(&f, "2027-01-16T08:05:00Z");
    view = await_version(&f, "m", 2);
    assert_int_equal(view.run_count, 1);
    assert_int_equal(view.missed, 143);             /* 144 since, of which the newest was run */
    assert_time(view.results[0]->scheduled_ns, "2027-01-16T08:00:00Z");
    assert_time(view.next_ns, "2027-01-16T08:10:00Z");
    pawl_view_release(&view);
    view = await_version(&f, "s", 2);
    assert_int_equal(view.missed, 86700 - 1);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* A start that has passed is what is counted from, also behind the run at submission. */
static void
test_run_on_start_does_not_move_the_grid_of_a_start(void **state)
{
    struct pawl_trigger trigger = BY_SPAN(10 * MINUTE);
    struct pawl_when when = {.triggers = &trigger, .ntriggers = 1,
                             .start_ns = at("2027-01-15T07:57:00Z"), .end_ns = PAWL_NO_TIME,
                             .runs_on_start = true};
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "g", PAWL_CRON, &when);
    view = await_version(&f, "g", 2);
    assert_time(view.results[0]->scheduled_ns, "2027-01-15T08:00:00Z");
    pawl_view_release(&view);
    assert_time(run_next(&f, "g"), "2027-01-15T08:07:00Z");
    assert_time(run_next(&f, "g"), "2027-01-15T08:17:00Z");
    advance_to(&f, "2027-01-15T09:00:00Z");
    view = await_version(&f, "g", 8);
    assert_time(view.results[3]->scheduled_ns, "2027-01-15T08:57:00Z");
    assert_int_equal(view.missed, 3);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
refused(struct fixture *f, enum pawl_type type, const struct pawl_when *when, const char *field,
        const char *text)
{
    struct pawl_err err = {0};

    assert_int_equal(try_submit_when(f, "x", type, ":", when, &err), PAWL_EINVAL);
    assert_string_equal(err.field, field);
    if (!strstr(err.text, text))
        fail_msg("'%s' does not say '%s'", err.text, text);
}

static void
test_span_of_292_years_beside_other_triggers_never_comes(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_CRON("0 * * * *", "UTC"), BY_SPAN(INT64_MAX)), ALWAYS};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_when(&f, "w", PAWL_CRON, &when);
    assert_time(run_next(&f, "w"), "2027-01-15T09:00:00Z");
    assert_time(run_next(&f, "w"), "2027-01-15T10:00:00Z");
    fixture_close(&f);
}

static void
test_spans_missed_before_a_start_are_none(void **state)
{
    struct pawl_when when = {TRIGGERS(BY_SPAN(MINUTE)), .start_ns = START_WALL + HOUR,
                             .end_ns = PAWL_NO_TIME, .runs_on_start = true};
    struct pawl_schedule_basis basis = {.id = "w", .id_len = 1, .type = PAWL_CRON};
    struct pawl_now now = {.wall_ns = START_WALL, .high_ns = INT64_MIN};
    struct pawl_schedule *schedule;
    struct pawl_due due;

    (void) state;
    basis.origin_ns = HOUR;
    basis.offset_ns = START_WALL;
    assert_int_equal(pawl_schedule_new(&when, &basis, &schedule, NULL), PAWL_OK);
    due = pawl_schedule_first(schedule, &now);
    now.elapsed_ns += 90 * MINUTE + 1;
    now.wall_ns += 90 * MINUTE + 1;
    assert_int_equal(pawl_schedule_newest(schedule, &due, &now), 31);
    assert_true(pawl_due_wall(due, START_WALL) == START_WALL + 90 * MINUTE);
    free(schedule);
}

/* Otherwise 86 million steps. */
static void
test_jitter_of_many_spans_is_leapt_over(void **state)
{
    (void) state;
    for (int is_random = 0; is_random < 2; is_random++) {
        struct pawl_when when = {TRIGGERS(BY_SPAN(MS)), ALWAYS, .jitter_ns = DAY,
                                 .is_jitter_random = is_random};
        struct pawl_schedule_basis basis = {.id = "w", .id_len = 1, .type = PAWL_CRON};
        struct pawl_spec spec = {.id = "w", .id_len = 1, .type = PAWL_CRON, .script = ":",
                                 .script_len = 1, .when = &when};
        struct pawl_now now = {.wall_ns = START_WALL, .high_ns = INT64_MIN};
        struct pawl_schedule *schedule;
        struct pawl_def *def;
        struct pawl_due due;
        int64_t before_ms;

        basis.offset_ns = START_WALL;
        assert_int_equal(pawl_schedule_new(&when, &basis, &schedule, NULL), PAWL_OK);
        def = pawl_def_new(&spec, 1, schedule);
        due = pawl_def_first(def, &now);
        now.elapsed_ns += 100 * DAY;
        now.wall_ns += 100 * DAY;
        before_ms = durable_now_ms();
        assert_true(pawl_def_pass(def, &due, &now) > (uint64_t) (99 * DAY / MS));
        assert_true(durable_now_ms() - before_ms < 1000);
        assert_true(due.ns <= now.elapsed_ns + MS);
        pawl_def_unref(def);
    }
}

static void
test_what_cannot_be_is_refused_and_says_why(void **state)
{
    struct pawl_when when = {ALWAYS, .ntriggers = 1};
    struct pawl_trigger bad[] = {
        BY_CRON("0 0 31 2 *", "UTC"), BY_CRON("61 * * * *", "UTC"), BY_CRON("0 * * * *", "Mars/Base"),
        BY_CALENDAR("daily 2", "UTC"), BY_SPAN(5), BY_AT(START_WALL - HOUR),
    };
    struct fixture f;

    (void) state;
    fixture_open(&f);
    when.triggers = &bad[0];
    refused(&f, PAWL_CRON, &when, "cron", "never fires");
    when.triggers = &bad[1];
    refused(&f, PAWL_CRON, &when, "cron", "position 1: ");
    when.triggers = &bad[2];
    refused(&f, PAWL_CRON, &when, "timezone", "Mars/Base");
    when.triggers = &bad[3];
    refused(&f, PAWL_CRON, &when, "calendar", "position");
    when.triggers = &bad[4];
    refused(&f, PAWL_CRON, &when, "time", "1ms");
    when.triggers = &bad[5];
    refused(&f, PAWL_CRON, &when, "at", "never fires");
    bad[0] = (struct pawl_trigger) BY_CRON("0 * * * *", "UTC");
    when.triggers = &bad[0];
    refused(&f, PAWL_DELAY, &when, "taskType", "taskType cron");
    when.end_ns = START_WALL - HOUR;
    refused(&f, PAWL_CRON, &when, "cron", "endAt");
    when.start_ns = START_WALL;
    refused(&f, PAWL_CRON, &when, "endAt", "before startAt");
    when = (struct pawl_when){.triggers = &bad[0], .ntriggers = 1, ALWAYS, .max_runs = 1ULL << 63};
    refused(&f, PAWL_CRON, &when, "maxRuns", "too large");
    assert_int_equal(stats_of(&f).tasks, 0);
    assert_int_equal(stats_of(&f).pending, 0);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cron_fires_at_its_times_and_only_then),
        cmocka_unit_test(test_zone_is_named_also_where_none_was_given),
        cmocka_unit_test(test_night_of_the_gap_and_of_the_fold),
        cmocka_unit_test(test_at_fires_once),
        cmocka_unit_test(test_calendar_counts_from_its_start),
        cmocka_unit_test(test_interval_begins_at_its_start_and_ends_at_its_end),
        cmocka_unit_test(test_cron_waits_for_its_start_and_stops_at_its_end),
        cmocka_unit_test(test_max_runs_are_all_that_there_are),
        cmocka_unit_test(test_run_on_start_comes_before_the_schedule),
        cmocka_unit_test(test_jitter_is_the_same_for_an_id_and_within_its_bound),
        cmocka_unit_test(test_time_max_draws_each_span_anew),
        cmocka_unit_test(test_interval_from_completion_is_counted_from_the_end_of_the_run),
        cmocka_unit_test(test_due_times_of_a_cron_during_a_run_are_skipped_and_counted),
        cmocka_unit_test(test_several_triggers_fire_each_at_its_times),
        cmocka_unit_test(test_a_sleep_of_the_machine_is_one_run_and_the_rest_missed),
        cmocka_unit_test(test_span_of_292_years_beside_other_triggers_never_comes),
        cmocka_unit_test(test_spans_missed_before_a_start_are_none),
        cmocka_unit_test(test_jitter_of_many_spans_is_leapt_over),
        cmocka_unit_test(test_run_on_start_does_not_move_the_grid_of_a_start),
        cmocka_unit_test(test_what_cannot_be_is_refused_and_says_why),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
