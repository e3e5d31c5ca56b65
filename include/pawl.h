/* pawl.h: the scheduler's engine as a library.
 *
 * What it is. An engine keeps tasks, fires each when it is due, runs its script or calls its URL
 * and keeps the results. A delay task runs once; a cron task runs again and again. Times are int64 nanoseconds:
 * wall times since the epoch, spans as they are. A span follows elapsed time (sleep of the machine
 * included), whatever happens to the wall clock.
 *
 * Threads. The engine starts its own: one ticker, one keeper and the workers (docs/threads.md).
 * Any thread of the caller may call, through a handle of its own: pawl_attach() gives one, and a
 * handle is used by one thread at a time. What completes later is queued to the handle that asked
 * and delivered on its thread by pawl_deliver(); the engine never calls back on another thread,
 * except for wake(), log() and failed(), which must not call the engine.
 *
 * Ownership. Structs named here with a body are the caller's storage. "Borrows" is the default:
 * arguments are copied. A view is a counted, immutable copy of one state of a task: it stays valid,
 * on any thread, until pawl_view_release().
 *
 * Errors. int calls return 0 (PAWL_OK), PAWL_PENDING where stated, or a negative PAWL_E...; the
 * last parameter, a struct pawl_err, may be NULL and is set on failure only. Outputs are set on
 * success only. */
#ifndef PAWL_H
#define PAWL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum pawl_code {
    PAWL_OK = 0,
    PAWL_PENDING = 1,      /* accepted; the end is told through pawl_deliver() */
    PAWL_EINVAL = -1,      /* an argument is wrong: err->field names it */
    PAWL_ENOENT = -2,      /* no task has this id */
    PAWL_EEXIST = -3,      /* a task has this id already */
    PAWL_ESTATE = -4,      /* the task's state does not allow it: err->text says why */
    PAWL_ENOMEM = -5,      /* out of memory; nothing was changed */
    PAWL_ELIMIT = -6,      /* max_pending tasks are pending */
    PAWL_EBUDGET = -7,     /* scripts and kept output fill max_memory_bytes */
    PAWL_ECLOSED = -8,     /* the engine is closing */
    PAWL_ESYS = -9,        /* a system call failed: err->text says which */
    PAWL_ESTORE = -10,     /* the store could not keep the change */
    PAWL_EFULL = -11,      /* the store's disk is full */
    PAWL_EBUSY = -12,      /* another process holds the store: err->text names it */
    PAWL_EDAMAGED = -13,   /* the store is damaged, or of a newer version: err->text says which */
    PAWL_ESTALE = -14,     /* another edit came between: begin anew */
};

/* What went wrong, in the caller's frame; no allocation. */
struct pawl_err {
    int code;
    const char *field;     /* of the task document, or NULL; a literal */
    char text[232];        /* a sentence that a person can act on */
};

enum pawl_type { PAWL_DELAY, PAWL_CRON };

/* The numbers are the wire's. */
enum pawl_status {
    PAWL_TO_BE_EXECUTED = 0,
    PAWL_EXECUTED = 1,
    PAWL_EXECUTING = 2,
    PAWL_WAIT_FOR_NEXT = 3,
    PAWL_STOPPED = 4,
    PAWL_NSTATUS
};

enum pawl_outcome {
    PAWL_SUCCESS,          /* exit status 0, or an HTTP status that is one */
    PAWL_FAILURE,          /* another exit status, another HTTP status */
    PAWL_TIMEOUT,          /* ended at its time limit */
    PAWL_KILLED,           /* ended by a signal, or on request */
    PAWL_LOST,             /* the daemon died under it */
    PAWL_ERROR,            /* could not be started, or not called: the error text says why */
    PAWL_NOUTCOME
};

/* Why a task has nothing to come any more and is PAWL_EXECUTED. */
enum pawl_end_reason {
    PAWL_END_NONE,         /* it is not */
    PAWL_END_DONE,         /* delay: its run has ended */
    PAWL_END_MAX_RUNS,     /* cron: it has had its max_runs */
    PAWL_END_AT,           /* its next due time would lie behind its end_ns */
    PAWL_END_NO_TIMES,     /* cron: its schedule has no further due time */
    PAWL_END_MISSED,       /* delay: its due time was missed, and its policy made up for none */
    PAWL_END_LOST,         /* delay: the daemon or its machine died under its run */
    PAWL_END_SKIPPED,      /* delay: its due time was skipped: the counts say why */
    PAWL_NEND_REASON
};

enum pawl_log_level { PAWL_LOG_ERROR, PAWL_LOG_WARN, PAWL_LOG_INFO, PAWL_LOG_DEBUG };

