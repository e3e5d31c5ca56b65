/* options.c: see options.h. The table is the only place that knows the options by name;
 * how a value is read and written is in option_value.c. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "option_value.h"

#define AT(member) offsetof(struct pawl_settings, member)
#define NANO INT64_C(1000000000)
#define YEARS_100 (INT64_C(100) * 366 * 86400 * NANO)

static const char *const durability_words[] = {"sync", "process", NULL};
static const char *const orphan_words[] = {"kill", "leave", NULL};
static const char *const cgroup_words[] = {"auto", "off", NULL};
static const char *const level_words[] = {"error", "warn", "info", "debug", NULL};
static const char *const format_words[] = {"text", "json", NULL};

/* In the order of --help. */
static const struct pawl_option table[] = {
    {"listen", PAWL_OPTION_TEXTS, AT(listen), .argument = "ADDRESS",
     .help = "listen on 127.0.0.1:8865 or unix:/path; repeatable; port 0: any free one"},
    {"host", PAWL_OPTION_TEXTS, AT(hosts), .argument = "NAME",
     .help = "also serve requests for this Host; may be repeated"},
    {"interpreter", PAWL_OPTION_TEXTS, AT(interpreters), .argument = "NAME=PROGRAM [ARG...]",
     .help = "a program for scripts of tasks that ask for NAME; may be repeated"},
    {"group", PAWL_OPTION_TEXTS, AT(groups), .argument = "NAME=SIZE",
     .help = "at most SIZE runs at once of the tasks of group NAME; may be repeated"},
    {"data", PAWL_OPTION_TEXT, AT(data), .argument = "DIR",
     .help = "keep tasks in this directory; default $XDG_STATE_HOME/pawl, else "
             "~/.local/state/pawl, of root /var/lib/pawl"},
    {"ephemeral", PAWL_OPTION_BOOL, AT(ephemeral),
     .help = "keep tasks in memory only: they end with the daemon"},
    {"durability", PAWL_OPTION_WORD, AT(durability), .argument = "sync|process",
     .words = durability_words, .fallback = "sync",
     .help = "an answered change survives: power loss (sync), kill -9 (process)"},
    {"orphans", PAWL_OPTION_WORD, AT(orphans), .argument = "kill|leave",
     .words = orphan_words, .fallback = "kill",
     .help = "runs that a daemon left alive which was killed: end them, or let them be"},
    {"cgroups", PAWL_OPTION_WORD, AT(cgroups), .argument = "auto|off",
     .words = cgroup_words, .fallback = "auto",
     .help = "runs with killMode tree: in a control group each, where they can be made"},
    {"workers", PAWL_OPTION_COUNT, AT(workers), .argument = "N", .max = 1024,
     .fallback = "0", .help = "threads that start and watch runs; 0: one a core"},
    {"http-threads", PAWL_OPTION_COUNT, AT(http_threads), .argument = "N", .max = 64,
     .fallback = "0", .help = "threads that serve HTTP; 0: one for two cores"},
    {"max-running", PAWL_OPTION_COUNT, AT(max_running), .argument = "N", .max = 1000000,
     .fallback = "0", .help = "runs at once; 0: what the limit of open files allows"},
    {"group-queue", PAWL_OPTION_COUNT, AT(group_queue), .argument = "N", .max = 100000000,
     .fallback = "10000", .help = "tasks that may wait in one group; others pass"},
    {"max-pending", PAWL_OPTION_COUNT, AT(max_pending), .argument = "N", .min = 1,
     .max = INT64_C(1000000000000), .fallback = "20000000",
     .help = "tasks that still have a due time or a run"},
    {"max-memory", PAWL_OPTION_SIZE, AT(max_memory_bytes), .argument = "SIZE",
     .max = INT64_MAX, .fallback = "0",
     .help = "scripts and kept output together; 0: half of the machine's memory"},
    {"max-body", PAWL_OPTION_SIZE, AT(max_body_bytes), .argument = "SIZE", .min = 1024,
     .max = INT64_C(1) << 30, .fallback = "8MiB",
     .help = "body of a request, and a line of a stream"},
    {"max-connections", PAWL_OPTION_COUNT, AT(max_connections), .argument = "N",
     .max = 1000000, .fallback = "0",
     .help = "connections at once, more wait; 0: what the limit of open files allows"},
    {"keep-results", PAWL_OPTION_COUNT, AT(keep_results), .argument = "N",
     .max = PAWL_KEEP_MAX, .fallback = "10",
     .help = "results kept of a task that does not say"},
    {"history-age", PAWL_OPTION_SPAN, AT(history_age_ns), .argument = "DURATION",
     .max = YEARS_100, .fallback = "720h", .help = "older results are removed; 0s: none"},
    {"history-bytes", PAWL_OPTION_SIZE, AT(history_bytes), .argument = "SIZE",
     .max = INT64_MAX, .fallback = "1GiB",
     .help = "of all results together, the oldest go first; 0: no bound"},
    {"keep-finished", PAWL_OPTION_SPAN, AT(keep_finished_ns), .argument = "DURATION",
     .max = YEARS_100, .fallback = "168h",
     .help = "how long a delay task that ran or was stopped is kept; 0s: for ever"},
    {"grace", PAWL_OPTION_SPAN, AT(grace_ns), .argument = "DURATION",
     .max = 366 * 86400 * NANO, .fallback = "30s",
     .help = "how long runs may take to end when the daemon is told to"},
    {"request-timeout", PAWL_OPTION_SPAN, AT(request_timeout_ns), .argument = "DURATION",
     .min = NANO / 100, .max = 86400 * NANO, .fallback = "30s",
     .help = "for the headers of a request, and for its body (plus 1s a KiB); twice that "
             "for a connection between requests"},
    {"config", PAWL_OPTION_TEXT, AT(config), .argument = "FILE", .no_key = true,
     .help = "read options from this file: key = value, [sections], # comments"},
    {"log-level", PAWL_OPTION_WORD, AT(log_level), .argument = "LEVEL",
     .words = level_words, .fallback = "info", .help = "error, warn, info or debug"},
    {"log-format", PAWL_OPTION_WORD, AT(log_format), .argument = "text|json",
     .words = format_words, .fallback = "text", .help = "of the log, on stderr"},
    {"check", PAWL_OPTION_TEXT, AT(check), .argument = "DIR", .is_request = true,
     .help = "verify the store in this directory, say what was found, and exit"},
    {"print-config", PAWL_OPTION_BOOL, AT(print_config), .is_request = true,
     .help = "print what all of this comes to as a config file, and exit"},
    {"version", PAWL_OPTION_BOOL, AT(version), .is_request = true,
     .help = "print the version, and exit"},
    {"help", PAWL_OPTION_BOOL, AT(help), .is_request = true, .help = "print this, and exit"},
};
#define NOPTIONS (sizeof table / sizeof table[0])

