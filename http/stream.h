/* stream.h: long answers written piece by piece: a list of tasks, one task with much
 * output, or its runs. Memory is bounded by the largest piece, whatever the number of tasks and
 * results.
 * Threads: the request's HTTP thread. Blocks: no. */
#ifndef PAWL_STREAM_H
#define PAWL_STREAM_H

#include "request.h"

/* Where a list comes from: taken by pawl_stream_list(). */
struct pawl_listing {
    struct pawl_filter filter;
    struct pawl_cursor cursor;
    size_t newest;                  /* results of each task */
    struct pawl_view *views;        /* a page, from malloc(); NULL: all tasks */
    size_t nviews;
};

/* Answers 200 with a list. Owns: takes listing->views and the views, also on failure. */
void
pawl_stream_list(struct pawl_request *request, const struct pawl_listing *listing);

/* Answers 200 with one task. Owns: borrows view. */
void
pawl_stream_task(struct pawl_request *request, const struct pawl_view *view);

/* The same with `warnings`, where its expressions give reason for some. */
void
pawl_stream_submitted(struct pawl_request *request, const struct pawl_view *view);

/* Answers 200 with an array of n results of a task: those that end before the place `end` among
 * its results, the newest first. Owns: borrows view. */
void
pawl_stream_runs(struct pawl_request *request, const struct pawl_view *view, size_t end,
                 size_t n);

/* Frees the request's stream, if it has one. */
void
pawl_stream_free(struct pawl_request *request);

#endif
