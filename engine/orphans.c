/* orphans.c: finding what a daemon that died left behind, and ending it. Runs on the thread that
 * opens the engine, before it starts anything.
 *
 * What makes a process ours. A number alone says nothing: it may have been used again. All must
 * hold: its real user is ours; it did not start before its run; and one of
 *   leader  it has the run's number, leads the group of that number, and its start lies within
 *           WINDOW_NS behind the time that was noted before the clone;
 *   member  it is in the group of that number while the process of that number is ours and lives:
 *           no number is given out again while it is in use, so it is that process's own group;
 *   told    it has the number, or is in that group, and its environment has the run's PAWL_TASK_ID
 *           and PAWL_RUN. So who outlives the leader is found, unless it dropped them: it is left.
 * Of a run whose first process is a pawl-tree that one alone is taken: it ends the others when it is
 * asked. Only if it is gone, all that are told are, whatever group they are in.
 * The kernel notes a start by CLOCK_BOOTTIME and tells it in ticks (of 10 ms), rounded down, by the
 * reader's own clock; it is at or behind the time noted, by what clone() takes: microseconds, or
 * what a full machine makes of them. A wrong process inside the window would need all numbers to
 * go round, within it, to another leader of a group and of our user.
 *
 * How it is never another one that is hit. Signals go through a pidfd. What is looked at in /proc
 * after the pidfd was opened is what the pidfd means, if that still lives when it is signalled. */
#include "orphans.h"

#include "err.h"
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)
#define WINDOW_NS (2 * NS_PER_S)
#define KILL_WAIT_NS (5 * NS_PER_S)     /* for what got SIGKILL to be gone */

struct process {
    pid_t pid, group;
    bool is_dead;                       /* a zombie */
    uint64_t start_ticks;
};

/* A process of an orphan, held by its pidfd. */
struct prey {
    pid_t pid;
    int pidfd;
    size_t orphan;
};

/* Used by one thread. */
struct hunt {
    struct pawl_orphan *orphans;
    size_t n;
    int *first_fds;                     /* of each orphan the process of its number; -1: gone */
    struct prey *prey;
    struct pollfd *polls;               /* as many as prey */
    size_t nprey, room;
    DIR *proc;
    bool is_short;                      /* of descriptors: there may be more processes */
};

static int64_t
elapsed_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec * NS_PER_S + now.tv_nsec;
}

/* --- Looking at a process --- */

/* Reads the beginning of a file below /proc/PID. False: the process is gone, or is not shown. */
static bool
read_proc(struct hunt *hunt, pid_t pid, const char *name, char *text, size_t size)
{
    char path[32];
    ssize_t n;
    int fd;

    snprintf(path, sizeof path, "%d/%s", (int) pid, name);
    fd = openat(dirfd(hunt->proc), path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        hunt->is_short = hunt->is_short || errno == EMFILE || errno == ENFILE;
        return false;
    }
    n = read(fd, text, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    text[n] = '\0';
    return true;
}

static bool
read_stat(struct hunt *hunt, pid_t pid, struct process *out)
{
    char text[1024], state;
    unsigned long long start;
    const char *rest;
    int group;
    long nthreads;

    if (!read_proc(hunt, pid, "stat", text, sizeof text))
        return false;
    rest = strrchr(text, ')');          /* the name before it may have any character */
    /* State, group and, as fields 20 and 22, the threads and the start. */
    if (!rest || sscanf(rest + 1, " %c %*d %d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
                                  "%*d %ld %*d %llu", &state, &group, &nthreads, &start) != 4)
        return false;
    /* A first thread that ended before the others looks like a zombie, too. */
    *out = (struct process) {.pid = pid, .group = group, .start_ticks = start,
                             .is_dead = state == 'X' || (state == 'Z' && nthreads <= 1)};
    return true;
}

static bool
is_our_user(struct hunt *hunt, pid_t pid)
{
    char text[2048];
    const char *line;
    unsigned uid;

    return read_proc(hunt, pid, "status", text, sizeof text) &&
           (line = strstr(text, "\nUid:")) && sscanf(line + 5, "%u", &uid) == 1 &&
           uid == getuid();
}

/* An entry that is looked for in an environment that is read piece by piece. */
struct wanted {
    char text[sizeof "PAWL_TASK_ID=" + PAWL_ID_MAX];
    size_t len, nequal;
    bool is_other, is_found;            /* of the entry that is being read */
};

static void
take_byte(struct wanted *wanted, char byte)
{
    if (byte == '\0') {
        wanted->is_found = wanted->is_found ||
                           (!wanted->is_other && wanted->nequal == wanted->len);
        wanted->nequal = 0;
        wanted->is_other = false;
    } else if (wanted->nequal < wanted->len && wanted->text[wanted->nequal] == byte) {
        wanted->nequal++;
    } else {
        wanted->is_other = true;
    }
}

/* Whether the environment says that it is a process of this run. */
static bool
is_told(struct hunt *hunt, pid_t pid, const struct pawl_orphan *orphan)
{
    struct wanted wanted[2] = {0};
    char path[32], bytes[4096];
    ssize_t n;
    int fd;

    if (!orphan->id || orphan->id_len > PAWL_ID_MAX)
        return false;
    wanted[0].len = (size_t) snprintf(wanted[0].text, sizeof wanted[0].text, "PAWL_TASK_ID=%.*s",
                                      (int) orphan->id_len, orphan->id);
    wanted[1].len = (size_t) snprintf(wanted[1].text, sizeof wanted[1].text, "PAWL_RUN=%llu",
                                      (unsigned long long) orphan->run);
    snprintf(path, sizeof path, "%d/environ", (int) pid);
    fd = openat(dirfd(hunt->proc), path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        hunt->is_short = hunt->is_short || errno == EMFILE || errno == ENFILE;
        return false;
    }
    while ((n = read(fd, bytes, sizeof bytes)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            take_byte(&wanted[0], bytes[i]);
            take_byte(&wanted[1], bytes[i]);
        }
    }
    close(fd);
    return wanted[0].is_found && wanted[1].is_found;
}

static uint64_t
ticks_of(int64_t ns)
{
    uint64_t rate = (uint64_t) sysconf(_SC_CLK_TCK), t = ns > 0 ? (uint64_t) ns : 0;

    return t / NS_PER_S * rate + t % NS_PER_S * rate / NS_PER_S;
}

static bool
is_leader(const struct process *process, const struct pawl_orphan *orphan)
{
    return process->pid == orphan->pid && process->group == process->pid &&
           process->start_ticks <= ticks_of(orphan->started_elapsed_ns) + ticks_of(WINDOW_NS);
}

static bool
is_held_alive(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};

    return pidfd >= 0 && poll(&ended, 1, 0) == 0;
}