/* Which source set each option; a later, weaker source leaves it alone. */
struct reading {
    struct pawl_settings *settings;
    bool taken[NOPTIONS];           /* set by a stronger source */
    bool now[NOPTIONS];             /* set by this one */
    struct pawl_err *err;
};

static size_t
find(const char *name, size_t len)
{
    for (size_t i = 0; i < NOPTIONS; i++)
        if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
            return i;
    return NOPTIONS;
}

static int
unknown(struct reading *reading, const char *where, const char *name, size_t len)
{
    const char *nearest = NULL;
    size_t best = 4;

    for (size_t i = 0; i < NOPTIONS; i++) {
        size_t distance = pawl_option_distance(table[i].name, name, len);

        if (distance < best) {
            best = distance;
            nearest = table[i].name;
        }
    }
    return pawl_option_fail(reading->err, "%sunknown option '%.*s'%s%s%s", where,
        (int) (len < 64 ? len : 64), name, nearest != NULL ? "; did you mean '" : "",
        nearest != NULL ? nearest : ": see pawld --help", nearest != NULL ? "'?" : "");
}

static int
set(struct reading *reading, size_t i, const char *text, size_t len, const char *where)
{
    if (reading->taken[i])
        return PAWL_OK;
    reading->now[i] = true;
    return pawl_option_set(&table[i], reading->settings, text, len, where, reading->err);
}

