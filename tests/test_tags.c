/* test_tags.c: what a tag may be, which tasks a listing by tags gives, and what is done to each task of
 * a listing. */
#include "restart_fixture.h"
#include "tags.h"

static void
assert_tag(const char *tag, const char *wrong)
{
    struct pawl_err err = {0};
    int code = pawl_tags_check(&tag, 1, &err);

    if (code != (wrong ? PAWL_EINVAL : PAWL_OK) || (wrong && !strstr(err.text, wrong)))
        fail_msg("'%s': %d %s", tag, code, err.text);
    if (wrong)
        assert_string_equal(err.field, "tags");
}

static void
test_tag_is_one_word(void **state)
{
    char longest[PAWL_TAG_MAX + 2];

    (void) state;
    assert_tag("db", NULL);
    assert_tag("a/b:c=d.e-f_g\"\\", NULL);
    assert_tag("m\xc3\xbcnchen", NULL);
    memset(longest, 'x', sizeof longest);
    longest[PAWL_TAG_MAX] = '\0';
    assert_tag(longest, NULL);
    longest[PAWL_TAG_MAX] = 'x';
    longest[PAWL_TAG_MAX + 1] = '\0';
    assert_tag(longest, "has 64 bytes: the limit is 63");
    assert_tag("", "is empty");
    assert_tag("a b", "the tag 'a b' has a blank");
    assert_tag("a,b", "the tag 'a,b' has a comma");
    assert_tag("a\xe3\x80\x80", "has a blank");             /* U+3000 */
    assert_tag("a\xc2\xa0", "has a blank");
    assert_tag("a\nb", "control character U+000A at byte 1");
    assert_tag("a\xc2\x85", "control character U+0085");
    assert_tag("a\xff", "not valid UTF-8 at byte 1");
}

static void
test_doubles_are_dropped_and_order_is_kept(void **state)
{
    static const char *const given[] = {"b", "ab", "b", "a", "ab", "b"};
    struct pawl_tags *tags = pawl_tags_new(given, 6);

    (void) state;
    assert_int_equal(tags->n, 3);
    assert_string_equal(tags->tags[0], "b");
    assert_string_equal(tags->tags[1], "ab");
    assert_string_equal(tags->tags[2], "a");
    free(tags);
}

/* --- In an engine --- */

/* Submits a task with the words of `tags`, which stand between commas. */
static int
try_submit_tagged(struct fixture *f, const char *id, const char *tags, struct pawl_err *err)
{
    char text[4096], *rest = text, *tag;
    const char *given[64];
    struct asked asked = {.op.done = asked_cb};
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_CRON, .time_ns = HOUR, .script = "true",
        .script_len = 4, .keep_results = -1, .tags = given,
    };

    strcpy(text, tags);
    while (*tags && (tag = strsep(&rest, ",")))
        given[spec.ntags++] = tag;
    return end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, err));
}

static void
submit_tagged(struct fixture *f, const char *id, const char *tags)
{
    struct pawl_err err = {0};

    if (try_submit_tagged(f, id, tags, &err) != PAWL_OK)
        fail_msg("submit of %s: %s", id, err.text);
}

static void
add_tag(struct pawl_filter *filter, const char *tag)
{
    filter->tags[filter->ntags].text = tag;
    filter->tags[filter->ntags++].len = strlen(tag);
}

/* "id id " of the tasks that have all of these tags. */
static void
assert_listed(struct fixture *f, const char *const *tags, const char *expected)
{
    struct pawl_filter filter = {0};
    struct pawl_cursor cursor = {0};
    struct pawl_view view;
    char listed[256] = "";

    for (; *tags; tags++)
        add_tag(&filter, *tags);
    while (pawl_list_next(f->handle, &filter, &cursor, &view) == PAWL_OK) {
        sprintf(listed + strlen(listed), "%s ", view.id);
        pawl_view_release(&view);
    }
    assert_string_equal(listed, expected);
}

#define TAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void
test_listing_gives_those_that_have_all_tags(void **state)
{
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_tagged(&f, "1", "db,nightly");
    submit_tagged(&f, "2", "");
    submit_tagged(&f, "3", "nightly,db,db2");
    submit_tagged(&f, "4", "db2");
    assert_listed(&f, TAGS("db"), "1 3 ");
    assert_listed(&f, TAGS("db", "db"), "1 3 ");
    assert_listed(&f, TAGS("db", "db2"), "3 ");
    assert_listed(&f, TAGS("nightly"), "1 3 ");
    assert_listed(&f, TAGS("d"), "");
    assert_listed(&f, TAGS("db3"), "");
    assert_listed(&f, TAGS("DB"), "");
    assert_listed(&f, TAGS("db", "none"), "");
    fixture_close(&f);
}

static void
test_view_has_the_tags_and_plain_tasks_have_none(void **state)
{
    struct pawl_view view;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_tagged(&f, "t", "b,a,b");
    submit_tagged(&f, "p", "");
    view = get(&f, "t");
    assert_int_equal(view.ntags, 2);
    assert_string_equal(view.tags[0], "b");
    assert_string_equal(view.tags[1], "a");
    pawl_view_release(&view);
    view = get(&f, "p");
    assert_int_equal(view.ntags, 0);
    assert_null(view.tags);
    pawl_view_release(&view);
    fixture_close(&f);
}

