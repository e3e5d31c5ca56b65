/* cmd_backup.c: pawl backup: a consistent copy of the daemon's store, in a file that is there
 * whole or not at all: it is written beside as FILE.part, brought to the disk and then renamed.
 * One thread; a signal takes FILE.part away and ends the program. */
#define _GNU_SOURCE 1
#include "command.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COPY_PATIENCE_S (24 * 3600) /* for the daemon's own copy, before the first byte */
#define ERASE_LINE "\r\033[K"

const struct pawl_flag pawl_cmd_backup_flags[] = {
    {"force", "f", PAWL_FLAG_BOOL, NULL, "overwrite FILE, and a FILE.part that was left"},
    {0},
};

struct backup {
    struct pawl_cli *cli;
    const char *name; /* as on the command line */
    char *part;       /* NULL: stdout */
    int fd;
    int64_t nbytes, total; /* taken; of the copy, 0: not known yet */
    time_t begun_s, taken_s, shown_s; /* monotonic; shown 0: there is no status line */
    bool has_status; /* stderr is a terminal that can erase a line */
    bool is_silent; /* given up: nothing came for too long */
    int write_errno;
};

/* What a signal has to take away, since only a global can tell a handler: set when the file is
 * there, cleared when it has its name. A: relaxed, handler and program are one thread. */
static _Atomic(const char *) unfinished;

static void
interrupt_cb(int number)
{
    const char *path = atomic_load_explicit(&unfinished, memory_order_relaxed);
    if (path)
        unlink(path);
    ssize_t n = write(STDERR_FILENO, "\n", 1);
    (void)n;
    _exit(128 + number);
}

static void
catch_interrupts(void)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction old, action = {.sa_handler = interrupt_cb};

    sigfillset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
}

static time_t
now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* 512 B, 12.3 MiB */
static void
format_bytes(int64_t n, char *out, size_t size)
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double value = (double)n / 1024;
    size_t unit = 0;

    for (; value >= 1024 && unit < 3; unit++)
        value /= 1024;
    if (n < 1024)
        snprintf(out, size, "%" PRId64 " B", n);
    else
        snprintf(out, size, "%.1f %s", value, units[unit]);
}

static void
show(struct backup *backup, time_t now)
{
    char done[32], total[32], line[128];
    int n;

    if (!backup->has_status || now == backup->shown_s)
        return;
    backup->shown_s = now;
    format_bytes(backup->nbytes, done, sizeof done);
    format_bytes(backup->total, total, sizeof total);
    if (!backup->total)
        n = snprintf(line, sizeof line, ERASE_LINE "the daemon copies its store, %llds",
            (long long)(now - backup->begun_s));
    else
        n = snprintf(line, sizeof line, ERASE_LINE "%s of %s", done, total);
    ssize_t written = write(STDERR_FILENO, line, (size_t)n);
    (void)written;
}

static void
erase_status(struct backup *backup)
{
    if (!backup->shown_s)
        return;
    ssize_t n = write(STDERR_FILENO, ERASE_LINE, sizeof ERASE_LINE - 1);
    (void)n;
    backup->shown_s = 0;
}

static bool
tick_cb(void *arg, int64_t total)
{
    struct backup *backup = arg;
    time_t now = now_s();
    long patience_s =
        backup->nbytes ? backup->cli->timeout_s : COPY_PATIENCE_S + backup->cli->timeout_s;

    backup->total = total;
    show(backup, now);
    backup->is_silent = now - backup->taken_s > patience_s;
    return !backup->is_silent;
}

