/* test_http_json_when.c: what says when a task fires, read and written. What is written is
 * read again as the same. */
#include "json_read.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "json_write.h"

#define DOCUMENT_MAX 65536

static struct pawl_json_reader *reader;
static struct pawl_spec spec;
static struct pawl_problem problem;
static struct pawl_buffer buffer;

static int
set_up(void **state)
{
    (void) state;
    setenv("TZ", "UTC", 1);
    tzset();
    pawl_buffer_init(&buffer);
    return pawl_json_reader_new(&reader);
}

static int
tear_down(void **state)
{
    (void) state;
    pawl_json_reader_free(reader);
    pawl_buffer_fini(&buffer);
    return 0;
}

/* Reads a document of a task with these members besides its id and script. */
static int
read_members(const char *members)
{
    static char text[DOCUMENT_MAX];
    int len = snprintf(text, sizeof text - PAWL_JSON_PADDING,
                       "{\"id\":\"a\",%s,\"script\":\"x\"}", members);

    assert_in_range(len, 1, sizeof text - PAWL_JSON_PADDING - 1);
    memset(&spec, 0, sizeof spec);
    memset(&problem, 0xee, sizeof problem);
    return pawl_json_read_task(reader, text, (size_t) len, sizeof text, &spec, &problem);
}

static void
assert_read(const char *members)
{
    if (read_members(members) != 0)
        fail_msg("%s: %s", members, problem.detail);
}

/* The time that the engine shows of a task: that of its first span. */
static int64_t
shown_time(const struct pawl_spec *of)
{
    if (of->when == NULL)
        return of->time_ns;
    for (size_t i = 0; i < of->when->ntriggers; i++)
        if (of->when->triggers[i].kind == PAWL_BY_SPAN)
            return of->when->triggers[i].time_ns;
    return 0;
}

/* The members that an answer has of the spec, from taskType up to the script. */
static const char *
written(const struct pawl_spec *of)
{
    struct pawl_view view = {.id = "a", .id_len = 1, .type = of->type, .when = of->when,
        .time_ns = shown_time(of), .script = "x", .script_len = 1};
    char *end;

    pawl_buffer_reset(&buffer);
    pawl_json_write_head(&buffer, &view);
    pawl_buffer_append_char(&buffer, '\0');
    assert_false(buffer.failed);
    end = strstr(buffer.data, ",\"script\":");
    assert_non_null(end);
    *end = '\0';
    return buffer.data + strlen("{\"id\":\"a\",");
}

#define DELAY "\"taskType\":\"delay\""
#define CRON "\"taskType\":\"cron\""
#define DEFAULTS "\"dst\":\"run-after\",\"dayMatch\":\"or\""