/* Bounds. */
#define PAWL_ID_MAX 255                          /* bytes of an id */
#define PAWL_SCRIPT_MAX ((size_t) 1 << 20)       /* bytes of a script */
#define PAWL_KEEP_MAX 10000                      /* results kept by a task */
#define PAWL_OUTPUT_MAX ((size_t) 64 << 10)      /* bytes kept of stdout, and of stderr */
#define PAWL_INTERVAL_MIN_NS INT64_C(1000000)    /* the shortest interval: 1 ms */
#define PAWL_KILL_GRACE_NS INT64_C(5000000000)   /* from SIGTERM to SIGKILL */
#define PAWL_TRIGGERS_MAX 32                     /* of one task */
#define PAWL_EXPR_MAX 1024                       /* bytes of an expression */
#define PAWL_TAGS_MAX 32                         /* of one task */
#define PAWL_TAG_MAX 63                          /* bytes of a tag */
#define PAWL_FILTER_TAGS_MAX 8                   /* that a listing can ask for */
#define PAWL_GROUP_NAME_MAX PAWL_TAG_MAX         /* bytes of a group's name, of which a tag could be made */
#define PAWL_GROUP_SIZE_MAX 1000000              /* runs of a group at once */
#define PAWL_GROUPS_MAX 10000                    /* groups whose size can be set while it runs */
#define PAWL_ARGUMENTS_MAX 1000                  /* args and env of an action, together */
#define PAWL_ARGUMENTS_BYTES ((size_t) 64 << 10) /* of them together, a NUL behind each */
#define PAWL_CWD_MAX 4095                        /* bytes of a working directory */
#define PAWL_TIMEOUT_MIN_NS INT64_C(1000000)     /* the shortest time limit: 1 ms */
#define PAWL_URL_MAX 8192                        /* bytes of a URL */
#define PAWL_HEADERS_MAX 100                     /* of one HTTP call */
#define PAWL_HEADERS_BYTES ((size_t) 32 << 10)   /* of them together, a NUL behind each */
#define PAWL_CODES_MAX 64                        /* status codes of an HTTP call that are a success */
#define PAWL_REDIRECTS 5                         /* that are followed by default, */
#define PAWL_REDIRECTS_MAX 50                    /* and at most */
#define PAWL_NO_TIME INT64_MIN                   /* instead of a time: there is none */

/* One finished run, immutable. Times are wall times. */
struct pawl_result {
    uint64_t run;                  /* 1 for the first run of the task */
    int64_t scheduled_ns;          /* when it was due */
    int64_t started_ns;
    int64_t ended_ns;              /* when its main process ended */
    int64_t duration_ns;           /* by the elapsed clock */
    enum pawl_outcome outcome;
    int exit_code;                 /* -1 when there is none */
    int signal;                    /* 0 when there is none */
    int attempt;                   /* 1 for the first */
    bool truncated;                /* stdout or stderr lost bytes: a line in it says how many */
    int http_status;               /* of an HTTP call's answer, whose body is out; 0: none */
    const char *out, *err;         /* valid UTF-8, NUL bytes possible, a NUL behind each */
    size_t out_len, err_len;
    const char *error;             /* why it could not be started, or NULL */
};

/* --- What a task runs, and how --- */

/* An HTTP call instead of a script. It carries X-Pawl-Task-Id (percent-encoded), X-Pawl-Run,
 * X-Pawl-Attempt and X-Pawl-Scheduled-At. Strings are NUL-terminated. */
struct pawl_http_call {
    const char *url;               /* http or https, absolute, ASCII, without a user */
    const char *method;            /* NULL: GET, or POST if there is a body */
    const char *const *headers;    /* "Name: value"; NULL-terminated; NULL: none */
    const char *body;              /* UTF-8; NULL: none */
    size_t body_len;               /* up to PAWL_SCRIPT_MAX */
    const uint16_t *codes;         /* a success: 100 to 599, or 1 to 5 for 1xx to 5xx; */
    size_t ncodes;                 /* 0: 2xx */
    int max_redirects;             /* 0: none is followed; negative: PAWL_REDIRECTS */
};

/* Who gets the signals that end a run: at its time limit, when it is stopped, deleted or replaced with
 * kill, at the engine's own end, and when it outlived a crash. */
enum pawl_kill_mode {
    PAWL_KILL_GROUP,       /* the process group that the script was started in */
    PAWL_KILL_TREE,        /* all that it has started, whatever group or session that is in */
    PAWL_NKILL_MODE
};

/* All that is not the script. Strings are NUL-terminated. */
struct pawl_action {
    const char *interpreter;       /* by name, one that the engine was opened with; NULL: bash */
    const char *const *args;       /* behind the script: $1, $2, ...; NULL-terminated; NULL: none */
    const char *const *env;        /* "NAME=value", over the daemon's; NULL-terminated; NULL: none */
    const char *cwd;               /* an absolute path; NULL: the daemon's */
    int umask;                     /* negative: the daemon's */
    int64_t timeout_ns;            /* then SIGTERM; 0: none */
    int64_t kill_grace_ns;         /* from SIGTERM to SIGKILL; negative: PAWL_KILL_GRACE_NS */
    enum pawl_kill_mode kill_mode;
    const char *condition;         /* a script that each run begins with, run in the same way; if it fails
                                    * the run is skipped. Up to PAWL_SCRIPT_MAX bytes; NULL: none */
    const struct pawl_http_call *http;  /* called instead of a script; NULL: there is one. Of all
                                    * else only timeout_ns and condition are for calls, which end at
                                    * once */
};

/* --- What becomes of a task when something is in the way --- */