static bool
take_cb(void *arg, const void *data, size_t len)
{
    struct backup *backup = arg;
    const char *at = data;

    backup->taken_s = now_s();
    backup->nbytes += (int64_t)len;
    while (len) {
        ssize_t n = write(backup->fd, at, len);
        if (n < 0 && errno != EINTR) {
            backup->write_errno = errno;
            return false;
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return true;
}

/* Fetches the copy into backup->fd. */
static int
fetch(struct backup *backup, struct pawl_fail *fail)
{
    struct pawl_sink sink = {take_cb, tick_cb, backup};
    struct pawl_request request = {.method = "GET", .path = "/api/backup", .sink = &sink};
    struct pawl_response response = {0};

    backup->begun_s = backup->taken_s = now_s();
    int status = pawl_client_call(backup->cli->client, &request, &response, fail);
    pawl_client_response_fini(&response);
    erase_status(backup);
    if (status != PAWL_EXIT_SINK)
        return status;
    if (backup->is_silent)
        return pawl_client_fail(fail, PAWL_EXIT_TIMED_OUT, "the daemon at %s sent nothing for %lds",
            pawl_client_address(backup->cli->client), backup->cli->timeout_s);
    return pawl_client_fail(fail, PAWL_EXIT_ERROR, "cannot write %s: %s", backup->name,
        strerror(backup->write_errno));
}

static int
fail_exists(struct pawl_fail *fail, const char *path, const char *hint)
{
    return pawl_client_fail(
        fail, PAWL_EXIT_REFUSED, "%s is there already; %s", path, hint);
}

/* Opens FILE.part, new. */
static int
open_part(struct backup *backup, bool is_forced, struct pawl_fail *fail)
{
    if (!is_forced && access(backup->name, F_OK) == 0)
        return fail_exists(fail, backup->name, "-force overwrites it");
    if (is_forced)
        unlink(backup->part);
    catch_interrupts();
    backup->fd = open(backup->part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (backup->fd < 0 && errno == EEXIST)
        return fail_exists(fail, backup->part,
            "another backup is being written, or one was cut off: -force overwrites it");
    if (backup->fd < 0)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "cannot write %s: %s", backup->part,
            strerror(errno));
    atomic_store_explicit(&unfinished, backup->part, memory_order_relaxed);
    return PAWL_EXIT_OK;
}

/* Brings the directory of a file to the disk, so that the file's name is there, too. */
static int
sync_directory(const char *name)
{
    const char *slash = strrchr(name, '/');
    size_t len = slash ? (size_t)(slash - name) : 0;
    char *path = slash ? strndup(name, len ? len : 1) : pawl_text_copy(".");
    int fd = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int status = fd < 0 ? -1 : fsync(fd);

    if (fd >= 0)
        close(fd);
    free(path);
    /* There are file systems that cannot do it for directories. */
    return status < 0 && errno != EINVAL ? -1 : 0;
}

/* Gives the file its name. */
static int
keep(struct backup *backup, bool is_forced, struct pawl_fail *fail)
{
    int rc = fsync(backup->fd);

    if (close(backup->fd) < 0)
        rc = -1;
    backup->fd = -1;
    if (rc == 0 && is_forced)
        rc = rename(backup->part, backup->name);
    else if (rc == 0) {
        rc = renameat2(AT_FDCWD, backup->part, AT_FDCWD, backup->name, RENAME_NOREPLACE);
        if (rc < 0 && errno == EEXIST)
            return fail_exists(fail, backup->name, "-force overwrites it");
        if (rc < 0 && (errno == EINVAL || errno == ENOSYS)) /* an old file system */
            rc = rename(backup->part, backup->name);
    }
    if (rc == 0) {
        atomic_store_explicit(&unfinished, NULL, memory_order_relaxed);
        rc = sync_directory(backup->name);
    }
    if (rc < 0)
        return pawl_client_fail(
            fail, PAWL_EXIT_ERROR, "cannot write %s: %s", backup->name, strerror(errno));
    return PAWL_EXIT_OK;
}

static int
back_up_to_file(struct backup *backup, struct pawl_fail *fail)
{
    bool is_forced = pawl_flags_is_set(&backup->cli->args, "force");
    struct pawl_text path = {0};

    pawl_text_printf(&path, "%s.part", backup->name);
    backup->part = path.data;
    int status = open_part(backup, is_forced, fail);
    if (!status)
        status = fetch(backup, fail);
    if (!status)
        status = keep(backup, is_forced, fail);
    if (backup->fd >= 0)
        close(backup->fd);
    if (atomic_exchange_explicit(&unfinished, NULL, memory_order_relaxed))
        unlink(backup->part);
    pawl_text_fini(&path);
    return status;
}

int
pawl_cmd_backup(struct pawl_cli *cli)
{
    const char *term = getenv("TERM");
    struct backup backup = {.cli = cli, .name = cli->words[0], .fd = -1};
    struct pawl_fail fail;
    char size[32];
    int status;

    backup.has_status =
        isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    if (strcmp(backup.name, "-") != 0) {
        status = back_up_to_file(&backup, &fail);
    } else if (cli->print.is_terminal) {
        status = pawl_client_fail(
            &fail, PAWL_EXIT_USAGE, "a backup is no text: let stdout be a file or a pipe");
    } else {
        backup.name = "stdout";
        backup.fd = STDOUT_FILENO;
        status = fetch(&backup, &fail);
    }
    if (status) {
        pawl_print_message("backup: %s", fail.text);
        return status;
    }
    format_bytes(backup.nbytes, size, sizeof size);
    pawl_print_message("wrote %s, %s", backup.name, size);
    return PAWL_EXIT_OK;
}