/* data and ephemeral are one choice: who takes one has decided about the other. */
static void
next_source(struct reading *reading)
{
    size_t data = find("data", 4), ephemeral = find("ephemeral", 9);

    for (size_t i = 0; i < NOPTIONS; i++)
        reading->taken[i] |= reading->now[i];
    reading->taken[data] |= reading->settings->ephemeral;
    reading->taken[ephemeral] |= reading->settings->data != NULL;
}

/* "--name=value", "--name value", "--flag". */
static int
read_flags(struct reading *reading, int argc, char *const *argv)
{
    for (int n = 1; n < argc; n++) {
        const char *arg = strcmp(argv[n], "-h") == 0 ? "--help" : argv[n];
        size_t len = strcspn(arg, "="), i;
        const char *value = arg[len] == '=' ? arg + len + 1 : NULL;
        char where[80];
        int rc;

        if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
            return pawl_option_fail(reading->err,
                "'%.100s' is no option: pawld takes only options, see pawld --help", arg);
        i = find(arg + 2, len - 2);
        if (i == NOPTIONS)
            return unknown(reading, "", arg + 2, len - 2);
        if (value == NULL && table[i].kind == PAWL_OPTION_BOOL)
            value = "true";
        else if (value == NULL && (value = argv[++n]) == NULL)
            return pawl_option_fail(reading->err, "--%s needs a value: --%s %s",
                table[i].name, table[i].name, table[i].argument);
        snprintf(where, sizeof where, "--%s: ", table[i].name);
        if ((rc = set(reading, i, value, strlen(value), where)) != PAWL_OK)
            return rc;
    }
    next_source(reading);
    return PAWL_OK;
}

/* PAWL_MAX_PENDING for max-pending; a list is separated by commas. */
static int
read_env(struct reading *reading, char *const *envp)
{
    for (; *envp != NULL; envp++) {
        char name[64], where[80];
        size_t len = strcspn(*envp, "="), i, n;
        const char *value = *envp + len + 1;
        int rc = PAWL_OK;

        if (strncmp(*envp, "PAWL_", 5) != 0 || len - 5 >= sizeof name ||
            (*envp)[len] == '\0')
            continue;
        for (n = 0; n < len - 5; n++) {
            char c = (*envp)[5 + n];

            name[n] = (char) (c == '_'               ? '-'
                              : c >= 'A' && c <= 'Z' ? c - 'A' + 'a'
                                                     : '?');
        }
        i = find(name, n);
        if (i == NOPTIONS || table[i].is_request)
            continue;               /* the client has variables, too */
        if (*value == '\0')
            continue;               /* set to nothing is as good as not set */
        snprintf(where, sizeof where, "%.*s: ", (int) len, *envp);
        if (table[i].kind != PAWL_OPTION_TEXTS)
            rc = set(reading, i, value, strlen(value), where);
        else
            for (; rc == PAWL_OK && *value != '\0'; value += *value == ',') {
                struct pawl_text_span item = pawl_option_trim(value, strcspn(value, ","));

                rc = set(reading, i, item.text, item.len, where);
                value += strcspn(value, ",");
            }
        if (rc != PAWL_OK)
            return rc;
    }
    next_source(reading);
    return PAWL_OK;
}