/* What becomes of a due time that comes during a run. */
enum pawl_overlap {
    PAWL_OVERLAP_SKIP,     /* it passes, and is counted */
    PAWL_OVERLAP_QUEUE,    /* it runs afterwards; of those that wait the oldest pass */
    PAWL_OVERLAP_REPLACE,  /* the run is ended, and then it runs */
    PAWL_OVERLAP_ALLOW,    /* it runs beside it, unless max_running runs are in progress: then it passes */
    PAWL_NOVERLAP
};

/* What becomes of due times that passed while no engine ran, the machine slept, the wall clock was
 * set over them, or the task was paused. */
enum pawl_misfire {
    PAWL_MISFIRE_ONCE,     /* the newest one runs, the others are counted */
    PAWL_MISFIRE_SKIP,     /* all are counted */
    PAWL_MISFIRE_ALL,      /* the newest misfire_limit run, one after the other */
    PAWL_NMISFIRE
};

/* What becomes of a due time for which there is no place in the task's group. */
enum pawl_group_overflow {
    PAWL_GROUP_WAIT,       /* it waits its turn; where too many wait it passes, and is counted */
    PAWL_GROUP_SKIP,       /* it passes, and is counted */
    PAWL_NGROUP_OVERFLOW
};

/* What has no effect, such as retry_delay_ns without retries, must be as by default. */
struct pawl_policy {
    enum pawl_overlap overlap;
    uint32_t queue_limit;          /* QUEUE: how many may wait, 1 to PAWL_QUEUE_MAX */
    uint32_t max_running;          /* ALLOW: 1 to PAWL_RUNNING_MAX */
    enum pawl_misfire misfire;
    int64_t misfire_grace_ns;      /* what is later than that does not run; 0: however late, and with
                                    * SKIP a minute */
    uint32_t misfire_limit;        /* ALL: 1 to PAWL_QUEUE_MAX */
    uint32_t retries;              /* attempts after one that failed, 0 to PAWL_RETRIES_MAX; not with
                                    * ALLOW */
    int64_t retry_delay_ns;        /* from the end of an attempt to the next one */
    double retry_backoff;          /* each delay is so many times the one before; 1 to 100 */
    int64_t retry_max_delay_ns;    /* no delay is longer; 0: any */
    int64_t retry_jitter_ns;       /* each is up to so much longer */
    uint8_t retry_on[32];          /* a bit for each exit status that is tried again; none: any failure */
    char group[PAWL_GROUP_NAME_MAX + 1];    /* of tasks of which only so many run at once; empty: none */
    enum pawl_group_overflow group_overflow;
};
#define PAWL_QUEUE_MAX 10000
#define PAWL_RUNNING_MAX 10000
#define PAWL_RETRIES_MAX 1000

/* Fills in the defaults: skip, once, no retries. */
void
pawl_policy_init(struct pawl_policy *policy);

/* --- When a task fires --- */

/* What becomes of wall times in a gap, and in a fold (the hour that comes twice). A schedule is
 * wild when its minutes or hours begin with a star: it follows elapsed time under every policy, so
 * a gap leaves it out and a fold fires it in both passes. Others fire in a fold the first time. */
enum pawl_cron_dst {
    PAWL_CRON_RUN_AFTER,    /* as cronie: what a gap leaves out fires at its end; a gap of three
                             * hours or more is a correction, and only skips */
    PAWL_CRON_ONCE,         /* what a gap leaves out does not fire */
    PAWL_CRON_TWICE,        /* as robfig/cron: the same, and in a fold everything fires twice */
    PAWL_CRON_SHIFT,        /* what a gap leaves out fires later by the width of the gap */
};

/* When both day fields are restricted. */
enum pawl_cron_day_match {
    PAWL_CRON_OR,           /* either, unless one is a plain star (or the fields are joined by +) */
    PAWL_CRON_VIXIE,        /* either, unless one begins with a star, such as every second day */
};

enum pawl_trigger_kind {
    PAWL_BY_SPAN,          /* time_ns after submission; a cron task: again and again */
    PAWL_BY_AT,            /* once, at a wall time */
    PAWL_BY_CRON,          /* an expression of the grammar in docs/protocol.md */
    PAWL_BY_CALENDAR,      /* every n days, weeks or months */
    PAWL_NTRIGGER_KIND
};

/* One way of saying when. Spans follow elapsed time, the others the wall clock. */
struct pawl_trigger {
    enum pawl_trigger_kind kind;
    int64_t time_ns;               /* SPAN */
    int64_t time_max_ns;           /* SPAN: each is drawn between time_ns and this; 0: it is time_ns */
    int64_t at_ns;                 /* AT: wall */
    const char *expr;              /* CRON, CALENDAR */
    size_t expr_len;
    const char *timezone;          /* CRON, CALENDAR: of the expression, unless it names one itself; */
    size_t timezone_len;           /* 0: the machine's at submission */
    enum pawl_cron_dst dst;
    enum pawl_cron_day_match day_match;
};