static const struct {
    const char *members, *answer;       /* answer: NULL, a time says it all */
} accepted[] = {
    {DELAY ",\"time\":\"10s\"", NULL},
    {DELAY ",\"time\":0,\"at\":null,\"triggers\":null,\"jitter\":null", NULL},
    {CRON ",\"time\":\"1m\",\"timezone\":\"UTC\",\"dst\":\"once\",\"dayMatch\":\"vixie\"",
     NULL},
    {CRON ",\"time\":5000000,\"timezone\":\"Europe/Berlin\",\"maxRuns\":0,\"jitter\":0,"
     "\"timeMax\":0,\"runOnStart\":false,\"intervalFrom\":\"schedule\","
     "\"jitterMode\":\"random\"", NULL},
    {CRON ",\"triggers\":[{\"time\":\"10s\",\"timezone\":\"Asia/Tokyo\"}]", NULL},
    {DELAY ",\"time\":\"1s\",\"timeMax\":\"1m\"",
     DELAY ",\"time\":1000000000,\"timezone\":\"UTC\",\"timeMax\":60000000000"},
    {DELAY ",\"time\":0,\"timeMax\":30",
     DELAY ",\"time\":0,\"timezone\":\"UTC\",\"timeMax\":30"},
    {DELAY ",\"time\":0,\"at\":\"2026-03-29T03:30:00.000000001+02:00\"",
     DELAY ",\"time\":0,\"timezone\":\"UTC\",\"at\":\"2026-03-29T01:30:00.000000001+00:00\""},
    {DELAY ",\"AT\":\"2026-03-29T01:30:00Z\",\"TimeZone\":\"Asia/Tokyo\"",
     DELAY ",\"time\":0,\"timezone\":\"UTC\",\"at\":\"2026-03-29T01:30:00.000000000+00:00\""},
    {CRON ",\"cron\":\"30 2 * * *\"",
     CRON ",\"time\":0,\"timezone\":\"UTC\",\"cron\":\"30 2 * * *\"," DEFAULTS},
    {CRON ",\"time\":null,\"cron\":\"\\\"\",\"timezone\":\"x/\\u00e9\",\"dst\":\"twice\","
     "\"dayMatch\":\"vixie\"",
     CRON ",\"time\":0,\"timezone\":\"x/\xc3\xa9\",\"cron\":\"\\\"\",\"dst\":\"twice\","
     "\"dayMatch\":\"vixie\""},
    {CRON ",\"calendar\":\"daily 2 at 09:00\",\"dst\":\"shift\","
     "\"startAt\":\"2026-01-01T00:00:00Z\",\"endAt\":\"2027-01-01T00:00:00Z\"",
     CRON ",\"time\":0,\"timezone\":\"UTC\",\"calendar\":\"daily 2 at 09:00\","
     "\"dst\":\"shift\",\"dayMatch\":\"or\","
     "\"startAt\":\"2026-01-01T00:00:00.000000000+00:00\","
     "\"endAt\":\"2027-01-01T00:00:00.000000000+00:00\""},
    {CRON ",\"time\":\"1s\",\"maxRuns\":18446744073709551615,\"runOnStart\":true,"
     "\"jitter\":\"1m30s\",\"jitterMode\":\"random\",\"intervalFrom\":\"completion\"",
     CRON ",\"time\":1000000000,\"timezone\":\"UTC\",\"maxRuns\":18446744073709551615,"
     "\"runOnStart\":true,\"jitter\":90000000000,\"jitterMode\":\"random\","
     "\"intervalFrom\":\"completion\""},
    {CRON ",\"time\":\"1s\",\"jitter\":1,\"jitterMode\":\"hash\"",
     CRON ",\"time\":1000000000,\"timezone\":\"UTC\",\"jitter\":1"},
    {CRON ",\"triggers\":[{\"at\":\"2026-01-01T00:00:00Z\"}]",
     CRON ",\"time\":0,\"timezone\":\"UTC\","
     "\"triggers\":[{\"at\":\"2026-01-01T00:00:00.000000000+00:00\"}]"},
    {CRON ",\"triggers\":[{\"cron\":\"@daily\",\"time\":null}],\"timezone\":\"Asia/Tokyo\"",
     CRON ",\"time\":0,\"timezone\":\"Asia/Tokyo\",\"cron\":\"@daily\"," DEFAULTS},
    /* What stands with the task is the default of each trigger, also behind them. */
    {CRON ",\"triggers\":[{\"TIME\":\"5s\",\"timeMax\":\"6s\"},{\"cron\":\"a\"},"
     "{\"calendar\":\"b\",\"timezone\":\"UTC\",\"dst\":\"shift\",\"dayMatch\":\"or\"}],"
     "\"timezone\":\"Asia/Tokyo\",\"dst\":\"once\",\"dayMatch\":\"vixie\"",
     CRON ",\"time\":5000000000,\"timezone\":\"Asia/Tokyo\",\"triggers\":["
     "{\"time\":5000000000,\"timeMax\":6000000000},"
     "{\"cron\":\"a\",\"timezone\":\"Asia/Tokyo\",\"dst\":\"once\",\"dayMatch\":\"vixie\"},"
     "{\"calendar\":\"b\",\"timezone\":\"UTC\",\"dst\":\"shift\",\"dayMatch\":\"or\"}]"},
    {CRON ",\"triggers\":[{\"time\":1000000},{\"time\":2000000}],\"time\":1000000",
     CRON ",\"time\":1000000,\"timezone\":\"UTC\","
     "\"triggers\":[{\"time\":1000000},{\"time\":2000000}]"},
};

static void
test_json_when_is_read_and_its_answer_read_again(void **state)
{
    char answer[2048];

    (void) state;
    for (size_t i = 0; i < sizeof accepted / sizeof *accepted; i++) {
        assert_read(accepted[i].members);
        assert_int_equal(spec.when == NULL, accepted[i].answer == NULL);
        if (accepted[i].answer != NULL)
            assert_string_equal(written(&spec), accepted[i].answer);
        snprintf(answer, sizeof answer, "%s", written(&spec));
        assert_read(answer);
        assert_string_equal(written(&spec), answer);
    }
}

