/* test_fetch_race.c: calls of URLs that end by themselves, by their time limit, by a kill and by the end of
 * the engine, in whatever moment of a lookup, a connection, a redirect or an answer that finds them. */
#include "durable_fixture.h"
#include "http_server.h"

#define NTASKS 60
#define NROUNDS 3000

static uint64_t seed;

static unsigned
draw(unsigned n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (unsigned) (seed >> 33) % n;
}

/* Most are names, which are looked up; one is of nobody, one is refused. */
static void
draw_url(const struct server *server, char url[256])
{
    static const char *const paths[] = {
        "/echo", "/status/500", "/connection", "/cut", "/close", "/circle", "/early", "/bytes",
        "/back/302/echo", "/back/307/never", "/never",
    };
    const char *path = paths[draw(sizeof paths / sizeof paths[0])];

    switch (draw(8)) {
    case 0:
        snprintf(url, 256, "http://127.0.0.1:%d%s", server->port, path);
        break;
    case 1:
        snprintf(url, 256, "http://localhost:%d/to/301/http://127.0.0.1:%d%s", server->port, server->port,
                 path);
        break;
    case 2:
        snprintf(url, 256, "http://nobody.invalid%s", path);
        break;
    case 3:
        snprintf(url, 256, "http://localhost:1%s", path);
        break;
    default:
        snprintf(url, 256, "http://localhost:%d%s", server->port, path);
    }
}

static void
submit_drawn(struct fixture *f, const struct server *server, const char *id)
{
    struct pawl_action action = NO_ACTION;
    struct pawl_http_call http = {.max_redirects = -1};
    struct pawl_spec spec = {
        .id = id, .id_len = strlen(id), .type = PAWL_CRON, .time_ns = (int64_t) (1 + draw(20)) * MS,
        .script = "", .keep_results = 1, .action = &action,
    };
    struct asked asked = {.op.done = asked_cb};
    struct pawl_err err = {0};
    char url[256];
    int code;

    draw_url(server, url);
    http.url = url;
    action.http = &http;
    if (draw(5) == 0)
        action.condition = "test $((PAWL_RUN % 3)) != 0";
    action.timeout_ns = MS + (int64_t) draw(20) * MS / (1 + draw(20));
    code = end_of(f, &asked, pawl_submit(f->handle, &spec, &asked.op, &err));
    if (code != PAWL_OK && code != PAWL_EEXIST)
        fail_msg("%s", err.text);
}

static void
end_drawn(struct fixture *f, const char *id)
{
    struct asked asked = {.op.done = asked_cb};
    bool kill = draw(4) > 0;

    if (draw(2))
        end_of(f, &asked, pawl_stop(f->handle, id, strlen(id), kill, &asked.op, NULL));
    asked = (struct asked) {.op.done = asked_cb};
    end_of(f, &asked, pawl_delete(f->handle, id, strlen(id), kill, &asked.op, NULL));
}

/* Its calls leave nothing behind: a sanitizer looks on. */
static void
test_calls_end_in_any_moment(void **state)
{
    const char *given = getenv("PAWL_TEST_SEED");
    struct pawl_options options;
    struct server server;
    struct fixture f;

    (void) state;
    seed = given ? strtoull(given, NULL, 0) : (uint64_t) getpid();
    print_message("PAWL_TEST_SEED=%llu\n", (unsigned long long) seed);
    server_open(&server);
    for (int life = 0; life < 3; life++) {
        uint64_t until;

        pawl_options_init(&options);
        options.nworkers = 1;       /* so that all calls are one fetcher's */
        options.clock = pawl_clock_system();
        fixture_open_with(&f, &options);
        until = NROUNDS / 3;
        for (unsigned round = 0; round < until || stats_of(&f).finished < until; round++) {
            char id[16];

            snprintf(id, sizeof id, "t%u", draw(NTASKS));
            if (draw(2))
                submit_drawn(&f, &server, id);
            else
                end_drawn(&f, id);
            for (unsigned i = draw(50); i > 0; i--)
                sched_yield();
        }
        for (int i = 0; i < NTASKS && life < 2; i++) {       /* the last engine is closed in the middle of it */
            char id[16];

            snprintf(id, sizeof id, "t%d", i);
            end_drawn(&f, id);
        }
        if (life < 2)
            await(stats_of(&f).running == 0 && stats_of(&f).started == stats_of(&f).finished);
        fixture_close(&f);
    }
    server_close(&server);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_end_in_any_moment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