/* All of it. Wall times; PAWL_NO_TIME: none. */
struct pawl_when {
    const struct pawl_trigger *triggers;    /* the task fires at the times of each of them */
    size_t ntriggers;              /* 1 to PAWL_TRIGGERS_MAX */
    int64_t start_ns;              /* no due time before it; what intervals are counted from */
    int64_t end_ns;                /* none after it */
    uint64_t max_runs;             /* so many runs, and no more; 0: any number; at most INT64_MAX */
    int64_t jitter_ns;             /* each fires up to so much later; 0: at once */
    bool is_jitter_random;         /* by another amount each time, not one for each id */
    bool runs_on_start;            /* once at submission, too */
    bool from_completion;          /* spans are counted from the end of a run, not from its due time */
};

struct pawl;
struct pawl_handle;
struct pawl_store;
struct pawl_clock;

/* What a new task is. */
struct pawl_spec {
    const char *id;
    size_t id_len;                 /* 1 to PAWL_ID_MAX bytes of UTF-8, no control characters */
    enum pawl_type type;
    int64_t time_ns;               /* delay: >= 0; cron: the interval, >= PAWL_INTERVAL_MIN_NS */
    const char *script;
    size_t script_len;             /* 1 to PAWL_SCRIPT_MAX bytes of UTF-8, no NUL; 0: action->http */
    int keep_results;              /* 0 to PAWL_KEEP_MAX; negative: the engine's default */
    const struct pawl_when *when;  /* NULL: after time_ns; else time_ns counts for nothing */
    const struct pawl_action *action;   /* NULL: bash, without limits */
    const struct pawl_policy *policy;   /* NULL: as pawl_policy_init() says */
    const char *const *tags;       /* words to find it by: 1 to PAWL_TAG_MAX bytes of UTF-8 each, no */
    size_t ntags;                  /* control characters, blanks or commas; doubles are dropped */
};

/* What a task waits for. */
enum pawl_waiting {
    PAWL_WAITING_NOTHING,  /* but its due time, if it has one */
    PAWL_WAITING_RETRY,    /* the last attempt failed: next_ns is the next one */
    PAWL_WAITING_GROUP,    /* its time has come; its group has no place */
    PAWL_WAITING_WORKER,   /* its time has come; max_running are in progress */
};

/* One state of one task. Immutable; pointers live until pawl_view_release(). */
struct pawl_view {
    const char *id;
    size_t id_len;
    enum pawl_type type;
    int64_t time_ns;               /* of its first span; 0: it has none */
    const struct pawl_when *when;  /* NULL: time_ns says it all */
    const struct pawl_action *action;   /* NULL: bash, without limits */
    const struct pawl_policy *policy;   /* NULL: as pawl_policy_init() says */
    const char *const *tags;
    size_t ntags;
    const char *script;
    size_t script_len;
    int keep_results;
    enum pawl_status status;
    bool is_paused;                /* nothing of its schedule runs */
    bool waits_for_retry;          /* the last attempt failed, and another one is to come */
    int64_t retry_ns;              /* when (wall); PAWL_NO_TIME: none, it is paused, or a due time
                                    * before it takes its place */
    enum pawl_waiting waiting;
    int attempt;                   /* of the run in progress, or the one that failed last while a retry
                                    * waits; 0: none */
    int64_t version;               /* 0 at submission; grows by 1, see docs/protocol.md */
    uint32_t serial;               /* of its changes, whatever version does; wraps at 24 bits */
    int running;                   /* runs in progress */
    int64_t created_ns;            /* wall times from here */
    int64_t updated_ns;            /* when version last grew */
    int64_t next_ns;               /* next due time; PAWL_NO_TIME: none */
    int64_t previous_ns;           /* start of the newest run; PAWL_NO_TIME: none */
    uint64_t run_count;            /* runs started */
    uint64_t asked_count;          /* of them, those that pawl_run() asked for */
    uint64_t failure_count;        /* runs that ended in anything but success */
    uint64_t skipped_overlap;      /* due times that passed during a run */
    uint64_t skipped_condition;    /* runs whose condition failed: in run_count, not for max_runs */
    uint64_t skipped_group;        /* due times that passed because the group of the task was full */
    uint64_t missed;               /* due times that passed while nothing could start, but one */
    uint64_t missed_paused;        /* of them, those that passed in a pause */
    enum pawl_end_reason end_reason;
    const struct pawl_result *const *results;   /* newest last */
    size_t nresults;
    uint64_t seq;                  /* order of submission, unique in this engine */
    void *private_task, *private_def, *private_results;
    int64_t private_due_ns;
    bool private_is_due_wall;
};

/* The times at which one task will fire, as far as they can be told today: by the code that fires. The
 * caller's storage; the view must outlive it. */
struct pawl_forecast {
    const struct pawl_view *view;
    uint64_t nleft;                /* runs that the task may still have */
    bool is_open;                  /* other times cannot be told: they depend on when a run ends, or on
                                    * more draws than are made ahead */
    int64_t jitter_ns;             /* by how much the time given last is put off */
    int64_t retry_ns;              /* the attempt that waits (wall), which comes before any due time; or
                                    * PAWL_NO_TIME */
    int64_t due_ns;                /* the engine's from here */
    int64_t elapsed_ns, wall_ns, high_ns;
    bool is_due_wall, is_retry_given;
};