/* --- What is refused --- */

static const struct {
    const char *members, *field, *says;
} refused[] = {
    /* Delay. */
    {DELAY, "time", "time is required: a delay, or give at"},
    {DELAY ",\"time\":null,\"at\":null", "time", "time is required"},
    {DELAY ",\"timezone\":\"UTC\"", "time", "time is required"},
    {DELAY ",\"time\":5,\"at\":\"2026-01-01T00:00:00Z\"", "at", "at and time are both"},
    {DELAY ",\"cron\":\"* * * * *\"", "taskType", "use taskType cron for cron"},
    {DELAY ",\"time\":5,\"calendar\":\"x\"", "taskType", "use taskType cron for calendar"},
    {DELAY ",\"triggers\":[]", "taskType", "use taskType cron for triggers"},
    /* Cron. */
    {CRON, "cron", "one of cron, time, calendar or triggers is required"},
    {CRON ",\"startAt\":\"2026-01-01T00:00:00Z\"", "cron", "one of cron, time"},
    {CRON ",\"at\":\"2026-01-01T00:00:00Z\"", "at", "use taskType delay, or triggers"},
    {CRON ",\"cron\":\"x\",\"time\":5", "cron",
     "cron and time are both given: use triggers for a task that fires by several"},
    {CRON ",\"calendar\":\"x\",\"cron\":\"x\"", "cron", "cron and calendar are both given"},
    {CRON ",\"calendar\":\"x\",\"at\":\"2026-01-01T00:00:00Z\"", "calendar",
     "calendar and at are both given"},
    {CRON ",\"time\":5,\"triggers\":[{\"time\":6}]", "time", "time and triggers are both"},
    {CRON ",\"time\":5,\"triggers\":[{\"cron\":\"x\"}]", "time", "put it into triggers"},
    {CRON ",\"cron\":\"x\",\"triggers\":[{\"time\":6}]", "cron", "cron and triggers are both"},
    {CRON ",\"timeMax\":5,\"triggers\":[{\"time\":6}]", "timeMax", "put it into triggers"},
    {CRON ",\"timeMax\":5,\"cron\":\"x\"", "timeMax", "timeMax goes with time, not with cron"},
    /* Values. */
    {CRON ",\"cron\":5", "cron", "cron must be a string, not a number"},
    {CRON ",\"calendar\":[]", "calendar", "must be a string, not an array"},
    {DELAY ",\"at\":5", "at", "at must be a string with a time in RFC 3339, not a number"},
    {DELAY ",\"at\":\"tomorrow\"", "at", "such as 2026-03-29T01:30:00Z"},
    {DELAY ",\"at\":\"9999-01-01T00:00:00Z\"", "at", "from the years 1970 to 2199"},
    {DELAY ",\"at\":\"0000-01-01T00:00:00Z\"", "at", "from the years 1970 to 2199"},
    {CRON ",\"time\":5,\"startAt\":\"2026-02-30T00:00:00Z\"", "startAt", "startAt must be"},
    {CRON ",\"time\":5,\"endAt\":true", "endAt", "not true or false"},
    {CRON ",\"time\":5,\"maxRuns\":-1", "maxRuns", "maxRuns is negative: give 0 or more"},
    {CRON ",\"time\":5,\"maxRuns\":1.5", "maxRuns", "a whole number, not a number with"},
    {CRON ",\"time\":5,\"maxRuns\":\"5\"", "maxRuns", "a whole number, not a string"},
    {CRON ",\"time\":5,\"runOnStart\":1", "runOnStart", "true or false, not a number"},
    {CRON ",\"time\":5,\"jitter\":\"-1s\"", "jitter", "jitter is negative"},
    {CRON ",\"time\":5,\"jitter\":\"5\"", "jitter", "jitter: the duration \"5\" lacks a unit"},
    {CRON ",\"time\":5,\"timeMax\":-1", "timeMax", "timeMax is negative"},
    {CRON ",\"time\":5,\"jitterMode\":\"Hash\"", "jitterMode",
     "must be \"hash\" or \"random\", not \"Hash\""},
    {CRON ",\"time\":5,\"intervalFrom\":1", "intervalFrom",
     "must be \"schedule\" or \"completion\", not a number"},
    {CRON ",\"cron\":\"x\",\"dst\":\"never\"", "dst",
     "must be \"run-after\", \"once\", \"twice\" or \"shift\", not \"never\""},
    {CRON ",\"cron\":\"x\",\"dayMatch\":\"and\"", "dayMatch", "must be \"or\" or \"vixie\""},
    {CRON ",\"time\":5,\"timezone\":\"Europe/Nowhere\"", "timezone", "Europe/Nowhere"},
    {CRON ",\"time\":5,\"timezone\":7", "timezone", "must be a string"},
    {CRON ",\"time\":\"30 2 * * *\"", "time", "which goes into cron"},
    {CRON ",\"time\":\"@daily\"", "time", "which goes into cron"},
    /* Triggers. */
    {CRON ",\"triggers\":5", "triggers", "must be an array of triggers, not a number"},
    {CRON ",\"triggers\":[]", "triggers", "triggers is empty: give 1 to 32"},
    {CRON ",\"triggers\":[{\"time\":5},\"x\"]", "triggers[1]",
     "triggers[1] must be an object, not a string"},
    {CRON ",\"triggers\":[null]", "triggers[0]", "must be an object, not null"},
    {CRON ",\"triggers\":[{}]", "triggers[0]",
     "triggers[0] has none of cron, calendar, at and time"},
    {CRON ",\"triggers\":[{\"timezone\":\"UTC\"}]", "triggers[0]", "has none of"},
    {CRON ",\"triggers\":[{\"time\":5,\"cron\":\"x\"}]", "triggers[0].cron",
     "a trigger has both cron and time: write two triggers"},
    {CRON ",\"triggers\":[{\"at\":\"2026-01-01T00:00:00Z\",\"time\":0}]", "triggers[0].at",
     "has both at and time"},
    {CRON ",\"triggers\":[{\"cron\":\"x\",\"timeMax\":5}]", "triggers[0].timeMax",
     "timeMax goes with time, not with cron"},
    {CRON ",\"triggers\":[{\"time\":5},{\"time\":5},{\"cron\":7}]", "triggers[2].cron",
     "triggers[2].cron must be a string, not a number"},
    {CRON ",\"triggers\":[{\"time\":\"5\"}]", "triggers[0].time", "triggers[0].time: the dur"},
    {CRON ",\"triggers\":[{\"time\":\"* * * * *\"}]", "triggers[0].time", "into cron"},
    {CRON ",\"triggers\":[{\"dst\":\"x\"}]", "triggers[0].dst", "must be \"run-after\""},
    {CRON ",\"triggers\":[{\"time\":5,\"timezone\":\"../x\"}]", "triggers[0].timezone", "../x"},
    {CRON ",\"triggers\":[{\"crn\":\"x\"}]", "triggers[0].crn", "did you mean \"cron\"?"},
    {CRON ",\"triggers\":[{\"scrip\":\"x\"}]", "triggers[0].scrip",
     "unknown field \"scrip\" in triggers[0]: a trigger has"},
    {CRON ",\"triggers\":[{\"maxRuns\":1}]", "triggers[0].maxRuns", "in triggers[0]"},
    {CRON ",\"triggers\":[{\"status\":1}]", "triggers[0].status", "in triggers[0]"},
    {CRON ",\"triggers\":[{\"cron\":\"x\",\"CRON\":\"x\"}]", "triggers[0].cron", "twice"},
    /* Names. */
    {CRON ",\"start_at\":1", "start_at", "did you mean \"startAt\"?"},
    {CRON ",\"timzone\":1", "timzone", "did you mean \"timezone\"?"},
    {CRON ",\"max_runs\":1", "max_runs", "did you mean \"maxRuns\"?"},
    {CRON ",\"cron\":\"x\",\"Cron\":\"x\"", "cron", "given twice, the second time as \"Cron\""},
    {CRON ",\"at\":null,\"at\":null", "at", "given twice"},
};

