/* schedule_new.c: compiles what a user says of when into a schedule: one block of memory with the
 * triggers, what they mean, and their texts. Pure; any thread. */
#include "schedule_pace.h"

#include "err.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define NS_PER_S INT64_C(1000000000)

/* A schedule while it is made: parsed, but not yet in its block. */
struct draft {
    const struct pawl_when *when;
    const struct pawl_schedule_basis *basis;
    struct pawl_pace paces[PAWL_TRIGGERS_MAX];
    struct pawl_cron *crons;            /* of the paces, in order; room for all */
    size_t ncrons;
};

static bool
has_expression(const struct pawl_trigger *trigger)
{
    return trigger->kind == PAWL_BY_CRON || trigger->kind == PAWL_BY_CALENDAR;
}

static int64_t
start_of(const struct draft *draft)
{
    int64_t ns = draft->when->start_ns != PAWL_NO_TIME ? draft->when->start_ns
                                                       : draft->basis->created_ns;

    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

/* What the parser said, for a field of a task. */
static int
refuse_expression(const char *field, const struct pawl_err *said, struct pawl_err *err)
{
    if (said->code != PAWL_EINVAL || !said->field || strcmp(said->field, "expr") != 0) {
        if (err)
            *err = *said;
        return said->code;
    }
    return pawl_err_set(err, PAWL_EINVAL, field, "%s: %.*s", field, (int) sizeof said->text - 32,
                        said->text);        /* which begins with the position */
}

/* Whether it was meant as a calendar interval; if not, what a parser expects says too little. */
static bool
names_calendar(const struct pawl_trigger *trigger)
{
    static const char *const words[] = {"daily", "weekly", "monthly"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (trigger->expr_len > 0 &&
            memmem(trigger->expr, trigger->expr_len, words[i], strlen(words[i])))
            return true;
    return false;
}

static int
refuse_no_calendar(struct pawl_err *err)
{
    return pawl_err_set(err, PAWL_EINVAL, "calendar",
                        "calendar must be such as \"daily 2 at 10:30\", \"weekly 1 on mon,thu at "
                        "9:00\" or \"monthly 1 on 1,-1 at 12:00\"");
}

static int
compile_expression(struct draft *draft, const struct pawl_trigger *trigger,
                   struct pawl_pace *pace, struct pawl_err *err)
{
    const char *field = trigger->kind == PAWL_BY_CRON ? "cron" : "calendar";
    struct pawl_cron *cron = &draft->crons[draft->ncrons];
    struct pawl_cron_options options = {
        .zone = pawl_zone_local(), .dst = trigger->dst, .day_match = trigger->day_match,
        .id = draft->basis->id, .id_len = draft->basis->id_len, .start_s = start_of(draft),
    };
    struct pawl_err said;
    bool is_calendar;
    int code = PAWL_OK;

    if (trigger->timezone_len > 0)
        code = pawl_zone_load(trigger->timezone, trigger->timezone_len, &options.zone, err);
    if (code != PAWL_OK)
        return code;
    if (trigger->kind == PAWL_BY_CALENDAR && !names_calendar(trigger))
        return refuse_no_calendar(err);
    if (pawl_cron_parse(cron, trigger->expr, trigger->expr_len, &options, NULL, &said) != PAWL_OK)
        return refuse_expression(field, &said, err);
    is_calendar = cron->kind == PAWL_CRON_DAILY || cron->kind == PAWL_CRON_WEEKLY ||
                  cron->kind == PAWL_CRON_MONTHLY;
    if (is_calendar && trigger->kind == PAWL_BY_CRON)
        return pawl_err_set(err, PAWL_EINVAL, field,
                            "cron is a calendar interval: give it as calendar");
    if (!is_calendar && trigger->kind == PAWL_BY_CALENDAR)      /* "@daily" */
        return refuse_no_calendar(err);
    pace->kind = cron->kind == PAWL_CRON_EVERY ? PAWL_PACE_SPAN
               : cron->kind == PAWL_CRON_REBOOT ? PAWL_PACE_REBOOT : PAWL_PACE_WALL;
    if (pace->kind == PAWL_PACE_SPAN)
        pace->span_ns = cron->every_s > INT64_MAX / NS_PER_S ? INT64_MAX : cron->every_s * NS_PER_S;
    pace->cron = cron;
    draft->ncrons++;
    return PAWL_OK;
}

static int
compile(struct draft *draft, size_t i, struct pawl_err *err)
{
    const struct pawl_trigger *trigger = &draft->when->triggers[i];
    struct pawl_pace *pace = &draft->paces[i];
    int code;

    *pace = (struct pawl_pace) {0};
    switch (trigger->kind) {
    case PAWL_BY_SPAN:
        pace->kind = PAWL_PACE_SPAN;
        pace->span_ns = trigger->time_ns;
        pace->span_max_ns = trigger->time_max_ns > trigger->time_ns ? trigger->time_max_ns : 0;
        return PAWL_OK;
    case PAWL_BY_AT:
        pace->kind = PAWL_PACE_AT;
        pace->at_ns = trigger->at_ns;
        return PAWL_OK;
    default:
        code = compile_expression(draft, trigger, pace, err);
    }
    if (code != PAWL_EINVAL || !draft->basis->is_stored)
        return code;
    *pace = (struct pawl_pace) {.kind = PAWL_PACE_UNKNOWN};
    return PAWL_OK;
}

static size_t
text_size(const struct draft *draft)
{
    size_t size = 0;

    for (size_t i = 0; i < draft->when->ntriggers; i++) {
        const struct pawl_trigger *trigger = &draft->when->triggers[i];

        if (has_expression(trigger))
            size += trigger->expr_len + trigger->timezone_len + 2;
    }
    return size;
}

/* The zone that an expression is in: its own if it names one. The one of an interval is that of the
 * task: it is shown, and counts for nothing. */
static void
name_zone(struct pawl_trigger *trigger, const struct pawl_pace *pace)
{
    trigger->timezone = pawl_zone_name(pace->cron->zone);
    trigger->timezone_len = strlen(trigger->timezone);
}

/* Copies a text to *at, with a NUL behind it. */
static const char *
put_text(char **at, const char *text, size_t len)
{
    char *copy = *at;

    memcpy(copy, text, len);
    copy[len] = '\0';
    *at += len + 1;
    return copy;
}

/* Moves the draft into a block of its own. */
static struct pawl_schedule *
assemble(const struct draft *draft)
{
    size_t n = draft->when->ntriggers;
    size_t paces_at = sizeof(struct pawl_schedule);
    size_t triggers_at = paces_at + n * sizeof(struct pawl_pace);
    size_t crons_at = triggers_at + n * sizeof(struct pawl_trigger);
    size_t text_at = crons_at + draft->ncrons * sizeof(struct pawl_cron);
    struct pawl_schedule *schedule = malloc(text_at + text_size(draft));
    char *text = (char *) schedule + text_at;
    struct pawl_trigger *triggers;
    struct pawl_cron *cron;

    if (!schedule)
        return NULL;
    triggers = (struct pawl_trigger *) ((char *) schedule + triggers_at);
    cron = (struct pawl_cron *) ((char *) schedule + crons_at);
    *schedule = (struct pawl_schedule) {
        .when = *draft->when, .origin_ns = draft->basis->origin_ns,
        .created_ns = draft->basis->created_ns, .offset_ns = draft->basis->offset_ns,
        .seed = XXH3_64bits(draft->basis->id, draft->basis->id_len),
        .is_delay = draft->basis->type == PAWL_DELAY,
        .has_wall = draft->when->start_ns != PAWL_NO_TIME || draft->when->end_ns != PAWL_NO_TIME,
        .paces = (struct pawl_pace *) ((char *) schedule + paces_at),
    };
    schedule->when.triggers = triggers;
    for (size_t i = 0; i < n; i++) {
        struct pawl_pace *pace = &schedule->paces[i];

        triggers[i] = draft->when->triggers[i];
        *pace = draft->paces[i];
        schedule->has_wall |= pace->kind == PAWL_PACE_AT || pace->kind == PAWL_PACE_WALL;
        schedule->has_wild |= pace->kind == PAWL_PACE_WALL && pace->cron->is_wild;
        schedule->has_reboot |= pace->kind == PAWL_PACE_REBOOT;
        schedule->is_unknown |= pace->kind == PAWL_PACE_UNKNOWN;
        if (!has_expression(&triggers[i]))
            continue;
        triggers[i].expr = put_text(&text, triggers[i].expr, triggers[i].expr_len);
        if (pace->kind == PAWL_PACE_UNKNOWN) {
            triggers[i].timezone = put_text(&text, triggers[i].timezone, triggers[i].timezone_len);
            continue;
        }
        *cron = *pace->cron;
        pace->cron = cron++;
        name_zone(&triggers[i], pace);
    }
    return schedule;
}

int
pawl_schedule_new(const struct pawl_when *when, const struct pawl_schedule_basis *basis,
                  struct pawl_schedule **out_schedule, struct pawl_err *err)
{
    struct draft draft = {.when = when, .basis = basis};
    int code = PAWL_OK;

    draft.crons = malloc(when->ntriggers * sizeof *draft.crons);
    if (!draft.crons)
        return pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    for (size_t i = 0; i < when->ntriggers && code == PAWL_OK; i++)
        code = compile(&draft, i, err);
    if (code == PAWL_OK) {
        *out_schedule = assemble(&draft);
        if (!*out_schedule)
            code = pawl_err_set(err, PAWL_ENOMEM, NULL, "out of memory");
    }
    free(draft.crons);
    return code;
}

/* --- Comparing --- */

static bool
is_same_text(const char *a, size_t a_len, const char *b, size_t b_len)
{
    return a_len == b_len && (a_len == 0 || memcmp(a, b, a_len) == 0);
}

static bool
is_same_trigger(const struct pawl_trigger *a, const struct pawl_trigger *b)
{
    if (a->kind != b->kind)
        return false;
    if (has_expression(a))
        return is_same_text(a->expr, a->expr_len, b->expr, b->expr_len) &&
               is_same_text(a->timezone, a->timezone_len, b->timezone, b->timezone_len) &&
               a->dst == b->dst && a->day_match == b->day_match;
    return a->kind == PAWL_BY_AT ? a->at_ns == b->at_ns
                                 : a->time_ns == b->time_ns && a->time_max_ns == b->time_max_ns;
}

bool
pawl_when_equals(const struct pawl_when *a, const struct pawl_when *b)
{
    if (a->ntriggers != b->ntriggers || a->start_ns != b->start_ns || a->end_ns != b->end_ns ||
        a->max_runs != b->max_runs || a->jitter_ns != b->jitter_ns ||
        (a->jitter_ns > 0 && a->is_jitter_random != b->is_jitter_random) ||
        a->runs_on_start != b->runs_on_start || a->from_completion != b->from_completion)
        return false;
    for (size_t i = 0; i < a->ntriggers; i++) {
        if (!is_same_trigger(&a->triggers[i], &b->triggers[i]))
            return false;
    }
    return true;
}
