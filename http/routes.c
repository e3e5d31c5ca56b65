/* routes.c: the table of routes, and what is read off it. */
#include "routes.h"

#include <stdio.h>
#include <string.h>

#include "groups.h"
#include "tasks.h"

#define BULK_PARAMS " tag group prefix type status all dryRun "

static const struct pawl_route routes[] = {
    {PAWL_GET, "/api/tasks", pawl_tasks_list, "list tasks in the order of submission",
        .params = " status type prefix tag group limit after results "},
    {PAWL_POST, "/api/tasks", pawl_tasks_submit, "submit a task", .params = "",
        .takes_body = true},
    {PAWL_POST, "/api/tasks", pawl_tasks_submit_many,
        "submit many, a line each (Content-Type: application/x-ndjson)", .params = "",
        .takes_body = true, .is_ndjson = true},
    {PAWL_PUT, "/api/tasks", pawl_tasks_stop_all, "stop all tasks that match",
        .params = BULK_PARAMS "kill "},
    {PAWL_DELETE, "/api/tasks", pawl_tasks_delete_all, "stop and remove all tasks that match",
        .params = BULK_PARAMS "kill "},
    {PAWL_POST, "/api/tasks:run", pawl_tasks_ask_all, "run all tasks that match now",
        .params = BULK_PARAMS},
    {PAWL_POST, "/api/tasks:pause", pawl_tasks_pause_all, "pause all tasks that match",
        .params = BULK_PARAMS},
    {PAWL_POST, "/api/tasks:resume", pawl_tasks_resume_all,
        "let all paused tasks that match go on", .params = BULK_PARAMS},
    {PAWL_GET, "/api/tasks/{id}", pawl_tasks_get, "show a task, or wait until it changes",
        .params = " watch version wait "},
    {PAWL_PUT, "/api/tasks/{id}", pawl_tasks_stop, "stop a task", .params = " kill "},
    {PAWL_PATCH, "/api/tasks/{id}", pawl_tasks_patch,
        "change a task in place (RFC 7396)", .params = " version ", .takes_body = true},
    {PAWL_DELETE, "/api/tasks/{id}", pawl_tasks_delete, "stop and remove a task",
        .params = " kill "},
    {PAWL_POST, "/api/tasks/{id}/run", pawl_tasks_ask, "run a task now, beside its schedule",
        .params = ""},
    {PAWL_POST, "/api/tasks/{id}/pause", pawl_tasks_pause, "let a task's due times pass",
        .params = ""},
    {PAWL_POST, "/api/tasks/{id}/resume", pawl_tasks_resume, "let a paused task go on",
        .params = ""},
    {PAWL_GET, "/api/tasks/{id}/runs", pawl_tasks_runs, "list a task's runs, the newest first",
        .params = " limit before attempt "},
    {PAWL_GET, "/api/tasks/{id}/runs/{n}", pawl_tasks_run, "show a run with its whole output",
        .params = " attempt "},
    {PAWL_GET, "/api/tasks/{id}/runs/{n}/output", pawl_tasks_output,
        "give what a run wrote, as text", .params = " stream attempt "},
    {PAWL_GET, "/api/tasks/{id}/explain", pawl_tasks_explain,
        "say why a task's next run is when it is", .params = ""},
    {PAWL_GET, "/api/groups", pawl_groups_list, "list the groups of tasks", .params = ""},
    {PAWL_GET, "/api/groups/{name}", pawl_groups_get, "show a group of tasks", .params = ""},
    {PAWL_PUT, "/api/groups/{name}", pawl_groups_resize,
        "set how many runs of a group may be in progress", .params = "", .takes_body = true},
    {PAWL_DELETE, "/api/groups/{name}", pawl_groups_delete,
        "take back the size that was set of a group", .params = ""},
    {PAWL_GET, "/api/forecast", pawl_tasks_forecast, "show what fires in a window of time",
        .params = " from until limit timezone type prefix tag group "},
    {PAWL_GET, "/api/backup", pawl_tasks_backup, "give a consistent copy of the store",
        .params = ""},
    {PAWL_GET, "/api/health", pawl_tasks_health, "show counters and lateness",
        .params = ""},
    {PAWL_GET, "/api/next", pawl_tasks_next, "show when an expression fires",
        .params = " expr timezone from n dst dayMatch id start "},
    {PAWL_GET, "/api/match", pawl_tasks_match, "say whether a time is one of an expression",
        .params = " expr timezone at dst dayMatch id start "},
};
#define NROUTES (sizeof routes / sizeof routes[0])

