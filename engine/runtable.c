/* runtable.c: the table of runs in progress, a file of slots in memory. A slot is taken and filled
 * by the worker whose part it is in, and cleared by whoever finds that it is done with.
 *
 * Why a slot can be believed after kill -9, at whatever instruction it struck. The file's pages
 * are the kernel's: a store that was executed is in them, the process need not live on for it.
 * A thread is stopped between two instructions, so what it stored before is there, what it would
 * have stored after is not, and the order in between is that of its program as far as the compiler
 * kept it. The compiler may not move the other fields' stores behind the release store of state,
 * so: state says USED only over fields that are whole. Clearing stores state alone, so that what
 * is being filled anew is free until it is whole again. The next daemon reads behind the old
 * one's last instruction, and the kernel orders the two: it takes the lock on the file that the
 * old one's exit let go.
 *
 * That lock tells one thing more. A child between clone and exec has a copy of the descriptor and
 * holds the lock with it, also when its parent is dead. So whoever has the lock finds no child
 * on the way: each one has its pid in its slot and is in the group of that number.
 *
 * A full disk must not end the daemon by SIGBUS: all blocks are allocated at the opening, and on
 * file systems that copy what is written (btrfs) that is switched off for a new file. */
#include "runtable.h"

#include "err.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define FILE_NAME "runs"
#define MAGIC UINT64_C(0x736e75726c776170)      /* "pawlruns" in the file */
#define BOOT_WORDS 5
#define FORMAT 1u
#define LOCK_TRIES 500                          /* of LOCK_PAUSE_NS: five seconds */
#define LOCK_PAUSE_NS 10000000
#define WHOLE (PAWL_SLOT_USED | PAWL_SLOT_ENDED | PAWL_SLOT_FORGOTTEN)

/* The head of the file; the slots follow it. */
struct header {
    _Atomic uint64_t magic;             /* A: written last; 0: the file is being made */
    uint32_t format;
    uint32_t slot_size;
    _Atomic uint32_t nslots;            /* A: relaxed: written when the room is there */
    uint32_t unused;
    _Atomic uint64_t boot[BOOT_WORDS];  /* A: R3: the boot that the slots' pids are of; 0: none */
};

_Static_assert(sizeof(struct pawl_slot) == 64 && sizeof(struct header) == 64,
               "the layout of the file");
_Static_assert(offsetof(struct pawl_slot, seq) == 8 &&
                   offsetof(struct pawl_slot, started_elapsed_ns) == 48,
               "the layout of the file");
_Static_assert(ATOMIC_INT_LOCK_FREE == 2 && ATOMIC_LLONG_LOCK_FREE == 2,
               "no lock may hide in memory that outlives the process");

static bool
is_whole(uint32_t state)
{
    return (state & WHOLE) == WHOLE;
}

/* --- The file --- */

static size_t
file_size(uint32_t nslots)
{
    return sizeof(struct header) + (size_t) nslots * sizeof(struct pawl_slot);
}

/* The 36 characters of the boot's id, and zeros. */
static int
read_boot(uint64_t out_boot[BOOT_WORDS], struct pawl_err *err)
{
    static const char path[] = "/proc/sys/kernel/random/boot_id";
    char text[BOOT_WORDS * 8] = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, 36);

    if (fd >= 0)
        close(fd);
    if (n != 36)
        return pawl_err_set(err, PAWL_ESYS, NULL, "%s cannot be read: is /proc mounted?", path);
    memcpy(out_boot, text, sizeof text);
    return PAWL_OK;
}

/* Relaxed: nothing is read by what it says. */
static bool
is_boot(const struct header *header, const uint64_t boot[BOOT_WORDS])
{
    for (int i = 0; i < BOOT_WORDS; i++) {
        if (atomic_load_explicit(&header->boot[i], memory_order_relaxed) != boot[i])
            return false;
    }
    return true;
}