static void
test_json_when_refusals_name_the_field(void **state)
{
    (void) state;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int code = read_members(refused[i].members);

        if (code != PAWL_EINVAL || problem.status != 400 || problem.field == NULL ||
            strcmp(problem.field, refused[i].field) != 0 || spec.id != NULL ||
            strstr(problem.detail, refused[i].says) == NULL)
            fail_msg("%s: %d, %s: %s", refused[i].members, code,
                     code == 0 ? "" : problem.field, code == 0 ? "" : problem.detail);
    }
}

static void
read_triggers(size_t ntriggers, int *code)
{
    char members[4096] = CRON ",\"triggers\":[";

    for (size_t i = 0; i < ntriggers; i++)
        strcat(members, i == 0 ? "{\"cron\":\"x\"}" : ",{\"cron\":\"x\"}");
    strcat(members, "]");
    *code = read_members(members);
}

static void
test_json_when_takes_so_many_triggers_and_no_more(void **state)
{
    int code;

    (void) state;
    read_triggers(PAWL_TRIGGERS_MAX, &code);
    assert_int_equal(code, 0);
    assert_int_equal(spec.when->ntriggers, PAWL_TRIGGERS_MAX);
    read_triggers(PAWL_TRIGGERS_MAX + 1, &code);
    assert_int_equal(code, PAWL_EINVAL);
    assert_string_equal(problem.detail, "triggers has 33 elements: the limit is 32");
    assert_read(DELAY ",\"time\":1");
    assert_null(spec.when);
}