static void
test_submit_refuses_what_is_no_tag(void **state)
{
    char many[256] = "t0";
    struct pawl_err err;
    struct fixture f;

    (void) state;
    fixture_open(&f);
    assert_int_equal(try_submit_tagged(&f, "a", "x,a b", &err), PAWL_EINVAL);
    assert_string_equal(err.field, "tags");
    for (int i = 1; i < PAWL_TAGS_MAX; i++)
        sprintf(many + strlen(many), ",t%d", i);
    assert_int_equal(try_submit_tagged(&f, "a", many, &err), PAWL_OK);
    assert_int_equal(try_submit_tagged(&f, "b", strcat(many, ",one"), &err), PAWL_EINVAL);
    assert_non_null(strstr(err.text, "33 tags are given: the limit is 32"));
    fixture_close(&f);
}

static uint64_t
memory_of(struct fixture *f)
{
    struct pawl_stats stats;

    pawl_stats(f->engine, &stats);
    return stats.memory_bytes;
}

static void
test_tags_count_for_the_budget_of_memory(void **state)
{
    struct pawl_options options;
    struct pawl_err err = {0};
    struct fixture f;

    (void) state;
    pawl_options_init(&options);
    options.nworkers = 1;
    options.max_memory_bytes = 20;
    fixture_open_with(&f, &options);
    submit_tagged(&f, "a", "12345,12345");          /* given twice: counted twice, kept once */
    assert_int_equal(memory_of(&f), 4 + 12);
    assert_int_equal(try_submit_tagged(&f, "b", "1", &err), PAWL_EBUDGET);
    assert_int_equal(memory_of(&f), 4 + 12);
    submit_tagged(&f, "b", "");
    assert_int_equal(delete(&f, "a"), PAWL_OK);
    assert_int_equal(delete(&f, "b"), PAWL_OK);
    assert_int_equal(memory_of(&f), 0);
    fixture_close(&f);
}

static void
test_tags_are_there_after_a_restart(void **state)
{
    struct house house;
    struct pawl_view view;

    (void) state;
    house_init(&house);
    house_begin(&house);
    submit_tagged(&house.f, "t", "b,a");
    submit_tagged(&house.f, "p", "");
    house_restart(&house);
    assert_listed(&house.f, TAGS("a", "b"), "t ");
    view = get(&house.f, "t");
    assert_int_equal(view.ntags, 2);
    assert_string_equal(view.tags[0], "b");
    pawl_view_release(&view);
    assert_int_equal(delete(&house.f, "t"), PAWL_OK);
    house_restart(&house);
    assert_listed(&house.f, TAGS("a"), "");
    house_end(&house);
    house_fini(&house);
}

/* --- Changes of the tasks of a listing --- */

static int
act(struct fixture *f, const struct pawl_view *view, enum pawl_act act, struct pawl_err *err)
{
    struct asked asked = {.op.done = asked_cb};

    return end_of(f, &asked, pawl_act(f->handle, view, act, true, &asked.op, err));
}

static void
test_each_act_is_its_call(void **state)
{
    struct pawl_view view, after;
    struct pawl_err err = {0};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_tagged(&f, "a", "x");
    view = get(&f, "a");
    assert_int_equal(act(&f, &view, PAWL_ACT_PAUSE, NULL), PAWL_OK);
    assert_int_equal(act(&f, &view, PAWL_ACT_PAUSE, &err), PAWL_ESTATE);
    after = get(&f, "a");
    assert_true(after.is_paused);
    pawl_view_release(&after);
    assert_int_equal(act(&f, &view, PAWL_ACT_RESUME, NULL), PAWL_OK);
    assert_int_equal(act(&f, &view, PAWL_ACT_RUN, NULL), PAWL_OK);
    after = await_version(&f, "a", 4);
    assert_int_equal(after.run_count, 1);
    pawl_view_release(&after);
    assert_int_equal(act(&f, &view, PAWL_ACT_STOP, NULL), PAWL_OK);
    assert_int_equal(act(&f, &view, PAWL_ACT_STOP, &err), PAWL_ESTATE);
    assert_int_equal(act(&f, &view, PAWL_ACT_DELETE, NULL), PAWL_OK);
    assert_int_equal(act(&f, &view, PAWL_ACT_DELETE, &err), PAWL_ENOENT);
    pawl_view_release(&view);
    fixture_close(&f);
}

/* The id of a task that was deleted may be another one's by now. */
static void
test_act_leaves_another_task_of_the_id_alone(void **state)
{
    static const enum pawl_act acts[] = {PAWL_ACT_STOP, PAWL_ACT_RUN, PAWL_ACT_PAUSE,
                                         PAWL_ACT_DELETE};
    struct pawl_view old, view;
    struct pawl_err err = {0};
    struct fixture f;

    (void) state;
    fixture_open(&f);
    submit_tagged(&f, "a", "x");
    old = get(&f, "a");
    assert_int_equal(delete(&f, "a"), PAWL_OK);
    submit_tagged(&f, "a", "y");
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        assert_int_equal(act(&f, &old, acts[i], &err), PAWL_ENOENT);
    assert_non_null(strstr(err.text, "no task has the id 'a'"));
    view = get(&f, "a");
    assert_int_equal(view.version, 0);
    assert_string_equal(view.tags[0], "y");
    pawl_view_release(&view);
    assert_int_equal(stop(&f, "a"), PAWL_OK);       /* by its id it is found as before */
    pawl_view_release(&old);
    fixture_close(&f);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tag_is_one_word),
        cmocka_unit_test(test_doubles_are_dropped_and_order_is_kept),
        cmocka_unit_test(test_listing_gives_those_that_have_all_tags),
        cmocka_unit_test(test_view_has_the_tags_and_plain_tasks_have_none),
        cmocka_unit_test(test_submit_refuses_what_is_no_tag),
        cmocka_unit_test(test_tags_count_for_the_budget_of_memory),
        cmocka_unit_test(test_tags_are_there_after_a_restart),
        cmocka_unit_test(test_each_act_is_its_call),
        cmocka_unit_test(test_act_leaves_another_task_of_the_id_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