static int
read_line(struct reading *reading, char *line, const char *where)
{
    struct pawl_text_span key, value;
    size_t i;

    if (!pawl_option_split(line, &key, &value))
        return pawl_option_fail(reading->err,
            "%sexpected 'key = value', '[section]' or '# comment'", where);
    if (key.len == 0)
        return PAWL_OK;
    i = find(key.text, key.len);
    if (i == NOPTIONS)
        return unknown(reading, where, key.text, key.len);
    if (table[i].no_key || table[i].is_request)
        return pawl_option_fail(reading->err, "%s'%s' cannot be set in a file", where,
            table[i].name);
    if (reading->now[i] && table[i].kind != PAWL_OPTION_TEXTS)
        return pawl_option_fail(
            reading->err, "%s'%s' is set twice", where, table[i].name);
    return set(reading, i, value.text, value.len, where);
}

static int
read_file(struct reading *reading, const char *path)
{
    FILE *file;
    char *line = NULL, where[160];
    size_t cap = 0;
    ssize_t len;
    int rc = PAWL_OK;

    memset(reading->now, 0, sizeof reading->now);
    if ((file = fopen(path, "re")) == NULL)
        return pawl_option_fail(reading->err, "--config: cannot open %.120s: %s", path,
            strerror(errno));
    for (int n = 1; rc == PAWL_OK && (len = getline(&line, &cap, file)) >= 0; n++) {
        snprintf(where, sizeof where, "%.100s:%d: ", path, n);
        if (strlen(line) != (size_t) len)
            rc = pawl_option_fail(reading->err, "%sthe line holds a NUL", where);
        else
            rc = read_line(reading, line, where);
    }
    if (rc == PAWL_OK && ferror(file))
        rc = pawl_option_fail(reading->err, "--config: cannot read %.120s: %s", path,
            strerror(errno));
    free(line);
    fclose(file);
    next_source(reading);
    return rc;
}

int
pawl_settings_read(int argc, char *const *argv, char *const *envp,
                   struct pawl_settings *out_settings, struct pawl_err *err)
{
    struct reading reading = {.settings = out_settings, .err = err};
    int rc;

    memset(out_settings, 0, sizeof *out_settings);
    rc = read_flags(&reading, argc, argv);
    if (rc == PAWL_OK)
        rc = read_env(&reading, envp);
    if (rc == PAWL_OK && out_settings->config != NULL)
        rc = read_file(&reading, out_settings->config);
    for (size_t i = 0; rc == PAWL_OK && i < NOPTIONS; i++)
        if (table[i].fallback != NULL)
            rc = set(&reading, i, table[i].fallback, strlen(table[i].fallback), "");
    out_settings->log_json = out_settings->log_format == 1;
    if (rc == PAWL_OK && out_settings->data != NULL && out_settings->ephemeral)
        rc = pawl_option_fail(err, "--data and --ephemeral exclude each other");
    return rc;
}

void
pawl_settings_fini(struct pawl_settings *settings)
{
    for (size_t i = 0; i < NOPTIONS; i++)
        pawl_option_clear(&table[i], settings);
}

void
pawl_settings_print(const struct pawl_settings *settings, struct pawl_buffer *buffer)
{
    for (size_t i = 0; i < NOPTIONS; i++)
        if (!table[i].no_key && !table[i].is_request)
            pawl_option_print(&table[i], settings, buffer);
}

void
pawl_settings_help(struct pawl_buffer *buffer)
{
    pawl_buffer_append_str(buffer,
        "pawld: the daemon of pawl, a task scheduler\n\nusage: pawld [OPTION]...\n\n");
    for (size_t i = 0; i < NOPTIONS; i++)
        pawl_option_help(&table[i], buffer);
    pawl_buffer_append_str(buffer,
        "\nEvery option is also a key of the config file (max-pending = 1000) and a "
        "variable\n"
        "(PAWL_MAX_PENDING=1000). A flag wins over the environment, that over the file.\n"
        "Manual: man pawld, and docs/protocol.md for the HTTP interface.\n");
}