/* --- What the engine refuses --- */

/* As if the engine had refused the last spec for this field. */
static void
refuse_by_engine(const char *field)
{
    struct pawl_err err = {PAWL_EINVAL, field, "it is wrong"};

    pawl_problem_from_err(&problem, &err);
    pawl_json_locate_refusal(reader, &spec, &problem);
}

static void
test_json_when_an_expression_that_is_refused_has_its_position(void **state)
{
    (void) state;
    assert_read(CRON ",\"cron\":\"* * * foo *\"");
    refuse_by_engine("cron");
    assert_string_equal(problem.field, "cron");
    assert_int_equal(problem.position, 7);
    assert_string_equal(problem.detail, "it is wrong");
    refuse_by_engine("script");
    assert_int_equal(problem.position, 0);

    assert_read(CRON ",\"triggers\":[{\"cron\":\"@daily\"},{\"time\":5},"
                "{\"calendar\":\"daily 2 at 25:00\"}]");
    refuse_by_engine("calendar");
    assert_string_equal(problem.field, "triggers[2].calendar");
    assert_string_equal(problem.detail, "triggers[2].calendar: it is wrong");
    assert_int_equal(problem.status, 400);
    assert_int_equal(problem.position, 12);

    assert_read(CRON ",\"triggers\":[{\"time\":5},{\"cron\":\"@daily\",\"timezone\":\"x\"}]");
    refuse_by_engine("timezone");
    assert_string_equal(problem.field, "triggers[1].timezone");
    assert_int_equal(problem.position, 0);

    assert_read(CRON ",\"triggers\":[{\"calendar\":\"daily 2 at 5:00\"},"
                "{\"calendar\":\"@daily\"}]");
    refuse_by_engine("calendar");
    assert_string_equal(problem.field, "triggers[1].calendar");
    assert_int_equal(problem.position, 0);
}

static void
test_json_when_a_sound_expression_that_is_refused_has_none(void **state)
{
    (void) state;
    assert_read(CRON ",\"cron\":\"0 0 30 2 *\"");
    refuse_by_engine("cron");
    assert_int_equal(problem.position, 0);
    assert_read(CRON ",\"time\":5");
    refuse_by_engine("time");
    assert_string_equal(problem.field, "time");
}

/* --- Anything that can be said --- */

static uint64_t
next_random(uint64_t *random)
{
    *random ^= *random << 13;
    *random ^= *random >> 7;
    *random ^= *random << 17;
    return *random;
}

static bool
toss(uint64_t *random)
{
    return next_random(random) >> 20 & 1;
}