/* Waits for the old daemon's last descriptor: see above. There is nothing to be woken by, and the
 * store's own lock has kept out a daemon that lives, so the first try nearly always does it. */
static int
lock(int fd, struct pawl_err *err)
{
    struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};

    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return PAWL_OK;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return pawl_err_set(err, PAWL_ESYS, NULL, FILE_NAME ": cannot be locked: %s",
                                strerror(errno));
        nanosleep(&pause, NULL);
    }
    return pawl_err_set(err, PAWL_EBUSY, NULL,
                        FILE_NAME ": another process holds it (fuser shows which): end that first");
}

/* Looks at what is there: how many slots, and that it can be used. 0 slots: the file is new, or its
 * making was cut. */
static int
examine(int fd, uint32_t *out_nslots, struct pawl_err *err)
{
    static const uint64_t no_boot[BOOT_WORDS];
    struct header header = {0};
    struct stat status;
    ssize_t n = pread(fd, &header, sizeof header, 0);
    uint64_t magic = atomic_load_explicit(&header.magic, memory_order_relaxed); /* our copy */
    uint32_t nslots = atomic_load_explicit(&header.nslots, memory_order_relaxed);

    if (n < 0 || fstat(fd, &status) != 0)
        return pawl_err_set(err, PAWL_ESYS, NULL, FILE_NAME ": cannot be read: %s",
                            strerror(errno));
    *out_nslots = 0;
    if (S_ISREG(status.st_mode) && magic == 0 && header.format <= FORMAT && header.unused == 0 &&
        is_boot(&header, no_boot))
        return PAWL_OK;
    if (!S_ISREG(status.st_mode) || magic != MAGIC)
        return pawl_err_set(err, PAWL_EDAMAGED, NULL, FILE_NAME ": not a table of runs: move it "
                            "away; runs that were cut are then known, but not their processes");
    if (header.format > FORMAT)
        return pawl_err_set(err, PAWL_EDAMAGED, NULL, FILE_NAME ": of format %u, this version "
                            "knows up to %u: start the newer version", header.format, FORMAT);
    if (header.format < FORMAT || header.slot_size != sizeof(struct pawl_slot) ||
        (uint64_t) status.st_size < file_size(nslots))
        return pawl_err_set(err, PAWL_EDAMAGED, NULL, FILE_NAME ": truncated or damaged: move it "
                            "away; runs that were cut are then known, but not their processes");
    *out_nslots = nslots;
    return PAWL_OK;
}

/* Where a write is a copy, blocks that are allocated do not help; works for an empty file only,
 * and not everywhere. */
static void
write_in_place(int fd)
{
#ifdef FS_NOCOW_FL
    int flags;

    if (ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0 && !(flags & FS_NOCOW_FL)) {
        flags |= FS_NOCOW_FL;
        ioctl(fd, FS_IOC_SETFLAGS, &flags);
    }
#else
    (void) fd;
#endif
}

/* Allocates and maps nslots. */
static int
map(struct pawl_runtable *table, uint32_t nslots, struct pawl_err *err)
{
    size_t size = file_size(nslots);
    int error;

    do
        error = posix_fallocate(table->fd, 0, (off_t) size);
    while (error == EINTR);
    if (error)
        return pawl_err_set(err, PAWL_ESYS, NULL, FILE_NAME ": no room for %zu KiB: %s%s",
                            size / 1024, strerror(error),
                            error == ENOSPC ? ": free some" : "");
    table->mapping = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, table->fd, 0);
    if (table->mapping == MAP_FAILED) {
        table->mapping = NULL;
        return pawl_err_set(err, PAWL_ESYS, NULL, FILE_NAME ": cannot be mapped: %s",
                            strerror(errno));
    }
    table->mapping_size = size;
    table->nslots = nslots;
    table->slots = (struct pawl_slot *) ((char *) table->mapping + sizeof(struct header));
    return PAWL_OK;
}