static const struct {
    const char *name;
    enum pawl_method method;
} methods[] = {
    {"GET", PAWL_GET},       {"HEAD", PAWL_GET},       {"POST", PAWL_POST},
    {"PUT", PAWL_PUT},       {"PATCH", PAWL_PATCH},    {"DELETE", PAWL_DELETE},
    {"OPTIONS", PAWL_OPTIONS},
};
#define NMETHODS (sizeof methods / sizeof methods[0])

static bool
matches(const char *path, const struct pawl_uri *uri)
{
    size_t n = 0;

    while (*path == '/') {
        size_t len = strcspn(++path, "/");
        const struct pawl_text *segment = &uri->segments[n];

        if (n++ == uri->nsegments)
            return false;
        if (*path == '{' ? segment->len == 0
                         : segment->len != len || memcmp(segment->text, path, len) != 0)
            return false;
        path += len;
    }
    return n == uri->nsegments;
}

const struct pawl_route *
pawl_route_find(enum pawl_method method, const struct pawl_uri *uri, bool is_ndjson,
                unsigned *out_allowed)
{
    const struct pawl_route *found = NULL;

    for (size_t i = 0; i < NROUTES; i++) {
        if (!matches(routes[i].path, uri))
            continue;
        *out_allowed |= routes[i].method;
        /* Only where there is a route for streams does the type of the body choose. */
        if (routes[i].method == method && (found == NULL || routes[i].is_ndjson == is_ndjson))
            found = &routes[i];
    }
    if (*out_allowed != 0)
        *out_allowed |= PAWL_OPTIONS;
    return found;
}

/* The names between the spaces of params, with commas. */
static void
refuse_param(const struct pawl_route *route, const struct pawl_text *name,
             struct pawl_problem *out_problem)
{
    char known[128];
    size_t len = 0;

    for (const char *p = route->params;
         *p != '\0' && p[1] != '\0' && len < sizeof known - 3; p++) {
        if (*p != ' ')
            known[len++] = *p;
        else if (len > 0)
            len += (size_t) sprintf(known + len, ", ");
    }
    known[len] = '\0';
    pawl_problem_set(out_problem, 400, NULL,
        "unknown query parameter '%.*s'; known here: %s",
        (int) (name->len < 64 ? name->len : 64), name->text, len > 0 ? known : "none");
}

static bool
may_repeat(const struct pawl_text *name)
{
    return pawl_text_is(name, "status") || pawl_text_is(name, "tag");
}

bool
pawl_route_check_params(const struct pawl_route *route, const struct pawl_uri *uri,
                        struct pawl_problem *out_problem)
{
    for (size_t i = 0; i < uri->nparams; i++) {
        const struct pawl_text *name = &uri->params[i].name;
        char word[32];

        if (name->len == 0 || name->len > sizeof word - 3 ||
            memchr(name->text, ' ', name->len)) {
            refuse_param(route, name, out_problem);
            return false;
        }
        sprintf(word, " %.*s ", (int) name->len, name->text);
        if (strlen(word) != name->len + 2 || strstr(route->params, word) == NULL) {
            refuse_param(route, name, out_problem);
            return false;
        }
        for (size_t j = 0; j < i; j++)
            if (uri->params[j].name.len == name->len && !may_repeat(name) &&
                memcmp(uri->params[j].name.text, name->text, name->len) == 0) {
                pawl_problem_set(out_problem, 400, NULL,
                    "query parameter '%.*s' is given twice", (int) name->len, name->text);
                return false;
            }
    }
    return true;
}

enum pawl_method
pawl_method_of(const char *name, bool *out_is_head)
{
    *out_is_head = strcmp(name, "HEAD") == 0;
    for (size_t i = 0; i < NMETHODS; i++)
        if (strcmp(methods[i].name, name) == 0)
            return methods[i].method;
    return PAWL_OTHER_METHOD;
}

void
pawl_methods_write(struct pawl_buffer *buffer, unsigned set)
{
    const char *comma = "";

    for (size_t i = 0; i < NMETHODS; i++)
        if (set & methods[i].method) {
            pawl_buffer_append_str(buffer, comma);
            pawl_buffer_append_str(buffer, methods[i].name);
            comma = ", ";
        }
}

void
pawl_routes_print(struct pawl_buffer *buffer)
{
    char line[160];

    for (size_t i = 0; i < NROUTES; i++) {
        const char *name = "";

        for (size_t j = NMETHODS; j-- > 0;)
            if (methods[j].method == routes[i].method)
                name = methods[j].name;
        snprintf(line, sizeof line, "ROUTE  %-6s  %-31s  %s\n", name, routes[i].path,
            routes[i].what);
        pawl_buffer_append_str(buffer, line);
    }
}
