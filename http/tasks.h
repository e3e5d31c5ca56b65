/* tasks.h: the handlers. Each takes a request whose body was read and answers it, at
 * once or later. Threads: the request's HTTP thread. Blocks: no. */
#ifndef PAWL_TASKS_H
#define PAWL_TASKS_H

#include "request.h"

void
pawl_tasks_list(struct pawl_request *request);          /* list.c */
void
pawl_tasks_submit(struct pawl_request *request);        /* tasks.c */
void
pawl_tasks_submit_many(struct pawl_request *request);   /* ndjson.c */
void
pawl_tasks_get(struct pawl_request *request);           /* watch.c */
void
pawl_tasks_patch(struct pawl_request *request);         /* patch.c */
void
pawl_tasks_stop(struct pawl_request *request);          /* tasks.c */
void
pawl_tasks_ask(struct pawl_request *request);           /* tasks.c */
void
pawl_tasks_pause(struct pawl_request *request);         /* tasks.c */
void
pawl_tasks_resume(struct pawl_request *request);        /* tasks.c */
void
pawl_tasks_delete(struct pawl_request *request);        /* tasks.c */
void
pawl_tasks_stop_all(struct pawl_request *request);      /* bulk.c */
void
pawl_tasks_delete_all(struct pawl_request *request);    /* bulk.c */
void
pawl_tasks_ask_all(struct pawl_request *request);       /* bulk.c */
void
pawl_tasks_pause_all(struct pawl_request *request);     /* bulk.c */
void
pawl_tasks_resume_all(struct pawl_request *request);    /* bulk.c */
void
pawl_tasks_runs(struct pawl_request *request);          /* runs.c */
void
pawl_tasks_run(struct pawl_request *request);           /* runs.c */
void
pawl_tasks_output(struct pawl_request *request);        /* runs.c */
void
pawl_tasks_backup(struct pawl_request *request);        /* copy.c */
void
pawl_tasks_health(struct pawl_request *request);        /* health.c */
void
pawl_tasks_next(struct pawl_request *request);          /* next.c */
void
pawl_tasks_match(struct pawl_request *request);         /* next.c */
void
pawl_tasks_forecast(struct pawl_request *request);      /* forecast.c */
void
pawl_tasks_explain(struct pawl_request *request);       /* explain.c */

/* --- For handlers that change one task, in tasks.c --- */

/* Makes request->op ready; done: what the log says when it is done, a literal. */
void
pawl_tasks_begin_op(struct pawl_request *request, const char *done);

/* Answers what a call that changes a task returned, now or when the store has it. */
void
pawl_tasks_answer_call(struct pawl_request *request, int code, const struct pawl_err *err);

/* Answers that the engine refused the spec that was read last. */
void
pawl_tasks_refuse_spec(struct pawl_request *request, const struct pawl_spec *spec,
                       const struct pawl_err *err);

/* The id in the path. */
static inline const struct pawl_text *
pawl_tasks_id(const struct pawl_request *request)
{
    return &request->uri.segments[2];
}

#endif
