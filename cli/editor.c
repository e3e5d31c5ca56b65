/* editor.c: see editor.h. The editor is a command for the shell, as git and crontab take it. */
#define _GNU_SOURCE 1
#include "editor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST_BYTES (64u << 20)

static const char *
choose(void)
{
    const char *visual = getenv("VISUAL"), *editor = getenv("EDITOR");

    return visual && *visual ? visual : editor && *editor ? editor : "vi";
}

static int
fail_file(const struct pawl_editor *editor, const char *what, struct pawl_fail *fail)
{
    return pawl_client_fail(
        fail, PAWL_EXIT_ERROR, "cannot %s %s: %s", what, editor->path, strerror(errno));
}

static int
write_file(struct pawl_editor *editor, const struct pawl_text *text, struct pawl_fail *fail)
{
    const char *dir = getenv("TMPDIR");
    int fd;

    if (editor->path[0]) {
        fd = open(editor->path, O_WRONLY | O_TRUNC | O_CLOEXEC);
    } else {
        snprintf(editor->path, sizeof editor->path, "%s/pawl-edit-XXXXXX.json",
            dir && *dir ? dir : "/tmp");
        fd = mkostemps(editor->path, 5, O_CLOEXEC);
    }
    if (fd < 0)
        return fail_file(editor, "make", fail);
    for (size_t done = 0; done < text->len;) {
        ssize_t n = write(fd, text->data + done, text->len - done);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            close(fd);
            return fail_file(editor, "write", fail);
        }
        done += (size_t)n;
    }
    return close(fd) == 0 ? PAWL_EXIT_OK : fail_file(editor, "write", fail);
}

static int
read_file(struct pawl_editor *editor, struct pawl_text *text, struct pawl_fail *fail)
{
    int fd = open(editor->path, O_RDONLY | O_CLOEXEC); /* editors may have made it anew */
    char buffer[16384];
    ssize_t n = fd;

    text->len = 0;
    while (n >= 0 && text->len <= MOST_BYTES && (n = read(fd, buffer, sizeof buffer)) > 0)
        pawl_text_append(text, buffer, (size_t)n);
    if (fd >= 0)
        close(fd);
    return n < 0 ? fail_file(editor, "read", fail) : PAWL_EXIT_OK;
}

static int
run(const struct pawl_editor *editor, struct pawl_fail *fail)
{
    struct pawl_text command = {0};
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        pawl_text_printf(&command, "%s \"$1\"", choose());
        execl("/bin/sh", "sh", "-c", command.data, "sh", editor->path, (char *)NULL);
        _exit(127);
    }
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return PAWL_EXIT_OK;
    return pawl_client_fail(fail, PAWL_EXIT_ERROR,
        "the editor, %.100s, failed, and nothing was changed; VISUAL or EDITOR names another",
        choose());
}

int
pawl_editor_open(
    struct pawl_editor *editor, struct pawl_text *text, struct pawl_fail *fail)
{
    int status = write_file(editor, text, fail);

    text->len = 0;
    if (!status) {
        struct pawl_fail unread;

        status = run(editor, fail);
        if (status)
            read_file(editor, text, &unread);
        else
            status = read_file(editor, text, fail);
    }
    return status;
}

void
pawl_editor_remove(struct pawl_editor *editor)
{
    if (editor->path[0])
        unlink(editor->path);
}