/* Whether a process, as it was just read, is one of an orphan's: see above. One tick is allowed
 * for rounding; what started before its number was given to the run is gone. */
static bool
is_of(struct hunt *hunt, const struct process *process, size_t i)
{
    const struct pawl_orphan *orphan = &hunt->orphans[i];
    bool is_first = process->pid == orphan->pid;

    if (process->is_dead || (!is_first && process->group != orphan->pid && !orphan->is_tree) ||
        process->start_ticks + 1 < ticks_of(orphan->started_elapsed_ns) ||
        !is_our_user(hunt, process->pid))
        return false;
    if (is_leader(process, orphan))
        return true;
    /* What lives after the process was read lived then. */
    if (!is_first && is_held_alive(hunt->first_fds[i]))
        return !orphan->is_tree;
    return is_told(hunt, process->pid, orphan);
}

/* --- Finding them --- */

static bool
is_held(const struct hunt *hunt, pid_t pid)
{
    for (size_t i = 0; i < hunt->nprey; i++) {
        if (hunt->prey[i].pid == pid)
            return true;
    }
    return false;
}

static int
make_room(struct hunt *hunt)
{
    size_t room = hunt->room ? 2 * hunt->room : 64;
    struct prey *prey = realloc(hunt->prey, room * sizeof *prey);
    struct pollfd *polls;

    if (prey)
        hunt->prey = prey;
    polls = realloc(hunt->polls, room * sizeof *polls);
    if (polls)
        hunt->polls = polls;
    if (!prey || !polls)
        return PAWL_ENOMEM;
    hunt->room = room;
    return PAWL_OK;
}

/* Holds a process that was seen to be an orphan's, if it still is. */
static int
hold(struct hunt *hunt, pid_t pid, size_t i)
{
    struct process process;
    int pidfd;

    if (hunt->nprey == hunt->room && make_room(hunt) != PAWL_OK)
        return PAWL_ENOMEM;
    pidfd = (int) syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        hunt->is_short = hunt->is_short || errno == EMFILE || errno == ENFILE;
        return PAWL_OK;
    }
    if (!read_stat(hunt, pid, &process) || !is_of(hunt, &process, i)) {
        close(pidfd);
        return PAWL_OK;
    }
    if (pid == hunt->orphans[i].pid)
        hunt->first_fds[i] = pidfd;
    hunt->orphans[i].is_alive = true;
    hunt->prey[hunt->nprey++] = (struct prey) {pid, pidfd, i};
    return PAWL_OK;
}

/* Looks whose a process is. */
static int
consider(struct hunt *hunt, pid_t pid)
{
    struct process process;

    if (pid == getpid() || is_held(hunt, pid) || !read_stat(hunt, pid, &process))
        return PAWL_OK;
    for (size_t i = 0; i < hunt->n; i++) {
        if (hunt->orphans[i].pid > 1 && is_of(hunt, &process, i))
            return hold(hunt, pid, i);
    }
    return PAWL_OK;
}

/* Looks at all processes for some that are not held yet: the first ones of the runs before others,
 * which are judged by them. */
static int
scan(struct hunt *hunt)
{
    struct dirent *entry;
    int code = PAWL_OK;

    hunt->is_short = false;
    for (size_t i = 0; i < hunt->n && code == PAWL_OK; i++) {
        if (hunt->first_fds[i] < 0 && hunt->orphans[i].pid > 1)
            code = consider(hunt, hunt->orphans[i].pid);
    }
    rewinddir(hunt->proc);
    while (code == PAWL_OK && (entry = readdir(hunt->proc))) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            code = consider(hunt, (pid_t) strtol(entry->d_name, NULL, 10));
    }
    return code;
}

