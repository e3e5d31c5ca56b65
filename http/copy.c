/* copy.c: a consistent copy of the store as an answer. The engine writes it to a file of ours
 * beside the store, which loses its name before it is sent: what becomes of the client does not
 * matter then. Only a daemon that is killed meanwhile leaves a file; the next one removes it. */
#include "copy.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tasks.h"

#define PREFIX "backup-"
#define SUFFIX ".tmp"

void
pawl_copy_sweep(const char *dir)
{
    DIR *folder = opendir(dir);
    struct dirent *entry;

    if (folder == NULL)
        return;
    while ((entry = readdir(folder)) != NULL)
        if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
            strstr(entry->d_name, SUFFIX) != NULL)
            unlinkat(dirfd(folder), entry->d_name, 0);
    closedir(folder);
}

void
pawl_copy_free(struct pawl_request *request)
{
    if (request->copy_path != NULL)
        unlink(request->copy_path);
    free(request->copy_path);
    request->copy_path = NULL;
}

static void
name_content(struct pawl_request *request)
{
    request->content_type = "application/octet-stream";
    request->disposition = "attachment; filename=\"pawl-backup.db\"";
}

/* The copy is there: sends it. */
static void
send_copy(struct pawl_request *request)
{
    int fd = open(request->copy_path, O_RDONLY | O_CLOEXEC);
    struct stat file;

    if (fd < 0 || fstat(fd, &file) < 0) {
        pawl_request_fail(
            request, 500, NULL, "cannot read the copy of the store: %s", strerror(errno));
        if (fd >= 0)
            close(fd);
        return;
    }
    name_content(request);
    pawl_request_file(request, 200, fd, (uint64_t) file.st_size);
}

static void
copied(struct pawl_op *op)
{
    struct pawl_request *request =
        (struct pawl_request *) ((char *) op - offsetof(struct pawl_request, op));

    if (request->conn != NULL && op->code == PAWL_OK) {
        send_copy(request);
    } else if (request->conn != NULL) {
        struct pawl_problem problem;

        pawl_problem_from_op(&problem, op);
        pawl_request_refuse(request, &problem);
    }
    pawl_copy_free(request);
    pawl_request_op_end(request);
}

/* To HEAD: as long as the copy is not made, nobody knows its length. */
static ssize_t
read_nothing(struct pawl_request *request, char *out, size_t max)
{
    (void) request, (void) out, (void) max;
    return PAWL_READ_END;
}

static void
begin_copy(struct pawl_request *request)
{
    const struct pawl_service *service = request->http->service;
    struct pawl_err err;
    uint64_t number;
    int code;

    if (getrandom(&number, sizeof number, GRND_NONBLOCK) < 0)
        number = (uint64_t) request->http->now_ns ^ (uintptr_t) request;
    if (asprintf(&request->copy_path, "%s/" PREFIX "%016llx" SUFFIX, service->data_dir,
            (unsigned long long) number) < 0) {
        request->copy_path = NULL;
        pawl_request_fail(request, 503, NULL, "out of memory");
        return;
    }
    request->op.done = copied;
    request->op.has_view = false;
    code = pawl_backup(request->http->handle, request->copy_path, &request->op, &err);
    if (code == PAWL_PENDING) {
        pawl_request_op_begin(request);
        return;
    }
    free(request->copy_path);         /* not ours: nothing was written */
    request->copy_path = NULL;
    pawl_request_fail_err(request, &err);
}

void
pawl_tasks_backup(struct pawl_request *request)
{
    const struct pawl_service *service = request->http->service;

    if (service->data_dir == NULL) {
        pawl_request_fail(request, 409, NULL,
            "there is nothing to back up: this daemon keeps tasks in memory only (--ephemeral)");
    } else if (atomic_load_explicit(&service->draining, memory_order_relaxed)) {
        pawl_request_fail(request, 503, NULL,
            "the daemon is stopping: its store can be copied as it is when it has ended");
    } else if (request->is_head) {
        name_content(request);
        pawl_request_stream(request, 200, read_nothing);
    } else {
        begin_copy(request);
    }
}
