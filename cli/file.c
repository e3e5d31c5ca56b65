/* file.c: see file.h. */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

/* Far above what the daemon takes: it only keeps us from reading /dev/zero for ever. */
#define MOST_BYTES (64u << 20)

int
pawl_file_read(
    const char *file, const char *what, struct pawl_text *out, struct pawl_fail *fail)
{
    bool is_stdin = strcmp(file, "-") == 0;
    int fd = is_stdin ? STDIN_FILENO : open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd;
    char buffer[16384];

    while (n >= 0 && out->len <= MOST_BYTES) {
        n = read(fd, buffer, sizeof buffer);
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        if (n > 0)
            pawl_text_append(out, buffer, (size_t)n);
        n = 0;
    }
    int error = errno;
    if (fd >= 0 && !is_stdin)
        close(fd);
    if (n < 0)
        return pawl_client_fail(fail, PAWL_EXIT_ERROR, "cannot read %s: %s",
            is_stdin ? "stdin" : file, strerror(error));
    if (out->len > MOST_BYTES)
        return pawl_client_fail(
            fail, PAWL_EXIT_ERROR, "%s is too long for %s", file, what);
    return PAWL_EXIT_OK;
}