/* Where the size of a group comes from. */
enum pawl_group_source {
    PAWL_GROUP_USUAL,                   /* nobody gave one: it is 1 */
    PAWL_GROUP_CONFIGURED,              /* the options */
    PAWL_GROUP_ASKED,                   /* pawl_group_resize(), which counts before the options */
};

/* A group of tasks: at most size runs of all of them are in progress at once. */
struct pawl_group_view {
    char name[PAWL_GROUP_NAME_MAX + 1];
    uint32_t size;                      /* 0: nothing of it runs */
    enum pawl_group_source source;
    uint32_t running;                   /* places taken: by runs, and by those that are about to begin */
    uint32_t waiting;                   /* tasks whose time has come */
};

/* A queue link inside the objects below; the engine's. */
struct pawl_link {
    void *entry;
    void (*deliver)(struct pawl_link *link);
};

/* A change in progress: the caller's storage, untouched by the caller from the call that returned
 * PAWL_PENDING until done() has been called. */
struct pawl_op {
    void (*done)(struct pawl_op *op);   /* on the handle's thread, once, if PAWL_PENDING */
    int code;                           /* of the end: PAWL_OK or an error */
    const char *why;                    /* of an error: a sentence, a literal; or NULL */
    bool has_view;                      /* the caller releases view */
    struct pawl_view view;              /* the task as this change left it */
    struct pawl_result *result;         /* of pawl_read_run(): given, freed by free() */
    struct pawl_group_view group;       /* of pawl_group_resize() */
    /* The engine's from here. */
    struct pawl_link link;
    struct pawl_handle *handle;
    struct pawl_task *task;
    void *first;
    uint64_t run;
    int64_t size;
    int attempt, kind, refusal;
};

/* A wait for a change of one task: the caller's storage, until changed() or pawl_unwatch(). */
struct pawl_watch {
    /* On the handle's thread, once; view is NULL when the task was deleted, else borrowed. */
    void (*changed)(struct pawl_watch *watch, const struct pawl_view *view);
    /* The engine's from here. */
    struct pawl_watch *next, **prev;
    int64_t version;
};

/* Which tasks a listing gives. All zero: all tasks. */
struct pawl_filter {
    unsigned status_mask;               /* bit per status; 0: any */
    unsigned type_mask;                 /* bit per type; 0: any */
    const char *prefix;                 /* of the id, borrowed for the listing's life */
    size_t prefix_len;
    struct {
        const char *text;               /* not NUL-terminated, borrowed as prefix is */
        size_t len;
    } tags[PAWL_FILTER_TAGS_MAX];       /* the task has all of these */
    size_t ntags;
    const char *group;                  /* the task is in this one; borrowed as prefix is; empty: any */
    size_t group_len;
};

/* What can be done to each task of a listing. */
enum pawl_act {
    PAWL_ACT_STOP, PAWL_ACT_RUN, PAWL_ACT_PAUSE, PAWL_ACT_RESUME, PAWL_ACT_DELETE
};

/* A place in the order of submission. */
struct pawl_cursor {
    uint64_t after;                     /* seq of the last one given; 0: from the start */
    uint64_t until;                     /* set by the first call: later tasks are not given */
};

enum pawl_store_state {
    PAWL_STORE_NONE,                    /* memory only */
    PAWL_STORE_OK,
    PAWL_STORE_FULL,                    /* no room: submits are refused, other changes are kept */
    PAWL_STORE_FAILING,                 /* changes are not kept: it is tried again each second */
};

struct pawl_stats {
    enum pawl_store_state store_state;
    const char *store_name;             /* a literal, "memory" where there is none */
    bool store_is_sync;
    uint64_t store_bytes, history_bytes;        /* on disk; of results */
    uint64_t commits;                   /* groups made durable */
    uint64_t unsaved;                   /* changed tasks that are not durable yet */
    char store_problem[232];            /* empty, or the last error and what to do */
    uint64_t tasks, pending, running, waiting_ready;
    uint64_t waiting_group;             /* tasks whose time has come, in all groups */
    uint64_t memory_bytes;              /* scripts and kept output */
    uint64_t submitted, started, finished;
    int64_t due_to_worker_p50_ns, due_to_worker_p99_ns, due_to_worker_p999_ns;
    int64_t due_to_spawn_p50_ns, due_to_spawn_p99_ns, due_to_spawn_p999_ns;
};

