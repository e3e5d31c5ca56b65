/* run.h: one execution of a script, or one call of a URL: started, its output kept, its end noted. A
 * run belongs to one worker, whose epoll tells it what happens; nothing here is shared between
 * threads. */
#ifndef PAWL_RUN_H
#define PAWL_RUN_H

#include "capture.h"
#include "deadlines.h"
#include "fetch.h"
#include "shared.h"
#include "spawn.h"

/* What an epoll event of a run is about. */
enum pawl_source_kind { PAWL_SOURCE_OUT, PAWL_SOURCE_ERR, PAWL_SOURCE_PROCESS, PAWL_NSOURCE };

struct pawl_source {
    struct pawl_run *run;
    enum pawl_source_kind kind;
    int fd;                             /* -1: closed */
};

/* Why a run is ended by us. */
enum pawl_ending { PAWL_ENDING_NONE, PAWL_ENDING_TIMEOUT, PAWL_ENDING_KILL };

struct pawl_run {
    struct pawl_source sources[PAWL_NSOURCE];
    struct pawl_capture captures[2];    /* stdout, stderr */
    struct pawl_task *task;             /* counted */
    struct pawl_def *def;               /* counted: the script, though the task be deleted */
    struct pawl_snapshot *spares[2];    /* for START and FINISH: neither can fail for memory */
    pid_t pid;                          /* of the process and its group; 0: ended or never was */
    const struct pawl_tree *tree;       /* the process is a pawl-tree; NULL: it is the script's */
    int end_code, end_status;           /* siginfo's, once the process has ended */
    struct pawl_fetch *fetch;           /* the call in progress, of a run without a process; NULL:
                                         * ended or never was */
    int http_status;                    /* of the call's answer, once it has ended; 0: none */
    uint64_t number;
    unsigned attempt;                   /* from 1 */
    bool is_late;                       /* it makes up for a due time that was missed */
    uint32_t slot;                      /* in the table of runs, or PAWL_SLOT_NONE */
    struct pawl_due due;                /* the due time that is run */
    int64_t started_ns, ended_ns;       /* elapsed */
    struct pawl_deadline deadline;      /* while it runs: of its time limit, then of its grace; when
                                         * the process has ended, of the pipes */
    enum pawl_ending ending;
    bool is_condition;                  /* the process is the condition's: its output is dropped */
    bool is_requested;                  /* it is not of the schedule */
    bool is_asked;                      /* to end: whom it leaves behind gets KILL */
    struct pawl_err error;              /* why it could not be started; code 0: it was */
    struct pawl_run *next, **prev;      /* in one of the worker's lists */
};

/* Room for a run and for what its start and end need. NULL: out of memory. */
struct pawl_run *
pawl_run_new(void);
/* Closes what is open, and gives back what it holds. NULL is accepted. */
void
pawl_run_free(struct pawl_run *run, int epoll_fd);

/* Starts the script of run->def, or its condition, and watches it. On failure run->error says why. */
int
pawl_run_start(struct pawl_run *run, struct pawl_spawn_room *room,
               const struct pawl_run_facts *facts, int epoll_fd);

/* Calls the URL of run->def. On failure run->error says why. */
int
pawl_run_call(struct pawl_run *run, struct pawl_fetcher *fetcher,
              const struct pawl_run_facts *facts);

/* Ends the call, if it has not ended by itself. */
void
pawl_run_hang_up(struct pawl_run *run);

/* Sends a signal to all of a run that is not reaped yet, so that its number is not used again. */
void
pawl_run_signal(struct pawl_run *run, int sig);

/* Reads what there is of a pipe, a bounded part of it; closes it at its end.
 * buffer has PAWL_OUTPUT_MAX bytes. */
void
pawl_run_read(struct pawl_run *run, enum pawl_source_kind kind, int epoll_fd, char *buffer);

/* Takes the end of the process. False: it has not ended. */
bool
pawl_run_reap(struct pawl_run *run, int epoll_fd);

/* Closes the pipes. */
void
pawl_run_close_pipes(struct pawl_run *run, int epoll_fd);

/* Whether nothing more is to come: the process ended and both pipes are closed. */
bool
pawl_run_is_over(const struct pawl_run *run);

/* How it ended. */
enum pawl_outcome
pawl_run_outcome(const struct pawl_run *run);

/* Makes the result, counted once for the caller; NULL: out of memory. scratch has room for twice
 * PAWL_OUTPUT_MAX. */
struct pawl_result_box *
pawl_run_result(const struct pawl_run *run, int64_t offset_ns, char *scratch);

#endif