/* Fills in the head of a new file, or notes that there are more slots; frees what the old daemon
 * had no time to free. */
static void
settle(struct pawl_runtable *table, bool is_new, const uint64_t boot[BOOT_WORDS])
{
    struct header *header = table->mapping;

    if (is_new) {
        header->format = FORMAT;
        header->slot_size = sizeof(struct pawl_slot);
    }
    atomic_store_explicit(&header->nslots, table->nslots, memory_order_relaxed);
    /* Release: the stores before it come first, see above. */
    atomic_store_explicit(&header->magic, MAGIC, memory_order_release);
    table->is_same_boot = is_boot(header, boot);
    for (uint32_t i = 0; i < table->nslots; i++) {
        /* relaxed: no other thread is there yet */
        if (is_new ||
            is_whole(atomic_load_explicit(&table->slots[i].state, memory_order_relaxed)))
            pawl_slot_clear(table, i);
    }
}

int
pawl_runtable_open(struct pawl_runtable *table, int dir_fd, uint32_t nslots, struct pawl_err *err)
{
    uint64_t boot[BOOT_WORDS];
    uint32_t old = 0;
    int code = read_boot(boot, err);

    *table = (struct pawl_runtable) {.fd = -1};
    if (code != PAWL_OK)
        return code;
    table->fd = openat(dir_fd, FILE_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                       0600);
    if (table->fd < 0)
        return pawl_err_set(err, PAWL_ESYS, NULL, FILE_NAME ": cannot be opened: %s",
                            strerror(errno));
    code = lock(table->fd, err);
    if (code == PAWL_OK)
        code = examine(table->fd, &old, err);
    if (code == PAWL_OK && old == 0)
        write_in_place(table->fd);
    if (code == PAWL_OK)
        code = map(table, nslots > old ? nslots : old, err);
    if (code == PAWL_OK)
        settle(table, old == 0, boot);
    else
        pawl_runtable_close(table);
    return code;
}

/* Pids of another boot name nothing, and must not be believed when the boot's id is ours: they go
 * before it is written. Cut in between, it is no boot's. */
void
pawl_runtable_adopt(struct pawl_runtable *table)
{
    struct header *header = table->mapping;
    uint64_t boot[BOOT_WORDS];

    if (table->is_same_boot || read_boot(boot, NULL) != PAWL_OK)
        return;
    for (uint32_t i = 0; i < table->nslots; i++)
        atomic_store_explicit(&table->slots[i].pid, 0, memory_order_relaxed);
    /* R3: behind the pids, for the next daemon: see above. */
    for (int i = 0; i < BOOT_WORDS; i++)
        atomic_store_explicit(&header->boot[i], boot[i], memory_order_release);
    table->is_same_boot = true;
}

void
pawl_runtable_close(struct pawl_runtable *table)
{
    if (table->mapping)
        munmap(table->mapping, table->mapping_size);
    if (table->fd >= 0)
        close(table->fd);
    *table = (struct pawl_runtable) {.fd = -1};
}

/* --- The slots --- */

void
pawl_slot_part_init(struct pawl_slot_part *part, struct pawl_runtable *table, unsigned i,
                    unsigned n)
{
    uint64_t first = (uint64_t) table->nslots * i / n;
    uint64_t end = (uint64_t) table->nslots * (i + 1) / n;

    assert(i < n);
    *part = (struct pawl_slot_part) {.table = table, .first = (uint32_t) first,
                                     .n = (uint32_t) (end - first)};
}

uint32_t
pawl_slot_take(struct pawl_slot_part *part)
{
    for (uint32_t i = 0; i < part->n; i++) {
        uint32_t slot = part->first + part->next;
        struct pawl_slot *found = &part->table->slots[slot];

        part->next = part->next + 1 < part->n ? part->next + 1 : 0;
        if (atomic_load_explicit(&found->state, memory_order_acquire) == 0)     /* A1 */
            return slot;
    }
    return PAWL_SLOT_NONE;
}