struct pawl_options {
    unsigned nworkers;                  /* 0: one a core */
    unsigned max_running;               /* runs at once; 0: what the descriptor limit allows */
    uint64_t max_pending;               /* tasks that still have a due time or a run */
    uint64_t max_memory_bytes;          /* scripts and kept output together */
    int keep_results;                   /* default of a task */
    uint64_t run_nofile;                /* soft descriptor limit of runs; 0: as it is */
    int64_t keep_finished_ns;           /* how long a delay task that ran is kept; INT64_MAX: ever */
    int64_t history_age_ns;             /* older results are removed; INT64_MAX: none */
    uint64_t history_bytes;             /* so much of results is kept in the store */
    bool (*is_cancelled)(void *ctx);    /* asked while a store is loaded, from any thread; true ends
                                         * pawl_open() with PAWL_ECLOSED; NULL: never */
    bool leave_orphans;                 /* else runs that outlived a crash of the engine are ended */
    const char *const *groups;          /* "NAME=SIZE": sizes of groups; NULL-terminated; NULL: none */
    unsigned group_queue;               /* how many tasks may wait in each group */
    const char *const *interpreters;    /* "NAME=PROGRAM [ARGUMENT...]", beside those built in; NULL-
                                         * terminated; NULL: none; see docs/protocol.md */
    const char *tree_program;           /* where pawl-tree is, which runs of PAWL_KILL_TREE begin with;
                                         * NULL: beside the program that is running, or installed */
    bool without_cgroups;               /* such runs get no control group, though they could have one */
    struct pawl_clock *clock;           /* NULL: the system's; borrowed */
    struct pawl_store *store;           /* NULL: memory only; taken */
    void *ctx;                          /* of the two calls below; from any thread */
    void (*log)(void *ctx, enum pawl_log_level level, const char *text);
    void (*failed)(void *ctx, const char *what);   /* a thread of the engine cannot go on */
};

/* Fills in the defaults of docs/protocol.md. Threads: any. Blocks: no. */
void
pawl_options_init(struct pawl_options *options);

/* --- Stores --- */

struct pawl_store_options {
    const char *dir;                    /* made if it is not there; 0700 */
    bool is_sync;                       /* a change survives loss of power, not only kill -9 */
    void *ctx;                          /* of log(); from any thread */
    void (*log)(void *ctx, enum pawl_log_level level, const char *text);
};

/* Opens the embedded store in a directory, for pawl_open(), and locks it; brings an older version
 * up to date. Threads: any. Blocks: yes. Owns: gives.
 * Errors: PAWL_EBUSY, PAWL_EDAMAGED, PAWL_EFULL, PAWL_ESYS, PAWL_ENOMEM. */
int
pawl_store_open(const struct pawl_store_options *options, struct pawl_store **out_store,
                struct pawl_err *err);

/* Verifies a store that no engine uses, reading all of it, and says what it found, a line a call.
 * Changes nothing. Threads: any. Blocks: long. Errors: as above; PAWL_EDAMAGED: it is not sound. */
int
pawl_store_check(const char *dir, void (*say)(void *ctx, const char *line), void *ctx,
                 struct pawl_err *err);

/* --- The engine --- */

/* Starts an engine and its threads; with a store, loads all that is in it first, and says through
 * log() how far it is. Runs get default dispositions for the signals that are not at
 * theirs now, so set handlers before.
 * Threads: any. Blocks: until it is loaded. Owns: gives; takes options->store, also on failure.
 * Errors: PAWL_ENOMEM, PAWL_ESYS, PAWL_EINVAL, PAWL_EDAMAGED, PAWL_ESTORE. */
int
pawl_open(const struct pawl_options *options, struct pawl **out_engine, struct pawl_err *err);

/* Begins the end: submits are refused with PAWL_ECLOSED, no further run starts, runs in progress
 * go on, all other calls work as before. May be called again. Threads: any. Blocks: no. */
void
pawl_close_begin(struct pawl *engine);

/* A descriptor that polls readable once pawl_close_begin() was called and no run is in progress.
 * Threads: any. Blocks: no. Owns: borrows, lives as long as the engine. */
int
pawl_idle_fd(struct pawl *engine);

/* Sends a signal to every run in progress, by its kill_mode; after SIGTERM, whoever is left of
 * one when its script has ended gets SIGKILL. Threads: any. Blocks: no. */
void
pawl_signal_runs(struct pawl *engine, int signal);

/* Ends the engine: kills what still runs, joins its threads, frees everything. All handles must
 * have been detached, all views released. NULL is accepted. Threads: one, last. Blocks: yes. */
void
pawl_close(struct pawl *engine);

/* Counters and lateness since the start. They are not all of one moment, and running counts a
 * worker that is just looking for room.
 * Threads: any. Blocks: no. */
void
pawl_stats(struct pawl *engine, struct pawl_stats *out_stats);

/* --- Handles --- */

/* Gives the calling thread a handle. wake(wake_ctx) is called from any thread when something was
 * queued to an empty queue: it must only wake the thread, which then calls pawl_deliver().
 * Threads: any. Blocks: no. Owns: gives. Errors: PAWL_ENOMEM. */
int
pawl_attach(struct pawl *engine, void (*wake)(void *wake_ctx), void *wake_ctx,
            struct pawl_handle **out_handle);

/* Calls done() and changed() for all that is queued, on this thread. Threads: the handle's.
 * Blocks: no. */
void
pawl_deliver(struct pawl_handle *handle);

/* Call it before sleeping: hands to the store what this thread has asked of it since the last call of
 * this or of pawl_deliver(), all together, and frees what it has set aside while readers finish.
 * True: call again within some milliseconds. Threads: the handle's. Blocks: no. */
bool
pawl_rest(struct pawl_handle *handle);

