/* fuzz_cron.c: any bytes as an expression: parsed, described, and asked for times in both
 * directions; what comes out must hold together. The first byte chooses policies and zone, the
 * rest is the expression.
 *
 *     ./dev fuzz cron 60 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cron.h"

#define HORIZON_S (INT64_C(146097) * 86400)
#define NOW INT64_C(1795166809)

static void
check(int is_true)
{
    if (!is_true)
        abort();
}

static void
ask(const struct pawl_cron *cron)
{
    char words[512];
    int64_t next = pawl_cron_next(cron, NOW), prev = pawl_cron_prev(cron, NOW);

    check(pawl_cron_describe(cron, words, sizeof words) == strlen(words));
    check(next == PAWL_CRON_NEVER || (next > NOW && pawl_cron_match(cron, next)));
    check(prev == PAWL_CRON_NEVER || (prev < NOW && pawl_cron_match(cron, prev)));
    /* From one to the other, over nothing but NOW; further than one looks is nothing. */
    if (pawl_cron_match(cron, NOW))
        next = prev == PAWL_CRON_NEVER ? next : NOW;
    if (prev != PAWL_CRON_NEVER && next != PAWL_CRON_NEVER && next - prev < HORIZON_S) {
        check(pawl_cron_next(cron, prev) == next);
        check(pawl_cron_prev(cron, next) == prev);
        check(pawl_cron_count(cron, prev, next) == 1);
        check(pawl_cron_count(cron, prev - 1, next - 1) == 1);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const zones[] = {"UTC", "America/New_York", "Australia/Lord_Howe",
        "Pacific/Apia", "Africa/Casablanca", "Antarctica/Troll", "America/Havana", "Asia/Kathmandu"};
    struct pawl_cron_options options = {.id = "id", .id_len = 2, .start_s = NOW / 3};
    struct pawl_cron_notes notes;
    struct pawl_cron cron;
    struct pawl_err err;
    const char *zone;

    if (size == 0)
        return 0;
    zone = zones[data[0] >> 3 & 7];
    check(pawl_zone_load(zone, strlen(zone), &options.zone, NULL) == 0);
    options.dst = (enum pawl_cron_dst) (data[0] & 3);
    options.day_match = (enum pawl_cron_day_match) (data[0] >> 2 & 1);
    if (pawl_cron_parse(&cron, (const char *) data + 1, size - 1, &options, &notes, &err) == 0)
        ask(&cron);
    else if (strcmp(err.field, "expr") == 0)
        check(notes.position >= 1 && notes.position <= size);
    return 0;
}