void
pawl_slot_fill(struct pawl_runtable *table, uint32_t slot, const struct pawl_slot *values)
{
    struct pawl_slot *filled = &table->slots[slot];

    filled->seq = values->seq;
    filled->run = values->run;
    filled->version = values->version;
    filled->scheduled_ns = values->scheduled_ns;
    filled->flags = values->flags;
    filled->started_ns = values->started_ns;
    filled->started_elapsed_ns = values->started_elapsed_ns;
    filled->previous = values->previous;
    atomic_store_explicit(&filled->pid, 0, memory_order_relaxed);      /* the child writes it */
    /* R2: for the next daemon, see above, and for who clears it: pairs with A2. */
    atomic_store_explicit(&filled->state, PAWL_SLOT_USED, memory_order_release);
}

/* The number of the one that is gone must not be looked for by the time of the other. */
void
pawl_slot_next_process(struct pawl_runtable *table, uint32_t slot, int64_t elapsed_ns)
{
    if (slot == PAWL_SLOT_NONE)
        return;
    atomic_store_explicit(&table->slots[slot].pid, 0, memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);  /* for the next daemon: in this order, see above */
    table->slots[slot].started_elapsed_ns = elapsed_ns;
}

void
pawl_slot_clear(struct pawl_runtable *table, uint32_t slot)
{
    if (slot != PAWL_SLOT_NONE)
        atomic_store_explicit(&table->slots[slot].state, 0, memory_order_release);     /* R1 */
}

void
pawl_slot_clear_chain(struct pawl_runtable *table, uint32_t slot)
{
    while (slot != PAWL_SLOT_NONE) {
        uint32_t previous = table->slots[slot].previous;

        if (table->slots[slot].flags & PAWL_SLOT_OVERLAPS)
            pawl_slot_half_clear(table, slot, PAWL_SLOT_FORGOTTEN);
        else
            pawl_slot_clear(table, slot);
        slot = previous == 0 ? PAWL_SLOT_NONE : previous - 1;
    }
}

void
pawl_slot_note_ended(struct pawl_runtable *table, uint32_t slot)
{
    for (uint32_t next = slot + 1; next != 0; next = table->slots[next - 1].previous) {
        struct pawl_slot *noted = &table->slots[next - 1];

        /* A2: the run's end was decided before this; relaxed: the bit is for this thread alone. */
        if ((noted->flags & PAWL_SLOT_OVERLAPS) &&
            atomic_load_explicit(&noted->state, memory_order_acquire) & PAWL_SLOT_ENDED)
            atomic_fetch_or_explicit(&noted->state, PAWL_SLOT_WRITTEN, memory_order_relaxed);
    }
}

void
pawl_slot_sweep(struct pawl_runtable *table, uint32_t slot)
{
    struct pawl_slot *kept = &table->slots[slot];

    while (kept->previous != 0) {
        uint32_t next = kept->previous - 1;
        struct pawl_slot *swept = &table->slots[next];

        if (atomic_load_explicit(&swept->state, memory_order_relaxed) & PAWL_SLOT_WRITTEN) {
            kept->previous = swept->previous;
            pawl_slot_clear(table, next);
        } else {
            kept = swept;
        }
    }
}

void
pawl_slot_half_clear(struct pawl_runtable *table, uint32_t slot, uint32_t bit)
{
    uint32_t before;

    assert(bit == PAWL_SLOT_ENDED || bit == PAWL_SLOT_FORGOTTEN);
    if (slot == PAWL_SLOT_NONE)
        return;
    /* A2, and release: what the first one did to the slot is over when the second one frees it. */
    before = atomic_fetch_or_explicit(&table->slots[slot].state, bit, memory_order_acq_rel);
    assert(before & PAWL_SLOT_USED);
    if (is_whole(before | bit))
        pawl_slot_clear(table, slot);   /* cut before it, the next daemon does: see settle() */
}