/* Ends a handle: no op of it may be pending; its watches are forgotten. NULL is accepted.
 * Threads: the handle's. Blocks: a moment, for wake-ups under way. */
void
pawl_detach(struct pawl_handle *handle);

/* --- Tasks --- */

/* Submits a task: it is visible, durable and armed at the end. op->view is the new task.
 * Threads: the handle's. Blocks: no. Locks: takes one shard of the index. Owns: copies the spec.
 * Errors: PAWL_EINVAL, PAWL_EEXIST, PAWL_ENOMEM, PAWL_ELIMIT, PAWL_EBUDGET, PAWL_ECLOSED;
 * PAWL_PENDING: ends through op->done with PAWL_OK, PAWL_EFULL or PAWL_ESTORE; or with PAWL_EEXIST, when
 * the id was taken by another submit under way. What is pending goes to the store at the latest with
 * the next pawl_rest() or pawl_deliver() of this thread. */
int
pawl_submit(struct pawl_handle *handle, const struct pawl_spec *spec, struct pawl_op *op,
            struct pawl_err *err);

/* Stops a task, as the state table allows; a run in progress is left to end. With kill it is ended:
 * its process group, or all of it by its kill_mode, gets SIGTERM, and SIGKILL when the script has ended, at the latest the task's
 * kill_grace_ns later; so is the one of a task that cannot be stopped any more, which stays as it
 * is. op->view is the task as the stop left it.
 * Threads: the handle's. Blocks: no. Errors: PAWL_ENOENT, PAWL_ESTATE, PAWL_ENOMEM;
 * PAWL_PENDING as above. */
int
pawl_stop(struct pawl_handle *handle, const char *id, size_t id_len, bool kill,
          struct pawl_op *op, struct pawl_err *err);

/* Asks for a run now, beside the schedule, which stays as it is; the delay task that waits or has run
 * runs now. During a run it follows the policy (overlap). op->view is the task before that run. Threads: the handle's. Blocks: no.
 * Errors: PAWL_ENOENT, PAWL_ESTATE (it is running or stopped), PAWL_ENOMEM; PAWL_PENDING as above. */
int
pawl_run(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
         struct pawl_err *err);

/* Pauses a task: its due times pass, and are counted, until it is resumed; a run in progress ends
 * as it would, and pawl_run() works. Resumed, it runs once at once for what it missed. op->view is
 * the task as this left it. Threads: the handle's. Blocks: no.
 * Errors: PAWL_ENOENT, PAWL_ESTATE (err->text says why), PAWL_ENOMEM; PAWL_PENDING as above. */
int
pawl_pause(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
           struct pawl_err *err);
int
pawl_resume(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_op *op,
            struct pawl_err *err);

/* Gives what an edit is to be made from: the newest state of a task, also one that is not durable yet.
 * Threads: the handle's. Blocks: no. Owns: gives the view. Errors: PAWL_ENOENT. */
int
pawl_edit_begin(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_view *out_view,
                struct pawl_err *err);

/* Makes the task that the view of pawl_edit_begin() shows what spec says, which has its id and type;
 * history, counters, and place in the order of submission stay, and so does a run in progress. What
 * says when, if it is other than before, counts from now on, as if it was submitted now; but
 * runs_on_start is not done again, and max_runs goes on counting. version: the one that the task must
 * be at; negative: any. op->view is the task as this left it. Threads: the handle's. Blocks: for a moment, while the ticker
 * sees an earlier change of the task. Owns: copies the spec, borrows view.
 * Errors: as pawl_submit() but PAWL_EEXIST, PAWL_ELIMIT, PAWL_ECLOSED; PAWL_ENOENT; PAWL_ESTATE (err->text
 * says why: stopped, over, at another version, max_runs had already); PAWL_ESTALE: its definition is not
 * the view's any more; PAWL_PENDING as above. */
int
pawl_edit(struct pawl_handle *handle, const struct pawl_view *view, const struct pawl_spec *spec,
          int64_t version, struct pawl_op *op, struct pawl_err *err);

/* Deletes a task at once, in whatever state; its id is free. A run in progress is left to end, its
 * result is dropped; with kill it is ended as by pawl_stop(). No view. Threads: the handle's. Blocks: no. Locks: takes one shard of the index.
 * Errors: PAWL_ENOENT, PAWL_ENOMEM; PAWL_PENDING as above. */
int
pawl_delete(struct pawl_handle *handle, const char *id, size_t id_len, bool kill,
            struct pawl_op *op, struct pawl_err *err);

/* Does one of the above to the very task that a view shows: another one that has its id by now is left
 * alone. kill counts for stop and delete only. Threads: the handle's. Blocks: no. Owns: borrows view.
 * Errors: as above; PAWL_ENOENT: it was deleted. */
int
pawl_act(struct pawl_handle *handle, const struct pawl_view *view, enum pawl_act act, bool kill,
         struct pawl_op *op, struct pawl_err *err);

/* Gives one result of a task with its whole output, also where memory dropped it (view->results has
 * the others): op->result. attempt: from 1; 0: the newest of the run. Threads: the handle's. Blocks: no.
 * Errors: PAWL_ENOENT (no such task, or no such run of it is kept), PAWL_ENOMEM; PAWL_PENDING: it
 * is read from the store, and ends through op->done, also with PAWL_ESTORE. */
