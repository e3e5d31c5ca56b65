/* durable_fixture.h: an engine on a fake store, and ways to wait for what it does behind the
 * gate. */
#ifndef PAWL_DURABLE_FIXTURE_H
#define PAWL_DURABLE_FIXTURE_H

#include "engine_fixture.h"
#include "fake_store.h"
#include "shared.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <time.h>

/* Opens an engine on a store that is there already, or is made by fake_store_init(). */
static inline void
durable_open_with(struct fixture *f, struct fake_store *fake, struct pawl_options *options)
{
    options->store = &fake->store;
    options->nworkers = 2;
    fixture_open_with(f, options);
}

static inline void
durable_open(struct fixture *f, struct fake_store *fake)
{
    struct pawl_options options;

    fake_store_init(fake);
    pawl_options_init(&options);
    durable_open_with(f, fake, &options);
}

static inline void
durable_close(struct fixture *f, struct fake_store *fake)
{
    fake_open_gate(fake);
    fixture_close(f);
    fake_store_fini(fake);
}

static inline int64_t
durable_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Looks again and again until what is awaited holds; for what no watch tells. */
#define await(condition)                                                                         \
    do {                                                                                         \
        for (int64_t until_ms = durable_now_ms() + WAIT_MS; !(condition); sched_yield()) {       \
            if (durable_now_ms() > until_ms)                                                     \
                fail_msg("in vain: %s", #condition);                                             \
        }                                                                                        \
    } while (0)

static inline struct pawl_stats
stats_of(struct fixture *f)
{
    struct pawl_stats stats;

    pawl_stats(f->engine, &stats);
    return stats;
}

static inline bool
is_there(struct fixture *f, const char *id)
{
    struct pawl_view view;
    int code = pawl_get(f->handle, id, strlen(id), &view);

    if (code == PAWL_OK)
        pawl_view_release(&view);
    return code == PAWL_OK;
}

static inline int64_t
version_of(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);

    pawl_view_release(&view);
    return view.version;
}

static inline uint64_t
seq_of(struct fixture *f, const char *id)
{
    struct pawl_view view = get(f, id);

    pawl_view_release(&view);
    return view.seq;
}

/* Slots of the table of runs that are taken. */
static inline unsigned
used_slots(struct fixture *f)
{
    struct pawl_runtable *table = &f->engine->table;
    unsigned n = 0;

    for (uint32_t i = 0; i < table->nslots; i++)
        n += atomic_load_explicit(&table->slots[i].state, memory_order_acquire) != 0;
    return n;
}

/* Whether something was sent to the handle that is not delivered yet. */
static inline bool
is_woken(struct fixture *f)
{
    struct pollfd poll_fd = {.fd = f->wake_fd, .events = POLLIN};

    return poll(&poll_fd, 1, 0) == 1;
}

/* Puts a group of one submit to the gate, so that what comes next is one group behind it. */
static inline void
block_with(struct fixture *f, struct fake_store *fake, struct asked *asked, const char *id)
{
    fake_gate(fake);
    assert_int_equal(ask_submit(f, asked, id, PAWL_DELAY, 100000 * SECOND, "true"), PAWL_PENDING);
    fake_await_group(fake);
}

/* All that was settled before the call is settled to its end; the gate is open. */
static inline void
fence(struct fixture *f)
{
    submit(f, "fence", PAWL_DELAY, 100000 * SECOND, "true");
    assert_int_equal(delete(f, "fence"), PAWL_OK);
}

/* --- Scripts that end when the test says so --- */

struct latch {
    char path[96], script[128];
    int fd;
};

static inline void
latch_init(struct latch *latch, const char *dir)
{
    snprintf(latch->path, sizeof latch->path, "%s/latch", dir);
    snprintf(latch->script, sizeof latch->script, "read x <%s; echo $x", latch->path);
    assert_int_equal(mkfifo(latch->path, 0600), 0);
    latch->fd = open(latch->path, O_RDWR | O_CLOEXEC);
    assert_true(latch->fd >= 0);
}

/* Lets one script end. */
static inline void
latch_open(struct latch *latch)
{
    assert_int_equal(write(latch->fd, "go\n", 3), 3);
}

static inline void
latch_fini(struct latch *latch)
{
    close(latch->fd);
    unlink(latch->path);
}

#endif
