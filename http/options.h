/* options.h: what pawld is told, by flags, environment and a config file, from one
 * table.
 *
 * A flag wins over the environment, that over the file, that over the default; a list
 * is taken whole from the first of them that has it. Used by the main thread only. */
#ifndef PAWL_OPTIONS_H
#define PAWL_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"
#include "pawl.h"

#define PAWL_OPTION_LIST 64         /* values of an option that may be repeated */

struct pawl_option_list {
    char *items[PAWL_OPTION_LIST + 1];  /* a NULL behind the last */
    size_t nitems;
};

enum pawl_durability { PAWL_DURABILITY_SYNC, PAWL_DURABILITY_PROCESS };

/* The values. Text is owned; numbers are 0 where the daemon is to choose. */
struct pawl_settings {
    struct pawl_option_list listen, hosts, interpreters, groups;
    char *data, *config, *check;    /* NULL: not given */
    bool ephemeral;
    bool print_config, version, help;
    bool log_json;                  /* from log_format */
    int64_t durability;             /* enum pawl_durability */
    int64_t orphans;                /* 0 kill, 1 leave */
    int64_t cgroups;                /* 0 auto, 1 off */
    int64_t log_level;              /* enum pawl_log_level */
    int64_t log_format;             /* 0 text, 1 json */
    int64_t workers, http_threads, max_running, max_pending, max_connections,
        keep_results, group_queue;
    int64_t max_memory_bytes, max_body_bytes;
    int64_t history_bytes;          /* 0: no bound, and so are the two: */
    int64_t history_age_ns, keep_finished_ns;
    int64_t grace_ns, request_timeout_ns;
};

/* Fills in settings from the arguments, the environment (envp as of environ) and the
 * config file they name. On failure err->text says what is wrong, and where.
 * Threads: main. Blocks: reads a file. Owns: the caller calls pawl_settings_fini(),
 * also on failure. Errors: PAWL_EINVAL, PAWL_ENOMEM. */
int
pawl_settings_read(int argc, char *const *argv, char *const *envp,
                   struct pawl_settings *out_settings, struct pawl_err *err);

/* Frees what settings own. */
void
pawl_settings_fini(struct pawl_settings *settings);

/* Writes settings as a config file that gives the same settings. */
void
pawl_settings_print(const struct pawl_settings *settings, struct pawl_buffer *buffer);

/* Writes the text of --help. */
void
pawl_settings_help(struct pawl_buffer *buffer);

#endif