/* --- Ending them --- */

static void
let_go(struct hunt *hunt, size_t at)
{
    struct prey *prey = &hunt->prey[at];

    if (hunt->first_fds[prey->orphan] == prey->pidfd)
        hunt->first_fds[prey->orphan] = -1;
    close(prey->pidfd);
    *prey = hunt->prey[--hunt->nprey];
}

/* Waits until none is left or the time has come. */
static void
await_ends(struct hunt *hunt, int64_t until_ns)
{
    while (hunt->nprey > 0) {
        int64_t left_ns = until_ns - elapsed_ns();
        int ms = left_ns <= 0 ? 0 : left_ns > 3600 * NS_PER_S ? 3600000
               : (int) ((left_ns + 999999) / 1000000);

        for (size_t i = 0; i < hunt->nprey; i++)
            hunt->polls[i] = (struct pollfd) {.fd = hunt->prey[i].pidfd, .events = POLLIN};
        poll(hunt->polls, hunt->nprey, ms);
        for (size_t i = hunt->nprey; i-- > 0;) {    /* the last one takes a free place */
            if (hunt->polls[i].revents)
                let_go(hunt, i);
        }
        if (left_ns <= 0)
            break;
    }
}

static void
signal_prey(const struct hunt *hunt, const struct prey *prey, int sig)
{
    const struct pawl_orphan *orphan = &hunt->orphans[prey->orphan];

    if (sig != SIGKILL || !orphan->is_tree || prey->pid != orphan->pid) {
        syscall(SYS_pidfd_send_signal, prey->pidfd, sig, NULL, 0);
    } else {                            /* as pawl_tree_signal() */
        syscall(SYS_pidfd_send_signal, prey->pidfd, PAWL_TREE_KILL, NULL, 0);
        syscall(SYS_pidfd_send_signal, prey->pidfd, SIGCONT, NULL, 0);
    }
}

/* Sends sig to all, and to those that they make meanwhile, until a look finds none or the time has
 * come. */
static int
end_by(struct hunt *hunt, int sig, int64_t until_ns)
{
    for (;;) {
        int code = scan(hunt);

        if (code != PAWL_OK || (hunt->nprey == 0 && !hunt->is_short))
            return code;
        if (hunt->nprey == 0)           /* not even one descriptor */
            return PAWL_ESYS;
        for (size_t i = 0; i < hunt->nprey; i++)
            signal_prey(hunt, &hunt->prey[i], sig);
        await_ends(hunt, until_ns);
        if (elapsed_ns() >= until_ns)
            return PAWL_OK;
    }
}

static int
end_all(struct hunt *hunt, int64_t grace_ns)
{
    int64_t now_ns = elapsed_ns();
    int code = end_by(hunt, SIGTERM, grace_ns < INT64_MAX - now_ns ? now_ns + grace_ns : INT64_MAX);

    if (code == PAWL_OK)
        code = end_by(hunt, SIGKILL, elapsed_ns() + KILL_WAIT_NS);
    for (size_t i = 0; i < hunt->n; i++)
        hunt->orphans[i].is_killed = hunt->orphans[i].is_alive && code == PAWL_OK;
    for (size_t i = 0; i < hunt->nprey; i++)
        hunt->orphans[hunt->prey[i].orphan].is_killed = false;
    return code;
}

int
pawl_orphans_deal(struct pawl_orphan *orphans, size_t n, bool kill, int64_t grace_ns,
                  struct pawl_err *err)
{
    struct hunt hunt = {.orphans = orphans, .n = n};
    int code = PAWL_OK, error;

    for (size_t i = 0; i < n; i++)
        orphans[i].is_alive = orphans[i].is_killed = false;
    if (n == 0)
        return PAWL_OK;
    hunt.first_fds = malloc(n * sizeof *hunt.first_fds);
    hunt.proc = opendir("/proc");
    error = errno;
    for (size_t i = 0; hunt.first_fds && i < n; i++)
        hunt.first_fds[i] = -1;
    if (!hunt.first_fds)
        code = PAWL_ENOMEM;
    else if (!hunt.proc)
        code = PAWL_ESYS;
    else
        code = kill ? end_all(&hunt, grace_ns) : scan(&hunt);
    if (code == PAWL_OK && hunt.is_short)
        code = PAWL_ESYS;
    if (code == PAWL_ENOMEM)
        pawl_err_set(err, code, NULL, "out of memory");
    else if (code != PAWL_OK)
        pawl_err_set(err, code, NULL, "processes of earlier runs cannot be looked for: %s",
                     hunt.is_short ? "too few descriptors: raise the limit" : strerror(error));
    while (hunt.nprey > 0)
        let_go(&hunt, hunt.nprey - 1);
    if (hunt.proc)
        closedir(hunt.proc);
    free(hunt.first_fds);
    free(hunt.prey);
    free(hunt.polls);
    return code;
}
