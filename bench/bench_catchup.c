/* bench_catchup.c: how late new work is while many tasks make up for what they missed.
 *
 * N crons were paused for some seconds and are resumed together: each has due times to make up for, one
 * after the other (misfire all). Beside them single tasks are submitted, due 5 to 20 ms later: from
 * their due time to their start. Before that, in the same run, the same on the idle engine.
 *
 *     bench_catchup [CRONS=10000] */
#include "client.h"
#include "figures.h"

#include "shared.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MS INT64_C(1000000)
#define ROUNDS 3
#define NNEW 200
#define MISSED_MS 2500

static void
submit(struct pawl_bench_client *client, const char *id, const struct pawl_policy *policy,
       int64_t time_ns)
{
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = policy ? PAWL_CRON : PAWL_DELAY, .time_ns = time_ns,
        .script = ":", .script_len = 1, .keep_results = 1, .policy = policy,
    };
    struct pawl_op op = {0};
    struct pawl_err err;

    if (pawl_submit(client->handle, &spec, &op, &err) != PAWL_OK)
        pawl_bench_die("submit: %s", err.text);
    pawl_view_release(&op.view);
}

/* From due to start, in us, of a task of its own. */
static double
lateness_of(struct pawl_bench_client *client, const char *id)
{
    struct pawl_view view;
    double late_us = -1;

    submit(client, id, NULL, 5 * MS + random() % (15 * MS));
    while (late_us < 0) {
        poll(NULL, 0, 2);
        if (pawl_get(client->handle, id, strlen(id), &view) != PAWL_OK)
            pawl_bench_die("the task is gone");
        if (view.nresults > 0)
            late_us = (double) (view.results[0]->started_ns - view.results[0]->scheduled_ns) / 1e3;
        pawl_view_release(&view);
    }
    return late_us;
}

static void
measure(struct pawl_bench_client *client, const char *what, double *late_us, size_t n)
{
    char id[48];

    for (size_t i = 0; i < n; i++) {
        snprintf(id, sizeof id, "%s-%zu", what, i);
        late_us[i] = lateness_of(client, id);
    }
}

/* One task of the crons; change is pawl_pause or pawl_resume. */
static void
change_all(struct pawl_bench_client *client, size_t n,
           int (*change)(struct pawl_handle *, const char *, size_t, struct pawl_op *, struct pawl_err *))
{
    char id[32];

    for (size_t i = 0; i < n; i++) {
        struct pawl_op op = {0};

        snprintf(id, sizeof id, "cron-%zu", i);
        if (change(client->handle, id, strlen(id), &op, NULL) != PAWL_OK)
            pawl_bench_die("%s cannot be changed", id);
        if (op.has_view)
            pawl_view_release(&op.view);
    }
}

struct figures {
    double idle[2][ROUNDS], beside[2][ROUNDS], made_up[ROUNDS];
};

static void
round_of(struct figures *figures, size_t round, size_t ncrons, size_t nnew)
{
    static const double parts[2] = {0.5, 0.99};
    double *late_us = malloc(nnew * sizeof *late_us);
    struct pawl_bench_client client;
    struct pawl_policy policy;
    struct pawl_stats stats;
    uint64_t before;
    int64_t from_ns;
    char id[32];

    if (!late_us)
        pawl_bench_die("out of memory");
    pawl_policy_init(&policy);
    policy.misfire = PAWL_MISFIRE_ALL;
    pawl_bench_client_open(&client, 0, 0);
    measure(&client, "idle", late_us, nnew);
    for (int i = 0; i < 2; i++)
        figures->idle[i][round] = pawl_bench_quantile(late_us, nnew, parts[i]);
    for (size_t i = 0; i < ncrons; i++) {
        snprintf(id, sizeof id, "cron-%zu", i);
        submit(&client, id, &policy, 100 * MS);
    }
    change_all(&client, ncrons, pawl_pause);
    poll(NULL, 0, MISSED_MS);
    pawl_stats(client.engine, &stats);
    before = stats.started;
    change_all(&client, ncrons, pawl_resume);
    from_ns = pawl_bench_now_ns();
    measure(&client, "beside", late_us, nnew);
    pawl_stats(client.engine, &stats);
    figures->made_up[round] = (double) (stats.started - before - nnew) * 1e9 /
                              (double) (pawl_bench_now_ns() - from_ns);
    for (int i = 0; i < 2; i++)
        figures->beside[i][round] = pawl_bench_quantile(late_us, nnew, parts[i]);
    pawl_bench_client_close(&client);
    free(late_us);
}

int
main(int argc, char **argv)
{
    bool is_smoke = pawl_bench_is_smoke();
    size_t ncrons = argc > 1 ? strtoul(argv[1], NULL, 10) : is_smoke ? 200 : 10000;
    size_t nrounds = is_smoke ? 1 : ROUNDS;
    static struct figures figures;
    struct pawl_report report;

    srandom(1);
    pawl_report_open(&report, "Catching up");
    for (size_t round = 0; round < nrounds; round++)
        round_of(&figures, round, ncrons, is_smoke ? 10 : NNEW);
    for (int i = 0; i < 2; i++) {
        char name[64];

        snprintf(name, sizeof name, "idle: due to start p%s", i == 0 ? "50" : "99");
        pawl_report_add(&report, &(struct pawl_figure) {name, "us", figures.idle[i], nrounds, 0, 0});
        snprintf(name, sizeof name, "beside the catch-up: due to start p%s", i == 0 ? "50" : "99");
        pawl_report_add(&report, &(struct pawl_figure) {name, "us", figures.beside[i], nrounds, 0, 0});
    }
    pawl_report_add(&report, &(struct pawl_figure) {
        "beside the catch-up: made up for", "runs/s", figures.made_up, nrounds, 0, 0});
    pawl_report_close(&report);
    return 0;
}