static struct pawl_trigger
random_trigger(uint64_t *random)
{
    static const char *const exprs[] = {"30 2 * * mon-fri", "", "\"\\\x01", "TZ=UTC @daily"};
    static const char *const zones[] = {"Europe/Berlin", "UTC", "Pacific/Apia"};
    struct pawl_trigger trigger = {.kind = next_random(random) % PAWL_NTRIGGER_KIND};

    if (trigger.kind == PAWL_BY_SPAN) {
        trigger.time_ns = 1 + (int64_t) (next_random(random) >> 1 >> next_random(random) % 62);
        trigger.time_max_ns = toss(random) ? 0 : INT64_MAX - (int64_t) (*random >> 2);
    } else if (trigger.kind == PAWL_BY_AT) {
        trigger.at_ns = (int64_t) next_random(random) / 2;
    } else {
        trigger.expr = exprs[next_random(random) % 4];
        trigger.expr_len = strlen(trigger.expr);
        trigger.timezone = zones[next_random(random) % 3];
        trigger.timezone_len = strlen(trigger.timezone);
        trigger.dst = next_random(random) % 4;
        trigger.day_match = next_random(random) % 2;
    }
    return trigger;
}

static struct pawl_when
random_when(struct pawl_trigger *triggers, uint64_t *random)
{
    struct pawl_when when = {.triggers = triggers, .ntriggers = 1 + next_random(random) % 4};

    for (size_t i = 0; i < when.ntriggers; i++)
        triggers[i] = random_trigger(random);
    when.start_ns = toss(random) ? PAWL_NO_TIME : (int64_t) next_random(random) / 2;
    when.end_ns = toss(random) ? PAWL_NO_TIME : (int64_t) next_random(random) / 2;
    when.max_runs = toss(random) ? 0 : next_random(random) >> next_random(random) % 64;
    when.jitter_ns = toss(random) ? 0 : (int64_t) (next_random(random) >> 1);
    when.is_jitter_random = when.jitter_ns != 0 && toss(random);
    when.runs_on_start = toss(random);
    when.from_completion = toss(random);
    return when;
}

static bool
is_same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static void
assert_same_trigger(const struct pawl_trigger *a, const struct pawl_trigger *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->time_ns, b->time_ns);
    assert_int_equal(a->time_max_ns, b->time_max_ns);
    assert_int_equal(a->at_ns, b->at_ns);
    assert_true(is_same_text(a->expr, a->expr_len, b->expr, b->expr_len));
    assert_true(
        is_same_text(a->timezone, a->timezone_len, b->timezone, b->timezone_len));
    assert_int_equal(a->dst, b->dst);
    assert_int_equal(a->day_match, b->day_match);
}

static void
assert_same_when(const struct pawl_when *a, const struct pawl_when *b)
{
    assert_int_equal(a->ntriggers, b->ntriggers);
    for (size_t i = 0; i < a->ntriggers; i++)
        assert_same_trigger(&a->triggers[i], &b->triggers[i]);
    assert_int_equal(a->start_ns, b->start_ns);
    assert_int_equal(a->end_ns, b->end_ns);
    assert_int_equal(a->max_runs, b->max_runs);
    assert_int_equal(a->jitter_ns, b->jitter_ns);
    assert_int_equal(a->is_jitter_random, b->is_jitter_random);
    assert_int_equal(a->runs_on_start, b->runs_on_start);
    assert_int_equal(a->from_completion, b->from_completion);
}

static void
test_json_when_whatever_is_written_is_read_as_the_same(void **state)
{
    uint64_t seed = (uint64_t) time(NULL) * 2654435761u | 1, random = seed;

    (void) state;
    printf("seed %llu\n", (unsigned long long) seed);
    for (int i = 0; i < 20000; i++) {
        struct pawl_trigger triggers[4];
        struct pawl_when when = random_when(triggers, &random);
        struct pawl_spec wanted = {.type = PAWL_CRON, .when = &when};

        if (when.ntriggers == 1 && triggers[0].kind <= PAWL_BY_AT && toss(&random))
            wanted.type = PAWL_DELAY;
        assert_read(written(&wanted));
        assert_int_equal(spec.type, wanted.type);
        if (spec.when != NULL)
            assert_same_when(spec.when, &when);
        else
            assert_int_equal(spec.time_ns, triggers[0].time_ns);
    }
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_when_is_read_and_its_answer_read_again),
        cmocka_unit_test(test_json_when_refusals_name_the_field),
        cmocka_unit_test(test_json_when_takes_so_many_triggers_and_no_more),
        cmocka_unit_test(test_json_when_an_expression_that_is_refused_has_its_position),
        cmocka_unit_test(test_json_when_a_sound_expression_that_is_refused_has_none),
        cmocka_unit_test(test_json_when_whatever_is_written_is_read_as_the_same),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