int
pawl_read_run(struct pawl_handle *handle, const char *id, size_t id_len, uint64_t run, int attempt,
              struct pawl_op *op, struct pawl_err *err);

/* Sets how many runs of a group may be in progress at once, or with a negative size takes that back. More
 * places are taken at once by those that wait; with fewer, runs go on to their end, and none begins
 * until there are less. op->group is the group then. Kept by the store. Threads: the handle's. Blocks: no.
 * Errors: PAWL_EINVAL, PAWL_ENOENT (there is no such size to take back), PAWL_ELIMIT, PAWL_ENOMEM;
 * PAWL_PENDING: ends through op->done with PAWL_OK, or with PAWL_EFULL or PAWL_ESTORE, unchanged. */
int
pawl_group_resize(struct pawl_handle *handle, const char *name, size_t name_len, int64_t size,
                  struct pawl_op *op, struct pawl_err *err);

/* Gives a group; any name is one. Threads: any. Blocks: no. Locks: that of the groups.
 * Errors: PAWL_EINVAL. */
int
pawl_group_get(struct pawl *engine, const char *name, size_t name_len,
               struct pawl_group_view *out_view, struct pawl_err *err);

/* Gives those that have a size of their own, or in which something runs or waits, by name. Threads: any.
 * Blocks: no. Locks: that of the groups. Owns: gives, to free(). Errors: PAWL_ENOMEM. */
int
pawl_groups(struct pawl *engine, struct pawl_group_view **out_views, size_t *out_n);

/* Writes a consistent copy of the store to path, which must not exist, beside all other work.
 * Threads: the handle's. Blocks: no; ends through op->done. Owns: copies path.
 * Errors: PAWL_ESTATE (there is no store, or another copy is being written), PAWL_ENOMEM,
 * PAWL_ESYS; PAWL_PENDING: ends with PAWL_OK, PAWL_EFULL or PAWL_ESTORE. */
int
pawl_backup(struct pawl_handle *handle, const char *path, struct pawl_op *op,
            struct pawl_err *err);

/* Gives one task. Threads: the handle's. Blocks: no. Locks: none. Owns: gives the view.
 * Errors: PAWL_ENOENT. */
int
pawl_get(struct pawl_handle *handle, const char *id, size_t id_len, struct pawl_view *out_view);

/* Gives the next task in the order of submission that the filter lets through; PAWL_ENOENT at the
 * end; PAWL_PENDING when it has passed over some thousands of others and found none yet: call
 * again, after other work. Each call reads the task as it is then. Threads: the handle's.
 * Blocks: no. Locks: none. Owns: gives the view. */
int
pawl_list_next(struct pawl_handle *handle, const struct pawl_filter *filter,
               struct pawl_cursor *cursor, struct pawl_view *out_view);

/* Waits for the task's version to differ from version: PAWL_OK and the view if it does already,
 * else PAWL_PENDING, and watch->changed is called once (out of memory it may be called early, at the
 * same version). Threads: the handle's. Blocks: no.
 * Locks: none. Errors: PAWL_ENOENT, PAWL_ENOMEM. */
int
pawl_watch(struct pawl_handle *handle, const char *id, size_t id_len, int64_t version,
           struct pawl_watch *watch, struct pawl_view *out_view);

/* Gives up a wait; changed() is not called any more. Threads: the handle's. Blocks: no. */
void
pawl_unwatch(struct pawl_handle *handle, struct pawl_watch *watch);

/* Begins with the first time at or after from_ns (wall), be it that of a retry, or with what is due
 * already if that has passed. Threads: any. Blocks: no. */
void
pawl_forecast_begin(struct pawl *engine, const struct pawl_view *view, int64_t from_ns,
                    struct pawl_forecast *out_forecast);

/* Gives the next time (wall), or PAWL_NO_TIME when no more can be told: it fires no more, or what
 * comes then depends on when a run ends. Threads: any, one at a time. Blocks: no. */
int64_t
pawl_forecast_next(struct pawl_forecast *forecast);

/* Shares a view: both are released. Threads: any. Blocks: no. */
void
pawl_view_share(const struct pawl_view *view, struct pawl_view *out_view);

/* How many of its runs count for max_runs. Threads: any. Blocks: no. */
uint64_t
pawl_view_scheduled_runs(const struct pawl_view *view);

/* Gives a view back. Threads: any. Blocks: no. */
void
pawl_view_release(struct pawl_view *view);

/* The names on the wire, for example "ToBeExecuted", "delay", "success". Literals. */
const char *
pawl_status_name(enum pawl_status status);
const char *
pawl_type_name(enum pawl_type type);
const char *
pawl_outcome_name(enum pawl_outcome outcome);
const char *
pawl_kill_mode_name(enum pawl_kill_mode mode);
/* NULL: PAWL_END_NONE. */
const char *
pawl_end_reason_name(enum pawl_end_reason reason);

#ifdef __cplusplus
}
#endif
#endif
