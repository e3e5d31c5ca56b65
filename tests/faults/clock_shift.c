/* clock_shift.c: for LD_PRELOAD. The daemon lives at another time: CLOCK_REALTIME is ahead by the
 * seconds in the file FAULT, which may change at any time, and CLOCK_BOOTTIME by FAULT_UPTIME.
 * FAULT_BOOT is the file that stands for the id of the boot. */
#include "shim.h"

#include <stdarg.h>
#include <sys/timerfd.h>
#include <time.h>

static long
shift_of(clockid_t clock)
{
    const char *uptime = getenv("FAULT_UPTIME");
    char text[32];

    if (clock == CLOCK_REALTIME)
        return shim_read(text, sizeof text) ? strtol(text, NULL, 10) : 0;
    return clock == CLOCK_BOOTTIME && uptime ? strtol(uptime, NULL, 10) : 0;
}

int
clock_gettime(clockid_t clock, struct timespec *now)
{
    int saved = errno, code = (int) syscall(SYS_clock_gettime, clock, now);

    if (code == 0) {
        now->tv_sec += shift_of(clock);
        errno = saved;
    }
    return code;
}

/* Timers are the kernel's, which knows nothing of all this. All that are set are of this clock. */
int
timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old)
{
    struct itimerspec spec = *new;

    if ((flags & TFD_TIMER_ABSTIME) && (spec.it_value.tv_sec || spec.it_value.tv_nsec)) {
        spec.it_value.tv_sec -= shift_of(CLOCK_BOOTTIME);
        if (spec.it_value.tv_sec < 0)
            spec.it_value = (struct timespec) {.tv_nsec = 1};
    }
    return (int) syscall(SYS_timerfd_settime, fd, flags, &spec, old);
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
