/* clock_shift.c: for LD_PRELOAD. The daemon lives at another time: CLOCK_REALTIME is ahead by the
 * seconds in the file FAULT, which may change at any time, and CLOCK_BOOTTIME by FAULT_UPTIME.
 * FAULT_BOOT is the file that stands for the id of the boot. With FAULT_SLOW, each reading of
 * CLOCK_REALTIME is interrupted for so many microseconds at least.
 *
 * A timer on CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET becomes readable when another file is put in
 * the place of FAULT, and read() says ECANCELED then: its descriptor is one of inotify. It never
 * expires. There is one at most, used by one thread. */
#include "shim.h"

#include <stdarg.h>
#include <sys/inotify.h>
#include <sys/timerfd.h>
#include <time.h>

static int set_fd = -1;         /* that timer */
static bool is_cancelled_on_set;

static long
shift_of(clockid_t clock)
{
    const char *uptime = getenv("FAULT_UPTIME");
    char text[32];

    if (clock == CLOCK_REALTIME)
        return shim_read(text, sizeof text) ? strtol(text, NULL, 10) : 0;
    return clock == CLOCK_BOOTTIME && uptime ? strtol(uptime, NULL, 10) : 0;
}

static void
be_interrupted(void)
{
    const char *slow = getenv("FAULT_SLOW");
    struct timespec time = {.tv_nsec = slow ? strtol(slow, NULL, 10) * 1000 : 0};

    if (slow)
        syscall(SYS_nanosleep, &time, NULL);
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    int saved = errno, code = (int) syscall(SYS_clock_gettime, clock, now);

    if (code == 0) {
        now->tv_sec += shift_of(clock);
        if (clock == CLOCK_REALTIME)
            be_interrupted();
        errno = saved;
    }
    return code;
}

int
timerfd_create(clockid_t clock, int flags)
{
    int inotify_flags = 0, fd;

    if (clock != CLOCK_REALTIME)
        return (int) syscall(SYS_timerfd_create, clock, flags);
    inotify_flags |= flags & TFD_NONBLOCK ? IN_NONBLOCK : 0;
    inotify_flags |= flags & TFD_CLOEXEC ? IN_CLOEXEC : 0;
    fd = (int) syscall(SYS_inotify_init1, inotify_flags);
    set_fd = fd;
    return fd;
}

/* Lets the folder of FAULT say what is put into it. */
static int
watch_file(void)
{
    const char *path = getenv("FAULT"), *slash = path ? strrchr(path, '/') : NULL;
    char folder[PATH_MAX];

    if (!slash)
        return 0;
    snprintf(folder, sizeof folder, "%.*s", (int) (slash - path), path);
    return syscall(SYS_inotify_add_watch, set_fd, folder, IN_MOVED_TO) < 0 ? -1 : 0;
}

/* The others are the kernel's, which knows nothing of all this; they are of CLOCK_BOOTTIME. */
int
timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
    struct itimerspec spec = *new;

    if (fd == set_fd) {
        is_cancelled_on_set = (flags & TFD_TIMER_ABSTIME) && (flags & TFD_TIMER_CANCEL_ON_SET);
        return is_cancelled_on_set ? watch_file() : 0;
    }
    if ((flags & TFD_TIMER_ABSTIME) && (spec.it_value.tv_sec || spec.it_value.tv_nsec)) {
        spec.it_value.tv_sec -= shift_of(CLOCK_BOOTTIME);
        if (spec.it_value.tv_sec < 0)
            spec.it_value = (struct timespec) {.tv_nsec = 1};
    }
    return (int) syscall(SYS_timerfd_settime, fd, flags, &spec, old);
}

/* Whether FAULT is among the files that were put into its folder. */
static bool
was_set(const char *events, long n)
{
    const char *path = getenv("FAULT"), *name = path ? strrchr(path, '/') : NULL;

    for (long at = 0; name && at < n;) {
        const struct inotify_event *event = (const struct inotify_event *) (events + at);

        if (event->len > 0 && strcmp(event->name, name + 1) == 0)
            return true;
        at += (long) (sizeof *event + event->len);
    }
    return false;
}

ssize_t
read(int fd, void *buffer, size_t size)
{
    REAL(ssize_t, "read", int, void *, size_t);
    _Alignas(struct inotify_event) char events[4096];
    bool is_set = false;
    long n;

    if (fd != set_fd || fd < 0)
        return real(fd, buffer, size);
    while ((n = syscall(SYS_read, fd, events, sizeof events)) > 0 && !is_set)
        is_set = was_set(events, n);
    errno = is_set && is_cancelled_on_set ? ECANCELED : EAGAIN;
    return -1;
}

int
close(int fd)
{
    REAL(int, "close", int);
    if (fd == set_fd)
        set_fd = -1;
    return real(fd);
}

static const char *
stand_in(const char *path)
{
    const char *boot = getenv("FAULT_BOOT");

    return boot && strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ? boot : path;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...); \
    int name(const char *path, int flags, ...) \
    { \
        REAL(int, #name, const char *, int, ...); \
        bool has_mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE; \
        va_list args; \
        va_start(args, flags); \
        mode_t mode = has_mode ? va_arg(args, mode_t) : 0; \
        va_end(args); \
        return real(stand_in(path), flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPEN_2(name) \
    int name(const char *path, int flags); \
    int name(const char *path, int flags) \
    { \
        REAL(int, #name, const char *, int); \
        return real(stand_in(path), flags); \
    }
OPEN_2(__open_2)
OPEN_2(__open64_2)
